//! What the programs of an artifact would do about an event, worked out from its bytes.
//!
//! Follows the tables, the node region and the decision words as the stencils do, step by step, so that the
//! emitted bytes can be compared with the policies' meaning without a kernel. Assumes an artifact that
//! [`super::read`] accepted and a region that [`super::node`] built.

use std::net::IpAddr;

use super::abi::{self, Act, set_block};
use super::digest::Files;
use super::evaluate::{Damaged, Tables, decide, row_holds};
use super::fact::Fact;
use super::manifest::{Dimension, Manifest, Operation, Subject};
use super::projection::Flow;

/// An argument of the hooked call, or a fact of the process that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// The register as it is.
    Int(u64),
    Text(&'a [u8]),
    /// A socket. Conditions compare parts of it.
    Flow(Flow),
    /// A part of one.
    Address(IpAddr),
    Unreadable,
}

/// The ACT words that an event reaches in set `set`, in order. `args` are by position in the hooked function,
/// `process` says what the process that makes the call is like.
///
/// # Errors
/// If the bytes are not what the compiler writes.
pub fn judge<'a>(
    manifest: &Manifest,
    files: &Files,
    node: &[u8],
    set: u32,
    operation: &Operation,
    args: &[Argument<'a>],
    process: &dyn Fn(Fact) -> Argument<'a>,
) -> Result<Vec<Act>, Damaged> {
    let head_at = operation.heads_offset as usize + 4 * set as usize;
    let head = u32_at(node, head_at)?;
    if head == 0 {
        return Ok(vec![]);
    }
    let block = (head & manifest.node.mask) as usize;
    let needs = u32_at(node, block + set_block::NEEDS)?;
    let bytes = files.get(&operation.tables).ok_or(Damaged { at: 0, what: "tables are missing" })?;
    let tables = Tables::open(bytes)?;
    let mut atoms = vec![0; operation.dimensions.len()];
    for (d, dimension) in operation.dimensions.iter().enumerate() {
        if needs >> d & 1 == 0 {
            continue;
        }
        let argument = match dimension.subject {
            Subject::Argument(index) => args.get(index as usize).copied().unwrap_or(Argument::Unreadable),
            Subject::Fact(fact) => process(fact),
        };
        atoms[d] = atom(&tables, dimension, argument)?;
        let row = u32_at(node, block + set_block::QUIET + 4 * d)?;
        // A walk that ends early does not know yet whether the path can be read.
        let seen = if dimension.merges_unreadable && atoms[d] > dimension.atoms { 0 } else { atoms[d] };
        if row != 0 && row_holds(node, row, seen)? {
            return Ok(vec![]);
        }
    }
    let code = u32_at(node, block + set_block::CODE)? & manifest.node.mask;
    let words: Vec<u64> = abi::words(node.get(code as usize..).unwrap_or_default()).collect();
    Ok(decide(&words, node, &atoms)?.into_iter().map(|(act, _)| act).collect())
}

/// The set of a cgroup that the region holds; `None` if it is not in the table.
pub fn set_of_cgroup(manifest: &Manifest, node: &[u8], cgroup: u64) -> Option<u32> {
    let slots = manifest.node.cgroup_slots + abi::CGROUP_SPARE;
    (0..slots)
        .map(|i| manifest.node.cgroups_offset as usize + i as usize * abi::cgroup_slot::SIZE)
        .find(|&at| abi::u64_at(node, at + abi::cgroup_slot::ID) == Some(cgroup))
        .and_then(|at| abi::u32_at(node, at + abi::cgroup_slot::VALUE))
        .map(|value| value & abi::SET_NONE)
        .filter(|&set| set != abi::SET_NONE)
}

fn atom(tables: &Tables<'_>, dimension: &Dimension, argument: Argument<'_>) -> Result<u32, Damaged> {
    let argument = match argument {
        Argument::Flow(flow) => dimension.projection.of_flow(flow),
        other => other,
    };
    match argument {
        Argument::Unreadable => Ok(dimension.atoms + 1),
        Argument::Int(register) => {
            let value = dimension.integer.map_or(register, |integer| integer.of(register));
            dimension.family.atom(tables, dimension.root, Argument::Int(value))
        }
        Argument::Text(_) | Argument::Flow(_) | Argument::Address(_) => {
            dimension.family.atom(tables, dimension.root, argument)
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Damaged> {
    abi::u32_at(bytes, at).ok_or(Damaged { at, what: "reference outside the region" })
}

/// What the hooked call returns and whether the process is killed, from the words reached.
pub fn verdict(acts: &[Act]) -> (i16, bool) {
    let value = acts.iter().find(|a| a.flags & abi::ACT_OVERRIDE != 0 && a.value != 0).map_or(0, |a| a.value);
    (value, acts.iter().any(|a| a.flags & abi::ACT_SIGKILL != 0))
}
