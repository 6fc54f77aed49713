//! A hook whose selectors are for workloads of their own (`matchWorkloads`) to one hook for each combination.
//!
//! In a container that some of the policy's selectors are for and others are not, the hook means the list of
//! those that are, in their order. Which containers have one combination is the intersection of some scopes
//! less others, hence a scope again; combinations that no container can have are left out.

use indexmap::IndexSet;

use super::hooks::Written;
use crate::policy::overlap::algebra::{intersect, subtract};
use crate::policy::{Hook, Scope};

/// The hook for each part of the policy's workloads in which it does something; `None` if a part cannot be
/// written down.
pub fn of(scope: &Scope, written: &Written) -> Option<Vec<(Scope, Hook)>> {
    if written.workloads.is_empty() {
        return Some(vec![(scope.clone(), written.hook.clone())]);
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
        let selectors: Vec<_> =
            selectors.filter(|(_, workload)| applies(workload)).map(|(selector, _)| selector.clone()).collect();
        if !selectors.is_empty() {
            pieces.push((scope, Hook { selectors, ..written.hook.clone() }));
        }
    }
    Some(pieces)
}
