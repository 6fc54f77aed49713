//! Faults of resolving: the policy set says something else than the documents.

use tetrafold::policy::{
    Condition, HookCall, Mode, PolicySet, ScopeId, ScopeTerm, Selector, ShownAction, Source, StrId, Values,
};

use super::{Honest, Tally, policies, values};

#[test]
fn what_resolving_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        of_selectors(&honest, &mut tally);
        // Those of single operators are all alike but for their conditions.
        if policies::SHAPES.contains(&&*text) {
            of_policies(&honest, &mut tally);
            of_hooks(&honest, &mut tally);
        }
    }
    tally.check(300);
}

struct Faults<'a, 't> {
    honest: &'a Honest,
    tally: &'t mut Tally,
}

impl Faults<'_, '_> {
    fn with(&mut self, what: String, change: impl FnOnce(&mut PolicySet)) {
        let mut set = self.honest.set.clone();
        change(&mut set);
        self.tally.count(format!("resolve: {what}"), self.honest.with_set(&set));
    }
}

fn of_policies(honest: &Honest, tally: &mut Tally) {
    let mut faults = Faults { honest, tally };
    let set = &honest.set;
    for p in 0..set.policies.len() {
        faults.with(format!("policy {p} lost"), |set| _ = set.policies.remove(p));
        faults.with(format!("policy {p} renamed"), |set| set.policies[p].identity.name.push('x'));
        faults.with(format!("policy {p} in another mode"), |set| {
            let mode = &mut set.policies[p].mode;
            *mode = if *mode == Mode::Enforce { Mode::Monitor } else { Mode::Enforce };
        });
        for scope in (0..set.scopes.len() as u32).filter(|s| *s != set.policies[p].scope.0) {
            faults.with(format!("policy {p} in scope {scope}"), |set| set.policies[p].scope = ScopeId(scope));
        }
    }
    for at in 0..set.scopes.len() {
        let scope = set.scopes[at].clone();
        let mut damaged = vec![];
        for (t, term) in scope.any.iter().enumerate() {
            let mut less = scope.clone();
            less.any.remove(t);
            damaged.push((format!("term {t} lost"), less));
            if let ScopeTerm::Pods { pod, .. } = term {
                for r in 0..pod.len() {
                    let mut wider = scope.clone();
                    if let ScopeTerm::Pods { pod, .. } = &mut wider.any[t] {
                        pod.remove(r);
                    }
                    damaged.push((format!("requirement {r} of term {t} lost"), wider));
                }
            }
        }
        for (what, scope) in damaged {
            faults.with(format!("scope {at}: {what}"), |set| {
                let mut all: Vec<_> = set.scopes.iter().cloned().collect();
                all[at] = scope;
                set.scopes = all.into_iter().collect();
            });
        }
    }
}

fn of_hooks(honest: &Honest, tally: &mut Tally) {
    let mut faults = Faults { honest, tally };
    let set = &honest.set;
    for (p, policy) in set.policies.iter().enumerate() {
        for (h, hook) in policy.hooks.iter().enumerate() {
            let of = |what: &str| format!("hook {h} of policy {p}: {what}");
            faults.with(of("lost"), |set| _ = set.policies[p].hooks.remove(h));
            faults.with(of("of another entry"), |set| set.policies[p].hooks[h].entry += 1);
            faults.with(of("twice"), |set| set.policies[p].hooks.insert(h, hook.clone()));
            for scope in 0..set.scopes.len() as u32 {
                if hook.scope.unwrap_or(policy.scope) != ScopeId(scope) {
                    faults.with(of(&format!("in scope {scope}")), |set| {
                        set.policies[p].hooks[h].scope = Some(ScopeId(scope));
                    });
                }
            }
            faults.with(of("elsewhere"), |set| match &mut set.policies[p].hooks[h].call {
                HookCall::Kprobe { function, .. } => function.push('x'),
                HookCall::Lsm { hook } => *hook = "path_truncate".into(),
                HookCall::Tracepoint { event } | HookCall::RawTracepoint { event } => event.push('x'),
            });
            for a in 0..hook.args.len() {
                faults.with(of(&format!("argument {a} moved")), |set| {
                    set.policies[p].hooks[h].args[a].index += 1;
                });
                for b in a + 1..hook.args.len() {
                    faults.with(of(&format!("arguments {a} and {b} swapped")), |set| {
                        let args = &mut set.policies[p].hooks[h].args;
                        let index = args[a].index;
                        args[a].index = args[b].index;
                        args[b].index = index;
                    });
                }
            }
        }
    }
}

fn of_selectors(honest: &Honest, tally: &mut Tally) {
    let mut faults = Faults { honest, tally };
    let set = &honest.set;
    for (p, policy) in set.policies.iter().enumerate() {
        for (h, hook) in policy.hooks.iter().enumerate() {
            for s in 0..hook.selectors.len() {
                let of = |what: String| format!("selector {s} of hook {h} of policy {p}: {what}");
                faults.with(of("lost".into()), |set| _ = set.policies[p].hooks[h].selectors.remove(s));
                if s > 0 {
                    faults.with(of("before its neighbour".into()), |set| {
                        set.policies[p].hooks[h].selectors.swap(s - 1, s);
                    });
                }
                for (what, damaged) in damaged(&hook.selectors[s], hook.args.len(), set) {
                    faults.with(of(what), |set| set.policies[p].hooks[h].selectors[s] = damaged);
                }
            }
        }
    }
}

/// Every selector that is one fault away.
fn damaged(selector: &Selector, args: usize, set: &PolicySet) -> Vec<(String, Selector)> {
    let mut out = vec![];
    let mut with = |what: String, change: &dyn Fn(&mut Selector)| {
        let mut damaged = selector.clone();
        change(&mut damaged);
        out.push((what, damaged));
    };
    with("posts or not".into(), &|s| s.actions.post = !s.actions.post);
    with("kills or not".into(), &|s| {
        s.actions.signal = if s.actions.signal.is_some() { None } else { Some(9) };
    });
    with("overrides or not".into(), &|s| {
        s.actions.override_value = if s.actions.override_value.is_some() { None } else { Some(-1) };
    });
    with("returns another value".into(), &|s| {
        s.actions.override_value = s.actions.override_value.map(|value| value - 1);
    });
    with("is shown as another action".into(), &|s| {
        let is_post = s.actions.shown == ShownAction::Post;
        s.actions.shown = if is_post { ShownAction::NoPost } else { ShownAction::Post };
    });
    with("another number".into(), &|s| s.number += 1);
    for (c, condition) in selector.conditions.iter().enumerate() {
        let of = |what: &str| format!("condition {c} {what}");
        with(of("lost"), &|s| _ = s.conditions.remove(c));
        with(of("negated"), &|s| s.conditions[c].negated = !s.conditions[c].negated);
        for (what, damaged) in damaged_condition(condition, args, set) {
            with(of(&what), &|s| s.conditions[c] = damaged.clone());
        }
    }
    out
}

fn damaged_condition(condition: &Condition, args: usize, set: &PolicySet) -> Vec<(String, Condition)> {
    let mut out = vec![];
    match condition.source {
        Source::Argument(own) => {
            for arg in (0..args).filter(|arg| *arg != own) {
                let damaged = Condition { source: Source::Argument(arg), ..condition.clone() };
                out.push((format!("on argument {arg}"), damaged));
            }
        }
        Source::Fact(own) => {
            let damaged = Condition { source: Source::Fact(own.next()), ..condition.clone() };
            out.push((format!("on another fact than the {}", own.name()), damaged));
        }
    }
    let texts: Vec<StrId> = (0..set.strings.len() as u32).map(StrId).collect();
    for (what, values) in values::damaged(&condition.values, &texts) {
        out.push((what, Condition { values, ..condition.clone() }));
    }
    let kinds: [fn(Vec<StrId>) -> Values; 4] = [Values::Path, Values::Text, Values::Prefix, Values::Postfix];
    for kind in kinds {
        if let Some(texts) = condition.values.texts() {
            let values = kind(texts.to_vec());
            if values.table() != condition.values.table() {
                out.push((format!("as {:?}", values.table()), Condition { values, ..condition.clone() }));
            }
        }
    }
    out
}
