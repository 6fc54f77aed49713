//! Faults of resolving: the policy set says something else than the documents.

use tetrafold::policy::{HookCall, Mode, PolicySet, ScopeId, ScopeTerm, Selector, ShownAction, StrId, Test};

use super::{Honest, Tally, policies};

#[test]
fn what_resolving_loses_or_changes_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        of_policies(&honest, &mut tally);
        of_hooks(&honest, &mut tally);
        of_selectors(&honest, &mut tally);
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
    for (f, filter) in selector.filters.iter().enumerate() {
        with(format!("condition {f} lost"), &|s| _ = s.filters.remove(f));
        with(format!("condition {f} negated"), &|s| s.filters[f].negated = !s.filters[f].negated);
        for arg in (0..args).filter(|arg| *arg != filter.arg) {
            with(format!("condition {f} on argument {arg}"), &|s| s.filters[f].arg = arg);
        }
        for (what, test) in damaged_test(&filter.test, set) {
            with(format!("condition {f}: {what}"), &|s| s.filters[f].test = test.clone());
        }
    }
    out
}

fn damaged_test(test: &Test, set: &PolicySet) -> Vec<(String, Test)> {
    let kinds: [fn(Vec<StrId>) -> Test; 3] = [Test::Equal, Test::Prefix, Test::Postfix];
    let (own, values): (usize, &[StrId]) = match test {
        Test::Equal(values) => (0, values),
        Test::Prefix(values) => (1, values),
        Test::Postfix(values) => (2, values),
        Test::Int(values) => {
            let mut out = vec![];
            for v in 0..values.len() {
                let mut less = values.clone();
                less.remove(v);
                out.push((format!("value {v} lost"), Test::Int(less)));
            }
            out.push(("one value more".into(), Test::Int([&values[..], &[77]].concat())));
            return out;
        }
    };
    let mut out = vec![];
    for v in 0..values.len() {
        let mut less = values.to_vec();
        less.remove(v);
        out.push((format!("value {v} lost"), kinds[own](less)));
    }
    if let Some(other) = (0..set.strings.len() as u32).map(StrId).find(|id| !values.contains(id)) {
        let mut more = values.to_vec();
        more.push(other);
        more.sort_unstable();
        out.push(("one value more".into(), kinds[own](more)));
    }
    for kind in (0..kinds.len()).filter(|kind| *kind != own) {
        out.push((format!("as kind {kind}"), kinds[kind](values.to_vec())));
    }
    out
}
