//! Policies that would override one call with different values.
//!
//! The first in order of identity wins, so nothing is undefined; but somebody asked for something else, and
//! is told. Looks at the workloads alone: whether one event can match both selectors is not decided, hence
//! "may". Policies of one scope and one set of values are one class, and only classes are compared.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::index;
use super::{Witness, witness};
use crate::policy::{HookCall, Mode, Policy, PolicySet, Scope, ScopeId};
use crate::vocab::attach;

/// Contradictions that are described one by one, for each operation.
pub const MOST_DESCRIBED: usize = 16;

/// Pairs of classes that are compared, for each operation.
pub const MOST_COMPARED: u64 = 2_000_000;

/// What was found at one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradictions {
    /// `lsm:file_open`.
    pub operation: String,
    pub described: Vec<Contradiction>,
    /// Pairs of policies beside those of `described`.
    pub further: u64,
    /// Not all pairs were compared, there may be more than `further`.
    pub stopped: bool,
    pub compared: u64,
}

/// Two policies, the one that wins first, and a workload that both select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub winner: Side,
    pub loser: Side,
    pub witness: Witness,
    /// Further pairs of policies with the same scopes and values.
    pub alike: u64,
}

/// A selector that overrides, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// In [`PolicySet::policies`].
    pub policy: usize,
    pub hook: usize,
    pub selector: usize,
    pub value: i32,
}

/// Policies of one scope that override with the same values.
struct Class<'a> {
    scope: &'a Scope,
    values: Vec<i32>,
    members: Members,
}

/// Hooks by policy and position, in order of identity; a policy with two hooks stands twice.
type Members = Vec<(usize, usize)>;

/// The contradictions of each operation that has some, in order of operation.
pub fn find(set: &PolicySet) -> Vec<Contradictions> {
    let mut operations: BTreeMap<String, BTreeMap<(ScopeId, Vec<i32>), Members>> = BTreeMap::new();
    for (p, policy) in set.policies.iter().enumerate() {
        for (h, hook) in policy.hooks.iter().enumerate() {
            let values = values(policy, h);
            if !values.is_empty() {
                let key = (hook.scope.unwrap_or(policy.scope), values);
                operations.entry(operation(&hook.call)).or_default().entry(key).or_default().push((p, h));
            }
        }
    }
    let mut found = vec![];
    for (operation, classes) in operations {
        let classes: Vec<Class<'_>> = classes
            .into_iter()
            .map(|((scope, values), members)| Class { scope: &set.scopes[scope.0 as usize], values, members })
            .collect();
        let of_operation = compare(set, operation, &classes);
        if !of_operation.described.is_empty() {
            found.push(of_operation);
        }
    }
    found
}

/// The values that a hook returns instead, ascending.
fn values(policy: &Policy, hook: usize) -> Vec<i32> {
    if policy.mode == Mode::Monitor {
        return vec![];
    }
    let selectors = &policy.hooks[hook].selectors;
    let mut values: Vec<i32> =
        selectors.iter().filter_map(|s| s.actions.override_value).filter(|&value| value != 0).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Where a hook that overrides is attached: at the LSM hook that the function calls, if there is one.
fn operation(call: &HookCall) -> String {
    match call {
        HookCall::Lsm { hook } => format!("lsm:{hook}"),
        HookCall::Kprobe { function, .. } => match attach::equivalent(function) {
            Some(row) => format!("lsm:{}", row.hook),
            None => format!("fmod_ret:{function}"),
        },
        // Nothing is overridden there.
        HookCall::Tracepoint { event } => format!("tracepoint:{event}"),
        HookCall::RawTracepoint { event } => format!("raw_tracepoint:{event}"),
    }
}

fn compare(set: &PolicySet, operation: String, classes: &[Class<'_>]) -> Contradictions {
    let mut found = Contradictions { operation, described: vec![], further: 0, stopped: false, compared: 0 };
    // Usually all policies say the same; only those that do not have to ask.
    let mut counts: BTreeMap<&[i32], usize> = BTreeMap::new();
    for class in classes.iter().filter(|class| class.values.len() == 1) {
        *counts.entry(&class.values).or_default() += 1;
    }
    let usual = counts.iter().max_by_key(|(_, count)| **count).map(|(values, _)| *values);
    if classes.iter().all(|class| Some(&class.values[..]) == usual) {
        return found;
    }
    for class in classes.iter().filter(|class| class.values.len() > 1) {
        if witness(class.scope, class.scope).is_some() {
            found.add(set, class, class);
        }
    }
    let scopes: Vec<&Scope> = classes.iter().map(|class| class.scope).collect();
    let differ = |a: usize, b: usize| {
        let (a, b) = (&classes[a].values, &classes[b].values);
        a.len() > 1 || a != b
    };
    let mut visit = |a: usize, b: usize| {
        found.add(set, &classes[a.min(b)], &classes[a.max(b)]);
        ControlFlow::Continue(())
    };
    let asks = |i: usize| Some(&classes[i].values[..]) != usual;
    let work = index::pairs(&scopes, &asks, &differ, &mut visit, MOST_COMPARED);
    (found.compared, found.stopped) = (work.compared, work.stopped);
    found.described.sort_by_key(|c| (c.winner.policy, c.loser.policy));
    found
}

impl Contradictions {
    /// Takes the policies of two classes, which may be one, that meet.
    fn add(&mut self, set: &PolicySet, a: &Class<'_>, b: &Class<'_>) {
        let pairs = pairs_of_policies(a, b);
        if pairs == 0 {
            return;
        }
        if self.described.len() == MOST_DESCRIBED {
            self.further = self.further.saturating_add(pairs);
            return;
        }
        let Some((winner, loser)) = sides(set, a, b) else { return };
        let Some(witness) = witness(a.scope, b.scope) else { return };
        self.described.push(Contradiction { winner, loser, witness, alike: pairs - 1 });
    }
}

/// Pairs of different policies, one of each class.
fn pairs_of_policies(a: &Class<'_>, b: &Class<'_>) -> u64 {
    let policies = |class: &Class<'_>| {
        let mut all: Vec<usize> = class.members.iter().map(|member| member.0).collect();
        all.dedup();
        all
    };
    let (of_a, of_b) = (policies(a), policies(b));
    let (n, m) = (of_a.len() as u64, of_b.len() as u64);
    if std::ptr::eq(a, b) {
        return n * (n - 1) / 2;
    }
    n * m - of_a.iter().filter(|p| of_b.binary_search(p).is_ok()).count() as u64
}

/// The first two policies that contradict each other, the winner first.
fn sides(set: &PolicySet, a: &Class<'_>, b: &Class<'_>) -> Option<(Side, Side)> {
    let first = a.members[0];
    let (first, second) = match b.members.iter().copied().find(|member| member.0 != first.0) {
        Some(other) => (first, other),
        // All of `b` are hooks of that policy; another one is in `a` then.
        None => (a.members.iter().copied().find(|member| member.0 != first.0)?, b.members[0]),
    };
    let (winners, losers) = (overriding(set, first.min(second)), overriding(set, first.max(second)));
    let pairs = winners.iter().flat_map(|winner| losers.iter().map(move |loser| (*winner, *loser)));
    pairs.into_iter().find(|(winner, loser)| winner.value != loser.value)
}

fn overriding(set: &PolicySet, (policy, hook): (usize, usize)) -> Vec<Side> {
    let selectors = set.policies[policy].hooks[hook].selectors.iter().enumerate();
    selectors
        .filter_map(|(selector, s)| {
            let value = s.actions.override_value.filter(|&value| value != 0)?;
            Some(Side { policy, hook, selector, value })
        })
        .collect()
}

#[cfg(test)]
mod tests;
