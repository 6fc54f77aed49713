//! A hook whose selectors are for workloads of their own (`matchWorkloads`) to one hook for each combination.
//!
//! In a container that some of the policy's selectors are for and others are not, the hook means the list of
//! those that are, in their order. Which containers have one combination is the intersection of some scopes
//! less others, hence a scope again; combinations that no container can have are left out.

use indexmap::IndexSet;

use super::hook::Resolved;
use crate::policy::overlap::algebra::{intersect, subtract};
use crate::policy::{Hook, Scope};

/// The hook for each part of the policy's workloads in which it does something, without a scope if that is all
/// of them; `None` if a part cannot be written down.
pub fn of(scope: &Scope, written: Resolved) -> Option<Vec<(Option<Scope>, Hook)>> {
    if written.workloads.is_empty() {
        return Some(vec![(None, written.hook)]);
    }
    let distinct: IndexSet<&Scope> = written.workloads.iter().flatten().collect();
    let mut parts: Vec<(Scope, Vec<bool>)> = vec![(scope.clone(), vec![])];
    for workload in &distinct {
        let mut finer = Vec::with_capacity(2 * parts.len());
        for (scope, inside) in parts {
            let part = |is_in: bool| inside.iter().copied().chain([is_in]).collect();
            finer.push((intersect(&scope, workload)?, part(true)));
            finer.push((subtract(&scope, [*workload])?, part(false)));
        }
        finer.retain(|(scope, _)| !scope.any.is_empty());
        parts = finer;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::overlap::tests::{scope, selected, universe};
    use crate::policy::{Actions, HookCall, Selector, ShownAction};
    use crate::source::{SourceId, Span};

    /// A hook of as many selectors, told apart by their place.
    fn written(workloads: Vec<Option<Scope>>) -> Resolved {
        let actions = Actions { post: true, override_value: None, signal: None, shown: ShownAction::Post };
        let selector = |i| {
            let span = Span::new(SourceId(0), i, i);
            Selector { filters: vec![], actions: actions.clone(), span }
        };
        let hook = Hook {
            call: HookCall::Lsm { hook: "file_open".into() },
            scope: None,
            args: vec![],
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

    #[test]
    fn selectors_for_all_workloads_stay_one_hook() {
        let everything = Scope { any: vec![crate::policy::ScopeTerm::Host] };
        let written = Resolved { workloads: vec![], ..written(vec![None, None]) };
        let pieces = of(&everything, written).unwrap();
        assert!(pieces.len() == 1 && pieces[0].0.is_none() && pieces[0].1.selectors.len() == 2);
    }
}
