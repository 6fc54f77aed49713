//! What is valid, does as written, and is probably not what its author meant.

use super::super::hook::HookCx;
use crate::diag::meant as codes;
use crate::policy::context::Cx;
use crate::policy::context::given::Given;
use crate::policy::expand::macros::Parts;
use crate::source::Span;
use crate::vocab::action::{Action, Availability};
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::hook::HookKind;
use crate::vocab::operator::Operator;

pub fn check(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    check_caller(hook, parts, cx);
    check_families(hook, parts, cx);
    check_rate_limit(hook, parts, cx);
}

/// Hooks that a process passes while it still runs the program that calls exec.
const EXEC_LSM_HOOKS: [&str; 4] =
    ["bprm_check_security", "bprm_creds_for_exec", "bprm_creds_from_file", "bprm_committing_creds"];

fn is_exec(hook: &HookCx<'_, '_>) -> bool {
    let Some(name) = hook.name.map(|name| name.value) else { return false };
    match hook.kind {
        HookKind::Lsm => EXEC_LSM_HOOKS.contains(&name),
        HookKind::Kprobe | HookKind::Fentry => {
            let syscall = name.strip_prefix("__x64_").unwrap_or(name);
            name.starts_with("security_bprm_") || ["sys_execve", "sys_execveat"].contains(&syscall)
        }
        HookKind::Tracepoint => ["sys_enter_execve", "sys_enter_execveat"].contains(&name),
        HookKind::RawTracepoint | HookKind::Uprobe | HookKind::Usdt => false,
    }
}

/// A filter on arguments beside it shows that the author knows who is meant.
fn check_caller(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    if parts.args.is_none()
        && let Some(binaries) = parts.binaries
        && is_exec(hook)
    {
        let span =
            binaries.items.first().and_then(|filter| filter.operator).map_or(binaries.span, |op| op.span);
        cx.report(codes::caller_not_callee(span));
    }
}

/// Tetragon compares addresses of one family only, so that those of the other are outside whatever is listed.
fn check_families(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    let filters = || parts.args.iter().flat_map(|list| &list.items);
    let has_family = filters().any(|filter| filter.operator.is_some_and(|op| op.value == Operator::Family));
    for filter in filters().filter(|_| !has_family) {
        let Some(op) = filter.operator else { continue };
        if !matches!(op.value, Operator::NotDAddr | Operator::NotSAddr) {
            continue;
        }
        let class = hook.type_of(filter).map(ArgType::filter_class);
        let has_both = matches!(class, Some(FilterClass::Sock | FilterClass::Skb | FilterClass::Sockaddr));
        let Given::Listed(values) = cx.variables.given(filter.values.as_ref(), filter.variable) else {
            continue;
        };
        let of_ipv6 = values.items.iter().filter(|value| value.value.contains(':')).count();
        let (all, span) = (values.items.len(), values.span);
        if has_both && all > 0 && (of_ipv6 == 0 || of_ipv6 == all) {
            cx.report(codes::one_address_family(of_ipv6 > 0, op.span, span));
        }
    }
}

/// An enforcing selector without filters, in a policy for all processes of a node.
pub fn check_everywhere(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    if !hook.policy.is_for_every_process || parts.workloads.is_some() || has_filters(parts) {
        return;
    }
    let actions = parts.actions.iter().flat_map(|list| &list.items).filter_map(|written| written.action);
    let enforcing = |action: &crate::source::Spanned<Action>| {
        action.value.enforces() && action.value.at(hook.kind) == Availability::Works
    };
    if let Some(action) = actions.into_iter().find(enforcing) {
        cx.report(codes::enforces_everywhere(action));
    }
}

/// Whether a selector asks for anything beside workloads.
pub fn has_filters(parts: &Parts<'_, '_>) -> bool {
    parts.args.is_some()
        || parts.data.is_some()
        || parts.return_args.is_some()
        || parts.pids.is_some()
        || parts.binaries.is_some()
        || parts.parent_binaries.is_some()
        || parts.namespaces.is_some()
        || parts.namespace_changes.is_some()
        || parts.capabilities.is_some()
        || parts.capability_changes.is_some()
        || parts.written.match_cel.is_some()
        || parts.written.match_cmd_args.is_some()
        || parts.written.match_user_callers.is_some()
}

/// A selector of filters without actions, and behind it one of actions without filters.
#[derive(Default)]
pub struct Split {
    /// The one before, if it has filters alone.
    before: Option<Span>,
}

impl Split {
    /// Whether the selector is the second of such two, which is said then.
    pub fn take(&mut self, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) -> bool {
        let filters = has_filters(parts);
        let actions = parts.actions.iter().flat_map(|list| &list.items).filter_map(|written| written.action);
        let enforcing = actions.into_iter().find(|action| action.value.enforces());
        let before = self.before.take();
        self.before = (filters && parts.actions.is_none()).then(|| parts.written.span());
        if let (Some(before), false, Some(action)) = (before, filters, enforcing) {
            cx.report(codes::split_selector(parts.written.span(), before, action));
            return true;
        }
        false
    }
}

/// Tetragon: the key has the first 40 bytes of each argument (semantics 6.1), of a socket its source port too.
fn check_rate_limit(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    let limits = parts.actions.iter().flat_map(|list| &list.items).filter_map(|written| written.rate_limit);
    let Some(limit) = limits.into_iter().find(|limit| !limit.value.is_empty()) else { return };
    let sock = hook.args.known.iter().find(|arg| matches!(arg.ty, Some(ArgType::Sock | ArgType::Skb)));
    if let Some(sock) = sock {
        cx.report(codes::rate_limit_key(limit.span, sock.ty_span));
    }
}
