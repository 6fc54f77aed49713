//! Tracepoints and raw tracepoints: checked, not compiled yet.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/generictracepoint.go` (semantics 2.4, 2.5).

use super::super::args::Args;
use super::super::hook::{HookCx, PolicyCx};
use super::super::{args, selectors};
use super::text::{message, tags};
use crate::diag::{lints, schema as codes};
use crate::policy::context::Cx;
use crate::policy::context::kernels::{self, Prototype};
use crate::policy::expand::macros::Parts;
use crate::syntax::ast::objects::Tracepoint;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::hook::HookKind;

pub fn check(policy: &PolicyCx<'_, '_>, hook: &Tracepoint<'_>, written: &[Parts<'_, '_>], cx: &mut Cx<'_>) {
    let is_raw = hook.raw.is_some_and(|raw| raw.value);
    let kind = if is_raw { HookKind::RawTracepoint } else { HookKind::Tracepoint };
    for (name, field) in [(hook.subsystem, "subsystem"), (hook.event, "event")] {
        if let Some(name) = name.filter(|name| name.value.is_empty()) {
            cx.report(codes::empty_hook_name(field, name.span));
        }
    }
    if let (Some(subsystem), Some(event)) = (hook.subsystem, hook.event)
        && !subsystem.value.is_empty()
        && !event.value.is_empty()
    {
        if is_raw {
            let function = kernels::tracepoint::raw_function(event.value);
            let prototype = Prototype { name: event.value, function: &function, ahead: 1 };
            kernels::tracepoint::check_raw(subsystem.value, event, cx);
            kernels::check_paths(Some(prototype), hook.args.as_ref(), cx);
        } else {
            kernels::tracepoint::check(subsystem.value, event, hook.args.as_ref(), cx);
            kernels::check_paths(None, hook.args.as_ref(), cx);
        }
    }
    let args = args::resolve(kind, hook.args.as_ref(), hook.incomplete, cx);
    args::check_count(hook.args.as_ref(), None, cx);
    check_types(kind, &args, cx);
    if is_raw {
        for size in hook.args.iter().flat_map(|args| &args.items).filter_map(|arg| arg.size_arg_index) {
            if size.value != 0 {
                let why = "raw tracepoints do not look at it, so nothing is read";
                cx.report(lints::ignored("`sizeArgIndex`", why, size.span));
            }
        }
    }
    let none = Args::default();
    let hook_cx = HookCx {
        policy,
        kind,
        name: hook.event,
        syscall: false,
        args: &args,
        data: &none,
        returned: &none,
        hooks_return: false,
        has_one_selector: written.len() <= 1,
    };
    selectors::resolve(&hook_cx, written, cx);
    message(hook.message, cx);
    tags(hook.tags.as_ref(), cx);
}

/// Types that the reader of fields (`get_ctx_ul`) does not know.
fn reads_nothing(ty: ArgType) -> bool {
    match ty.filter_class() {
        FilterClass::PathWithMode | FilterClass::Path | FilterClass::CapSet | FilterClass::SockaddrUn => true,
        FilterClass::Opaque => !matches!(ty, ArgType::Nop | ArgType::ConstBuf),
        FilterClass::Text => ty == ArgType::NetDevice,
        FilterClass::Int { .. }
        | FilterClass::Buffer
        | FilterClass::Sock
        | FilterClass::Skb
        | FilterClass::Sockaddr
        | FilterClass::Unknown => false,
    }
}

/// Tetragon: types of kernel objects read 0 from a tracepoint's field, `fd` the descriptor 0 (semantics 2.4).
fn check_types(kind: HookKind, args: &Args, cx: &mut Cx<'_>) {
    if kind == HookKind::RawTracepoint {
        return;
    }
    for arg in &args.known {
        let Some(ty) = arg.ty else { continue };
        if reads_nothing(ty) {
            let what = format!("type `{ty}` on a tracepoint's field");
            cx.report(
                lints::ignored(&what, "Tetragon reads 0, whatever the field holds", arg.ty_span)
                    .help("give the type of the field, or hook a kernel function that has the object"),
            );
        }
    }
}
