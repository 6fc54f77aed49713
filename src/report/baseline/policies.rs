//! What Tetragon would be asked for, from validated policies.

use super::{HookKind, TetragonHook, TetragonPolicy, ValueTable};
use crate::policy::{Hook, HookCall, PolicySet, Scope, ScopeTerm, StrId, Test};

/// One entry for each policy of the set, in its order.
pub fn tetragon_policies(set: &PolicySet) -> Vec<TetragonPolicy> {
    let filtered: Vec<bool> = set.scopes.iter().map(|scope| !holds_everything(scope)).collect();
    let policy = |policy: &crate::policy::Policy| TetragonPolicy {
        filtered: filtered.get(policy.scope.0 as usize).copied().unwrap_or(true),
        hooks: policy.hooks.iter().map(|hook| tetragon_hook(set, hook)).collect(),
    };
    set.policies.iter().map(policy).collect()
}

/// Whether a policy of this scope needs no workload filter.
fn holds_everything(scope: &Scope) -> bool {
    let any_pod = |term: &ScopeTerm| match term {
        ScopeTerm::Host => false,
        ScopeTerm::Pods { namespace, pod, container } => {
            namespace.is_none() && pod.is_empty() && container.is_empty()
        }
    };
    scope.any.contains(&ScopeTerm::Host) && scope.any.iter().any(any_pod)
}

fn tetragon_hook(set: &PolicySet, hook: &Hook) -> TetragonHook {
    let kind = match &hook.call {
        HookCall::Kprobe { function, .. } => HookKind::Kprobe { function: function.clone() },
        HookCall::Lsm { hook } => HookKind::Lsm { hook: hook.clone() },
    };
    let count = |values: &[StrId]| u32::try_from(values.len()).unwrap_or(u32::MAX);
    let table = |test: &Test| match test {
        Test::Equal(values) => {
            let length = |&value: &StrId| u32::try_from(set.strings.get(value).len()).unwrap_or(u32::MAX);
            Some(ValueTable::Strings(values.iter().map(length).collect()))
        }
        Test::Prefix(values) => Some(ValueTable::Prefixes(count(values))),
        Test::Postfix(values) => Some(ValueTable::Postfixes(count(values))),
        // Up to four stand in the selector itself; more Tetragon refuses.
        Test::Int(_) => None,
    };
    TetragonHook {
        kind,
        overrides: hook.selectors.iter().any(|s| s.actions.override_value.is_some()),
        selectors: u32::try_from(hook.selectors.len()).unwrap_or(u32::MAX),
        tables: hook.selectors.iter().flat_map(|s| &s.filters).filter_map(|f| table(&f.test)).collect(),
    }
}
