//! Reads back from a node region how often each selector of each policy was reached.
//!
//! The counts stand behind the ACT words of the decision lists, once for each set; their sums are what a user
//! wants. Assumes nothing about the bytes: they come from a live map, possibly of another tool.

use std::collections::{BTreeMap, BTreeSet};

use crate::abi::{self, Word, u32_at, u64_at};
use crate::image::{ImageError, refused};
use crate::manifest::Manifest;

/// How often a selector matched, in one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Number of the operation.
    pub operation: u32,
    /// Number of the policy.
    pub policy: u32,
    /// Number of the selector, among those of the policy on the operation.
    pub selector: u8,
    pub count: u64,
}

/// In ascending order of operation, policy and selector; only selectors of sets that are in the region.
///
/// # Errors
/// If the bytes are not a node region of this artifact.
pub fn counts(manifest: &Manifest, region: &[u8]) -> Result<Vec<Count>, ImageError> {
    check_header(manifest, region)?;
    let records = manifest.records();
    let mut sums: BTreeMap<(u32, u32, u8), u64> = BTreeMap::new();
    for operation in &manifest.operations {
        let heads = (0..manifest.node.sets).map_while(|set| {
            let at = u64::from(operation.heads_offset) + 4 * u64::from(set);
            u32_at(region, usize::try_from(at).ok()?)
        });
        for head in heads.filter(|&head| head != 0).collect::<BTreeSet<u32>>() {
            let code = u32_at(region, head as usize + abi::set_block::CODE);
            let code = code.ok_or_else(|| refused("a set block outside the region"))?;
            for_each_count(region, code, |act, count| {
                let of = records.get(&act.record).ok_or_else(|| refused("an action of no selector"))?;
                let sum = sums.entry((operation.number, of.policy, of.selector as u8)).or_default();
                *sum = sum.saturating_add(count);
                Ok(())
            })?;
        }
    }
    let count = |((operation, policy, selector), count)| Count { operation, policy, selector, count };
    Ok(sums.into_iter().map(count).collect())
}

/// Events that could not be sent, or were cut short.
///
/// # Errors
/// If the bytes are not a node region of this artifact.
pub fn lost(manifest: &Manifest, region: &[u8]) -> Result<u64, ImageError> {
    check_header(manifest, region)?;
    u64_at(region, abi::node_header::LOST).ok_or_else(|| refused("shorter than its header"))
}

/// Paths that were taken for unreadable because something moved for as long as they were looked at.
///
/// # Errors
/// If the bytes are not a node region of this artifact.
pub fn unsettled(manifest: &Manifest, region: &[u8]) -> Result<u64, ImageError> {
    check_header(manifest, region)?;
    u64_at(region, abi::node_header::UNSETTLED).ok_or_else(|| refused("shorter than its header"))
}

fn check_header(manifest: &Manifest, region: &[u8]) -> Result<(), ImageError> {
    if region.len() < manifest.node.bytes as usize {
        return Err(refused("shorter than the artifact's node region"));
    }
    let header = (u32_at(region, abi::node_header::MAGIC), u32_at(region, abi::node_header::ABI));
    if header != (Some(abi::NODE_MAGIC), Some(abi::NODE_ABI)) {
        return Err(refused("does not begin like a node region"));
    }
    Ok(())
}

fn for_each_count(
    region: &[u8],
    code: u32,
    mut see: impl FnMut(abi::Act, u64) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let mut at = code as usize;
    loop {
        let word = u64_at(region, at).ok_or_else(|| refused("decision lists that do not end"))?;
        at += 8;
        match Word::decode(word).ok_or_else(|| refused("a decision word that says nothing"))? {
            Word::End => return Ok(()),
            Word::Test { .. } | Word::Skip(_) => {}
            Word::Act(act) => {
                see(act, u64_at(region, at).ok_or_else(|| refused("decision lists that do not end"))?)?;
                at += 8;
            }
        }
    }
}
