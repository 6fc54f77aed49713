//! `selectors` to the ordered list in which the first that matches decides.

use super::check::reach::{Compared, Earlier, Seen};
use super::check::tetragon::{self, Encoded};
use super::check::weak;
use super::hook::HookCx;
use super::{actions, arg_filters, process, workload};
use crate::diag::{arguments, lints, schema as codes};
use crate::policy::context::Cx;
use crate::policy::expand::macros::Parts;
use crate::policy::{Actions, Scope, Selector, ShownAction};
use crate::source::Span;
use crate::syntax::ast::rules::key_span;
use crate::vocab::filter::FilterKind;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

pub fn resolve(hook: &HookCx<'_, '_>, written: &[Parts<'_, '_>], cx: &mut Cx<'_>) -> Selectors {
    if written.is_empty() {
        tetragon::check_silence(hook, cx);
        let all = hook.name.iter().map(|name| post_everything(name.span)).collect();
        return Selectors { all, workloads: vec![] };
    }
    if let Some(extra) = written.get(limit::SELECTORS_PER_HOOK) {
        let place = extra.written.span();
        cx.report(codes::too_many_selectors(written.len(), limit::SELECTORS_PER_HOOK, place));
    }
    let mut selectors = Selectors { all: Vec::with_capacity(written.len()), workloads: vec![] };
    let mut counts = arg_filters::Counts::default();
    let mut earlier = Earlier::default();
    let mut encoded = Encoded::new(written.len());
    for parts in written {
        encoded.add(hook, parts, cx);
        let workload = parts.workloads.and_then(|filter| workload::of_filter(filter, cx));
        if workload.is_some() || !selectors.workloads.is_empty() {
            selectors.workloads.resize(selectors.all.len(), None);
            selectors.workloads.push(workload.clone());
        }
        let (selector, compared) = selector(hook, parts, &mut counts, cx);
        let args = parts.args.map_or(0, |list| list.items.len());
        let is_whole = parts.has_only_arg_filters() && compared.len() == args && !parts.written.incomplete;
        let (enforces, span) = (selector.actions.enforces(), parts.written.span());
        earlier.take(Seen { compared, is_whole, workload, enforces, span }, cx);
        selectors.all.push(selector);
    }
    selectors
}

/// The selectors of a hook in order.
pub struct Selectors {
    pub all: Vec<Selector>,
    /// The workloads that each is for among those of the policy, `None` for all of them; empty if every one is
    /// for all.
    pub workloads: Vec<Option<Scope>>,
}

fn post_everything(span: Span) -> Selector {
    let actions = Actions { post: true, override_value: None, signal: None, shown: ShownAction::Post };
    Selector { filters: vec![], actions, span }
}

fn selector<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    counts: &mut arg_filters::Counts,
    cx: &mut Cx<'c>,
) -> (Selector, Vec<Compared<'v>>) {
    report_uncompiled(parts, cx);
    if let Some(label) = parts.written.label.filter(|label| !label.value.is_empty()) {
        cx.report(codes::left_out("`label` of a selector", "names it in Tetragon's metrics", label.span));
    }
    process::check(parts, cx);
    check_return_filters(hook, parts, cx);
    let (filters, compared) = arg_filters::resolve(hook, parts, counts, cx);
    let actions = actions::resolve(hook, parts.actions, cx);
    actions::check_return_actions(hook, parts, cx);
    weak::check(hook, parts, cx);
    (Selector { filters, actions, span: parts.written.span() }, compared)
}

/// Filters of the selector, its own or a macro's, that are not evaluated yet.
fn report_uncompiled(parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    for &kind in FilterKind::ALL {
        let place = match kind {
            FilterKind::Pids => parts.pids.map(|list| list.span),
            FilterKind::Args => parts.args.map(|list| list.span),
            FilterKind::Data => parts.data.map(|list| list.span),
            FilterKind::ReturnArgs => parts.return_args.map(|list| list.span),
            FilterKind::Binaries => parts.binaries.map(|list| list.span),
            FilterKind::ParentBinaries => parts.parent_binaries.map(|list| list.span),
            FilterKind::Namespaces => parts.namespaces.map(|list| list.span),
            FilterKind::NamespaceChanges => parts.namespace_changes.map(|list| list.span),
            FilterKind::Capabilities => parts.capabilities.map(|list| list.span),
            FilterKind::CapabilityChanges => parts.capability_changes.map(|list| list.span),
            FilterKind::Workloads => parts.workloads.map(|filter| filter.node.span),
        };
        if let (Some(span), false) = (place, kind.is_compiled()) {
            let span = key_span(parts.written.node, kind.name()).unwrap_or(span);
            cx.not_compiled(&format!("`{kind}`"), span);
        }
    }
}

/// `matchReturnArgs` and `matchData` where there is no return, and no data.
fn check_return_filters(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    let Some(list) = parts.return_args else { return };
    match hook.kind {
        HookKind::Lsm => {
            let why = "LSM hooks run before the operation, so nothing was returned";
            cx.report(arguments::filter_unavailable("matchReturnArgs", hook.kind.noun(), why, list.span));
        }
        HookKind::Kprobe | HookKind::Fentry | HookKind::Uprobe if hook.hooks_return => {}
        HookKind::Kprobe | HookKind::Fentry | HookKind::Uprobe => {
            cx.report(
                lints::ignored("`matchReturnArgs`", "the hook has no `return: true`", list.span)
                    .help("add `return: true` to the hook, or remove it"),
            );
        }
        HookKind::Tracepoint | HookKind::RawTracepoint | HookKind::Usdt => {
            cx.report(lints::ignored("`matchReturnArgs`", "nothing returns here", list.span));
        }
    }
}
