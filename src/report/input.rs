//! What a report is made from: plain lists that a plan or a manifest can fill.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::baseline::TetragonPolicy;
use super::{LimitRow, Overlap};
use crate::memory::{Bytes, KernelProfile, MapShape, ProgramShape};

/// An artifact, and the node that it is loaded on.
#[derive(Clone, Debug)]
pub struct Input {
    pub kernel: KernelProfile,
    /// Possible CPUs.
    pub cpus: u32,
    pub pods: u32,
    pub scopes_per_pod: u32,
    /// `shared`, `chain` or `per-policy`.
    pub layout: String,
    /// In order of identity.
    pub policies: Vec<PolicyInput>,
    pub operations: Vec<OperationInput>,
    /// Used by all operations.
    pub shared_programs: Vec<ProgramInput>,
    pub shared_maps: Vec<MapInput>,
    pub shared_objects: Vec<ObjectInput>,
    pub limits: Vec<LimitRow>,
}

#[derive(Clone, Debug)]
pub struct PolicyInput {
    /// For people; unique.
    pub name: String,
    pub tetragon: TetragonPolicy,
}

/// One hooked operation and what only it needs.
#[derive(Clone, Debug)]
pub struct OperationInput {
    pub name: String,
    /// `lsm`, `fmod_ret`, `kprobe`.
    pub attach: String,
    /// Functions or LSM hooks that it is attached to, and links by which.
    pub targets: u64,
    pub links: u64,
    pub programs: Vec<ProgramInput>,
    pub maps: Vec<MapInput>,
    pub objects: Vec<ObjectInput>,
    /// Positions in [`Input::policies`] of those that hook it, ascending.
    pub policies: Vec<usize>,
    /// How these meet.
    pub overlap: Overlap,
}

#[derive(Clone, Debug)]
pub struct ProgramInput {
    pub name: String,
    pub role: Role,
    /// False for an alternative that a loader would not take on the target.
    pub loaded: bool,
    pub shape: ProgramShape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Attached; only tail-calls.
    Stub,
    /// Decides.
    Body,
    /// Keeps facts about processes for others.
    Base,
}

#[derive(Clone, Debug)]
pub struct MapInput {
    pub name: String,
    pub owner: Owner,
    pub shape: MapShape,
    /// Things that it holds: values, pods, rows.
    pub entries: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Owner {
    /// Filled from an image, never written again.
    Static,
    /// Filled by the loader or the programs.
    Runtime,
}

/// An ELF object: the kernel keeps its BTF while any of its programs or maps lives.
#[derive(Clone, Debug)]
pub struct ObjectInput {
    pub name: String,
    /// Of the `.BTF` section.
    pub btf: Bytes,
    pub loaded: bool,
}
