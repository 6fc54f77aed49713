//! `macros` of a selector: fields taken over from `spec.selectorsMacros`.
//!
//! Expanded before anything else looks at a selector, so that no check depends on how it was written.
//! Tetragon: decides mode and some refusals before expansion (semantics 4.12); that is a fault of order.

use rustc_hash::FxHashMap;

use crate::diag::schema::{bad_macro, shown};
use crate::diag::suggest::nearest;
use crate::policy::context::Cx;
use crate::source::Span;
use crate::syntax::ast::objects::{
    Action, ArgFilter, BinaryFilter, CapabilityFilter, NamespaceChangeFilter, NamespaceFilter, PidFilter,
    Selector, Spec, WorkloadFilter,
};
use crate::syntax::ast::read::List;

/// The macros of a policy.
#[derive(Default)]
pub struct Macros<'a, 'n> {
    by_name: FxHashMap<&'a str, &'a Selector<'n>>,
    /// In the order written.
    names: Vec<&'a str>,
    /// Some macro may be missing.
    incomplete: bool,
}

impl<'a, 'n> Macros<'a, 'n> {
    pub fn of(spec: &'a Spec<'n>) -> Macros<'a, 'n> {
        let mut macros = Macros { incomplete: spec.incomplete, ..Macros::default() };
        for (name, selector) in spec.selectors_macros.iter().flat_map(|macros| &macros.entries) {
            macros.names.push(&name.value);
            macros.by_name.insert(&name.value, selector);
        }
        macros
    }
}

/// A selector with its macros taken over.
pub struct Parts<'a, 'n> {
    pub written: &'a Selector<'n>,
    pub pids: Option<&'a List<PidFilter<'n>>>,
    pub args: Option<&'a List<ArgFilter<'n>>>,
    pub data: Option<&'a List<ArgFilter<'n>>>,
    pub return_args: Option<&'a List<ArgFilter<'n>>>,
    pub actions: Option<&'a List<Action<'n>>>,
    pub return_actions: Option<&'a List<Action<'n>>>,
    pub binaries: Option<&'a List<BinaryFilter<'n>>>,
    pub parent_binaries: Option<&'a List<BinaryFilter<'n>>>,
    pub namespaces: Option<&'a List<NamespaceFilter<'n>>>,
    pub namespace_changes: Option<&'a List<NamespaceChangeFilter<'n>>>,
    pub capabilities: Option<&'a List<CapabilityFilter<'n>>>,
    pub capability_changes: Option<&'a List<CapabilityFilter<'n>>>,
    pub workloads: Option<&'a WorkloadFilter<'n>>,
}

impl<'a, 'n> Parts<'a, 'n> {
    pub fn of(selector: &'a Selector<'n>) -> Parts<'a, 'n> {
        Parts {
            written: selector,
            pids: filled(&selector.match_pids),
            args: filled(&selector.match_args),
            data: filled(&selector.match_data),
            return_args: filled(&selector.match_return_args),
            actions: filled(&selector.match_actions),
            return_actions: filled(&selector.match_return_actions),
            binaries: filled(&selector.match_binaries),
            parent_binaries: filled(&selector.match_parent_binaries),
            namespaces: filled(&selector.match_namespaces),
            namespace_changes: filled(&selector.match_namespace_changes),
            capabilities: filled(&selector.match_capabilities),
            capability_changes: filled(&selector.match_capability_changes),
            workloads: selector.match_workloads.as_ref(),
        }
    }

    /// The selector with what its macros add.
    pub fn expanded(selector: &'a Selector<'n>, macros: &Macros<'a, 'n>, cx: &mut Cx<'_>) -> Parts<'a, 'n> {
        let mut parts = Parts::of(selector);
        for name in selector.macros.iter().flat_map(|macros| &macros.items) {
            let Some(&found) = macros.by_name.get(name.value) else {
                if !macros.incomplete {
                    let known = nearest(name.value, macros.names.iter().copied());
                    let label = known
                        .map_or("`spec.selectorsMacros` has no such name".to_string(), |known| {
                            format!("did you mean `{known}`?")
                        });
                    cx.report(bad_macro(
                        format!("there is no macro `{}`", shown(name.value)),
                        &label,
                        name.span,
                    ));
                }
                continue;
            };
            if let Some(nested) = filled(&found.macros) {
                let message = format!("macro `{}` uses macros itself", shown(name.value));
                cx.report(bad_macro(message, "refused in a macro", nested.span));
                continue;
            }
            parts.take_over(Parts::of(found), name.span, cx);
            // Tetragon loses these of a macro in silence, so that the selector matches more (semantics, newer 14).
            let newer = [
                ("matchCEL", found.match_cel.as_ref().map(|filter| filter.span())),
                ("matchCmdArgs", found.match_cmd_args.as_ref().map(|list| list.span)),
                ("matchUserCallers", found.match_user_callers.as_ref().map(|list| list.span)),
            ];
            for (field, span) in newer {
                if let Some(span) = span {
                    let message = format!("`{field}` cannot be handed on by macro `{}`", shown(name.value));
                    cx.report(bad_macro(message, "write it in the selector itself", span));
                }
            }
            if let Some(workloads) = &found.match_workloads {
                // Tetragon: not merged (semantics 4.12).
                let why = "macros do not hand it on";
                cx.report(crate::diag::lints::ignored("`matchWorkloads` of a macro", why, workloads.span()));
            }
        }
        parts
    }

    /// Per field: empty on one side at least.
    fn take_over(&mut self, from: Parts<'a, 'n>, place: Span, cx: &mut Cx<'_>) {
        fn merge<'a, T>(
            own: &mut Option<&'a List<T>>,
            other: Option<&'a List<T>>,
            name: &str,
            place: Span,
            cx: &mut Cx<'_>,
        ) {
            match (&own, other) {
                (Some(first), Some(_)) => {
                    let message =
                        format!("`{name}` comes from the selector and from a macro, or from two macros");
                    let diagnostic = bad_macro(message, "this macro has it as well", place);
                    cx.report(diagnostic.label(first.span, "already given here"));
                }
                (None, Some(_)) => *own = other,
                (Some(_) | None, None) => {}
            }
        }
        merge(&mut self.pids, from.pids, "matchPIDs", place, cx);
        merge(&mut self.args, from.args, "matchArgs", place, cx);
        merge(&mut self.data, from.data, "matchData", place, cx);
        merge(&mut self.return_args, from.return_args, "matchReturnArgs", place, cx);
        merge(&mut self.actions, from.actions, "matchActions", place, cx);
        merge(&mut self.return_actions, from.return_actions, "matchReturnActions", place, cx);
        merge(&mut self.binaries, from.binaries, "matchBinaries", place, cx);
        merge(&mut self.parent_binaries, from.parent_binaries, "matchParentBinaries", place, cx);
        merge(&mut self.namespaces, from.namespaces, "matchNamespaces", place, cx);
        merge(&mut self.namespace_changes, from.namespace_changes, "matchNamespaceChanges", place, cx);
        merge(&mut self.capabilities, from.capabilities, "matchCapabilities", place, cx);
        merge(&mut self.capability_changes, from.capability_changes, "matchCapabilityChanges", place, cx);
    }

    /// Whether nothing but `matchArgs` and `matchWorkloads` narrows what it matches.
    pub fn has_only_arg_filters(&self) -> bool {
        let newer = &self.written;
        self.pids.is_none()
            && (newer.match_cel.is_none()
                && newer.match_cmd_args.is_none()
                && newer.match_user_callers.is_none())
            && self.data.is_none()
            && self.binaries.is_none()
            && self.parent_binaries.is_none()
            && self.namespaces.is_none()
            && self.namespace_changes.is_none()
            && self.capabilities.is_none()
            && self.capability_changes.is_none()
    }
}

/// An empty list is like none; one whose items were all refused is not empty.
fn filled<T>(list: &Option<List<T>>) -> Option<&List<T>> {
    list.as_ref().filter(|list| !list.items.is_empty() || list.poisoned)
}
