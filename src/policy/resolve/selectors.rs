//! `selectors` to the ordered list in which the first that matches decides.

use super::hooks::HookCx;
use super::{Cx, actions, arg_filters};
use crate::diag::{lints, schema as codes};
use crate::policy::{Actions, Selector, ShownAction};
use crate::source::Span;
use crate::syntax::ast::objects::Selector as WrittenSelector;
use crate::syntax::ast::read::List;
use crate::syntax::ast::rules::key_span;
use crate::vocab::filter::FilterKind;
use crate::vocab::limit;

pub fn resolve(
    hook: &HookCx<'_, '_>,
    written: Option<&List<WrittenSelector<'_>>>,
    cx: &mut Cx<'_>,
) -> Vec<Selector> {
    let Some(list) = written.filter(|list| !list.items.is_empty()) else {
        // Tetragon: an LSM hook without selectors is silent (semantics 2.6). What it is documented to do
        // is to post, as everywhere.
        return hook.name.iter().map(|name| post_everything(name.span)).collect();
    };
    if let Some(extra) = list.items.get(limit::SELECTORS_PER_HOOK) {
        cx.report(codes::too_many_selectors(list.items.len(), limit::SELECTORS_PER_HOOK, extra.span()));
    }
    let mut selectors = Vec::with_capacity(list.items.len());
    let mut takes_all: Option<Span> = None;
    for written in &list.items {
        if let Some(earlier) = takes_all.take() {
            cx.report(lints::unreachable_selector(written.span(), earlier));
        }
        if has_no_filter(written) {
            takes_all = Some(written.span());
        }
        selectors.push(selector(hook, written, cx));
    }
    selectors
}

fn post_everything(span: Span) -> Selector {
    let actions = Actions { post: true, override_value: None, signal: None, shown: ShownAction::Post };
    Selector { filters: vec![], actions, span }
}

fn selector(hook: &HookCx<'_, '_>, written: &WrittenSelector<'_>, cx: &mut Cx<'_>) -> Selector {
    for &kind in FilterKind::ALL {
        if !kind.is_compiled()
            && is_present(kind, written)
            && let Some(span) = key_span(written.node, kind.name())
        {
            cx.not_compiled(&format!("`{kind}`"), span);
        }
    }
    if let Some(macros) = written.macros.as_ref().filter(|macros| !macros.items.is_empty()) {
        cx.not_compiled("`macros`", macros.span);
    }
    Selector {
        filters: arg_filters::resolve(hook, written.match_args.as_ref(), cx),
        actions: actions::resolve(hook, written.match_actions.as_ref(), cx),
        span: written.span(),
    }
}

fn has_no_filter(written: &WrittenSelector<'_>) -> bool {
    !written.poisoned
        && FilterKind::ALL.iter().all(|&kind| !is_present(kind, written))
        && written.macros.as_ref().is_none_or(|macros| macros.items.is_empty())
}

fn is_present(kind: FilterKind, written: &WrittenSelector<'_>) -> bool {
    fn has<T>(list: &Option<List<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.items.is_empty() || list.poisoned)
    }
    match kind {
        FilterKind::Pids => has(&written.match_pids),
        FilterKind::Args => has(&written.match_args),
        FilterKind::Data => has(&written.match_data),
        FilterKind::ReturnArgs => has(&written.match_return_args),
        FilterKind::Binaries => has(&written.match_binaries),
        FilterKind::ParentBinaries => has(&written.match_parent_binaries),
        FilterKind::Namespaces => has(&written.match_namespaces),
        FilterKind::NamespaceChanges => has(&written.match_namespace_changes),
        FilterKind::Capabilities => has(&written.match_capabilities),
        FilterKind::CapabilityChanges => has(&written.match_capability_changes),
        FilterKind::Workloads => written.match_workloads.is_some(),
    }
}
