//! Tracepoints and raw tracepoints.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/generictracepoint.go` (semantics 2.4, 2.5).

use super::super::args::Args;
use super::super::hook::{HookCx, PolicyCx, Resolved};
use super::super::{args, selectors};
use super::text::{is_symbol, message, tags};
use crate::diag::{lints, schema as codes};
use crate::policy::context::Cx;
use crate::policy::context::kernels::{self, Prototype};
use crate::policy::context::reported::Reported;
use crate::policy::expand::macros::Parts;
use crate::policy::{Hook, HookCall};
use crate::syntax::ast::objects::Tracepoint;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass, Reader};
use crate::vocab::condition::Projection;
use crate::vocab::hook::HookKind;

pub fn tracepoint(
    policy: &PolicyCx<'_, '_>,
    entry: u32,
    hook: &Tracepoint<'_>,
    written: &[Parts<'_, '_>],
    cx: &mut Cx<'_>,
) -> Result<Resolved, Reported> {
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
    let mut args = args::resolve(kind, hook.args.as_ref(), hook.incomplete, cx);
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
    let selectors = selectors::resolve(&hook_cx, written, cx);
    let message = message(hook.message, cx);
    let tags = tags(hook.tags.as_ref(), cx);
    let (Some(subsystem), Some(event)) = (hook.subsystem, hook.event) else {
        return Err(cx.reported(hook.node.span));
    };
    let (call, fields) = if is_raw {
        let event = checked_name("event", event, cx)?;
        (HookCall::RawTracepoint { event: event.to_string() }, check_raw_args(event, hook, cx))
    } else {
        let (subsystem, name) =
            (checked_name("subsystem", subsystem, cx)?, checked_name("event", event, cx)?);
        let name = format!("{subsystem}/{name}");
        let fields = place_args(&name, hook, &mut args, cx);
        (HookCall::Tracepoint { event: name }, fields)
    };
    fields?;
    let hook = Hook {
        call,
        entry,
        scope: None,
        args: args.compiled,
        returned: None,
        selectors: selectors.all?,
        message,
        tags,
        span: event.span,
    };
    Ok(Resolved { hook, workloads: selectors.workloads })
}

/// It becomes a part of section names and paths.
fn checked_name<'n>(field: &str, name: Text<'n>, cx: &mut Cx<'_>) -> Result<&'n str, Reported> {
    match is_symbol(name.value) {
        true => Ok(name.value),
        false if name.value.is_empty() => Err(cx.reported(name.span)),
        false => Err(cx.refuse(codes::not_a_symbol(field, name.value, name.span))),
    }
}

/// Where each field is that is read. Only what a field holds itself, and strings that it points to, are compiled.
fn place_args(event: &str, hook: &Tracepoint<'_>, args: &mut Args, cx: &mut Cx<'_>) -> Result<(), Reported> {
    let mut all = Ok(());
    for (arg, known) in hook.args.iter().flat_map(|args| &args.items).zip(&args.known) {
        let Some(ty) = known.ty else {
            // Found out from the field, by Tetragon.
            all = Err(match arg.ty.is_none_or(|ty| ty.value == ArgType::Auto) && !arg.incomplete {
                true => cx.not_compiled("a tracepoint's argument without a `type`", arg.span()),
                false => cx.reported(arg.span()),
            });
            continue;
        };
        let bytes = match ty.reader(Projection::Whole) {
            Some(Reader::Register | Reader::String) => ty.word_bytes().into(),
            Some(Reader::Nothing) => continue,
            Some(
                Reader::File
                | Reader::LinuxBinprm
                | Reader::Path
                | Reader::Sock
                | Reader::Socket
                | Reader::Sockaddr
                | Reader::Skb,
            ) => {
                all = Err(cx.not_compiled(&format!("type `{ty}` on a tracepoint's field"), known.ty_span));
                continue;
            }
            None => {
                all = Err(cx.reported(arg.span()));
                continue;
            }
        };
        match kernels::tracepoint::place(event, arg, bytes, cx) {
            Ok(field) => {
                let mut compiled = args.compiled.iter_mut();
                if let Some(compiled) = compiled.find(|compiled| compiled.span == arg.span()) {
                    compiled.field = Some(field);
                }
            }
            Err(reported) => all = Err(reported),
        }
    }
    all
}

fn check_raw_args(event: &str, hook: &Tracepoint<'_>, cx: &mut Cx<'_>) -> Result<(), Reported> {
    let function = kernels::tracepoint::raw_function(event);
    let prototype = Prototype { name: event, function: &function, ahead: 1 };
    kernels::check_parameters(prototype, hook.args.as_ref(), cx);
    let mut all = Ok(());
    for arg in hook.args.iter().flat_map(|args| &args.items) {
        let is_read = arg.ty.is_some_and(|ty| ty.value != ArgType::Nop);
        if is_read && let Err(reported) = kernels::tracepoint::check_raw_parameter(event, arg, cx) {
            all = Err(reported);
        }
    }
    all
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
