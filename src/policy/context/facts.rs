//! Facts that only a kernel or a node knows: asked of every kernel that was given, and named where none tells.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::platform::kernel::{Kernel, listed};

/// Kinds of facts that decide whether Tetragon loads a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    Function,
    Syscall,
    LsmHook,
    BpfLsm,
    Tracepoint,
    RawTracepoint,
    Program,
    ResolvePath,
    UserPath,
    GeneratedList,
    OverrideMethod,
    BuildIds,
    ParentsMap,
    HookedTwice,
    PolicyFilter,
    Namespace,
    Kfunc,
}

const KINDS: usize = FactKind::Kfunc as usize + 1;

const BTF: &str = "`--btf FILE` or `--target FILE` would tell";
const NODE: &str = "`--target FILE` would tell";
pub(super) const LEFT_OPEN: &str = "the description leaves it open: it could not be read where it was made";
const AGENT: &str = "a setting of the agent, which nothing here tells";

impl FactKind {
    /// A question without its mark.
    pub(super) fn question(self, name: &str) -> String {
        match self {
            FactKind::Function => format!("whether the kernel has a function `{name}`, and its parameters"),
            FactKind::Syscall => format!("whether the kernel has the syscall `{name}`"),
            FactKind::LsmHook => format!("whether the kernel has the LSM hook `{name}`, and its parameters"),
            FactKind::BpfLsm => "whether the kernel runs BPF programs at LSM hooks".to_string(),
            FactKind::Tracepoint => format!("whether the kernel has the tracepoint `{name}`, and its fields"),
            FactKind::RawTracepoint => format!("whether the kernel has the raw tracepoint `{name}`"),
            FactKind::Program => format!("whether `{name}` exists and can be probed so"),
            FactKind::ResolvePath => format!("whether `{name}` leads to a value in the kernel's types"),
            FactKind::UserPath => format!("whether `{name}` leads to a value in the program's types"),
            FactKind::GeneratedList => format!("what list `{name}` is filled with"),
            FactKind::OverrideMethod => format!("whether the kernel and the agent can override `{name}`"),
            FactKind::BuildIds => "whether the kernel (5.19 or newer) tells build ids".to_string(),
            FactKind::ParentsMap => {
                "whether the agent records parents' programs (--parents-map-enabled)".to_string()
            }
            FactKind::PolicyFilter => {
                "whether the agent can select workloads (--enable-k8s-api, --enable-policy-filter)"
                    .to_string()
            }
            FactKind::Namespace => {
                format!("the namespace of a policy that names none; `{name}` is filled in, as kubectl would")
            }
            FactKind::Kfunc => format!("whether the kernel has the function `{name}` for programs"),
            FactKind::HookedTwice => {
                format!("whether `{name}` may be hooked twice (not where the agent uses kprobe.multi)")
            }
        }
    }

    pub(super) fn told_by(self) -> &'static str {
        match self {
            FactKind::Function | FactKind::LsmHook | FactKind::ResolvePath | FactKind::Kfunc => BTF,
            FactKind::Syscall | FactKind::RawTracepoint => BTF,
            FactKind::BpfLsm
            | FactKind::Tracepoint
            | FactKind::GeneratedList
            | FactKind::OverrideMethod
            | FactKind::BuildIds
            | FactKind::HookedTwice => NODE,
            FactKind::ParentsMap | FactKind::PolicyFilter => AGENT,
            FactKind::Program | FactKind::UserPath => "a file of the node, which nothing here tells",
            FactKind::Namespace => "`--namespace NAME` says another",
        }
    }
}

/// The kernels that are asked, and what was reported as not told.
#[derive(Debug, Default)]
pub struct Facts {
    pub(super) kernels: Arc<[Kernel]>,
    pub(super) seen: [FxHashSet<Box<str>>; KINDS],
    guesses: Rc<Cell<u32>>,
}

/// How often a name is looked for among all that a kernel has: a document can be wrong in every line.
const MOST_GUESSES: u32 = 100;

/// The kernels that a finding is on.
pub struct On<'k> {
    pub kernels: Vec<&'k Kernel>,
}

impl std::fmt::Display for On<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&listed(&self.kernels))
    }
}

/// What one kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<F> {
    Holds,
    Fails(F),
    /// What is known of the kernel does not tell.
    Untold,
}

impl<F> Answer<F> {
    /// `None` does not tell.
    pub fn of(holds: Option<bool>, failure: impl FnOnce() -> F) -> Answer<F> {
        match holds {
            Some(true) => Answer::Holds,
            Some(false) => Answer::Fails(failure()),
            None => Answer::Untold,
        }
    }
}

impl Facts {
    pub fn new(kernels: Arc<[Kernel]>) -> Facts {
        Facts { kernels, ..Facts::default() }
    }

    /// Takes one guess, if there are any left, each time it is called.
    pub(super) fn guesses(&self) -> impl Fn() -> bool + use<> {
        let guesses = self.guesses.clone();
        move || {
            guesses.set(guesses.get().saturating_add(1));
            guesses.get() <= MOST_GUESSES
        }
    }

    /// Whether it was not asked for before.
    pub(super) fn is_first(&mut self, kind: FactKind, name: &str) -> bool {
        let seen = &mut self.seen[kind as usize];
        let first = !seen.contains(name);
        if first {
            seen.insert(name.into());
        }
        first
    }
}
