//! Hook sections to [`Hook`]s, one file per kind. What is read and matched is for [`super::args`] and
//! [`super::selectors`].

mod enforcer;
mod kernel;
mod text;
mod tracepoint;
mod user;

use rustc_hash::FxHashSet;

use super::check::tetragon;
use super::hook::{PolicyCx, Resolved};
use crate::diag::schema as codes;
use crate::policy::context::reported::{self, Reported};
use crate::policy::context::{Cx, kernels};
use crate::policy::expand::{Expanded, On};
use crate::policy::{HookCall, PolicyKind};
use crate::source::Span;
use crate::syntax::ast::objects::Spec;
use crate::syntax::ast::rules::key_span;
use crate::vocab::hook::HookKind;

/// # Errors
/// If any part of any hook was reported.
pub fn resolve(
    kind: PolicyKind,
    expanded: &Expanded<'_, '_>,
    cx: &mut Cx<'_>,
) -> Result<Vec<Resolved>, Reported> {
    let spec = expanded.spec;
    let has_enforcers = spec.enforcers.as_ref().is_some_and(|list| !list.items.is_empty() || list.poisoned)
        || spec.incomplete;
    let selects = spec.pod_selector.is_some()
        || spec.container_selector.is_some()
        || spec.host_selector.is_some()
        || spec.incomplete;
    let is_for_every_process = kind == PolicyKind::TracingPolicy && !selects && !cx.is_template();
    let policy = PolicyCx { spec, lists: &expanded.lists, has_enforcers, is_for_every_process };
    let section = check_one_section(kind, spec, cx);
    enforcer::check(&policy, cx);
    tetragon::check_mode(spec, cx);
    check_loader(kind, spec, cx);
    let mut hooks: Vec<Result<Resolved, Reported>> = Vec::new();
    for hook in &expanded.hooks {
        let (entry, selectors) = (hook.entry, &hook.selectors);
        match hook.on {
            On::Kprobe(kprobe, calls) => {
                hooks.extend(kernel::kprobe(&policy, HookKind::Kprobe, entry, kprobe, calls, selectors, cx));
            }
            On::Fentry(fentry, calls) => {
                _ = kernel::kprobe(&policy, HookKind::Fentry, entry, fentry, calls, selectors, cx);
            }
            On::Lsm(lsm) => hooks.push(kernel::lsm(&policy, entry, lsm, selectors, cx)),
            On::Tracepoint(hook) => hooks.push(tracepoint::tracepoint(&policy, entry, hook, selectors, cx)),
            On::Uprobe(uprobe) => user::check_uprobe(&policy, uprobe, selectors, cx),
            On::Usdt(usdt) => user::check_usdt(&policy, usdt, selectors, cx),
        }
    }
    check_hooked_twice(&hooks, spec, cx);
    policy.lists.finish(!spec.incomplete, cx);
    section?;
    reported::all(hooks)
}

/// Tetragon: refused where it attaches with kprobe.multi (semantics 2.1).
fn check_hooked_twice(hooks: &[Result<Resolved, Reported>], spec: &Spec<'_>, cx: &mut Cx<'_>) {
    if hooks.len() < 2 {
        return;
    }
    let mut seen: FxHashSet<&HookCall> = FxHashSet::default();
    for Resolved { hook, .. } in hooks.iter().flatten() {
        if !seen.insert(&hook.call)
            && let HookCall::Kprobe { function, .. } = &hook.call
        {
            kernels::check_hooked_twice(function, spec, hook.span, cx);
        }
    }
}

/// Tetragon: at most one section with hooks in it (semantics 0).
fn check_one_section(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) -> Result<(), Reported> {
    let counts = [
        (HookKind::Kprobe, spec.kprobes.as_ref().map(|list| list.items.len())),
        (HookKind::Fentry, spec.fentries.as_ref().map(|list| list.items.len())),
        (HookKind::Tracepoint, spec.tracepoints.as_ref().map(|list| list.items.len())),
        (HookKind::Lsm, spec.lsmhooks.as_ref().map(|list| list.items.len())),
        (HookKind::Uprobe, spec.uprobes.as_ref().map(|list| list.items.len())),
        (HookKind::Usdt, spec.usdts.as_ref().map(|list| list.items.len())),
    ];
    let mut first: Option<(HookKind, Span)> = None;
    let mut compiled = Ok(());
    for (section, count) in counts {
        if count.is_none_or(|count| count == 0) {
            continue;
        }
        let span = key_span(spec.node, section.name()).unwrap_or(spec.node.span);
        if section.is_host_only() && kind == PolicyKind::TracingPolicyNamespaced {
            cx.report(codes::host_only_hook(section.name(), span));
        }
        match first {
            Some((other, other_span)) => {
                let several = codes::several_hook_kinds(other.name(), other_span, section.name(), span);
                return Err(cx.refuse(several));
            }
            None => first = Some((section, span)),
        }
        match section {
            HookKind::Kprobe | HookKind::Lsm | HookKind::Tracepoint | HookKind::RawTracepoint => {}
            HookKind::Fentry | HookKind::Uprobe | HookKind::Usdt => {
                compiled = Err(cx.not_compiled(&format!("`{}`", section.name()), span));
            }
        }
    }
    compiled
}

fn check_loader(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) {
    let Some(loader) = spec.loader.filter(|loader| loader.value) else { return };
    cx.not_compiled("`loader`", loader.span);
    kernels::check_build_ids(loader.span, cx);
    let selectors = ["podSelector", "containerSelector", "hostSelector"];
    let filter = selectors.iter().find_map(|name| key_span(spec.node, name));
    let is_filtered = match (&spec.pod_selector, &spec.container_selector, &spec.host_selector) {
        (None, None, None) => false,
        (pod, container, host) => {
            let is_empty = |s: &Option<crate::syntax::ast::objects::LabelSelector<'_>>| {
                s.as_ref().is_none_or(|s| s.match_labels.is_none() && s.match_expressions.is_none())
            };
            host.is_none() || (pod.is_none() && container.is_none()) || !is_empty(pod) || !is_empty(container)
        }
    };
    if is_filtered || kind == PolicyKind::TracingPolicyNamespaced {
        cx.report(codes::loader_with_workload(loader.span, filter));
    }
}
