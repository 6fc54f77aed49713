//! The node region: which policies apply to which cgroup, as the bytes that programs read.
//!
//! Turns the manifest, every operation's scope blocks and the node's workloads into the content of the map
//! `node` ([`Node::new`]), and a changed list of workloads into the stores that take a running node there
//! ([`Node::update`]). Layout and meaning of the bytes: `bpf-templates/abi.h`. The loader finds workloads and
//! copies bytes; it decides nothing.
//!
//! - A *set* is an ascending list of scopes, as many as there are; what is limited is the decision words that its
//!   lists have at one operation ([`abi::SET_WORDS_MAX`]). Set 0 is the default set, the scopes that
//!   hold the host; it applies to every cgroup that is in no workload's. A workload inside another one has the
//!   outer one's scopes as well, so no process leaves a policy by going deeper.
//! - Sets are interned. Of a set's scopes only those with lists at an operation matter there, so sets share
//!   their blocks where they do not differ; rows stand once in the region.
//! - Quiet rows of a set hold the atoms that all its scopes hold; its lists are those of its scopes in order of
//!   policy identity.
//! - A workload that cannot be entered is left out and named ([`Node::refused`]); the others are entered all the same.
//!   Its processes are judged by the set of a workload around it, else by the default set; or, if it was there before,
//!   by the set that it had.
//! - An update never moves or reuses anything: programs may be reading. It is refused, and the node left as it
//!   was, where a new generation (a [`Node::new`] with the same list) is needed: no room, or a workload above
//!   the lowest level.
//!
//! Assumes scope blocks that [`ScopeBlocks::read`] accepted for the manifest's operations.

mod cgroups;
pub mod counts;
mod host;
pub mod layout;
mod locks;
pub mod meet;
mod rows;
mod sets;
pub mod sizing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::abi;
use super::manifest::Manifest;
use super::scope_block::ScopeBlocks;
use cgroups::{Cgroups, Place};
pub use host::{Host, HostNamespaces};
pub use locks::{Locks, LocksError};
use sets::Sets;

/// A container, as the loader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// For messages, such as `prod/web-1 (app)`.
    pub name: String,
    /// Ids of its cgroup's ancestors from level 1 on (the root is level 0), its own last.
    pub path: Vec<u64>,
    /// The scopes that select it ([`super::scope::scopes_of`]).
    pub scopes: Vec<u32>,
}

/// One store into the running region. Offsets of up to 8 bytes are aligned for one atomic store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub offset: u32,
    pub bytes: Vec<u8>,
}

/// Why a workload, or a list of them, cannot be put into the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeError {
    /// The lists of the scopes that select one workload have more than [`abi::SET_WORDS_MAX`] words.
    TooManyWords { workload: String, operation: u32, words: usize },
    /// A scope that the manifest does not have.
    UnknownScope { workload: String, scope: u32 },
    /// The path cannot be one of a workload's cgroup, or contradicts another workload's.
    Path { workload: String, reason: String },
    /// Two workloads name one cgroup.
    SameCgroup { workload: String, other: String },
    /// More levels of workloads above it than programs look at.
    TooDeep { workload: String },
    /// No room for what the workload needs.
    Full { workload: String, part: Part },
    /// The running programs begin below it.
    AboveLowest { workload: String },
    /// Scope blocks and manifest do not belong together.
    Blocks,
}

/// A part of the region that can be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Blocks,
    Sets,
    Cgroups,
}

impl NodeError {
    /// For an [`Node::update`]: whether [`Node::new`] may succeed where it failed. From [`Node::new`] itself,
    /// [`NodeError::Full`] means that the region has to grow ([`super::read::Artifact::grown`]). Workloads that went away
    /// count in an update, so that it may be too deep where the new list alone is not.
    pub fn calls_for_new_generation(&self) -> bool {
        match self {
            NodeError::Full { .. } | NodeError::AboveLowest { .. } | NodeError::TooDeep { .. } => true,
            NodeError::TooManyWords { .. }
            | NodeError::UnknownScope { .. }
            | NodeError::Path { .. }
            | NodeError::SameCgroup { .. }
            | NodeError::Blocks => false,
        }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::TooManyWords { workload, operation, words } => {
                let most = abi::SET_WORDS_MAX;
                write!(
                    f,
                    "{workload}: its policies have {words} decision words at operation {operation}, at most {most} can run"
                )
            }
            NodeError::UnknownScope { workload, scope } => {
                write!(f, "{workload}: the manifest has no scope {scope}")
            }
            NodeError::Path { workload, reason } => write!(f, "{workload}: {reason}"),
            NodeError::SameCgroup { workload, other } => {
                write!(f, "{workload}: its cgroup is that of {other} as well")
            }
            NodeError::TooDeep { workload } => {
                write!(f, "{workload}: more than {} levels of workloads around it", cgroups::LOOKUPS)
            }
            NodeError::Full { workload, part } => {
                let part = match part {
                    Part::Blocks => "set blocks",
                    Part::Sets => "sets",
                    Part::Cgroups => "cgroups",
                };
                write!(f, "{workload}: no room for more {part}")
            }
            NodeError::AboveLowest { workload } => {
                write!(f, "{workload}: above the lowest level of the running workloads")
            }
            NodeError::Blocks => write!(f, "the scope blocks are not those of this manifest"),
        }
    }
}

impl std::error::Error for NodeError {}

/// The region of one generation.
#[derive(Clone, Debug)]
pub struct Node {
    bytes: Vec<u8>,
    sets: Sets,
    cgroups: Cgroups,
    refused: Vec<NodeError>,
}

impl Node {
    /// The region for these workloads, to be copied into the map before anything is attached.
    /// `blocks` are those of the manifest's operations, in their order.
    ///
    /// # Errors
    /// [`NodeError::Full`], where the region has to grow; [`NodeError::Blocks`]; what is wrong with the default set.
    pub fn new(
        manifest: &Manifest,
        blocks: Arc<[ScopeBlocks]>,
        generation: u32,
        workloads: &[Workload],
        host: Host,
    ) -> Result<Node, NodeError> {
        let stops = |error: &NodeError| matches!(error, NodeError::Full { .. });
        Node::built(manifest, blocks, generation, workloads, host, stops)
    }

    /// The same for a region that cannot grow: workloads for which there is no room are refused.
    ///
    /// # Errors
    /// [`NodeError::Blocks`]; what is wrong with the default set.
    pub fn new_of_what_fits(
        manifest: &Manifest,
        blocks: Arc<[ScopeBlocks]>,
        generation: u32,
        workloads: &[Workload],
        host: Host,
    ) -> Result<Node, NodeError> {
        Node::built(manifest, blocks, generation, workloads, host, |_| false)
    }

    fn built(
        manifest: &Manifest,
        blocks: Arc<[ScopeBlocks]>,
        generation: u32,
        workloads: &[Workload],
        host: Host,
        stops: fn(&NodeError) -> bool,
    ) -> Result<Node, NodeError> {
        if blocks.len() != manifest.operations.len() {
            return Err(NodeError::Blocks);
        }
        let mut bytes = vec![0; manifest.node.bytes as usize];
        for (at, value) in [
            (abi::node_header::MAGIC, abi::NODE_MAGIC),
            (abi::node_header::ABI, abi::NODE_ABI),
            (abi::node_header::GENERATION, generation),
        ] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        host.write(&mut bytes);
        let (sets, cgroups) = (Sets::new(manifest, blocks), Cgroups::new(&manifest.node));
        let mut node = Node { bytes, sets, cgroups, refused: vec![] };
        let mut writes = vec![];
        node.sets.intern("the default set", &manifest.host_scopes(), &mut writes)?;
        node.plan(workloads, stops, &mut writes)?;
        node.apply(&writes);
        Ok(node)
    }

    /// What the map `node` holds, counts aside.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Workloads of the last list that are not in the region, and why. Whoever runs a node has to be told.
    pub fn refused(&self) -> &[NodeError] {
        &self.refused
    }

    /// The stores that take the running region to these workloads, in this order. A program that runs between
    /// any two of them judges its process by the old set or the new one. One that is still running from before
    /// a store may see parts of both, if the sets of a workload and of one around it change together; every
    /// set it can find is one that was or is right for a cgroup around the process.
    ///
    /// # Errors
    /// What calls for a new generation ([`NodeError::calls_for_new_generation`]); nothing has changed then.
    pub fn update(&mut self, workloads: &[Workload]) -> Result<Vec<Write>, NodeError> {
        let mut next = self.clone();
        let mut writes = vec![];
        next.plan(workloads, NodeError::calls_for_new_generation, &mut writes)?;
        next.apply(&writes);
        *self = next;
        Ok(writes)
    }

    /// Sets first, since cgroups refer to them. Errors that do not stop it leave a workload out.
    fn plan(
        &mut self,
        workloads: &[Workload],
        stops: fn(&NodeError) -> bool,
        writes: &mut Vec<Write>,
    ) -> Result<(), NodeError> {
        self.refused.clear();
        let known = known_workloads(workloads, &mut self.refused);
        let mut places = vec![];
        for workload in workloads {
            let id = workload.path.last().copied().unwrap_or(0);
            if !known.get(&id).is_some_and(|known| std::ptr::eq(*known, workload)) {
                continue;
            }
            let scopes = effective_scopes(workload, &known);
            let set = match self.sets.intern(&workload.name, &scopes, writes) {
                Ok(set) => Some(set),
                Err(error) if stops(&error) => return Err(error),
                Err(error) => {
                    self.refused.push(error);
                    self.cgroups.set_of(id)
                }
            };
            places.extend(set.map(|set| Place { name: &workload.name, path: &workload.path, set }));
        }
        let (before, mark) = (self.cgroups.clone(), writes.len());
        while let Err((id, error)) = self.cgroups.place(&places, writes) {
            let entered = places.len();
            places.retain(|place| place.path.last() != Some(&id));
            if stops(&error) || places.len() == entered {
                return Err(error);
            }
            self.refused.push(error);
            self.cgroups = before.clone();
            writes.truncate(mark);
        }
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            let at = write.offset as usize;
            self.bytes[at..at + write.bytes.len()].copy_from_slice(&write.bytes);
        }
    }
}

impl Write {
    fn u32(offset: u32, value: u32) -> Write {
        Write { offset, bytes: value.to_le_bytes().to_vec() }
    }

    fn u64(offset: u32, value: u64) -> Write {
        Write { offset, bytes: value.to_le_bytes().to_vec() }
    }
}

/// By the id of its cgroup; those that cannot be are refused.
fn known_workloads<'a>(
    workloads: &'a [Workload],
    refused: &mut Vec<NodeError>,
) -> BTreeMap<u64, &'a Workload> {
    let mut known: BTreeMap<u64, &Workload> = BTreeMap::new();
    for workload in workloads {
        let reason = match workload.path.last() {
            None => "the root cgroup cannot be a workload's",
            Some(_) if workload.path.len() > cgroups::LEVEL_MAX => "its cgroup is nested too deeply",
            Some(_) if workload.path.contains(&0) => "a cgroup id of 0",
            Some(&id) => {
                if let Some(other) = known.get(&id) {
                    let (workload, other) = (workload.name.clone(), other.name.clone());
                    refused.push(NodeError::SameCgroup { workload, other });
                } else {
                    known.insert(id, workload);
                }
                continue;
            }
        };
        refused.push(NodeError::Path { workload: workload.name.clone(), reason: reason.into() });
    }
    known
}

/// Its own scopes and those of every workload around it; ascending.
fn effective_scopes(workload: &Workload, known: &BTreeMap<u64, &Workload>) -> Vec<u32> {
    let around = workload.path.iter().filter_map(|id| known.get(id));
    let mut scopes: Vec<u32> = around.flat_map(|w| w.scopes.iter().copied()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

#[cfg(test)]
mod tests;
