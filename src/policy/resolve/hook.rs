//! What the parts of a hook have to know of it, and what they become.

use super::args;
use crate::policy::expand::lists::Lists;
use crate::policy::{Hook, Scope};
use crate::syntax::ast::objects::{ArgFilter, Spec};
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::ArgType;
use crate::vocab::hook::HookKind;

/// What a hook has to know of its policy.
pub struct PolicyCx<'a, 'n> {
    pub spec: &'a Spec<'n>,
    pub lists: &'a Lists<'a, 'n>,
    /// Something waits for `NotifyEnforcer`, or may do so.
    pub has_enforcers: bool,
    /// It selects no workload, itself or by its kind.
    pub is_for_every_process: bool,
}

/// What a hook's parts have to know of it.
pub struct HookCx<'a, 'n> {
    pub policy: &'a PolicyCx<'a, 'n>,
    pub kind: HookKind,
    /// Of `call`, `hook` and the like.
    pub name: Option<Text<'n>>,
    /// A kprobe on a syscall.
    pub syscall: bool,
    pub args: &'a args::Args,
    pub data: &'a args::Args,
    /// One argument at most.
    pub returned: &'a args::Args,
    /// The return is hooked as well.
    pub hooks_return: bool,
    /// At most one, so that none comes before another.
    pub has_one_selector: bool,
}

impl HookCx<'_, '_> {
    /// Of the argument that an entry of `matchArgs` looks at, if there is one.
    pub fn type_of(&self, written: &ArgFilter<'_>) -> Option<ArgType> {
        let position = written.args.as_ref().and_then(|list| list.items.first());
        let at = match position {
            Some(position) => position.value as usize,
            None => self.args.by_index(self.kind, written.index.map_or(0, |index| index.value))?,
        };
        self.args.known.get(at)?.ty
    }
}

/// A hook, whatever workloads its selectors are for.
#[derive(Clone)]
pub struct Resolved {
    pub hook: Hook,
    /// As [`super::selectors::Selectors::workloads`].
    pub workloads: Vec<Option<Scope>>,
}
