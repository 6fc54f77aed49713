//! Documents to meaning: a [`PolicySet`] exists only if every check passed, so later phases report no
//! policy error.
//!
//! Lists, macros, defaults and spellings are gone here; every name is a vocabulary item, every value is in
//! the form in which it is compared. Places in the source stay, so that each later thing can say which
//! YAML bytes it comes from.

mod context;
mod expand;
pub mod overlap;
pub mod phases;
mod resolve;
mod values;
pub mod written;

use indexmap::IndexSet;

use crate::source::{SourceId, Span};
use crate::vocab::action::RateLimitScope;
use crate::vocab::arg_type::ArgType;
use crate::vocab::condition::Projection;
use crate::vocab::fact::Fact;

pub use values::{AddressRange, Interval, Values};

/// Every policy of a run, in order of [`Identity`], each identity once.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    pub policies: Vec<Policy>,
    /// Which processes a policy applies to, each distinct selector once, in order of first use.
    pub scopes: IndexSet<Scope>,
    /// Every value of a string or path condition, each once, in order of first use.
    pub strings: Strings,
    /// The same as it was written: what the oracle evaluates and the proof starts from.
    pub written: written::Written,
    /// Policies that may override one call with different values.
    pub contradictions: Vec<overlap::overrides::Contradictions>,
}

/// Index into [`PolicySet::scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

/// Index into [`PolicySet::strings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrId(pub u32);

/// Values as bytes (a path need not be UTF-8), each once.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    all: IndexSet<Box<[u8]>, std::hash::BuildHasherDefault<rustc_hash::FxHasher>>,
}

impl Strings {
    pub fn intern(&mut self, bytes: &[u8]) -> StrId {
        if let Some(i) = self.all.get_index_of(bytes) {
            return StrId(i as u32);
        }
        StrId(self.all.insert_full(bytes.into()).0 as u32)
    }

    /// The number of `bytes`, if they are a value of some policy.
    pub fn find(&self, bytes: &[u8]) -> Option<StrId> {
        self.all.get_index_of(bytes).map(|i| StrId(i as u32))
    }

    pub fn get(&self, id: StrId) -> &[u8] {
        &self.all[id.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// What makes a policy that policy. The order decides which of several overrides wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub kind: PolicyKind,
    /// `None` for the cluster-wide kind and for a binding without one.
    pub namespace: Option<String>,
    pub name: String,
}

pub use crate::vocab::kind::PolicyKind;

/// Whether Override and Sigkill act, or are only reported (`policy-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    Enforce,
    Monitor,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub identity: Identity,
    pub file: SourceId,
    /// Of `metadata.name`.
    pub span: Span,
    /// Of the whole document: its digest stands in the manifest.
    pub document: Span,
    /// Of a binding: what it was made from. Places of hooks and selectors are there.
    pub template: Option<Template>,
    pub mode: Mode,
    /// Of all hooks that have none of their own.
    pub scope: ScopeId,
    pub hooks: Vec<Hook>,
}

/// The template of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub name: String,
    /// Of the whole document.
    pub document: Span,
}

/// Which processes a policy applies to: those that any term describes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Sorted, each once. A policy without selectors has `[Host, Pods { None, [], [] }]`.
    pub any: Vec<ScopeTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeTerm {
    /// Every process that is in no known pod container.
    Host,
    /// Containers for which every requirement holds.
    Pods { namespace: Option<String>, pod: Vec<Requirement>, container: Vec<Requirement> },
}

/// One test of a label selector; `matchLabels` entries are `In` with one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    pub key: String,
    pub op: RequirementOp,
    /// Sorted, each once.
    pub values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequirementOp {
    In,
    /// Also holds where the key is absent.
    NotIn,
    Exists,
    DoesNotExist,
}

/// One hook of a policy: an ordered list of selectors, of which the first that matches decides.
#[derive(Clone, Debug)]
pub struct Hook {
    pub call: HookCall,
    /// The entry of the policy's section that it is written in, from 0. The functions of a `list:` share one.
    pub entry: u32,
    /// The workloads that it is for, where these are not all of the policy's: a hook whose selectors have
    /// `matchWorkloads` stands once for each combination of them, with the selectors that apply there.
    pub scope: Option<ScopeId>,
    pub args: Vec<Arg>,
    /// What the function returns, if events show it: an event is sent at the call, another one at the return, and what
    /// is published is both.
    pub returned: Option<Arg>,
    /// Never empty: a hook written without selectors has one that matches everything and posts.
    pub selectors: Vec<Selector>,
    pub message: Option<String>,
    pub tags: Vec<String>,
    /// Of `call` or `hook`.
    pub span: Span,
}

/// What the policy names; [`crate::fold::ir`] decides what is attached for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookCall {
    /// `function` is the symbol (`__x64_sys_openat` for a syscall).
    Kprobe { function: String, syscall: bool },
    /// Without `bpf_lsm_` or `security_`.
    Lsm { hook: String },
    /// `SUBSYSTEM/EVENT`
    Tracepoint { event: String },
    /// The kernel's own below an event of tracefs.
    RawTracepoint { event: String },
}

/// A field of a tracepoint's record, as all kernels compiled for have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub name: String,
    pub offset: u16,
    pub bytes: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Position in the hooked function, from 0, at most 4; of a tracepoint's field in its format.
    pub index: u8,
    pub ty: ArgType,
    /// At tracepoints.
    pub field: Option<Field>,
    pub label: Option<String>,
    pub span: Span,
}

/// Matches if every condition holds; then its actions run and later selectors are not looked at.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Position among the selectors of the hook as it is written, those for other workloads included: what events name.
    pub number: u8,
    pub conditions: Vec<Condition>,
    /// On what the function returns, as the one argument of its return: without them nothing is published.
    pub returned: Vec<Condition>,
    pub actions: Actions,
    /// Of the selector's first key; of the hook if the policy wrote none.
    pub span: Span,
}

/// A test of one part of one source. It exists only if every part of it can be compiled: [`Values`] has a variant only
/// for what has a table, and resolving gives no condition for a part that nothing reads.
#[derive(Clone, Debug)]
pub struct Condition {
    pub source: Source,
    pub projection: Projection,
    /// `NotEqual` and the like: true if no value fits.
    pub negated: bool,
    pub values: Values,
    pub span: Span,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Position in [`Hook::args`].
    Argument(usize),
    /// Of the process that makes the call.
    Fact(Fact),
}

/// What happens when a selector matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// An event is sent; `NoPost` clears it.
    pub post: bool,
    /// The value that the hooked call returns instead, already in -4095..=0 where the hook clamps it.
    pub override_value: Option<i32>,
    /// The signal sent to the process (9 for `Sigkill`).
    pub signal: Option<u32>,
    /// The event is not sent again for a while.
    pub limit: Option<RateLimit>,
    /// The action that events name: the last one written.
    pub shown: ShownAction,
}

/// An event is sent once in so many milliseconds, for each thread or process and the same arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateLimit {
    pub milliseconds: u32,
    pub scope: RateLimitScope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShownAction {
    Post,
    NoPost,
    Override,
    Sigkill,
}

impl Hook {
    /// Whether both are parts, for different workloads, of one hook as it is written.
    pub fn is_beside(&self, other: &Hook) -> bool {
        self.span == other.span && self.call == other.call && self.scope != other.scope
    }
}

impl Actions {
    /// Whether the selector enforces, in monitor mode too. An argument that cannot be read makes a negated
    /// filter true in such a selector, and false in all others.
    pub fn enforces(&self) -> bool {
        self.override_value.is_some() || self.signal.is_some()
    }
}
