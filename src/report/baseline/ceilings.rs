//! How many policies Tetragon can load: its ceilings, applied in load order.
//!
//! A policy that is refused holds none of the limited things (what a failed load leaves behind is not modelled).
//! Source: kernel include/linux/bpf.h (BPF_MAX_TRAMP_LINKS 38); Tetragon 4fbfe2d, pkg/policyfilter (128 filters, one
//! reserved); each was reached in a run, and the errors are the agent's.

use std::collections::BTreeMap;

use super::{Ceiling, HookKind, TetragonPolicy};

/// BPF_MAX_TRAMP_LINKS: programs that one function's trampoline can run.
const TRAMPOLINE_PROGRAMS: u64 = 38;
/// Tetragon attaches an event and an output program for each LSM hook of a policy.
const PROGRAMS_PER_LSM_HOOK: u64 = 2;
/// POLICY_FILTER_MAX_POLICIES less the reserved filter for all pods.
const WORKLOAD_FILTERS: u64 = 127;

/// What runs out, in order of being asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limited {
    Filters,
    FmodRet(String),
    Lsm(String),
}

impl Limited {
    /// In policies' pieces: filters, overriding hooks, LSM hooks.
    fn limit(&self) -> u64 {
        match self {
            Limited::Filters => WORKLOAD_FILTERS,
            Limited::FmodRet(_) => TRAMPOLINE_PROGRAMS,
            Limited::Lsm(_) => TRAMPOLINE_PROGRAMS / PROGRAMS_PER_LSM_HOOK,
        }
    }

    fn what(&self) -> String {
        match self {
            Limited::Filters => "policies with a pod, container, host or namespace selector".into(),
            Limited::FmodRet(function) => format!("Override hooks on {function}"),
            Limited::Lsm(hook) => format!("hooks on lsm {hook}"),
        }
    }

    fn reason(&self) -> String {
        match self {
            Limited::Filters => "Tetragon has 128 workload filters for the whole agent, one of them its own; the next \
                                 policy fails with `failed to insert inner policy: key too big for map`"
                .into(),
            Limited::FmodRet(_) => "each Override attaches an fmod_ret program, and the kernel takes 38 of them on one \
                                    function (BPF_MAX_TRAMP_LINKS); the next policy fails with `create raw tracepoint: \
                                    argument list too long`"
                .into(),
            Limited::Lsm(_) => "each policy attaches two programs, and the kernel takes 38 of them on one hook \
                                (BPF_MAX_TRAMP_LINKS); the next policy fails with `create tracing link: argument list \
                                too long`"
                .into(),
        }
    }
}

pub(super) struct Verdict {
    /// For each policy.
    pub loads: Vec<bool>,
    pub ceilings: Vec<Ceiling>,
}

/// Use of one limited thing.
#[derive(Default)]
struct Use {
    wanted: u64,
    held: u64,
    refused: u64,
    first_refused: Option<usize>,
}

pub(super) fn judge(names: &[&str], policies: &[&TetragonPolicy]) -> Verdict {
    let mut uses: BTreeMap<Limited, Use> = BTreeMap::new();
    let mut loads = vec![];
    for (position, policy) in policies.iter().enumerate() {
        let needs = needs(policy);
        for (limited, count) in &needs {
            uses.entry(limited.clone()).or_default().wanted += count;
        }
        let stopped_by = needs.iter().find(|(limited, count)| uses[limited].held + **count > limited.limit());
        match stopped_by {
            None => {
                for (limited, count) in &needs {
                    uses.entry(limited.clone()).or_default().held += count;
                }
            }
            Some((limited, _)) => {
                let used = uses.entry(limited.clone()).or_default();
                used.refused += 1;
                used.first_refused.get_or_insert(position);
            }
        }
        loads.push(stopped_by.is_none());
    }
    let ceiling = |(limited, used): (&Limited, &Use)| {
        let first = used.first_refused?;
        Some(Ceiling {
            what: limited.what(),
            limit: limited.limit(),
            wanted: used.wanted,
            refused: used.refused,
            first_refused: names.get(first).copied().unwrap_or_default().to_owned(),
            reason: limited.reason(),
        })
    };
    let mut ceilings: Vec<Ceiling> = uses.iter().filter_map(ceiling).collect();
    ceilings.sort_by_key(|c| std::cmp::Reverse(c.refused));
    Verdict { loads, ceilings }
}

/// How many of each limited thing a policy asks for.
fn needs(policy: &TetragonPolicy) -> BTreeMap<Limited, u64> {
    let mut needs = BTreeMap::new();
    if policy.filtered {
        needs.insert(Limited::Filters, 1);
    }
    for hook in &policy.hooks {
        let limited = match &hook.kind {
            HookKind::Kprobe { function } if hook.overrides && function.starts_with("security_") => {
                Limited::FmodRet(function.clone())
            }
            HookKind::Lsm { hook } => Limited::Lsm(hook.clone()),
            HookKind::Kprobe { .. } | HookKind::Tracepoint => continue,
        };
        *needs.entry(limited).or_insert(0) += 1;
    }
    needs
}
