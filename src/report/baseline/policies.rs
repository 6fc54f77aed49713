//! What Tetragon would be asked for, from validated policies.

use std::borrow::Cow;

use super::{HookKind, TetragonHook, TetragonPolicy, ValueTable};
use crate::policy::{
    AddressRange, Condition, Hook, HookCall, PolicySet, Scope, ScopeTerm, Selector, StrId, Values,
};

/// One entry for each policy of the set, in its order.
pub fn tetragon_policies(set: &PolicySet) -> Vec<TetragonPolicy> {
    let filtered: Vec<bool> = set.scopes.iter().map(|scope| !holds_everything(scope)).collect();
    let policy = |policy: &crate::policy::Policy| TetragonPolicy {
        filtered: filtered.get(policy.scope.0 as usize).copied().unwrap_or(true),
        hooks: as_written(&policy.hooks).iter().map(|hook| tetragon_hook(set, hook)).collect(),
    };
    set.policies.iter().map(policy).collect()
}

/// Hooks that were split by the workloads of their selectors (`matchWorkloads`) are one hook in Tetragon.
fn as_written(hooks: &[Hook]) -> Vec<Cow<'_, Hook>> {
    let mut whole: Vec<Cow<'_, Hook>> = Vec::with_capacity(hooks.len());
    for hook in hooks {
        match whole.last_mut().filter(|other| other.is_beside(hook)) {
            Some(other) => {
                let missing = |s: &&Selector| other.selectors.iter().all(|known| known.span != s.span);
                let missing: Vec<Selector> = hook.selectors.iter().filter(missing).cloned().collect();
                other.to_mut().selectors.extend(missing);
            }
            None => whole.push(Cow::Borrowed(hook)),
        }
    }
    whole
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
        // Programs of both kinds are alike in number and size.
        HookCall::Tracepoint { .. } | HookCall::RawTracepoint { .. } => HookKind::Tracepoint,
    };
    let count = |values: &[StrId]| u32::try_from(values.len()).unwrap_or(u32::MAX);
    let tables = |condition: &Condition| match &condition.values {
        Values::Path(values) | Values::Text(values) => {
            let length = |&value: &StrId| u32::try_from(set.strings.get(value).len()).unwrap_or(u32::MAX);
            vec![ValueTable::Strings(values.iter().map(length).collect())]
        }
        Values::Prefix(values) => vec![ValueTable::Prefixes(count(values))],
        Values::Postfix(values) => vec![ValueTable::Postfixes(count(values))],
        Values::Addresses(ranges) => {
            let (of4, of6): (Vec<&AddressRange>, _) = ranges.iter().partition(|range| range.first.is_ipv4());
            let count = |ranges: &[&AddressRange]| u32::try_from(ranges.len()).unwrap_or(u32::MAX);
            let table4 = (!of4.is_empty()).then(|| ValueTable::Addresses4(count(&of4)));
            table4.into_iter().chain((!of6.is_empty()).then(|| ValueTable::Addresses6(count(&of6)))).collect()
        }
        // Each number of a range is an entry.
        Values::Intervals(numbers) if !condition.projection.is_whole() => {
            let entries = numbers.iter().fold(0, |sum: u64, i| sum.saturating_add(i.last - i.first + 1));
            vec![ValueTable::Numbers(u32::try_from(entries).unwrap_or(u32::MAX))]
        }
        // Up to four stand in the selector itself; more Tetragon refuses.
        Values::Intervals(_) | Values::AnyBit(_) => vec![],
    };
    TetragonHook {
        kind,
        overrides: hook.selectors.iter().any(|s| s.actions.override_value.is_some()),
        selectors: u32::try_from(hook.selectors.len()).unwrap_or(u32::MAX),
        tables: hook.selectors.iter().flat_map(|s| &s.conditions).flat_map(tables).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{
        Actions, Condition, Identity, Mode, Policy, PolicyKind, ScopeId, ShownAction, Source,
    };
    use crate::source::{SourceId, Span};
    use crate::vocab::condition::Projection;

    fn pods(namespace: Option<&str>) -> ScopeTerm {
        ScopeTerm::Pods { namespace: namespace.map(str::to_owned), pod: vec![], container: vec![] }
    }

    fn selector(tests: Vec<Values>, override_value: Option<i32>) -> Selector {
        let span = Span::new(SourceId(0), 0, 0);
        let condition = |values| Condition {
            source: Source::Argument(0),
            projection: Projection::Whole,
            negated: false,
            values,
            span,
        };
        let conditions = tests.into_iter().map(condition).collect();
        let actions =
            Actions { post: true, override_value, signal: None, limit: None, shown: ShownAction::Override };
        Selector { number: 0, conditions, returned: vec![], actions, span }
    }

    #[test]
    fn selectors_become_tables_and_scopes_become_filters() {
        let mut set = PolicySet::default();
        let everything = set.scopes.insert_full(Scope { any: vec![ScopeTerm::Host, pods(None)] }).0;
        let namespaced = set.scopes.insert_full(Scope { any: vec![pods(Some("web"))] }).0;
        let host = set.scopes.insert_full(Scope { any: vec![ScopeTerm::Host] }).0;
        let (short, long) = (set.strings.intern(b"/bin/sh"), set.strings.intern(&[b'a'; 30]));
        let span = Span::new(SourceId(0), 0, 0);
        let hook = Hook {
            scope: None,
            call: HookCall::Lsm { hook: "file_open".into() },
            entry: 0,
            args: vec![],
            returned: None,
            selectors: vec![
                selector(vec![Values::Path(vec![short, long]), Values::numbers([1])], None),
                selector(vec![Values::Prefix(vec![short])], Some(-1)),
            ],
            message: None,
            tags: vec![],
            span,
        };
        for (name, scope) in [("a", everything), ("b", namespaced), ("c", host)] {
            set.policies.push(Policy {
                identity: Identity { kind: PolicyKind::TracingPolicy, namespace: None, name: name.into() },
                file: SourceId(0),
                span,
                document: span,
                template: None,
                mode: Mode::Enforce,
                scope: ScopeId(scope as u32),
                hooks: vec![hook.clone()],
            });
        }
        let tetragon = tetragon_policies(&set);
        assert_eq!(tetragon.iter().map(|p| p.filtered).collect::<Vec<_>>(), [false, true, true]);
        let kind = HookKind::Lsm { hook: "file_open".into() };
        let tables = vec![ValueTable::Strings(vec![7, 30]), ValueTable::Prefixes(1)];
        assert_eq!(tetragon[0].hooks, [TetragonHook { kind, overrides: true, selectors: 2, tables }]);
    }
}
