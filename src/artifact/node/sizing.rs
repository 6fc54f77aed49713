//! How many bytes of set blocks and rows a node region needs for its guarantee: an upper bound.
//!
//! A set's block at an operation has a head, the words of its lists, and at most one quiet row a dimension. So
//! what a set costs is at most the sum of what its scopes cost, and the region needs at most the costliest `pods`
//! different sets that can be, each with the scopes that select every pod. Which scopes exclude each other
//! is known ([`super::meet`]): of a thousand applications a pod is one, and a thousand sets have a thousand different
//! scopes. Rows that decision lists test are counted once, as each is once in the region.
//!
//! Sums of the costliest sets are found without making the sets: group by group, the best sums of each number of
//! scopes ([`Sums`]).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use rustc_hash::FxHashMap;

use super::layout::OperationBlocks;
use super::meet::{Group, groups};
use super::rows::{row_bytes, row_of};
use crate::abi::{self, Word};
use crate::manifest::{Dimension, RowForm, Scope, ScopeTerm};
use crate::scope::{Container, Workload, selects};
use crate::scope_block::{Atoms, RowRef, ScopeBlock};

/// What a node can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub pods: u32,
    /// Scopes that select one pod, beside those that select every pod.
    pub scopes_per_pod: u32,
}

/// The costliest sets are told apart up to here; those beyond are taken to cost as much as the last one.
const EXACT_SETS: usize = 256;

type Rows = BTreeSet<(usize, usize, RowRef)>;

/// What one scope adds to the sets it is in.
#[derive(Clone, Debug, Default)]
struct Cost {
    /// Words of its lists, and heads of its blocks.
    code: u64,
    /// Its quiet rows, which bound those of a set it is in.
    quiet: u64,
    /// Those of them that are not also rows that its lists test.
    quiet_alone: u64,
    /// Operation, dimension and row of what its lists test: once a region.
    rows: Rows,
}

impl Cost {
    fn in_a_set(&self) -> u64 {
        self.code + self.quiet
    }
}

pub(super) fn blocks(capacity: Capacity, scopes: &[Scope], operations: &[OperationBlocks<'_>]) -> u64 {
    let mut sizes = RowSizes { operations, known: FxHashMap::default() };
    let (mut everywhere, mut host, mut others, mut of_others) = (vec![], vec![], vec![], vec![]);
    for scope in scopes {
        let cost = cost_of(scope.number, operations, &mut sizes);
        if scope.any.iter().any(|term| matches!(term, ScopeTerm::Host(_))) {
            host.push(cost.clone());
        }
        match scope.any.iter().any(selects_every_pod) {
            true => everywhere.push(cost),
            false if scope.any.iter().any(|term| matches!(term, ScopeTerm::Pods(_))) => {
                others.push(cost);
                of_others.push(scope);
            }
            false => {}
        }
    }
    let groups = groups(of_others.iter().copied());
    let most: usize = groups.iter().map(|group| group.most).sum();
    let per_pod = most.min(capacity.scopes_per_pod as usize);
    let pods = u64::from(capacity.pods);

    let base: u64 = everywhere.iter().map(Cost::in_a_set).sum();
    let sets = pods.min(different_sets(&groups, per_pod));
    let alone = everywhere.is_empty();
    let single = |at: usize| {
        let cost: &Cost = &others[at];
        cost.code + if alone { cost.quiet_alone } else { cost.quiet }
    };
    let with_rows = costliest(sets, per_pod, &groups, &single, &|at| others[at].in_a_set());
    // A set has one quiet row a dimension: where all of them are as long, several scopes cost no more than one.
    let code = |at: usize| others[at].code;
    let rows_of_a_set: u64 = longest_quiet_rows(scopes, operations, per_pod, &mut sizes);
    let with_longest_rows =
        costliest(sets, per_pod, &groups, &code, &code).saturating_add(sets.saturating_mul(rows_of_a_set));

    let of_default: u64 = host.iter().map(Cost::in_a_set).sum();
    let of_plain = plain_pod(&of_others, &others, per_pod);
    let plain: u64 = of_plain.iter().map(|&at| others[at].in_a_set()).sum();
    let plain = if of_plain.is_empty() { 0 } else { base + plain };

    let always = everywhere.iter().chain(&host).chain(of_plain.iter().map(|&at| &others[at]));
    let always: Rows = always.flat_map(|cost| cost.rows.iter().copied()).collect();
    let tested = tested_rows(pods, per_pod, &groups, &others, &always, &mut sizes);
    let all = [sets.saturating_mul(base), with_rows.min(with_longest_rows), of_default, plain, tested];
    all.into_iter().fold(0, u64::saturating_add)
}

/// Scopes of a container that nothing is known of, if they are more than the guarantee is for: pods without
/// labels are common, and policies that spare some pods by a label select them all.
fn plain_pod(scopes: &[&Scope], costs: &[Cost], per_pod: usize) -> Vec<usize> {
    let plain = Workload::Container(Container::default());
    let selected: Vec<usize> = (0..costs.len()).filter(|&at| selects(scopes[at], &plain)).collect();
    if selected.len() > per_pod { selected } else { vec![] }
}

/// What the lists of the scopes of all those sets test: no more than all rows, nor than those of as many scopes as
/// there can be.
fn tested_rows(
    pods: u64,
    per_pod: usize,
    groups: &[Group],
    others: &[Cost],
    always: &Rows,
    sizes: &mut RowSizes<'_>,
) -> u64 {
    let all: Rows =
        others.iter().flat_map(|cost| cost.rows.iter().copied()).chain(always.iter().copied()).collect();
    let all: u64 = all.into_iter().map(|row| sizes.of(row)).sum();
    let always_bytes: u64 = always.iter().map(|&row| sizes.of(row)).sum();
    let mut chosen: Vec<u64> = vec![];
    for group in groups {
        let own = |&at: &usize| others[at].rows.iter().filter(|row| !always.contains(row));
        let mut bytes: Vec<u64> =
            group.members.iter().map(|at| own(at).map(|&row| sizes.of(row)).sum()).collect();
        bytes.sort_unstable_by_key(|&b| Reverse(b));
        bytes.truncate(usize::try_from(pods.saturating_mul(group.most as u64)).unwrap_or(usize::MAX));
        chosen.extend(bytes);
    }
    chosen.sort_unstable_by_key(|&b| Reverse(b));
    let most = usize::try_from(pods.saturating_mul(per_pod as u64)).unwrap_or(usize::MAX);
    all.min(always_bytes + chosen.into_iter().take(most).sum::<u64>())
}

/// A block without quiet rows' contents, and the END of its lists.
fn block_bytes(dimensions: usize) -> u64 {
    (abi::set_block::SIZE as u64 + 4 * dimensions as u64).next_multiple_of(8) + 8
}

fn cost_of(scope: u32, operations: &[OperationBlocks<'_>], sizes: &mut RowSizes<'_>) -> Cost {
    let mut cost = Cost::default();
    for (at, operation) in operations.iter().enumerate() {
        let Some(block) = operation.blocks.block(scope) else { continue };
        cost.code += block_bytes(operation.dimensions.len()) + 8 * block.words() as u64;
        cost.rows.extend(tests(&block).map(|(dimension, row)| (at, dimension, row)));
        for (d, row) in block.quiet.iter().enumerate() {
            let Some(row) = row else { continue };
            let size = sizes.of((at, d, *row));
            let shared = [*row, row.inverted()].iter().any(|&row| cost.rows.contains(&(at, d, row)));
            cost.quiet += size;
            cost.quiet_alone += if shared { 0 } else { size };
        }
    }
    cost
}

fn tests(block: &ScopeBlock) -> impl Iterator<Item = (usize, RowRef)> + '_ {
    let words = block.lists.iter().flat_map(|list| &list.words);
    words.filter_map(|&word| match Word::decode(word)? {
        Word::Test { dimension, row, .. } => Some((usize::from(dimension), RowRef::from_code(row))),
        Word::Act(_) | Word::Skip(_) | Word::End => None,
    })
}

/// What the quiet rows of one set take at most: of rows that are bits one a dimension, of lists those of its scopes.
fn longest_quiet_rows(
    scopes: &[Scope],
    operations: &[OperationBlocks<'_>],
    per_pod: usize,
    sizes: &mut RowSizes<'_>,
) -> u64 {
    let everywhere = scopes.iter().filter(|s| s.any.iter().any(selects_every_pod)).count();
    let mut all = 0u64;
    for (at, operation) in operations.iter().enumerate() {
        for (d, dimension) in operation.dimensions.iter().enumerate() {
            let bits = bits_bytes(dimension);
            if dimension.rows == RowForm::Bits {
                all += bits;
                continue;
            }
            let mut longest = 0;
            for scope in operation.blocks.scopes() {
                let row = operation.blocks.block(scope).and_then(|block| block.quiet[d]);
                longest = longest.max(row.map_or(0, |row| sizes.of((at, d, row))));
            }
            all += longest.saturating_mul((per_pod + everywhere) as u64).min(bits.max(longest));
        }
    }
    all
}

fn bits_bytes(dimension: &Dimension) -> u64 {
    (u64::from(dimension.atoms) + 2).div_ceil(64) * 8
}

fn selects_every_pod(term: &ScopeTerm) -> bool {
    match term {
        ScopeTerm::Host(_) => false,
        ScopeTerm::Pods(term) => term.namespace.is_none() && term.pod.is_empty() && term.container.is_empty(),
    }
}

/// Bytes of rows, each worked out once.
struct RowSizes<'a> {
    operations: &'a [OperationBlocks<'a>],
    known: FxHashMap<(usize, usize, RowRef), u64>,
}

impl RowSizes<'_> {
    fn of(&mut self, key: (usize, usize, RowRef)) -> u64 {
        let (at, d, row) = key;
        let operation = &self.operations[at];
        let Some(dimension) = operation.dimensions.get(d) else { return 0 };
        *self.known.entry(key).or_insert_with(|| {
            let atoms: Atoms = operation.blocks.rows.atoms(row, dimension.atoms).unwrap_or_default();
            row_bytes(&row_of(&atoms, dimension.atoms, dimension.rows))
        })
    }
}

// ---- The costliest sets --------------------------------------------------------------------------------------

/// Sums, descending, [`EXACT_SETS`] at most.
type Sums = Vec<u64>;

/// How many sets of at most `per_pod` scopes can be, the empty one included.
fn different_sets(groups: &[Group], per_pod: usize) -> u64 {
    let mut by_scopes = vec![0u64; per_pod + 1];
    by_scopes[0] = 1;
    for group in groups {
        let most = group.most.min(per_pod);
        // n over k, step by step.
        let mut of_group = vec![1u64];
        for taken in 1..=most {
            let left = (group.members.len() + 1 - taken) as u64;
            of_group.push(of_group[taken - 1].saturating_mul(left) / taken as u64);
        }
        for scopes in (1..=per_pod).rev() {
            let more = (1..=most.min(scopes)).map(|i| by_scopes[scopes - i].saturating_mul(of_group[i]));
            by_scopes[scopes] = more.fold(by_scopes[scopes], u64::saturating_add);
        }
    }
    by_scopes.into_iter().fold(0, u64::saturating_add)
}

/// What the `sets` costliest sets cost together. `single` is what a set of one scope costs, `cost` what a scope adds
/// to a set of several.
fn costliest(
    sets: u64,
    per_pod: usize,
    groups: &[Group],
    single: &dyn Fn(usize) -> u64,
    cost: &dyn Fn(usize) -> u64,
) -> u64 {
    let mut singles: Vec<u64> = groups.iter().flat_map(|g| &g.members).map(|&at| single(at)).collect();
    singles.sort_unstable_by_key(|&c| Reverse(c));
    if per_pod < 2 {
        let most = if per_pod == 0 { 0 } else { usize::try_from(sets).unwrap_or(usize::MAX) };
        return singles.into_iter().take(most).sum();
    }
    let limit = EXACT_SETS.min(usize::try_from(sets).unwrap_or(EXACT_SETS));
    let mut by_scopes = best_sums(groups, per_pod, limit, cost);
    singles.truncate(limit);
    by_scopes[1] = singles;
    let best = by_scopes.into_iter().reduce(|a, b| merged(a, b, limit)).unwrap_or_default();
    let beyond = sets.saturating_sub(best.len() as u64).saturating_mul(best.last().copied().unwrap_or(0));
    best.into_iter().fold(beyond, u64::saturating_add)
}

/// By number of scopes: the largest sums of so many. A set that takes a scope, or a group, behind the first
/// `limit + per_pod` has at least `limit` sets beside it that cost as much, so those are left out.
fn best_sums(groups: &[Group], per_pod: usize, limit: usize, cost: &dyn Fn(usize) -> u64) -> Vec<Sums> {
    let enough = limit + per_pod;
    let mut costs: Vec<(Vec<u64>, usize)> = groups
        .iter()
        .map(|group| {
            let mut costs: Vec<u64> = group.members.iter().map(|&at| cost(at)).collect();
            costs.sort_unstable_by_key(|&c| Reverse(c));
            costs.truncate(enough);
            (costs, group.most.min(per_pod))
        })
        .collect();
    costs.sort_by_key(|(costs, _)| Reverse(costs.first().copied()));
    costs.truncate(enough);
    let mut all: Vec<Sums> = vec![vec![]; per_pod + 1];
    all[0] = vec![0];
    for (costs, most) in costs {
        let mut of_group: Vec<Sums> = vec![vec![]; most + 1];
        of_group[0] = vec![0];
        for cost in costs {
            for taken in (1..=most).rev() {
                let more: Sums = of_group[taken - 1].iter().map(|sum| sum.saturating_add(cost)).collect();
                of_group[taken] = merged(std::mem::take(&mut of_group[taken]), more, limit);
            }
        }
        for scopes in (1..=per_pod).rev() {
            for taken in 1..=most.min(scopes) {
                let more = pairs(&all[scopes - taken], &of_group[taken], limit);
                all[scopes] = merged(std::mem::take(&mut all[scopes]), more, limit);
            }
        }
    }
    all
}

/// The largest of both.
fn merged(a: Sums, b: Sums, limit: usize) -> Sums {
    if b.is_empty() || a.is_empty() {
        return if b.is_empty() { a } else { b };
    }
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    let mut out = vec![];
    while out.len() < limit {
        let next = if a.peek() >= b.peek() { a.next() } else { b.next() };
        let Some(next) = next else { break };
        out.push(next);
    }
    out
}

/// The largest sums of one of each.
fn pairs(a: &Sums, b: &Sums, limit: usize) -> Sums {
    let sum = |i: usize, j: usize| Some(a.get(i)?.saturating_add(*b.get(j)?));
    let mut heap = BinaryHeap::new();
    heap.extend(sum(0, 0).map(|sum| (sum, 0, 0)));
    let mut out = vec![];
    while out.len() < limit {
        let Some((next, i, j)) = heap.pop() else { break };
        out.push(next);
        heap.extend(sum(i, j + 1).map(|sum| (sum, i, j + 1)));
        if j == 0 {
            heap.extend(sum(i + 1, 0).map(|sum| (sum, i + 1, 0)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every set, made.
    fn by_hand(sets: u64, per_pod: usize, groups: &[Group], single: &[u64], cost: &[u64]) -> (u64, u64) {
        let mut sums = vec![];
        for bits in 0u32..1 << cost.len() {
            let taken: Vec<usize> = (0..cost.len()).filter(|at| bits >> at & 1 == 1).collect();
            let fits = |g: &Group| taken.iter().filter(|at| g.members.contains(at)).count() <= g.most;
            if taken.len() > per_pod || !groups.iter().all(fits) {
                continue;
            }
            let all = taken.iter().map(|&at| cost[at]).sum();
            sums.push(if taken.len() == 1 { single[taken[0]] } else { all });
        }
        sums.sort_unstable_by_key(|&s| Reverse(s));
        (sums.len() as u64, sums.into_iter().take(sets as usize).sum())
    }

    proptest! {
        #[test]
        fn the_costliest_sets_are_those_of_all_sets(
            costs in prop::collection::vec((0u64..9, 0u64..9, 0usize..4), 1..9),
            most in prop::collection::vec(1usize..4, 4),
            per_pod in 0usize..5,
            sets in 1u64..40,
        ) {
            let groups: Vec<Group> = (0..4)
                .map(|g| Group { members: (0..costs.len()).filter(|&at| costs[at].2 == g).collect(), most: most[g] })
                .filter(|g| !g.members.is_empty())
                .map(|g| Group { most: g.most.min(g.members.len()), ..g })
                .collect();
            let per_pod = per_pod.min(groups.iter().map(|g| g.most).sum());
            let (cost, single): (Vec<u64>, Vec<u64>) = costs.iter().map(|c| (c.0 + c.1, c.0)).unzip();
            let (number, sum) = by_hand(sets, per_pod, &groups, &single, &cost);
            prop_assert_eq!(different_sets(&groups, per_pod), number);
            let found = costliest(sets.min(number), per_pod, &groups, &|at| single[at], &|at| cost[at]);
            prop_assert_eq!(found, sum);
        }
    }
}
