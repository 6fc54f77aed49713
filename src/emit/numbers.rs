//! Which numbers policies, scopes, operations and action records get.
//!
//! On a first build they are dense and in order. With an earlier manifest whatever it has keeps its number, and what is
//! new gets numbers that nothing has ever had; so gaps are left, and the order of numbers means nothing. What counts as
//! the same: a policy by its identity, a scope by whom it selects, an operation by its name, an action record by policy,
//! operation and number of the selector.

use std::collections::{BTreeMap, BTreeSet};

use super::describe;
use crate::artifact::manifest::{Manifest, NextNumbers, PolicyKind, Scope, ScopeTerm};
use crate::fold::ir::{List, OperationId, Program};
use crate::fold::plan::Plan;
use crate::policy::{PolicySet, ScopeId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// By rank.
    policies: Vec<u32>,
    /// By id.
    scopes: Vec<u32>,
    /// By position among the plan's units.
    operations: Vec<u32>,
    /// By rank of the policy, number of the operation, and number of the selector among the policy's on it.
    records: BTreeMap<(usize, u32, u32), u32>,
    /// By number of the operation of returns: that of their calls.
    calls: BTreeMap<u32, u32>,
    pub next: NextNumbers,
}

impl Numbers {
    pub fn assign(
        set: &PolicySet,
        program: &Program,
        plan: &Plan,
        scopes: &[Vec<ScopeTerm>],
        previous: Option<&Manifest>,
    ) -> Numbers {
        let mut next = previous.map_or(NextNumbers::default(), |manifest| manifest.next_numbers);
        let policies = set.policies.iter().map(|p| {
            let identity = &p.identity;
            (describe::kind(identity.kind), identity.namespace.clone(), identity.name.clone())
        });
        let operations = plan
            .units
            .iter()
            .map(|unit| describe::operation_title(&program.operations[unit.operation.0 as usize].attach));
        // Terms have no order of their own; their JSON has.
        let text = |any: &Vec<ScopeTerm>| serde_json::to_string(any).unwrap_or_default();
        let before = previous.into_iter();
        let before_policies: BTreeMap<(PolicyKind, Option<String>, String), u32> = before
            .clone()
            .flat_map(|m| &m.policies)
            .map(|p| ((p.kind, p.namespace.clone(), p.name.clone()), p.number))
            .collect();
        let before_scopes = before.clone().flat_map(|m| &m.scopes).map(|s: &Scope| (text(&s.any), s.number));
        let before_operations = before.flat_map(|m| &m.operations).map(|o| (o.name.clone(), o.number));
        let policies = keep(policies, &before_policies, &mut next.policy);
        let scopes = keep(scopes.iter().map(text), &before_scopes.collect(), &mut next.scope);
        let operations = keep(operations, &before_operations.collect(), &mut next.operation);
        let records = records(set, program, plan, &operations);
        let before_records = previous.map(Manifest::records).unwrap_or_default().into_iter();
        let before_records =
            before_records.map(|(n, of)| ((of.policy, of.operation, of.selector), n)).collect();
        let named = records.iter().map(|&(rank, operation, selector)| (policies[rank], operation, selector));
        let kept = keep(named, &before_records, &mut next.record);
        let records = records.into_iter().zip(kept).collect();
        let number_of = |id| plan.units.iter().position(|unit| unit.operation == id).map(|u| operations[u]);
        let calls = plan.units.iter().zip(&operations).filter_map(|(unit, &number)| {
            let of = program.operations[unit.operation.0 as usize].calls?;
            Some((number, number_of(of)?))
        });
        let calls = calls.collect();
        Numbers { policies, scopes, operations, records, calls, next }
    }

    /// The operation of the calls, if operation number `operation` is what they return.
    pub fn calls(&self, operation: u32) -> Option<u32> {
        self.calls.get(&operation).copied()
    }

    /// Of selector `selector` of the policy at `rank`, counted over its hooks on operation number `operation`. At a
    /// return it has the record that it has at the call.
    pub fn record(&self, rank: usize, operation: u32, selector: u32) -> u32 {
        let operation = self.calls(operation).unwrap_or(operation);
        self.records[&(rank, operation, selector)]
    }

    pub fn policy(&self, rank: usize) -> u32 {
        self.policies[rank]
    }

    pub fn scope(&self, scope: ScopeId) -> u32 {
        self.scopes[scope.0 as usize]
    }

    /// The scope of a number that this gave.
    pub fn scope_id(&self, number: u32) -> Option<ScopeId> {
        self.scopes.iter().position(|&n| n == number).map(|id| ScopeId(id as u32))
    }

    pub fn operation(&self, unit: usize) -> u32 {
        self.operations[unit]
    }

    /// The unit of a number that this gave.
    pub fn unit(&self, operation: u32) -> Option<usize> {
        self.operations.iter().position(|&n| n == operation)
    }

    /// Positions of the plan's units in order of their numbers.
    pub fn units(&self) -> Vec<usize> {
        let mut units: Vec<usize> = (0..self.operations.len()).collect();
        units.sort_by_key(|&unit| self.operations[unit]);
        units
    }
}

/// Rank of the policy, number of the operation, number of the selector: each once, in this order.
fn records(
    set: &PolicySet,
    program: &Program,
    plan: &Plan,
    operations: &[u32],
) -> BTreeSet<(usize, u32, u32)> {
    let of_unit: BTreeMap<OperationId, u32> =
        plan.units.iter().zip(operations).map(|(unit, &number)| (unit.operation, number)).collect();
    let of_list = |list: &List| {
        let hook = &set.policies[list.policy].hooks[list.hooks[0]];
        let (rank, first) = (list.policy, list.first_selector);
        let operation = of_unit.get(&list.operation).copied();
        let selectors: Vec<u32> = hook.selectors.iter().map(|s| first + u32::from(s.number)).collect();
        operation.into_iter().flat_map(move |o| selectors.clone().into_iter().map(move |s| (rank, o, s)))
    };
    program.lists.iter().filter(|list| !list.at_return).flat_map(of_list).collect()
}

fn keep<K: Ord>(wanted: impl Iterator<Item = K>, before: &BTreeMap<K, u32>, next: &mut u32) -> Vec<u32> {
    let number = |key: K| {
        before.get(&key).copied().unwrap_or_else(|| {
            let new = *next;
            *next += 1;
            new
        })
    };
    wanted.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_keeps_its_number_and_none_is_given_twice() {
        let mut next = 5;
        let before = BTreeMap::from([("b", 3), ("d", 0), ("gone", 4)]);
        assert_eq!(keep(["a", "b", "c", "d"].into_iter(), &before, &mut next), [5, 3, 6, 0]);
        assert_eq!(next, 7);
    }
}
