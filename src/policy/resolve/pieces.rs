//! A hook whose selectors are for workloads of their own (`matchWorkloads`) to one hook for each combination.
//!
//! In a container that some of the policy's selectors are for and others are not, the hook means the list of
//! those that are, in their order. Which containers have one combination is the intersection of some scopes
//! less others, hence a scope again; combinations that no container can have are left out.

use std::cmp::Ordering;

use indexmap::IndexSet;

use super::hook::Resolved;
use crate::diag::Diagnostics;
use crate::diag::workload::selects_no_pod;
use crate::policy::overlap::algebra::{intersect, subtract};
use crate::policy::overlap::witness;
use crate::policy::{Hook, Scope};

/// The hook for each part of the policy's workloads in which it does something, without a scope if that is all
/// of them; `None` if a part cannot be written down.
pub fn of(scope: &Scope, written: Resolved) -> Option<Vec<(Option<Scope>, Hook)>> {
    if written.workloads.is_empty() {
        return Some(vec![(None, written.hook)]);
    }
    let distinct: IndexSet<&Scope> = written.workloads.iter().flatten().collect();
    let has_one_for_all = written.workloads.iter().any(Option::is_none);
    // Which of them can meet, and where; what others take away comes last, so that what is beyond all of them,
    // which takes most terms to say, is worked out only if some selector is for it.
    let mut meetings: Vec<(Scope, Vec<usize>)> = vec![(scope.clone(), vec![])];
    for (at, workload) in distinct.iter().enumerate() {
        for known in 0..meetings.len() {
            let (scope, inside) = &meetings[known];
            let both = intersect(scope, workload)?;
            if !both.any.is_empty() {
                let inside = inside.iter().copied().chain([at]).collect();
                meetings.push((both, inside));
            }
        }
    }
    meetings.sort_by(|(_, a), (_, b)| in_order(a, b));
    let mut parts: Vec<(Scope, Vec<bool>)> = vec![];
    for (scope, inside) in &meetings {
        if inside.is_empty() && !has_one_for_all {
            continue;
        }
        let is_in: Vec<bool> = (0..distinct.len()).map(|at| inside.contains(&at)).collect();
        let others = distinct.iter().enumerate().filter(|(at, _)| !is_in[*at]).map(|(_, workload)| *workload);
        let rest = subtract(scope, others)?;
        if !rest.any.is_empty() {
            parts.push((rest, is_in));
        }
    }
    let mut pieces = vec![];
    for (scope, inside) in parts {
        let applies = |workload: &Option<Scope>| {
            let at = workload.as_ref().and_then(|workload| distinct.get_index_of(workload));
            at.is_none_or(|at| inside[at])
        };
        let selectors = written.hook.selectors.iter().zip(&written.workloads);
        let selectors: Vec<_> = selectors
            .filter(|(_, workload)| applies(workload))
            .map(|(selector, _)| selector.clone())
            .collect();
        if !selectors.is_empty() {
            pieces.push((Some(scope), Hook { selectors, ..written.hook.clone() }));
        }
    }
    Some(pieces)
}

/// Those inside the first workload first, among them those inside the second, and so on.
fn in_order(a: &[usize], b: &[usize]) -> Ordering {
    let end = usize::MAX;
    a.iter().chain([&end]).cmp(b.iter().chain([&end]))
}

/// Says which selectors are for none of the policy's workloads.
pub fn report_disjoint(scope: &Scope, written: &Resolved, diags: &mut Diagnostics) {
    for (selector, workload) in written.hook.selectors.iter().zip(&written.workloads) {
        // One that selects nothing at all was reported.
        let Some(workload) = workload.as_ref().filter(|workload| !workload.any.is_empty()) else { continue };
        if witness(scope, workload).is_none() {
            let why = "none of the pods that the policy selects";
            diags.push(selects_no_pod("`matchWorkloads`", why, selector.span));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::overlap::tests::{scope, selected, universe};
    use crate::policy::{Actions, HookCall, Requirement, RequirementOp, ScopeTerm, Selector, ShownAction};
    use crate::source::{SourceId, Span};

    /// A hook of as many selectors, told apart by their place.
    fn written(workloads: Vec<Option<Scope>>) -> Resolved {
        let actions =
            Actions { post: true, override_value: None, signal: None, limit: None, shown: ShownAction::Post };
        let selector = |i| {
            let span = Span::new(SourceId(0), i, i);
            Selector { number: i as u8, conditions: vec![], returned: vec![], actions: actions.clone(), span }
        };
        let hook = Hook {
            call: HookCall::Lsm { hook: "file_open".into() },
            entry: 0,
            scope: None,
            args: vec![],
            returned: None,
            selectors: (0..workloads.len()).map(selector).collect(),
            message: None,
            tags: vec![],
            span: Span::new(SourceId(0), 0, 0),
        };
        Resolved { hook, workloads }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Every workload finds the selectors that are for it, in order, in one piece.
        #[test]
        fn a_workload_finds_its_selectors(
            of_policy in scope(),
            workloads in prop::collection::vec(prop::option::weighted(0.8, scope()), 1..5),
        ) {
            let universe = universe();
            if workloads.iter().all(Option::is_none) {
                return Ok(());
            }
            let Some(pieces) = of(&of_policy, written(workloads.clone())) else { return Ok(()) };
            let in_policy = selected(&of_policy, &universe);
            let for_each: Vec<Option<Vec<bool>>> =
                workloads.iter().map(|w| w.as_ref().map(|w| selected(w, &universe))).collect();
            let in_piece: Vec<Vec<bool>> = pieces.iter().map(|(scope, _)| selected(scope.as_ref().unwrap(), &universe)).collect();
            for at in 0..universe.len() {
                let is_for = |i: &usize| in_policy[at] && for_each[*i].as_ref().is_none_or(|all| all[at]);
                let wanted: Vec<usize> = (0..workloads.len()).filter(is_for).collect();
                let found: Vec<usize> = (0..pieces.len()).filter(|&p| in_piece[p][at]).collect();
                prop_assert_eq!(found.len(), usize::from(!wanted.is_empty()), "{:?}", universe[at]);
                let places = found.iter().flat_map(|&p| &pieces[p].1.selectors).map(|s| s.span.start as usize);
                prop_assert_eq!(places.collect::<Vec<_>>(), wanted, "{:?}", universe[at]);
            }
        }
    }

    /// What is beyond all of them would take thousands of terms to say, and nobody asks for it.
    #[test]
    fn workloads_that_exclude_each_other_stay_as_they_are() {
        let one = |app: usize| {
            let label = |key: &str| Requirement {
                key: key.into(),
                op: RequirementOp::In,
                values: vec![format!("{key}-{app}")],
            };
            let pod = ["app", "team", "tier", "zone"].map(label).to_vec();
            Scope { any: vec![ScopeTerm::Pods { namespace: None, pod, container: vec![] }] }
        };
        let every = Scope { any: vec![ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![] }] };
        let all: Vec<Scope> = (0..5).map(one).collect();
        let pieces = of(&every, written(all.iter().cloned().map(Some).collect())).unwrap();
        assert_eq!(pieces.iter().map(|(scope, _)| scope.clone().unwrap()).collect::<Vec<_>>(), all);
    }

    #[test]
    fn selectors_for_all_workloads_stay_one_hook() {
        let everything = Scope { any: vec![crate::policy::ScopeTerm::Host] };
        let written = Resolved { workloads: vec![], ..written(vec![None, None]) };
        let pieces = of(&everything, written).unwrap();
        assert!(pieces.len() == 1 && pieces[0].0.is_none() && pieces[0].1.selectors.len() == 2);
    }
}
