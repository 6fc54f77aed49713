use super::*;
use crate::policy::overlap::tests::pods;
use crate::policy::{Actions, Hook, Identity, PolicyKind, RequirementOp, Selector, ShownAction};
use crate::source::{SourceId, Span};

fn add(set: &mut PolicySet, name: &str, scope: Scope, values: &[i32]) {
    let span = Span::new(SourceId(0), 0, 0);
    let scope = ScopeId(set.scopes.insert_full(scope).0 as u32);
    let selectors = values
        .iter()
        .map(|&value| {
            let shown = ShownAction::Override;
            let actions =
                Actions { post: true, override_value: Some(value), signal: None, limit: None, shown };
            Selector { number: 0, conditions: vec![], returned: vec![], actions, span }
        })
        .collect();
    set.policies.push(Policy {
        identity: Identity { kind: PolicyKind::TracingPolicy, namespace: None, name: name.into() },
        file: SourceId(0),
        span,
        document: span,
        template: None,
        mode: Mode::Enforce,
        scope,
        hooks: vec![Hook {
            call: HookCall::Lsm { hook: "file_open".into() },
            entry: 0,
            scope: None,
            args: vec![],
            returned: None,
            selectors,
            message: None,
            tags: vec![],
            span,
        }],
    });
}

fn app(name: &str) -> Scope {
    pods(&[("app", RequirementOp::In, &[name])])
}

#[test]
fn different_values_where_both_may_select_are_found() {
    let mut set = PolicySet::default();
    add(&mut set, "a", app("x"), &[-1]);
    add(&mut set, "b", app("y"), &[-13]);
    add(&mut set, "c", pods(&[("tier", RequirementOp::Exists, &[])]), &[0, -13]);
    add(&mut set, "d", pods(&[("tier", RequirementOp::DoesNotExist, &[])]), &[-1]);
    let [found] = &find(&set)[..] else { panic!() };
    let pairs: Vec<_> = found.described.iter().map(|c| (c.winner.policy, c.loser.policy)).collect();
    assert_eq!(pairs, [(0, 2), (1, 3)]);
    assert_eq!(found.described[0].loser, Side { policy: 2, hook: 0, selector: 1, value: -13 });
    assert_eq!(found.described[0].witness.to_string(), "a pod with `app=x`, `tier=x`");
    assert_eq!((found.further, found.stopped), (0, false));
    for policy in &mut set.policies {
        policy.mode = Mode::Monitor;
    }
    assert_eq!(find(&set), [], "nothing is overridden");
}

#[test]
fn the_same_call_by_another_name_is_one_operation() {
    let mut set = PolicySet::default();
    add(&mut set, "a", app("x"), &[-1]);
    add(&mut set, "b", app("x"), &[-2]);
    set.policies[1].hooks[0].call =
        HookCall::Kprobe { function: "security_file_open".into(), syscall: false };
    assert_eq!(find(&set).len(), 1);
    set.policies[1].hooks[0].call =
        HookCall::Kprobe { function: "security_file_mprotect".into(), syscall: false };
    assert_eq!(find(&set), []);
}

#[test]
fn policies_that_say_the_same_are_not_compared() {
    let mut set = PolicySet::default();
    for i in 0..1000 {
        add(&mut set, &format!("p{i:04}"), pods(&[]), &[-1]);
        add(&mut set, &format!("q{i:04}"), pods(&[(&format!("k{i}"), RequirementOp::Exists, &[])]), &[-1]);
    }
    assert_eq!(find(&set), []);
    add(&mut set, "z", pods(&[]), &[-2]);
    let [found] = &find(&set)[..] else { panic!() };
    assert_eq!(found.compared, 1001, "each scope once with the one that says otherwise");
    assert_eq!(found.described.len(), MOST_DESCRIBED);
    let described: u64 = found.described.iter().map(|c| 1 + c.alike).sum();
    assert_eq!(described + found.further, 2000);
}

/// Ten thousand policies that each select an app of their own, half of them with another value.
#[test]
fn distinct_selectors_do_not_cost_their_square() {
    let mut set = PolicySet::default();
    for i in 0..10_000 {
        let (name, tier) = (format!("a{i:05}"), ["x", "y", "z"][i % 3]);
        let scope = pods(&[("app", RequirementOp::In, &[&name]), ("tier", RequirementOp::In, &[tier])]);
        add(&mut set, &format!("p{i:05}"), scope, &[if i % 2 == 0 { -1 } else { -13 }]);
    }
    assert_eq!(find(&set), []);
    add(&mut set, "zz", app("a00007"), &[-1]);
    let [found] = &find(&set)[..] else { panic!() };
    assert_eq!(found.described.len(), 1);
    assert!(found.compared < 10, "{} comparisons", found.compared);
}

/// Nothing tells these apart, so that nearly all meet: the search ends, and says that it did.
#[test]
fn a_search_without_end_is_cut_and_says_so() {
    let mut set = PolicySet::default();
    for i in 0..6000 {
        let scope = pods(&[(&format!("k{i}"), RequirementOp::Exists, &[])]);
        add(&mut set, &format!("p{i:05}"), scope, &[if i % 2 == 0 { -1 } else { -13 }]);
    }
    let [found] = &find(&set)[..] else { panic!() };
    assert!(found.stopped && found.compared == MOST_COMPARED && found.further > 0);
}
