//! How many pairs of policies can select one workload.
//!
//! Policies with the same scopes are one class, and only classes are compared, those alone that [`index`] cannot
//! tell apart: policies that each select an application of their own cost next to nothing, however many they are.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Relation, Witness, index, relation};
use crate::policy::{PolicySet, Scope, ScopeId};

/// Pairs of classes that are compared at most.
const MOST_COMPARED: u64 = 100_000;
/// Pairs that are shown with a witness.
const MOST_EXAMPLES: usize = 3;

/// Pairs of policies, each in one of the four numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// No workload is selected by both.
    pub disjoint: u64,
    /// A workload may be there that both select.
    pub possible: u64,
    /// Whatever one of them selects, the other selects as well.
    pub certain: u64,
    /// Too many to be compared. `disjoint` is 0 then: what is disjoint is among these.
    pub undecided: u64,
    /// The first of the possible ones.
    pub examples: Vec<Example>,
}

/// Two policies that may meet, in order of identity, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// In [`PolicySet::policies`].
    pub policies: [usize; 2],
    pub witness: Witness,
}

/// Compares policies by the scopes of their hooks on one operation: (policy, scope), ascending.
pub fn tally(set: &PolicySet, hooks: &[(usize, ScopeId)]) -> Tally {
    let mut scopes: BTreeMap<usize, Vec<ScopeId>> = BTreeMap::new();
    for &(policy, scope) in hooks {
        scopes.entry(policy).or_default().push(scope);
    }
    let mut classes: BTreeMap<Vec<ScopeId>, Vec<usize>> = BTreeMap::new();
    for (policy, mut scopes) in scopes {
        scopes.sort_unstable();
        scopes.dedup();
        classes.entry(scopes).or_default().push(policy);
    }
    let mut classes: Vec<(Scope, Vec<usize>)> =
        classes.into_iter().map(|(scopes, members)| (union(set, &scopes), members)).collect();
    classes.sort_by_key(|(_, members)| members[0]);
    let all: u64 = classes.iter().map(|(_, members)| members.len() as u64).sum();

    let mut tally = Tally::default();
    for (scope, members) in classes.iter().filter(|(_, members)| members.len() > 1) {
        if relation(scope, scope) != Relation::Disjoint {
            tally.certain += pairs_among(members.len() as u64);
        }
    }
    let scopes: Vec<&Scope> = classes.iter().map(|(scope, _)| scope).collect();
    let mut visit = |a: usize, b: usize| {
        let ((a, of_a), (b, of_b)) = (&classes[a.min(b)], &classes[a.max(b)]);
        let pairs = (of_a.len() * of_b.len()) as u64;
        match relation(a, b) {
            Relation::Disjoint => {}
            Relation::Certain(_) => tally.certain += pairs,
            Relation::Possible(witness) => {
                tally.possible += pairs;
                if tally.examples.len() < MOST_EXAMPLES {
                    tally.examples.push(Example { policies: [of_a[0], of_b[0]], witness });
                }
            }
        }
        ControlFlow::Continue(())
    };
    let work = index::pairs(&scopes, &|_| true, &|_, _| true, &mut visit, MOST_COMPARED);
    let rest = pairs_among(all) - tally.possible - tally.certain;
    *if work.stopped { &mut tally.undecided } else { &mut tally.disjoint } = rest;
    tally
}

/// What any of them selects.
fn union(set: &PolicySet, scopes: &[ScopeId]) -> Scope {
    Scope { any: scopes.iter().flat_map(|id| set.scopes[id.0 as usize].any.iter().cloned()).collect() }
}

fn pairs_among(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Requirement, RequirementOp, ScopeTerm};

    fn app(op: RequirementOp, values: &[&str]) -> ScopeTerm {
        let values = values.iter().map(|v| (*v).to_string()).collect();
        let pod = vec![Requirement { key: "app".into(), op, values }];
        ScopeTerm::Pods { namespace: None, pod, container: vec![] }
    }

    /// One policy a scope.
    fn of(scopes: Vec<Vec<ScopeTerm>>) -> Tally {
        let mut set = PolicySet::default();
        let hooks: Vec<(usize, ScopeId)> = scopes
            .into_iter()
            .enumerate()
            .map(|(p, any)| (p, ScopeId(set.scopes.insert_full(Scope { any }).0 as u32)))
            .collect();
        tally(&set, &hooks)
    }

    #[test]
    fn every_pair_is_in_one_number() {
        use RequirementOp::{Exists, In};
        let found = of(vec![
            vec![app(In, &["a", "b"])],
            vec![app(In, &["b", "c"])],
            vec![app(In, &["c"])],
            vec![app(In, &["c"])],
            vec![app(Exists, &[])],
            vec![ScopeTerm::Host],
        ]);
        // 0-1 · 1-2, 1-3, 2-3 and 4 with 0 to 3 · the rest.
        assert_eq!((found.possible, found.certain, found.disjoint, found.undecided), (1, 7, 7, 0));
        assert_eq!(found.examples.len(), 1);
        assert_eq!(found.examples[0].policies, [0, 1]);
        assert_eq!(found.examples[0].witness.to_string(), "a pod with `app=b`");
    }

    #[test]
    fn applications_of_their_own_are_disjoint_however_many() {
        let n = 5000;
        let found = of((0..n).map(|i| vec![app(RequirementOp::In, &[&format!("a{i}")])]).collect());
        assert_eq!(found.disjoint, pairs_among(n));
    }

    #[test]
    fn beyond_the_limit_nothing_is_called_disjoint() {
        let key = |i: usize| {
            let pod = vec![Requirement { key: format!("k{i}"), op: RequirementOp::Exists, values: vec![] }];
            vec![ScopeTerm::Pods { namespace: None, pod, container: vec![] }]
        };
        let found = of((0..1000).map(key).collect());
        assert_eq!((found.possible, found.certain, found.disjoint), (MOST_COMPARED, 0, 0));
        assert_eq!(found.undecided, pairs_among(1000) - MOST_COMPARED);
    }

    #[test]
    fn scopes_that_select_nothing_meet_nobody() {
        let nobody = || vec![app(RequirementOp::In, &[])];
        assert_eq!(of(vec![nobody(), nobody(), vec![ScopeTerm::Host]]).disjoint, 3);
    }
}
