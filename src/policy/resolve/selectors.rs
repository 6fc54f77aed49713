//! `selectors` to the ordered list in which the first that matches decides.

use super::check::meant::{self, Split};
use super::check::paths;
use super::check::reach::{Compared, Earlier, Seen};
use super::check::tetragon::{self, Encoded};
use super::check::weak;
use super::hook::HookCx;
use super::{actions, arg_filters, newer, process, workload};
use crate::diag::{arguments, lints, schema as codes};
use crate::policy::context::Cx;
use crate::policy::context::reported::{self, Reported};
use crate::policy::expand::macros::Parts;
use crate::policy::{Actions, Condition, Scope, Selector, ShownAction};
use crate::source::Span;
use crate::syntax::ast::rules::key_span;
use crate::vocab::filter::FilterKind;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

pub fn resolve(hook: &HookCx<'_, '_>, written: &[Parts<'_, '_>], cx: &mut Cx<'_>) -> Selectors {
    if written.is_empty() {
        tetragon::check_silence(hook, cx);
        let all = hook.name.iter().map(|name| post_everything(name.span)).collect();
        return Selectors { all: Ok(all), workloads: vec![] };
    }
    if let Some(extra) = written.get(limit::SELECTORS_PER_HOOK) {
        let place = extra.written.span();
        cx.report(codes::too_many_selectors(written.len(), limit::SELECTORS_PER_HOOK, place));
    }
    let mut all = Vec::with_capacity(written.len());
    let mut workloads = vec![];
    let mut counts = arg_filters::Counts::default();
    let mut earlier = Earlier::default();
    let mut split = Split::default();
    let mut encoded = Encoded::new(written.len());
    for parts in written {
        encoded.add(hook, parts, cx);
        if !split.take(parts, cx) {
            meant::check_everywhere(hook, parts, cx);
        }
        let workload = parts.workloads.and_then(|filter| workload::of_filter(filter, cx));
        if workload.is_some() || !workloads.is_empty() {
            workloads.resize(all.len(), None);
            workloads.push(workload.clone());
        }
        let (conditions, actions, compared) = selector(hook, parts, &mut counts, cx);
        let returned = arg_filters::resolve_returned(hook, parts, cx);
        let number = u8::try_from(all.len()).unwrap_or(u8::MAX);
        let args = parts.args.map_or(0, |list| list.items.len());
        let is_whole = parts.has_only_arg_filters() && compared.len() == args && !parts.written.incomplete;
        let (enforces, span) = (actions.enforces(), parts.written.span());
        earlier.take(Seen { compared, is_whole, workload, enforces, span }, cx);
        let both = conditions.and_then(|conditions| Ok((conditions, returned?)));
        all.push(both.map(|(conditions, returned)| Selector { number, conditions, returned, actions, span }));
    }
    Selectors { all: reported::all(all), workloads }
}

/// The selectors of a hook in order.
pub struct Selectors {
    pub all: Result<Vec<Selector>, Reported>,
    /// The workloads that each is for among those of the policy, `None` for all of them; empty if every one is
    /// for all.
    pub workloads: Vec<Option<Scope>>,
}

fn post_everything(span: Span) -> Selector {
    let actions =
        Actions { post: true, override_value: None, signal: None, limit: None, shown: ShownAction::Post };
    Selector { number: 0, conditions: vec![], returned: vec![], actions, span }
}

fn selector<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    counts: &mut arg_filters::Counts,
    cx: &mut Cx<'c>,
) -> (Result<Vec<Condition>, Reported>, Actions, Vec<Compared<'v>>) {
    if let Some(label) = parts.written.label.filter(|label| !label.value.is_empty()) {
        cx.report(codes::left_out("`label` of a selector", "names it in Tetragon's metrics", label.span));
    }
    check_return_filters(hook, parts, cx);
    newer::check(hook, parts.written, cx);
    arg_filters::check_counts(parts, counts, cx);
    let mut compared = vec![];
    let of_kind = |&kind| conditions(kind, hook, parts, &mut compared, cx);
    let found = reported::all(FilterKind::ALL.iter().map(of_kind).collect());
    let actions = actions::resolve(hook, parts.actions, cx);
    actions::check_return_actions(hook, parts, cx);
    weak::check(hook, parts, cx);
    paths::check(hook, parts, cx);
    meant::check(hook, parts, cx);
    (found.map(|found| found.concat()), actions, compared)
}

/// What a filter of the selector, its own or a macro's, asks for.
fn conditions<'v, 'c: 'v>(
    kind: FilterKind,
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    compared: &mut Vec<Compared<'v>>,
    cx: &mut Cx<'c>,
) -> Result<Vec<Condition>, Reported> {
    let key = key_span(parts.written.node, kind.name());
    match kind {
        FilterKind::Args => arg_filters::resolve(hook, parts, compared, cx),
        FilterKind::Data => arg_filters::resolve_data(hook, parts, key, cx),
        // Decided at the return.
        FilterKind::ReturnArgs => Ok(vec![]),
        FilterKind::Pids
        | FilterKind::Binaries
        | FilterKind::ParentBinaries
        | FilterKind::Namespaces
        | FilterKind::NamespaceChanges
        | FilterKind::Capabilities
        | FilterKind::CapabilityChanges => process::resolve(kind, parts, key, cx),
        // Decided per cgroup: it becomes the scope of the hook.
        FilterKind::Workloads => Ok(vec![]),
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
