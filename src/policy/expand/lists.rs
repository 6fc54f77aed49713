//! `spec.lists`: named lists of functions, and what `list:NAME` stands for.
//!
//! The first list of a name wins. As in Tetragon, members are looked at where something refers to the list.
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/{lists_linux,syscall_list}.go` (semantics 1.8).

use std::cell::Cell;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::diag::suggest::nearest;
use crate::diag::{lints, schema as codes};
use crate::policy::context::{Cx, kernels};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::{NamedList, Spec};
use crate::syntax::ast::read::Text;
use crate::vocab::hook::ListKind;

pub const REFERENCE: &str = "list:";

/// The prefixes of syscall wrappers, with the ABI that each belongs to.
const PREFIXES: [(&str, &[&str]); 3] =
    [("__x64_", &["x64", "i386"]), ("__ia32_", &["i386"]), ("__arm64_", &["arm64", "arm32"])];
const ABIS: [&str; 4] = ["x64", "i386", "arm64", "arm32"];

/// The lists of a policy.
pub struct Lists<'a, 'n> {
    /// Each with whether something looked for it.
    by_name: FxHashMap<&'n str, (&'a NamedList<'n>, Cell<bool>)>,
    /// In the order written, but those of a name that an earlier one has.
    all: Vec<&'a NamedList<'n>>,
    /// Some list may be missing.
    incomplete: bool,
    /// A name was looked for that no list has: one that nothing uses may be meant.
    missed: Cell<bool>,
}

impl<'a, 'n> Lists<'a, 'n> {
    pub fn resolve(spec: &'a Spec<'n>, cx: &mut Cx<'_>) -> Lists<'a, 'n> {
        let all: &[NamedList<'n>] = spec.lists.as_ref().map_or(&[], |lists| &lists.items);
        let mut by_name = FxHashMap::default();
        let mut first = vec![];
        let mut incomplete = spec.incomplete || spec.lists.as_ref().is_some_and(|lists| lists.poisoned);
        for list in all {
            let Some(name) = list.name else {
                incomplete = true;
                check(list, cx);
                continue;
            };
            match by_name.entry(name.value) {
                Entry::Occupied(_) => {
                    cx.report(lints::ignored(
                        "a second list of the same name",
                        "the first one is used",
                        name.span,
                    ));
                }
                Entry::Vacant(entry) => {
                    entry.insert((list, Cell::new(false)));
                    first.push(list);
                }
            }
        }
        Lists { by_name, all: first, incomplete, missed: Cell::new(false) }
    }

    /// After all that may refer to a list: checks those that something refers to, and names the others. Tetragon looks
    /// at the others only where it fills them itself.
    pub fn finish(&self, is_whole: bool, cx: &mut Cx<'_>) {
        let is_whole = is_whole && !self.incomplete && !self.missed.get() && !cx.is_template();
        for list in &self.all {
            let name = list.name.map_or("", |name| name.value);
            let is_used = !is_whole || self.by_name.get(name).is_some_and(|(_, used)| used.get());
            let is_filled = list.ty.is_some_and(|ty| ty.value.is_generated());
            let found = cx.diags.len();
            if is_used || is_filled || list.validated.is_some() {
                check(list, cx);
            }
            if !is_used && cx.diags.len() == found {
                cx.report(lints::unused_list(name, name_span(list)));
            }
        }
    }

    /// The list of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&'a NamedList<'n>> {
        let Some((list, used)) = self.by_name.get(name) else {
            self.missed.set(true);
            return None;
        };
        used.set(true);
        Some(list)
    }

    /// The list that `reference`, which begins with [`REFERENCE`], names.
    pub fn get(&self, reference: Text<'_>, cx: &mut Cx<'_>) -> Option<&'a NamedList<'n>> {
        let name = reference.value.strip_prefix(REFERENCE)?;
        let found = self.find(name);
        if found.is_none() && !self.incomplete {
            let mut names: Vec<&str> = Vec::from_iter(self.by_name.keys().copied());
            names.sort_unstable();
            cx.report(codes::unknown_list(name, nearest(name, names), reference.span));
        }
        found
    }
}

fn check(list: &NamedList<'_>, cx: &mut Cx<'_>) {
    let name = list.name.map_or("", |name| name.value);
    if let Some(flag) = list.validated.filter(|flag| flag.value) {
        cx.report(codes::bad_list(
            name,
            "`validated` is Tetragon's own and would skip all checks",
            flag.span,
        ));
    }
    let values = list.values.as_ref().filter(|values| !values.items.is_empty());
    match list.ty.map(|ty| ty.value) {
        Some(ListKind::Syscalls) => {
            for &value in values.iter().flat_map(|values| &values.items) {
                if check_syscall(name, value, cx).is_some() {
                    kernels::check_listed_syscall(value, cx);
                }
            }
        }
        Some(kind @ (ListKind::GeneratedSyscalls | ListKind::GeneratedFtrace)) => {
            if let Some(values) = values {
                cx.report(codes::bad_list(
                    name,
                    &format!("a `{kind}` list is filled by Tetragon and has no values"),
                    values.span,
                ));
            }
            let pattern = list.pattern.filter(|pattern| !pattern.value.is_empty());
            if kind == ListKind::GeneratedFtrace && pattern.is_none() && !list.incomplete {
                let span = list.pattern.map_or(list.span(), |pattern| pattern.span);
                cx.report(codes::bad_list(name, "a `generated_ftrace` list needs a `pattern`", span));
            }
            match (kind, pattern) {
                (ListKind::GeneratedFtrace, Some(pattern)) => {
                    kernels::check_generated_ftrace(name, pattern.value, pattern.span, cx);
                }
                (ListKind::GeneratedFtrace, None) => {}
                (ListKind::Syscalls | ListKind::GeneratedSyscalls, _) => {
                    kernels::check_generated_syscalls(name, list.span(), cx)
                }
            }
        }
        None => {}
    }
}

/// `[ABI/]NAME`, the name with or without the prefix of its ABI.
fn check_syscall(list: &str, value: Text<'_>, cx: &mut Cx<'_>) -> Option<()> {
    let mut refuse = |why: &str| cx.report(codes::bad_list(list, why, value.span));
    let (abi, name) = match value.value.split_once('/') {
        Some((_, name)) if name.contains('/') => {
            refuse("one `/` at most stands in a syscall");
            return None;
        }
        Some((abi, _)) if !ABIS.contains(&abi) => {
            refuse("the ABI is one of `x64`, `i386`, `arm64`, `arm32`");
            return None;
        }
        Some((abi, name)) => (Some(abi), name),
        None => (None, value.value),
    };
    let prefix = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    match (prefix, abi) {
        (Some((prefix, abis)), Some(abi)) if !abis.contains(&abi) => {
            refuse(&format!("`{prefix}` does not belong to `{abi}`"));
            None
        }
        (None, _) if !name.starts_with("sys_") => {
            refuse("a syscall's name starts with `sys_`");
            None
        }
        (Some((prefix, _)), _) if !name[prefix.len()..].starts_with("sys_") && name.len() == prefix.len() => {
            refuse("a syscall's name starts with `sys_`");
            None
        }
        (Some(_) | None, _) => Some(()),
    }
}

/// A syscall of a list as an x86-64 kernel names its wrapper; `None` for other architectures.
pub fn x86_64_symbol(value: &str) -> Option<String> {
    let (abi, name) = value.split_once('/').map_or((None, value), |(abi, name)| (Some(abi), name));
    match (abi, name.starts_with("__x64_")) {
        (None | Some("x64"), true) => Some(name.to_string()),
        (None | Some("x64"), false) if name.starts_with("sys_") => Some(format!("__x64_{name}")),
        (_, _) => None,
    }
}

/// What a hook or enforcer that names a list is placed on.
#[derive(Clone, Copy)]
pub enum Members<'a, 'n> {
    Symbols(&'a [Text<'n>]),
    Syscalls(&'a [Text<'n>]),
    /// Known on the node alone.
    Generated(ListKind),
}

pub fn members<'a, 'n>(list: &'a NamedList<'n>) -> Members<'a, 'n> {
    let values: &[Text<'n>] = list.values.as_ref().map_or(&[], |values| &values.items);
    match list.ty.map(|ty: Spanned<ListKind>| ty.value) {
        None => Members::Symbols(values),
        Some(ListKind::Syscalls) => Members::Syscalls(values),
        Some(kind @ (ListKind::GeneratedSyscalls | ListKind::GeneratedFtrace)) => Members::Generated(kind),
    }
}

/// Of the list's name, for a second label.
pub fn name_span(list: &NamedList<'_>) -> Span {
    list.name.map_or(list.span(), |name| name.span)
}
