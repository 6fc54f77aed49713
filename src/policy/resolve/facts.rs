//! Facts that only a node knows, each reported once.

use rustc_hash::FxHashSet;

/// Kinds of facts that decide whether Tetragon loads a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    Function,
    Syscall,
    LsmHook,
    Tracepoint,
    Program,
    ResolvePath,
    GeneratedList,
    OverrideMethod,
    BuildIds,
    ParentsMap,
    HookedTwice,
}

const KINDS: usize = FactKind::HookedTwice as usize + 1;

/// Remembers what was reported.
#[derive(Debug, Default)]
pub struct Facts {
    seen: [FxHashSet<Box<str>>; KINDS],
}

impl Facts {
    /// The fact in words, if it was not asked for before.
    pub fn first(&mut self, kind: FactKind, name: &str) -> Option<String> {
        let seen = &mut self.seen[kind as usize];
        if seen.contains(name) {
            return None;
        }
        seen.insert(name.into());
        Some(match kind {
            FactKind::Function => format!("whether the kernel has a function `{name}`"),
            FactKind::Syscall => format!("whether the kernel has the syscall `{name}`"),
            FactKind::LsmHook => {
                format!("whether the kernel has the LSM hook `{name}` and runs BPF programs there")
            }
            FactKind::Tracepoint => format!("whether the kernel has the tracepoint `{name}`, and its fields"),
            FactKind::Program => format!("whether `{name}` exists and can be probed so"),
            FactKind::ResolvePath => format!("whether `{name}` leads to a value in the kernel's types"),
            FactKind::GeneratedList => format!("what list `{name}` is filled with"),
            FactKind::OverrideMethod => format!("whether the kernel and the agent can override `{name}`"),
            FactKind::BuildIds => "whether the kernel (5.19 or newer) tells build ids".to_string(),
            FactKind::ParentsMap => {
                "whether the agent records parents' programs (--parents-map-enabled)".to_string()
            }
            FactKind::HookedTwice => {
                format!("whether `{name}` may be hooked twice (not where the agent uses kprobe.multi)")
            }
        })
    }
}
