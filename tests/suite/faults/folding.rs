//! Faults of folding: rules, certificates and plans say something else than the policy set.

use tetrafold::fold::ir::{AttachKind, Outcome, Place, PredicateId, Program, Subject};
use tetrafold::fold::opt::{Certificate, Omission, Omitted};
use tetrafold::fold::plan::Plan;
use tetrafold::policy::{ScopeId, StrId};

use super::{Honest, Tally, policies, values};

#[test]
fn what_building_the_rules_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        for (what, program) in damaged_programs(&honest, &honest.program) {
            tally.count(format!("ir: {what}"), honest.with_program(&honest.set, &program));
        }
    }
    tally.check(250);
}

#[test]
fn what_a_pass_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::SHAPES.iter().chain([&policies::OMITTED]) {
        let honest = Honest::compile(text);
        for (what, program) in damaged_programs(&honest, &honest.optimised) {
            let outcome = honest.with_optimised(&honest.set, &program, &honest.certificate);
            tally.count(format!("opt: {what}"), outcome);
        }
        for (what, program, certificate) in false_omissions(&honest) {
            tally.count(format!("opt: {what}"), honest.with_optimised(&honest.set, &program, &certificate));
        }
        for i in 0..honest.certificate.omitted.len() {
            let mut certificate = honest.certificate.clone();
            certificate.omitted.remove(i);
            let outcome = honest.with_optimised(&honest.set, &honest.optimised, &certificate);
            tally.count(format!("opt: omission {i} without a reason"), outcome);
        }
    }
    tally.check(250);
}

#[test]
fn what_planning_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        for (what, plan) in damaged_plans(&honest) {
            let Honest { set, optimised, certificate, .. } = &honest;
            tally.count(format!("plan: {what}"), honest.with_plan(set, optimised, certificate, &plan));
        }
    }
    tally.check(60);
}

fn damaged_programs(honest: &Honest, program: &Program) -> Vec<(String, Program)> {
    let mut out = vec![];
    let mut with = |what: String, change: &dyn Fn(&mut Program)| {
        let mut damaged = program.clone();
        change(&mut damaged);
        out.push((what, damaged));
    };
    for (l, list) in program.lists.iter().enumerate() {
        let of = |what: &str| format!("list {l}: {what}");
        with(of("lost"), &|p| _ = p.lists.remove(l));
        with(of("its selectors shifted"), &|p| p.lists[l].first_selector += 1);
        for policy in (0..honest.set.policies.len()).filter(|p| *p != list.policy) {
            with(of(&format!("of policy {policy}")), &|p| p.lists[l].policy = policy);
        }
        for scope in (0..honest.set.scopes.len() as u32).filter(|s| *s != list.scope.0) {
            with(of(&format!("in scope {scope}")), &|p| p.lists[l].scope = ScopeId(scope));
        }
        for a in 0..list.params.len() {
            with(of(&format!("argument {a} moved")), &|p| p.lists[l].params[a] += 1);
        }
        for r in 0..list.rules.len() {
            let of = |what: &str| format!("rule {r} of list {l}: {what}");
            with(of("lost"), &|p| _ = p.lists[l].rules.remove(r));
            with(of("another selector's"), &|p| p.lists[l].rules[r].selector += 1);
            if r > 0 {
                with(of("before its neighbour"), &|p| p.lists[l].rules.swap(r - 1, r));
            }
            with(of("posts or not"), &|p| {
                let outcome = &mut p.lists[l].rules[r].outcome;
                outcome.post = !outcome.post;
            });
            with(of("kills or not"), &|p| {
                let outcome = &mut p.lists[l].rules[r].outcome;
                outcome.sigkill = !outcome.sigkill;
            });
            with(of("returns another value"), &|p| {
                let outcome = &mut p.lists[l].rules[r].outcome;
                outcome.override_value = Some(outcome.override_value.map_or(-1, |value| value - 1));
            });
            with(of("does nothing"), &|p| {
                p.lists[l].rules[r].outcome =
                    Outcome { post: false, override_value: None, sigkill: false, half: false, limit: None };
            });
            for i in 0..list.rules[r].predicates.len() {
                with(of(&format!("condition {i} lost")), &|p| _ = p.lists[l].rules[r].predicates.remove(i));
                let others = program.operations[list.operation.0 as usize].predicates.len() as u32;
                let known = &list.rules[r].predicates;
                for other in (0..others).map(PredicateId).filter(|p| !known.contains(p)) {
                    with(of(&format!("condition {i} is {other:?}")), &|p| {
                        p.lists[l].rules[r].predicates[i] = other;
                        p.lists[l].rules[r].predicates.sort_unstable();
                    });
                }
            }
        }
    }
    for (o, operation) in program.operations.iter().enumerate() {
        let of = |what: &str| format!("operation {o}: {what}");
        for t in 0..operation.attach.targets.len() {
            with(of(&format!("target {t} elsewhere")), &|p| {
                p.operations[o].attach.targets[t].push('x');
                p.operations[o].attach.targets.sort();
            });
            if operation.attach.targets.len() > 1 {
                with(of(&format!("target {t} lost")), &|p| _ = p.operations[o].attach.targets.remove(t));
            }
        }
        if operation.attach.kind.takes_several() {
            with(of("a target more"), &|p| p.operations[o].attach.targets.push("__x64_sys_zzz".into()));
        }
        with(of("arguments of another kind"), &|p| {
            let syscall = &mut p.operations[o].attach.syscall;
            *syscall = !*syscall;
        });
        for kind in AttachKind::ALL.into_iter().filter(|kind| *kind != operation.attach.kind) {
            with(of(&format!("as {}", kind.name())), &|p| p.operations[o].attach.kind = kind);
        }
        for s in 0..operation.subjects.len() {
            with(of(&format!("subject {s} moved")), &|p| {
                let mut all: Vec<Subject> = p.operations[o].subjects.iter().copied().collect();
                all[s].place = match all[s].place {
                    Place::Param(param) => Place::Param(param + 1),
                    Place::Fact(fact) => Place::Fact(fact.next()),
                };
                p.operations[o].subjects = all.into_iter().collect();
            });
        }
        for i in 0..operation.predicates.len() {
            let of = |what: &str| format!("condition {i} of operation {o}: {what}");
            let mut change = |what: &str, change: &dyn Fn(&mut tetrafold::fold::ir::Predicate)| {
                with(of(what), &|p| {
                    let mut all: Vec<_> = p.operations[o].predicates.iter().cloned().collect();
                    change(&mut all[i]);
                    p.operations[o].predicates = all.into_iter().collect();
                });
            };
            change("negated", &|p| p.negated = !p.negated);
            let own = &operation.predicate(PredicateId(i as u32)).values;
            if own.table().holds_texts() {
                change("about what cannot be read", &|p| p.unreadable = !p.unreadable);
            }
            let texts: Vec<StrId> = (0..honest.set.strings.len() as u32).map(StrId).collect();
            for (what, damaged) in values::damaged(own, &texts) {
                change(&what, &|p| p.values = damaged.clone());
            }
        }
    }
    out
}

/// Rules left out, with each reason that could be given.
fn false_omissions(honest: &Honest) -> Vec<(String, Program, Certificate)> {
    let mut out = vec![];
    for (l, list) in honest.optimised.lists.iter().enumerate() {
        for (r, rule) in list.rules.iter().enumerate() {
            let mut reasons = vec![Omission::NeverMatches, Omission::QuietTail];
            reasons.extend((0..5).map(|selector| Omission::CoveredBy { selector }));
            for why in reasons {
                let mut program = honest.optimised.clone();
                program.lists[l].rules.remove(r);
                let mut certificate = honest.certificate.clone();
                let (policy, selector) = (list.policy, rule.selector);
                let omitted = list.hooks.iter().map(|&hook| Omitted { policy, hook, selector, why });
                certificate.omitted.extend(omitted);
                out.push((format!("rule {r} of list {l} lost: {why:?}"), program, certificate));
            }
        }
    }
    out
}

fn damaged_plans(honest: &Honest) -> Vec<(String, Plan)> {
    let mut out = vec![];
    let mut with = |what: String, change: &dyn Fn(&mut Plan)| {
        let mut damaged = honest.plan.clone();
        change(&mut damaged);
        out.push((what, damaged));
    };
    for (u, unit) in honest.plan.units.iter().enumerate() {
        with(format!("unit {u} lost"), &|p| _ = p.units.remove(u));
        for (d, dimension) in unit.dimensions.iter().enumerate() {
            for v in 0..dimension.values.len() {
                with(format!("value {v} of dimension {d} of unit {u} lost"), &|p| {
                    values::remove(&mut p.units[u].dimensions[d].values, v);
                });
            }
        }
        for (scope, lists) in &unit.scopes {
            for i in 0..lists.len() {
                with(format!("list {i} of scope {scope:?} of unit {u} lost"), &|p| {
                    let lists = p.units[u].scopes.get_mut(scope).unwrap();
                    lists.remove(i);
                    if lists.is_empty() {
                        p.units[u].scopes.shift_remove(scope);
                    }
                });
                for other in (0..honest.set.scopes.len() as u32).map(ScopeId).filter(|o| o != scope) {
                    with(format!("list {i} of scope {scope:?} of unit {u} in {other:?}"), &|p| {
                        let list = p.units[u].scopes.get_mut(scope).unwrap().remove(i);
                        let scopes = &mut p.units[u].scopes;
                        scopes.entry(other).or_default().push(list);
                        scopes.retain(|_, lists| !lists.is_empty());
                        scopes.sort_unstable_keys();
                        scopes[&other].sort_unstable();
                    });
                }
            }
        }
    }
    out
}
