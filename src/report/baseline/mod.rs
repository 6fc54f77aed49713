//! What Tetragon takes for the same policies, and whether it could load them at all.
//!
//! Turns each policy's needs ([`TetragonPolicy`]) into the maps and programs that Tetragon creates for it (`objects`),
//! costs them with [`crate::memory`], so that the result follows kernel and CPUs, and applies Tetragon's ceilings in the
//! order of the policies. Guarantees the measured totals, to the byte, for the six single-hook policies that were
//! measured on 6.12. Policies with several hooks follow the scopes in which Tetragon shares maps; those were read, not
//! measured. Deliberately counts only what a policy adds: the agent's own maps and programs are not in it.
//!
//! Source: Tetragon 4fbfe2d on Debian 6.12.117, measured with 1, 2, 4 and 8 CPUs; pkg/sensors/tracing and
//! pkg/policyfilter of that commit.

mod ceilings;
mod objects;
mod policies;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Memory;
use crate::memory::{KernelProfile, Refused};

pub use policies::tetragon_policies;

/// What Tetragon is asked to load for one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TetragonPolicy {
    /// It has a pod, container, host or namespace selector, so it takes one of the workload filters.
    pub filtered: bool,
    pub hooks: Vec<TetragonHook>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TetragonHook {
    pub kind: HookKind,
    /// Some selector overrides.
    pub overrides: bool,
    pub selectors: u32,
    pub tables: Vec<ValueTable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookKind {
    Kprobe { function: String },
    Lsm { hook: String },
    Tracepoint,
}

/// Values of one filter that Tetragon keeps in maps of their own. Up to four integers stand in the selector itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValueTable {
    /// Length of each distinct string or path.
    Strings(Vec<u32>),
    Prefixes(u32),
    Postfixes(u32),
    /// Number sets of `InMap`, ports and the like.
    Numbers(u32),
    Addresses4(u32),
    Addresses6(u32),
    /// Paths of `matchBinaries`.
    Binaries(u32),
}

/// The other side of the comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    pub tool: String,
    /// Tetragon loads every policy of the set.
    pub loads_all: bool,
    /// What all policies take, whether or not a ceiling stops some.
    pub wanted: BaselineTotals,
    /// What the policies take that do load.
    pub loaded: BaselineTotals,
    /// The ceilings that stop policies, most policies first.
    pub ceilings: Vec<Ceiling>,
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselineTotals {
    pub policies: u64,
    pub programs: u64,
    pub maps: u64,
    #[serde(flatten)]
    pub memory: Memory,
}

impl BaselineTotals {
    fn plus(self, other: BaselineTotals) -> BaselineTotals {
        BaselineTotals {
            policies: self.policies + other.policies,
            programs: self.programs.saturating_add(other.programs),
            maps: self.maps.saturating_add(other.maps),
            memory: self.memory.plus(other.memory),
        }
    }
}

/// A limit that some policies of the set run into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// What is limited, and where.
    pub what: String,
    pub limit: u64,
    /// How many the set wants.
    pub wanted: u64,
    /// Policies that it stops.
    pub refused: u64,
    pub first_refused: String,
    /// Why, with the error that Tetragon shows.
    pub reason: String,
}

/// `names` and `policies` go in step, in the order in which the policies are loaded.
///
/// # Errors
/// If memory on that kernel is not modelled.
pub fn baseline(
    names: &[&str],
    policies: &[&TetragonPolicy],
    kernel: &KernelProfile,
    cpus: u32,
) -> Result<Baseline, Refused> {
    let mut costs = objects::Costs::new(kernel, cpus)?;
    let verdict = ceilings::judge(names, policies);
    let (mut wanted, mut loaded) = (BaselineTotals::default(), BaselineTotals::default());
    for (policy, &loads) in policies.iter().zip(&verdict.loads) {
        let cost = costs.of(policy)?;
        wanted = wanted.plus(cost);
        if loads {
            loaded = loaded.plus(cost);
        }
    }
    let mut notes = vec![
        "Only what policies add, without the agent's own maps and programs; charged bytes leave out Tetragon's BTF and \
         hidden functions, so they are a lower bound."
            .to_owned(),
    ];
    if kernel.version != objects::MEASURED_ON {
        notes.push(format!("Program sizes are those measured on {}.", objects::MEASURED_ON));
    }
    if policies.iter().any(|p| p.hooks.len() > 1) {
        notes.push(
            "Policies with several hooks follow the scopes of Tetragon's maps, which were not measured."
                .to_owned(),
        );
    }
    Ok(Baseline {
        tool: "Tetragon 4fbfe2d".into(),
        loads_all: verdict.loads.iter().all(|&loads| loads),
        wanted,
        loaded,
        ceilings: verdict.ceilings,
        notes,
    })
}
