//! Faults of the last step: the manifest, or the bytes, say something else than was lowered.

use tetrafold::artifact::digest::{FileKind, FileRef, Files};
use tetrafold::artifact::manifest::{
    Action, AttachKind, Form, Integer, Limits, Manifest, Mode, RateLimit, RateLimitScope, ScopeTerm, Subject,
    Table,
};
use tetrafold::artifact::projection::Projection;
use tetrafold::artifact::structure::Structure;
use tetrafold::emit::assemble::Built;

use super::{Honest, Tally, policies};

#[test]
fn what_the_manifest_says_wrongly_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        for (what, manifest) in damaged(&honest.built.manifest) {
            let built = Built { manifest, ..honest.built.clone() };
            let outcome = honest.with_built(&honest.set, &honest.certificate, &built);
            tally.count(format!("describe: {what}"), outcome);
        }
    }
    tally.check(200);
}

/// Decision words and rows, byte by byte. (Tables have bytes that say nothing; what those say is `decode`'s test.)
#[test]
fn a_changed_byte_of_the_decision_lists_is_found() {
    let mut tally = Tally::default();
    let honest = Honest::compile(policies::SHAPES[2]);
    for o in 0..honest.built.manifest.operations.len() {
        let file = &honest.built.manifest.operations[o].scope_blocks;
        let bytes = honest.built.files.get(file).unwrap().to_vec();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let mut built = honest.built.clone();
            built.manifest.operations[o].scope_blocks = add(&mut built.files, damaged);
            let outcome = honest.with_built(&honest.set, &honest.certificate, &built);
            tally.count(format!("byte {at} of operation {o}"), outcome);
        }
    }
    tally.check(200);
}

fn add(files: &mut Files, bytes: Vec<u8>) -> FileRef {
    files.add(FileKind::Image, bytes)
}

const FORMS: [Form; 5] =
    [Form::Unsigned, Form::Signed, Form::Text, Form::Socket, Form::Structure(Structure::Cred)];

fn damaged(manifest: &Manifest) -> Vec<(String, Manifest)> {
    let mut out = vec![];
    let mut with = |what: String, change: &dyn Fn(&mut Manifest)| {
        let mut damaged = manifest.clone();
        change(&mut damaged);
        out.push((what, damaged));
    };
    for (o, operation) in manifest.operations.iter().enumerate() {
        let of = |what: String| format!("operation {o}: {what}");
        with(of("lost".into()), &|m| _ = m.operations.remove(o));
        for t in 0..operation.attach.targets.len() {
            with(of(format!("target {t} elsewhere")), &|m| m.operations[o].attach.targets[t].push('x'));
            with(of(format!("target {t} lost")), &|m| _ = m.operations[o].attach.targets.remove(t));
        }
        with(of("arguments of another kind".into()), &|m| {
            let syscall = &mut m.operations[o].attach.syscall;
            *syscall = !*syscall;
        });
        with(of("a target more".into()), &|m| m.operations[o].attach.targets.push("x".into()));
        for f in 0..operation.attach.fields.len() {
            with(of(format!("field {f} lost")), &|m| _ = m.operations[o].attach.fields.remove(f));
            with(of(format!("field {f} moved")), &|m| m.operations[o].attach.fields[f].index += 1);
            with(of(format!("field {f} elsewhere")), &|m| m.operations[o].attach.fields[f].offset += 8);
            with(of(format!("field {f} is smaller")), &|m| m.operations[o].attach.fields[f].bytes = 0);
        }
        for v in 0..operation.values.len() {
            let value = |what: &str| of(format!("value {v} {what}"));
            with(value("lost"), &|m| _ = m.operations[o].values.remove(v));
            with(value("of another argument"), &|m| m.operations[o].values[v].source = Subject::Argument(99));
            with(value("without a width"), &|m| m.operations[o].values[v].width = None);
            for &form in &FORMS {
                let is_number = |form| matches!(form, Form::Unsigned | Form::Signed);
                // Either sign does: readers extend a number as their own type does.
                if !(is_number(form) && is_number(operation.values[v].form)) {
                    with(value(&format!("as {form:?}")), &|m| m.operations[o].values[v].form = form);
                }
            }
        }
        let kinds = [
            AttachKind::Kprobe,
            AttachKind::Kretprobe,
            AttachKind::Lsm,
            AttachKind::FmodRet,
            AttachKind::Tracepoint,
            AttachKind::RawTracepoint,
        ];
        for kind in kinds {
            if kind != operation.attach.kind {
                with(of(format!("as {kind:?}")), &|m| m.operations[o].attach.kind = kind);
            }
        }
        for a in 0..operation.args.len() {
            with(of(format!("argument {a} moved")), &|m| m.operations[o].args[a].index += 1);
            with(of(format!("argument {a} retyped")), &|m| m.operations[o].args[a].ty = "cred".into());
        }
        if operation.limits.is_some() {
            let with_limits = |m: &mut Manifest, change: &dyn Fn(&mut Limits)| {
                change(m.operations[o].limits.as_mut().unwrap());
            };
            with(of("no limits".into()), &|m| m.operations[o].limits = None);
            with(of("limits elsewhere".into()), &|m| with_limits(m, &|l| l.root += 8));
            with(of("a limit less".into()), &|m| with_limits(m, &|l| l.count -= 1));
            with(of("a key without an argument".into()), &|m| with_limits(m, &|l| _ = l.key.pop()));
            if operation.limits.as_ref().is_some_and(|limits| limits.key.len() > 1) {
                with(of("a key of another order".into()), &|m| with_limits(m, &|l| l.key.rotate_left(1)));
            }
            with(of("short keys".into()), &|m| {
                let map = m.maps.iter_mut().find(|map| map.name == "limits");
                map.unwrap().key_size -= 8;
            });
        }
        for (d, dimension) in operation.dimensions.iter().enumerate() {
            with(of(format!("dimension {d} moved")), &|m| {
                let subject = &mut m.operations[o].dimensions[d].subject;
                *subject = match *subject {
                    Subject::Argument(index) => Subject::Argument(index + 1),
                    Subject::Fact(fact) => Subject::Fact(fact.next()),
                };
            });
            for &family in Table::ALL {
                if family != dimension.family {
                    with(of(format!("dimension {d} as {family:?}")), &|m| {
                        m.operations[o].dimensions[d].family = family;
                    });
                }
            }
            for projection in [Projection::Whole, Projection::SourcePort, Projection::DestinationPort] {
                if projection != dimension.projection {
                    with(of(format!("dimension {d} of {projection:?}")), &|m| {
                        m.operations[o].dimensions[d].projection = projection;
                    });
                }
            }
            if dimension.integer.is_some() {
                let with_integer = |m: &mut Manifest, change: &dyn Fn(&mut Integer)| {
                    change(m.operations[o].dimensions[d].integer.as_mut().unwrap());
                };
                with(of(format!("dimension {d} of another width")), &|m| with_integer(m, &|i| i.bytes ^= 6));
                with(of(format!("dimension {d} with another sign")), &|m| {
                    with_integer(m, &|i| i.signed = !i.signed);
                });
            }
            with(of(format!("dimension {d} with other merging")), &|m| {
                let merges = &mut m.operations[o].dimensions[d].merges_unreadable;
                *merges = !*merges;
            });
        }
    }
    for p in 0..manifest.programs.len() {
        let of = |what: &str| format!("program {p}: {what}");
        with(of("lost"), &|m| _ = m.programs.remove(p));
        with(of("in another section"), &|m| m.programs[p].section.push('x'));
        // Of another operation, if there is one.
        let other = (p + 2) % manifest.programs.len();
        if other == p {
            continue;
        }
        with(of("of another operation"), &|m| m.programs[p].operation = m.programs[other].operation);
        with(of("another's object"), &|m| m.programs[p].object = m.programs[other].object.clone());
    }
    for (s, scope) in manifest.scopes.iter().enumerate() {
        with(format!("scope {s} renumbered"), &|m| m.scopes[s].number += 1);
        for t in 0..scope.any.len() {
            with(format!("term {t} of scope {s} lost"), &|m| _ = m.scopes[s].any.remove(t));
            if let ScopeTerm::Pods(pods) = &scope.any[t] {
                for r in 0..pods.pod.len() {
                    with(format!("requirement {r} of term {t} of scope {s} lost"), &|m| {
                        if let ScopeTerm::Pods(pods) = &mut m.scopes[s].any[t] {
                            pods.pod.remove(r);
                        }
                    });
                }
            }
        }
    }
    for (p, policy) in manifest.policies.iter().enumerate() {
        let of = |what: String| format!("policy {p}: {what}");
        with(of("lost".into()), &|m| _ = m.policies.remove(p));
        with(of("renamed".into()), &|m| m.policies[p].name.push('x'));
        with(of("in another mode".into()), &|m| {
            let mode = &mut m.policies[p].mode;
            *mode = if *mode == Mode::Enforce { Mode::Monitor } else { Mode::Enforce };
        });
        for (h, hook) in policy.hooks.iter().enumerate() {
            let of = |what: String| of(format!("hook {h}: {what}"));
            with(of("lost".into()), &|m| _ = m.policies[p].hooks.remove(h));
            with(of("shifted".into()), &|m| m.policies[p].hooks[h].first_selector += 1);
            with(of("of another operation".into()), &|m| m.policies[p].hooks[h].operation += 1);
            for scope in 0..manifest.scopes.len() as u32 {
                if hook.scope.unwrap_or(policy.scope) != scope {
                    with(of(format!("in scope {scope}")), &|m| m.policies[p].hooks[h].scope = Some(scope));
                }
            }
            with(of("at another place".into()), &|m| m.policies[p].hooks[h].source.push('0'));
            for a in 0..hook.args.len() {
                with(of(format!("argument {a} moved")), &|m| m.policies[p].hooks[h].args[a].index += 1);
            }
            for s in 0..hook.selectors.len() {
                with(of(format!("selector {s} lost")), &|m| _ = m.policies[p].hooks[h].selectors.remove(s));
                with(of(format!("selector {s} at another place")), &|m| {
                    m.policies[p].hooks[h].selectors[s].source.push('0');
                });
                with(of(format!("selector {s} limited otherwise")), &|m| {
                    let limit = &mut m.policies[p].hooks[h].selectors[s].rate_limit;
                    *limit = match limit {
                        None => Some(RateLimit { milliseconds: 1000, scope: RateLimitScope::Thread }),
                        Some(_) => None,
                    };
                });
                with(of(format!("selector {s} shown otherwise")), &|m| {
                    let action = &mut m.policies[p].hooks[h].selectors[s].action;
                    *action = if *action == Action::Post { Action::NoPost } else { Action::Post };
                });
            }
        }
    }
    out
}
