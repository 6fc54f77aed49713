//! How large a node region has to be, and where its parts stand.
//!
//! Turns the number of pods that a node can run and the scope blocks of every operation into a [`NodeRegion`].
//! Programs have its numbers as immediates, so the region cannot grow on the node: a node that needs more is
//! told to be compiled for with more pods.
//!
//! - Cgroup slots: the next power of two from 8 a pod on. A pod takes one slot a container and one for each of
//!   its ancestors that other containers are deeper than; with two of each the table is half full.
//! - Sets: a quarter and 8 more than there are pods, since a pod's containers may differ and sets of workloads
//!   that went away stay until the next generation.
//! - Set blocks: as many sets as pods, each made of the scopes that select every pod and one of the others,
//!   the costliest ones first; where there are fewer others than pods, of the two costliest. And the default
//!   set. Rows that decision lists test are counted once, as they stand once in the region.
//! - All of it, rounded up to a power of two, plus the tail. What rounding gives is room for pods that several
//!   scopes select.

use std::collections::BTreeSet;

use super::rows::{row_bytes, row_of};
use crate::abi::{self, Word};
use crate::manifest::{Dimension, NodeRegion, Scope, ScopeTerm};
use crate::scope_block::{Atoms, RowRef, ScopeBlock, ScopeBlocks};

/// What layout has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationBlocks<'a> {
    pub dimensions: &'a [Dimension],
    pub blocks: &'a ScopeBlocks,
}

/// The region, and where each operation's `heads` begin in it. `None` if it would not fit in 32 bits.
pub fn layout(
    pods: u32,
    scopes: &[Scope],
    operations: &[OperationBlocks<'_>],
) -> Option<(NodeRegion, Vec<u32>)> {
    let cgroup_slots = pods.max(2).checked_mul(8)?.checked_next_power_of_two()?;
    let sets = pods.checked_add(pods / 4)?.checked_add(8)?.checked_next_multiple_of(8)?;
    let cgroups_offset = abi::node_header::SIZE as u32;
    let slot = abi::cgroup_slot::SIZE as u32;
    let mut end =
        cgroup_slots.checked_add(abi::CGROUP_SPARE)?.checked_mul(slot)?.checked_add(cgroups_offset)?;
    let mut heads = vec![];
    for _ in operations {
        heads.push(end);
        end = end.checked_add(sets.checked_mul(4)?)?;
    }
    let needed = u64::from(end) + forecast_blocks(pods, scopes, operations);
    let mask = abi::region_mask(usize::try_from(needed).ok()?)?;
    let bytes = u32::try_from(abi::region_size(mask)).ok()?;
    Some((NodeRegion { bytes, mask, cgroups_offset, cgroup_slots, sets, blocks_offset: end }, heads))
}

/// Whether a manifest's region is one that programs and loader can agree on.
pub(crate) fn check(region: &NodeRegion, heads: impl Iterator<Item = u32>) -> Result<(), String> {
    let limit = u64::from(region.mask | abi::REF_FLAGS) + 1;
    if !limit.is_power_of_two() || region.mask & abi::REF_FLAGS != 0 {
        return Err(format!("mask {:#x} is not that of a region", region.mask));
    }
    if u64::from(region.bytes) != limit + u64::from(abi::REGION_TAIL) {
        return Err("bytes do not follow from the mask".into());
    }
    if !region.cgroup_slots.is_power_of_two() || region.cgroup_slots < 2 {
        return Err("cgroupSlots is not a power of two".into());
    }
    if region.cgroups_offset as usize != abi::node_header::SIZE {
        return Err("cgroup slots do not follow the header".into());
    }
    if region.sets == 0 || region.sets > abi::SET_NONE {
        return Err("sets is out of range".into());
    }
    let slots = u64::from(region.cgroup_slots) + u64::from(abi::CGROUP_SPARE);
    let mut end = u64::from(region.cgroups_offset) + slots * abi::cgroup_slot::SIZE as u64;
    for offset in heads {
        if u64::from(offset) < end || !offset.is_multiple_of(8) {
            return Err("heads overlap what stands before them".into());
        }
        end = u64::from(offset) + u64::from(region.sets) * 4;
    }
    if u64::from(region.blocks_offset) < end || !region.blocks_offset.is_multiple_of(8) {
        return Err("set blocks overlap what stands before them".into());
    }
    if u64::from(region.blocks_offset) > limit {
        return Err("its parts do not fit in it".into());
    }
    Ok(())
}

/// What one scope adds to the sets it is in.
#[derive(Clone, Debug, Default)]
struct Cost {
    /// Words of its lists.
    code: u64,
    /// Its quiet rows, which bound those of a set it is in.
    quiet: u64,
    /// Those of them that are not also rows that its lists test.
    quiet_alone: u64,
    /// Operation, dimension and row of what its lists test: once a region.
    rows: BTreeSet<(usize, usize, RowRef)>,
}

impl Cost {
    fn total(&self) -> u64 {
        // Ranks scopes only, so the size of a row does not matter much.
        self.code + self.quiet + 64 * self.rows.len() as u64
    }
}

fn forecast_blocks(pods: u32, scopes: &[Scope], operations: &[OperationBlocks<'_>]) -> u64 {
    let (mut everywhere, mut host, mut others) = (vec![], vec![], vec![]);
    for scope in scopes {
        let cost = cost_of(scope.number, operations);
        if scope.any.iter().any(|term| matches!(term, ScopeTerm::Host(_))) {
            host.push(cost.clone());
        }
        match scope.any.iter().any(selects_every_pod) {
            true => everywhere.push(cost),
            false => others.push(cost),
        }
    }
    // Stable, so that equal costs keep the order of scopes and the forecast does not depend on anything else.
    others.sort_by_key(|cost| std::cmp::Reverse(cost.total()));
    let pods = pods as usize;
    let singles = &others[..pods.min(others.len())];
    // Sets beyond those of one scope each: there are 2^n combinations, the empty one included.
    let combinations = if others.len() < 32 { (1usize << others.len()) - singles.len() } else { 0 };
    let pairs = (pods - singles.len()).min(combinations) as u64;

    let fixed: u64 = operations.iter().map(|o| block_bytes(o.dimensions.len())).sum();
    let combined = |costs: &[Cost]| costs.iter().map(|c| c.code + c.quiet).sum::<u64>();
    let base = fixed + combined(&everywhere);
    let alone = everywhere.iter().all(|c| c.code == 0);
    let singles_bytes: u64 =
        singles.iter().map(|c| c.code + if alone { c.quiet_alone } else { c.quiet }).sum();
    let pairs_bytes = pairs * combined(&others[..others.len().min(2)]);
    let default_set = fixed + combined(&host);
    let tested = everywhere.iter().chain(&host).chain(singles);
    default_set
        + (singles.len() as u64 + pairs) * base
        + singles_bytes
        + pairs_bytes
        + rows_bytes(tested, operations)
}

/// A block without quiet rows' contents, and the END of its lists.
fn block_bytes(dimensions: usize) -> u64 {
    (abi::set_block::SIZE as u64 + 4 * dimensions as u64).next_multiple_of(8) + 8
}

fn selects_every_pod(term: &ScopeTerm) -> bool {
    match term {
        ScopeTerm::Host(_) => false,
        ScopeTerm::Pods(term) => term.namespace.is_none() && term.pod.is_empty() && term.container.is_empty(),
    }
}

fn cost_of(scope: u32, operations: &[OperationBlocks<'_>]) -> Cost {
    let mut cost = Cost::default();
    for (at, operation) in operations.iter().enumerate() {
        let Some(block) = operation.blocks.block(scope) else { continue };
        cost.code += block.lists.iter().map(|list| 8 * list.words.len() as u64).sum::<u64>();
        cost.rows.extend(tests(&block).map(|(dimension, row)| (at, dimension, row)));
        for (d, (row, dimension)) in block.quiet.iter().zip(operation.dimensions).enumerate() {
            let Some(row) = row else { continue };
            let size = row_size(operation.blocks, *row, dimension);
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

fn rows_bytes<'a>(costs: impl Iterator<Item = &'a Cost>, operations: &[OperationBlocks<'_>]) -> u64 {
    let rows: BTreeSet<_> = costs.flat_map(|cost| &cost.rows).collect();
    let size = |&&(at, d, row): &&(usize, usize, RowRef)| {
        let operation = &operations[at];
        operation.dimensions.get(d).map_or(0, |dimension| row_size(operation.blocks, row, dimension))
    };
    rows.iter().map(size).sum()
}

fn row_size(blocks: &ScopeBlocks, row: RowRef, dimension: &Dimension) -> u64 {
    let atoms: Atoms = blocks.rows.atoms(row, dimension.atoms).unwrap_or_default();
    row_bytes(&row_of(&atoms, dimension.atoms, dimension.rows))
}
