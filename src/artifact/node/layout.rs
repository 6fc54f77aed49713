//! How large a node region has to be, and where its parts are.
//!
//! Turns what a node can run and the scope blocks of every operation into a [`NodeRegion`]. Programs have its numbers
//! as immediates, so a region grows with a generation alone: [`grown`] and the places that the manifest names.
//!
//! Guarantee: a new region takes any `pods` pods, each in up to `scopes_per_pod` scopes beside those that select
//! every pod, whichever these are; how many scopes can meet at all is often less ([`super::meet`]). It takes the
//! default set, and pods without labels, whatever number of scopes they are in. Containers of a pod that are in
//! different scopes count as a pod each. Beyond that it may have room, which rounding leaves.
//!
//! - Cgroup slots: the next power of two from 8 a pod on. A pod takes one slot a container and one for each of
//!   its ancestors that other containers are deeper than; with four of them the table is half full at most. Ids
//!   may still be unlucky; then the loader takes the next larger table.
//! - Sets: a quarter and 8 more than there are pods, as sets of workloads that went away stay until the next
//!   generation.
//! - Set blocks and rows: see [`super::sizing`].
//! - All of it, rounded up to a power of two, plus the tail.

use super::Part;
use super::sizing::{self, Capacity};
use crate::abi;
use crate::manifest::{Dimension, NodeRegion, Scope};
use crate::scope_block::ScopeBlocks;

/// The verifier follows offsets into one value up to here (measured on Linux 6.1 and 6.12).
const REGION_MAX: u32 = 512 << 20;

/// What layout has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationBlocks<'a> {
    pub dimensions: &'a [Dimension],
    pub blocks: &'a ScopeBlocks,
}

/// The region, and where each operation's `heads` begin in it. `None` if it would be too large for programs.
pub fn layout(
    capacity: Capacity,
    scopes: &[Scope],
    operations: &[OperationBlocks<'_>],
) -> Option<(NodeRegion, Vec<u32>)> {
    let pods = capacity.pods;
    let cgroup_slots = pods.max(2).checked_mul(8)?.checked_next_power_of_two()?;
    let sets = pods.checked_add(pods / 4)?.checked_add(8)?.checked_next_multiple_of(8)?;
    arranged(cgroup_slots, sets, sizing::blocks(capacity, scopes, operations), operations.len())
}

/// The same region with twice as much of what was full. `None` if it would be too large for programs.
pub fn grown(region: &NodeRegion, part: Part, operations: usize) -> Option<(NodeRegion, Vec<u32>)> {
    let blocks = u64::from(region.mask | abi::REF_FLAGS) + 1 - u64::from(region.blocks_offset);
    let (mut cgroup_slots, mut sets, mut room) = (region.cgroup_slots, region.sets, blocks);
    match part {
        Part::Cgroups => cgroup_slots = cgroup_slots.checked_mul(2)?,
        Part::Sets => sets = sets.checked_mul(2).filter(|&sets| sets < abi::SET_NONE)?,
        Part::Blocks => room = (2 * room).max(8),
    }
    arranged(cgroup_slots, sets, room, operations)
}

fn arranged(cgroup_slots: u32, sets: u32, blocks: u64, operations: usize) -> Option<(NodeRegion, Vec<u32>)> {
    let cgroups_offset = abi::node_header::SIZE as u32;
    let slot = abi::cgroup_slot::SIZE as u32;
    let mut end =
        cgroup_slots.checked_add(abi::CGROUP_SPARE)?.checked_mul(slot)?.checked_add(cgroups_offset)?;
    let mut heads = vec![];
    for _ in 0..operations {
        heads.push(end);
        end = end.checked_add(sets.checked_mul(4)?)?.checked_next_multiple_of(8)?;
    }
    let needed = u64::from(end).checked_add(blocks)?;
    let mask = abi::region_mask(usize::try_from(needed).ok()?)?;
    let bytes = u32::try_from(abi::region_size(mask)).ok().filter(|&bytes| bytes <= REGION_MAX)?;
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
