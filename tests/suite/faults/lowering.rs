//! Faults of lowering: lists over atoms say something else than the rules.

use tetrafold::emit::lower::lists::Word;
use tetrafold::emit::lower::{LoweredDimension, LoweredUnit};

use tetrafold::policy::RateLimit;
use tetrafold::vocab::action::RateLimitScope;

use super::{Honest, Tally, policies};

#[test]
fn what_lowering_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        for (what, lowered) in damaged(&honest) {
            let Honest { set, optimised, certificate, plan, .. } = &honest;
            let outcome = honest.with_lowered(set, optimised, certificate, plan, lowered);
            tally.count(format!("lower: {what}"), outcome);
        }
    }
    tally.check(300);
}

fn damaged(honest: &Honest) -> Vec<(String, Vec<LoweredUnit>)> {
    let mut out = vec![];
    let mut with = |what: String, change: &dyn Fn(&mut Vec<LoweredUnit>)| {
        let mut damaged = honest.lowered.clone();
        change(&mut damaged);
        out.push((what, damaged));
    };
    for (u, unit) in honest.lowered.iter().enumerate() {
        for (s, code) in unit.scopes.values().enumerate() {
            let of = |what: String| format!("scope {s} of unit {u}: {what}");
            for d in 0..unit.dimensions.len() {
                if code.needs >> d & 1 == 1 {
                    with(of(format!("dimension {d} not read")), &|all| all[u].scopes[s].needs &= !(1 << d));
                }
                for atom in atoms(&unit.dimensions[d]) {
                    if !code.quiet[d].contains(atom) {
                        with(of(format!("atom {atom} of dimension {d} is quiet")), &|all| {
                            all[u].scopes[s].quiet[d].set(atom, true);
                        });
                    }
                }
            }
            for (l, (_, list)) in code.lists.iter().enumerate() {
                with(of(format!("list {l} lost")), &|all| _ = all[u].scopes[s].lists.remove(l));
                for (w, word) in list.words.iter().enumerate() {
                    let of = |what: String| of(format!("word {w} of list {l}: {what}"));
                    with(of("lost".into()), &|all| _ = all[u].scopes[s].lists[l].1.words.remove(w));
                    let mut with = |what: String, change: &dyn Fn(&mut Word)| {
                        with(of(what), &|all| change(&mut all[u].scopes[s].lists[l].1.words[w]));
                    };
                    match word {
                        Word::Test { dimension, .. } => {
                            for atom in atoms(&unit.dimensions[*dimension as usize]) {
                                with(format!("atom {atom}"), &|word| {
                                    if let Word::Test { row, .. } = word {
                                        let is_in = row.contains(atom);
                                        row.set(atom, !is_in);
                                    }
                                });
                            }
                            with("skips more".into(), &|word| {
                                if let Word::Test { skip, .. } = word {
                                    *skip += 1;
                                }
                            });
                            with("another dimension".into(), &|word| {
                                if let Word::Test { dimension, .. } = word {
                                    *dimension += 1;
                                }
                            });
                        }
                        Word::Act { outcome, .. } => {
                            with("another selector".into(), &|word| {
                                if let Word::Act { selector, .. } = word {
                                    *selector += 1;
                                }
                            });
                            for limit in [
                                None,
                                Some((7000, RateLimitScope::Thread)),
                                Some((3_600_000, RateLimitScope::Global)),
                                Some((3_600_000, RateLimitScope::Process)),
                            ] {
                                let limit =
                                    limit.map(|(milliseconds, scope)| RateLimit { milliseconds, scope });
                                if outcome.limit.is_some() && outcome.limit != limit {
                                    with(format!("{limit:?}"), &|word| {
                                        if let Word::Act { outcome, .. } = word {
                                            outcome.limit = limit;
                                        }
                                    });
                                }
                            }
                            with("posts or not".into(), &|word| {
                                if let Word::Act { outcome, .. } = word {
                                    outcome.post = !outcome.post;
                                }
                            });
                        }
                        Word::Skip { .. } => {
                            with("skips less".into(), &|word| {
                                if let Word::Skip { skip } = word {
                                    *skip -= 1;
                                }
                            });
                        }
                    }
                }
            }
        }
    }
    out
}

/// A register can always be read.
fn atoms(dimension: &LoweredDimension) -> std::ops::RangeInclusive<u32> {
    0..=dimension.count + u32::from(dimension.table.holds_texts())
}
