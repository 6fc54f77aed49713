//! What is valid, does as written, and stops less than it seems to: an enforcing selector whose verdict the
//! process itself can steer.

use super::super::hook::HookCx;
use crate::diag::weak as codes;
use crate::policy::context::Cx;
use crate::policy::expand::macros::Parts;
use crate::source::Spanned;
use crate::vocab::action::{Action, Availability};
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::hook::HookKind;
use crate::vocab::operator::{BinaryOperator, Operator};

/// LSM hooks that see what a syscall really works on, copied by the kernel.
const DECIDED_AT: [(&str, &str); 15] = [
    ("bpf", "bpf"),
    ("connect", "socket_connect"),
    ("bind", "socket_bind"),
    ("sendto", "socket_sendmsg"),
    ("execve", "bprm_check_security"),
    ("execveat", "bprm_check_security"),
    ("link", "path_link"),
    ("mkdir", "path_mkdir"),
    ("mount", "sb_mount"),
    ("open", "file_open"),
    ("openat", "file_open"),
    ("openat2", "file_open"),
    ("rename", "path_rename"),
    ("symlink", "path_symlink"),
    ("unlink", "path_unlink"),
];

pub fn check(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    let actions = parts.actions.iter().flat_map(|list| &list.items).filter_map(|written| written.action);
    let mut enforcing =
        actions.filter(|action| action.value.enforces() && action.value.at(hook.kind) == Availability::Works);
    let Some(action) = enforcing.next() else { return };
    check_user_memory(hook, parts, action, cx);
    check_allowlist(hook, parts, action, cx);
    // What is done to a packet is done to the right one.
    let of_process = |action: &Spanned<Action>| matches!(action.value, Action::Sigkill | Action::Signal);
    let signal = std::iter::once(action).chain(enforcing).find(of_process);
    let skb = hook.args.known.iter().find(|arg| arg.ty == Some(ArgType::Skb));
    if let (Some(signal), Some(skb)) = (signal, skb) {
        cx.report(codes::packet_of_another(signal, skb.ty_span));
    }
}

/// Arguments of a syscall that point to memory of the process: the kernel reads it again after the check.
fn check_user_memory(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, action: Spanned<Action>, cx: &mut Cx<'_>) {
    let Some(name) = hook.name else { return };
    let is_syscall = match hook.kind {
        HookKind::Kprobe | HookKind::Fentry => hook.syscall,
        HookKind::Tracepoint => name.value.starts_with("sys_enter_"),
        HookKind::RawTracepoint | HookKind::Lsm | HookKind::Uprobe | HookKind::Usdt => false,
    };
    if !is_syscall {
        return;
    }
    for filter in parts.args.iter().flat_map(|list| &list.items) {
        let Some(ty) = hook.type_of(filter).filter(|ty| points_to_user_memory(*ty)) else {
            continue;
        };
        let bare = ["__x64_", "sys_enter_", "sys_"]
            .iter()
            .fold(name.value, |name, prefix| name.strip_prefix(prefix).unwrap_or(name));
        let instead = DECIDED_AT.iter().find(|(syscall, _)| *syscall == bare).map(|(_, hook)| *hook);
        cx.report(codes::user_memory(action, ty, instead, filter.span()));
        return;
    }
}

fn points_to_user_memory(ty: ArgType) -> bool {
    matches!(
        ty,
        ArgType::String
            | ArgType::CharBuf
            | ArgType::CharIovec
            | ArgType::Sockaddr
            | ArgType::SockaddrUn
            | ArgType::BpfAttr
    )
}

/// A list of the paths that are allowed: a process may be able to give any file such a path.
fn check_allowlist(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, action: Spanned<Action>, cx: &mut Cx<'_>) {
    for filter in parts.args.iter().flat_map(|list| &list.items) {
        let Some(op) = filter.operator.filter(|op| op.value.is_negated()) else { continue };
        let class = hook.type_of(filter).map(ArgType::filter_class);
        let is_path = matches!(class, Some(FilterClass::Path | FilterClass::PathWithMode));
        if is_path && op.value != Operator::NotFileType {
            cx.report(codes::escapable_allowlist(action, op.span));
            return;
        }
    }
    let binaries = parts.binaries.iter().chain(&parts.parent_binaries).flat_map(|list| &list.items);
    for op in binaries.filter_map(|filter| filter.operator) {
        if matches!(op.value, BinaryOperator::NotIn | BinaryOperator::NotPrefix | BinaryOperator::NotPostfix)
        {
            cx.report(codes::escapable_allowlist(action, op.span));
            return;
        }
    }
}
