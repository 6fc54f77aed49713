//! How many programs, maps and bytes of kernel memory an artifact takes, for whom, and against what.
//!
//! Turns an [`Input`] (what will be loaded, from the plan or from a manifest) into a [`Report`]: totals, one row an
//! operation, program, map and policy, and beside them what Tetragon takes for the same policies ([`baseline`]).
//! [`table`] renders it for people, [`Budgets`] turn it into a gate. Assumes policies in order of identity.
//! Guarantees: the same input gives the same bytes; whole numbers only; rows add up to totals, and so do the shares of
//! the policies. Where a figure is not known exactly it is a range: `...Bytes` is its upper end, `...LeastBytes` its
//! lower one. Totals count what is loaded; alternatives that a loader would not take stand apart.
//! Deliberately reads no file and asks no kernel: what it knows of kernels is [`crate::memory`].

#![warn(clippy::wildcard_enum_match_arm)]

mod attribution;
pub mod baseline;
mod budget;
mod forecast;
mod input;
pub mod measure;
pub mod table;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::json;
use crate::memory::{Amount, Exactness};

pub use budget::{Budget, Budgets, Contributor, Unit, parse_bytes};
pub use forecast::{ForecastError, forecast};
pub use input::{Input, MapInput, ObjectInput, OperationInput, Owner, PolicyInput, ProgramInput, Role};

/// Rises when a reader of older reports would misread a newer one.
pub const SCHEMA_VERSION: u32 = 1;
/// Name of the file in the artifact's folder.
pub const FILE_NAME: &str = "report.json";

/// `report.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub schema_version: u32,
    pub assumptions: Assumptions,
    pub totals: Totals,
    /// What all operations share comes last, under the name `shared`, if there is any.
    pub operations: Vec<OperationRow>,
    pub programs: Vec<ProgramRow>,
    pub maps: Vec<MapRow>,
    /// Programs that are in the artifact and that a loader would not load on the target; in no total.
    pub alternatives: Vec<ProgramRow>,
    /// In order of identity. What several policies share is split evenly; the columns add up to the totals.
    pub policies: Vec<PolicyRow>,
    pub baseline: baseline::Baseline,
    /// How near the set comes to what programs can do; in order of operation.
    #[serde(default)]
    pub limits: Vec<LimitRow>,
    /// The ceilings that were set for this report; an artifact's own has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// What the figures do not include, and how sure they are.
    pub notes: Vec<String>,
}

/// What the forecast was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assumptions {
    pub kernel: String,
    /// The build whose structures were counted with.
    pub kernel_build: String,
    /// The formulas were compared with measurements on this build.
    pub kernel_measured: bool,
    /// Possible CPUs of a node.
    pub cpus: u32,
    /// Pods of a node at most.
    pub pods: u32,
    /// Scopes that select one pod, beside those that select every pod, for which the node region has room at once.
    #[serde(default)]
    pub scopes_per_pod: u32,
    pub layout: String,
}

/// A limit, and the most that is known to be used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitRow {
    pub name: String,
    /// Absent if it is one of the whole artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub used: u64,
    pub max: u64,
}

/// Kernel memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// What the kernel itself shows (`memlock` of fdinfo and bpftool).
    pub memlock_bytes: u64,
    pub memlock_least_bytes: u64,
    /// What it charges to the loader's memory cgroup: hidden functions and rounding included.
    pub charged_bytes: u64,
    pub charged_least_bytes: u64,
    /// What it takes beside that and charges to nobody: per-CPU areas, machine code, BTF.
    pub uncharged_bytes: u64,
    pub uncharged_least_bytes: u64,
}

impl Memory {
    fn new(memlock: Amount, charged: Amount, uncharged: Amount) -> Memory {
        Memory {
            memlock_bytes: memlock.most.0,
            memlock_least_bytes: memlock.least.0,
            charged_bytes: charged.most.0,
            charged_least_bytes: charged.least.0,
            uncharged_bytes: uncharged.most.0,
            uncharged_least_bytes: uncharged.least.0,
        }
    }

    #[must_use]
    fn plus(self, other: Memory) -> Memory {
        Memory {
            memlock_bytes: self.memlock_bytes.saturating_add(other.memlock_bytes),
            memlock_least_bytes: self.memlock_least_bytes.saturating_add(other.memlock_least_bytes),
            charged_bytes: self.charged_bytes.saturating_add(other.charged_bytes),
            charged_least_bytes: self.charged_least_bytes.saturating_add(other.charged_least_bytes),
            uncharged_bytes: self.uncharged_bytes.saturating_add(other.uncharged_bytes),
            uncharged_least_bytes: self.uncharged_least_bytes.saturating_add(other.uncharged_least_bytes),
        }
    }

    /// All that the machine gives up.
    pub fn taken_bytes(self) -> u64 {
        self.charged_bytes.saturating_add(self.uncharged_bytes)
    }
}

impl std::iter::Sum for Memory {
    fn sum<I: Iterator<Item = Memory>>(all: I) -> Memory {
        all.fold(Memory::default(), Memory::plus)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub policies: u64,
    pub operations: u64,
    /// Loaded and listed by the kernel.
    pub programs: u64,
    /// Functions that the kernel keeps as programs of their own and lists nowhere; their memory is charged.
    pub hidden_functions: u64,
    /// Links that attach the programs, in the best way that a kernel of the target's series has.
    pub links: u64,
    pub maps: u64,
    /// Values in all maps.
    pub entries: u64,
    #[serde(flatten)]
    pub memory: Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationRow {
    pub name: String,
    pub attach: String,
    pub policies: u64,
    pub programs: u64,
    pub hidden_functions: u64,
    /// Functions or LSM hooks that it is attached to.
    pub targets: u64,
    /// Links that attach the programs, in the best way that a kernel of the target's series has.
    pub links: u64,
    pub maps: u64,
    pub entries: u64,
    /// Absent for what all operations share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Its own programs, maps and BTF; what is shared has a row of its own.
    #[serde(flatten)]
    pub memory: Memory,
}

/// Pairs of the policies on one operation, by whether one pod can be selected by both: each is in one number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overlap {
    /// No pod, nor the host, is selected by both.
    pub disjoint: u64,
    /// Some pod may be there that both select.
    pub possible: u64,
    /// Whatever one of them selects, the other selects as well.
    pub certain: u64,
    /// Pairs beyond those that were compared; if there are any, `disjoint` is 0.
    pub undecided: u64,
    /// The first of the possible ones.
    pub examples: Vec<Meeting>,
}

/// Two policies that may meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meeting {
    pub policies: [String; 2],
    /// What both select, for people.
    pub witness: String,
}

/// How far a figure is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Proof {
    /// Compared with measurements on this kernel build.
    Measured,
    /// From the kernel's source or from other builds.
    Derived,
    /// Depends on more than the attributes: a wide range.
    Unpredictable,
}

impl From<Exactness> for Proof {
    fn from(exactness: Exactness) -> Proof {
        match exactness {
            Exactness::Measured => Proof::Measured,
            Exactness::Derived => Proof::Derived,
            Exactness::Unpredictable => Proof::Unpredictable,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgramRow {
    pub name: String,
    /// Absent if it serves all operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub role: Role,
    /// As handed to the kernel.
    pub instructions: u64,
    /// After the kernel's rewriting; as far as it is known.
    pub xlated_bytes: u64,
    pub xlated_least_bytes: u64,
    pub hidden_functions: u64,
    /// The part of `chargedBytes` that is theirs.
    pub hidden_bytes: u64,
    #[serde(flatten)]
    pub memory: Memory,
    /// Of the charged bytes.
    pub proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MapRow {
    pub name: String,
    /// Absent if all operations share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// As the kernel names it, without `BPF_MAP_TYPE_`.
    #[serde(rename = "type")]
    pub ty: String,
    pub owner: Owner,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// Things that the map holds: values, pods, rows; whatever its maker counts.
    pub entries: u64,
    #[serde(flatten)]
    pub memory: Memory,
    pub proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRow {
    pub policy: String,
    pub operations: u64,
    pub memlock_bytes: u64,
    pub charged_bytes: u64,
    pub uncharged_bytes: u64,
    /// What Tetragon is asked to load for it; the baseline is made from these.
    pub tetragon: baseline::TetragonPolicy,
}

impl PolicyRow {
    /// Lower ends are not attributed and repeat the upper ones.
    pub fn share(&self) -> Memory {
        Memory {
            memlock_bytes: self.memlock_bytes,
            memlock_least_bytes: self.memlock_bytes,
            charged_bytes: self.charged_bytes,
            charged_least_bytes: self.charged_bytes,
            uncharged_bytes: self.uncharged_bytes,
            uncharged_least_bytes: self.uncharged_bytes,
        }
    }
}

impl Report {
    /// Canonical: fields in the order of declaration, one line an element of the large arrays, a newline at the end.
    pub fn to_json(&self) -> String {
        String::from_utf8(json::canonical(self)).expect("JSON is text")
    }

    /// # Errors
    /// If the text is no report of this schema version.
    pub fn from_json(text: &str) -> Result<Report, serde_json::Error> {
        let report: Report = serde_json::from_str(text)?;
        if report.schema_version != SCHEMA_VERSION {
            let why = format!("schema version {} is not known, only {SCHEMA_VERSION}", report.schema_version);
            return Err(serde::de::Error::custom(why));
        }
        Ok(report)
    }

    /// The JSON Schema of `report.json`; the copy in the repository is `report.schema.json` beside this module.
    pub fn schema() -> String {
        json::schema::<Report>("tetrafold report")
    }
}
