//! `InMap` values: decimal numbers, ranges, and lists of syscalls (semantics 5.2, 1.8).

use super::int::Order;
use super::number::parse_decimal;
use crate::diag::{arguments as codes, lints, schema};
use crate::policy::context::Cx;
use crate::policy::context::reported::{self, Reported};
use crate::policy::expand::lists::{self, Members};
use crate::policy::resolve::hook::HookCx;
use crate::policy::{Interval, Values};
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::ArgType;
use crate::vocab::hook::{HookKind, ListKind};

pub fn resolve(
    hook: &HookCx<'_, '_>,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    let each = values.iter().map(|&value| {
        if value.value.starts_with(lists::REFERENCE) {
            check_list(hook, ty, value, cx);
            return Err(cx.not_compiled("a list of syscalls", value.span));
        }
        numbers(ty, bytes, signed, value, cx)
    });
    Ok(Values::intervals(reported::all(each.collect())?.concat()))
}

/// Tetragon: the argument is looked up without its sign (semantics 5.2), but for 8 bytes.
fn numbers(
    ty: ArgType,
    bytes: u8,
    signed: bool,
    value: Text<'_>,
    cx: &mut Cx<'_>,
) -> Result<Vec<Interval>, Reported> {
    let (first, last) = match value.value.split_once(':') {
        Some((a, b)) => (a, b),
        None => (value.value, value.value),
    };
    let (min, max): (i128, i128) =
        if signed { (i64::MIN.into(), i64::MAX.into()) } else { (0, u64::MAX.into()) };
    let parse = |text: &str| {
        let is_signed = text.starts_with(['+', '-']);
        parse_decimal(text).ok().filter(|n| (min..=max).contains(n) && (signed || !is_signed))
    };
    let (Some(first), Some(last)) = (parse(first), parse(last)) else {
        return Err(cx.refuse(codes::bad_value(value.value, "a decimal number or `first:last`", value.span)));
    };
    let (low, high) = (first.min(last), first.max(last));
    let found = Order::of_lookup(bytes, signed).intervals(low, high);
    if low < 0 && bytes < 8 {
        let why = "Tetragon looks the argument up without its sign";
        cx.report(match found.is_empty() {
            true => lints::value_never_matches(value.value, why, value.span),
            false => lints::ignored(&format!("what is below 0 in `{}`", value.value), why, value.span),
        });
    } else if found.is_empty() {
        cx.report(lints::value_never_matches(value.value, &format!("`{ty}` has {bytes} bytes"), value.span));
    }
    if high - low > i128::from(1u32 << 24) {
        let why = "Tetragon writes out every number of the range";
        cx.report(lints::ignored("so wide a range", why, value.span));
    }
    Ok(found)
}

fn check_list(hook: &HookCx<'_, '_>, ty: ArgType, value: Text<'_>, cx: &mut Cx<'_>) {
    match hook.kind {
        HookKind::Tracepoint | HookKind::RawTracepoint => {}
        HookKind::Kprobe | HookKind::Fentry | HookKind::Lsm | HookKind::Uprobe | HookKind::Usdt => {
            cx.report(codes::list_outside_tracepoints(value.value, hook.kind.noun(), value.span));
            return;
        }
    }
    let Some(list) = hook.policy.lists.get(value, cx) else { return };
    match lists::members(list) {
        Members::Syscalls(_) | Members::Generated(ListKind::GeneratedSyscalls) => {}
        Members::Symbols(_) | Members::Generated(ListKind::Syscalls | ListKind::GeneratedFtrace) => {
            let name = list.name.map_or("", |name| name.value);
            let diagnostic = schema::bad_list(name, "a list of syscalls is wanted here", value.span);
            cx.report(diagnostic.label(lists::name_span(list), "this list holds other functions"));
        }
    }
    if ty != ArgType::Syscall64 {
        cx.report(codes::list_needs_syscall64(value.value, ty, value.span));
    }
}
