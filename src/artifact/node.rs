//! The node region: which policies apply to which cgroup, as the bytes that programs read.
//!
//! Turns the manifest, every operation's scope blocks and the node's workloads into the content of the map
//! `node` ([`Node::new`]), and a changed list of workloads into the stores that take a running node there
//! ([`Node::update`]). Layout and meaning of the bytes: `bpf-templates/abi.h`. The loader finds workloads and
//! copies bytes; it decides nothing.
//!
//! - A *set* is an ascending list of scopes, at most [`SCOPES_MAX`]. Set 0 is the default set, the scopes that
//!   hold the host; it applies to every cgroup that is in no workload's. A workload inside another one has the
//!   outer one's scopes as well, so no process leaves a policy by going deeper.
//! - Sets are interned. Of a set's scopes only those with lists at an operation matter there, so sets share
//!   their blocks where they do not differ; rows stand once in the region.
//! - Quiet rows of a set hold the atoms that all its scopes hold; its lists are those of its scopes in order of
//!   policy identity.
//! - An update never moves or reuses anything: programs may be reading. It is refused, and the node left as it
//!   was, where a new generation (a [`Node::new`] with the same list) is needed: no room, or a workload above
//!   the lowest level.
//!
//! Assumes scope blocks that [`ScopeBlocks::read`] accepted for the manifest's operations.

mod cgroups;
pub mod counts;
pub mod layout;
mod locks;
mod rows;
mod sets;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::abi;
use super::manifest::Manifest;
use super::scope_block::ScopeBlocks;
use cgroups::{Cgroups, Place};
pub use locks::{Locks, LocksError};
use sets::Sets;

/// Scopes that can meet in one cgroup.
pub const SCOPES_MAX: usize = 32;

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

/// Why a list of workloads cannot be put into the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeError {
    /// More than [`SCOPES_MAX`] scopes select one workload.
    TooManyScopes { workload: String, scopes: usize },
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
    /// [`NodeError::Full`] means that the artifact has to be compiled for more pods. Workloads that went away
    /// count in an update, so that it may be too deep where the new list alone is not.
    pub fn calls_for_new_generation(&self) -> bool {
        match self {
            NodeError::Full { .. } | NodeError::AboveLowest { .. } | NodeError::TooDeep { .. } => true,
            NodeError::TooManyScopes { .. }
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
            NodeError::TooManyScopes { workload, scopes } => {
                write!(f, "{workload}: {scopes} scopes select it, at most {SCOPES_MAX} can")
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
                write!(f, "{workload}: no room for more {part}; compile for more pods (`--pods`)")
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
}

impl Node {
    /// The region for these workloads, to be copied into the map before anything is attached.
    /// `blocks` are those of the manifest's operations, in their order. Without `locks`, which an artifact requires
    /// that judges paths ([`super::manifest::Feature::PathLocks`]), programs can read no path.
    ///
    /// # Errors
    /// The first reason for which it cannot be built.
    pub fn new(
        manifest: &Manifest,
        blocks: Arc<[ScopeBlocks]>,
        generation: u32,
        workloads: &[Workload],
        locks: Option<Locks>,
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
        if let Some(locks) = locks {
            for (at, address) in
                [(abi::node_header::RENAME_LOCK, locks.rename), (abi::node_header::MOUNT_LOCK, locks.mount)]
            {
                bytes[at..at + 8].copy_from_slice(&address.get().to_le_bytes());
            }
        }
        let mut node =
            Node { bytes, sets: Sets::new(manifest, blocks), cgroups: Cgroups::new(&manifest.node) };
        let mut writes = vec![];
        node.sets.intern("the default set", &manifest.host_scopes(), &mut writes)?;
        node.plan(workloads, &mut writes)?;
        node.apply(&writes);
        Ok(node)
    }

    /// What the map `node` holds, counts aside.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stores that take the running region to these workloads, in this order. A program that runs between
    /// any two of them judges its process by the old set or the new one. One that is still running from before
    /// a store may see parts of both, if the sets of a workload and of one around it change together; every
    /// set it can find is one that was or is right for a cgroup around the process.
    ///
    /// # Errors
    /// As [`Node::new`]; nothing has changed then. See [`NodeError::calls_for_new_generation`].
    pub fn update(&mut self, workloads: &[Workload]) -> Result<Vec<Write>, NodeError> {
        let mut next = self.clone();
        let mut writes = vec![];
        next.plan(workloads, &mut writes)?;
        next.apply(&writes);
        *self = next;
        Ok(writes)
    }

    /// Sets first, since cgroups refer to them.
    fn plan(&mut self, workloads: &[Workload], writes: &mut Vec<Write>) -> Result<(), NodeError> {
        let known = known_workloads(workloads)?;
        let mut places = vec![];
        for workload in workloads {
            let scopes = effective_scopes(workload, &known);
            let set = self.sets.intern(&workload.name, &scopes, writes)?;
            places.push(Place { name: &workload.name, path: &workload.path, set });
        }
        self.cgroups.place(&places, writes)
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

/// By the id of its cgroup.
fn known_workloads(workloads: &[Workload]) -> Result<BTreeMap<u64, &Workload>, NodeError> {
    let mut known = BTreeMap::new();
    for workload in workloads {
        let refused =
            |reason: &str| Err(NodeError::Path { workload: workload.name.clone(), reason: reason.into() });
        let Some(&id) = workload.path.last() else {
            return refused("the root cgroup cannot be a workload's");
        };
        if workload.path.len() > cgroups::LEVEL_MAX {
            return refused("its cgroup is nested too deeply");
        }
        if workload.path.contains(&0) {
            return refused("a cgroup id of 0");
        }
        if let Some(other) = known.insert(id, workload) {
            let (workload, other) = (workload.name.clone(), other.name.clone());
            return Err(NodeError::SameCgroup { workload, other });
        }
    }
    Ok(known)
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
