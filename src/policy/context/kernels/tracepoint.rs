//! Tracepoints: events of tracefs with their fields, and the kernel's own below them (semantics 2.4, 2.5).

use super::super::Cx;
use super::super::facts::{Answer, FactKind, On};
use super::super::reported::Reported;
use crate::diag::{kernels as codes, suggest};
use crate::platform::builtin::BuiltIn;
use crate::platform::description::Field;
use crate::platform::kernel::{self, Kernel, listed};
use crate::policy;
use crate::syntax::ast::objects::Arg;
use crate::syntax::ast::read::{List, Text};
use crate::vocab::arg_type::ArgType;

/// That the event is there, and each field that is read.
pub fn check(subsystem: &str, event: Text<'_>, args: Option<&List<Arg<'_>>>, cx: &mut Cx<'_>) {
    let name = format!("{subsystem}/{}", event.value);
    let may_guess = cx.facts.guesses();
    let question = |kernel: &Kernel| has_event(kernel, &name);
    let fact = (FactKind::Tracepoint, &*crate::diag::schema::shown(&name), event.span);
    cx.ask(fact, question, |(), on| {
        let known = |kernel: &&Kernel| {
            let all = kernel.node.iter().flat_map(|node| node.tracepoints.iter().flatten());
            let mut all: Vec<String> = all.map(|tracepoint| tracepoint.name.clone()).collect();
            all.extend(kernel.built_in.into_iter().flat_map(|built_in| built_in.events_with("")));
            let all = all.iter().map(String::as_str).filter(|name| name.contains('/'));
            let of_its_name = |other: &&str| other.rsplit('/').next() == Some(event.value);
            let nearest = match all.clone().find(of_its_name) {
                Some(of_its_name) => of_its_name,
                None => suggest::nearest_symbol(&name, all)?,
            };
            // What stands in the file, if the subsystem is right.
            let own = nearest.strip_prefix(subsystem).and_then(|rest| rest.strip_prefix('/'));
            Some(own.unwrap_or(nearest).to_string())
        };
        let nearest = on.kernels.iter().filter(|_| may_guess()).find_map(known);
        codes::no_tracepoint(&name, on, nearest.as_deref(), event.span)
    });
    for arg in args.iter().flat_map(|args| &args.items) {
        check_field(&name, arg, cx);
    }
}

fn has_event(kernel: &Kernel, name: &str) -> Answer<()> {
    if let Some(built_in) = kernel.built_in {
        return has_built_in_event(built_in, name);
    }
    let all = kernel.node.as_ref().and_then(|node| node.tracepoints.as_ref());
    Answer::of(all.map(|all| all.iter().any(|tracepoint| tracepoint.name == name)), || ())
}

/// Events of `kprobes` and the like are made on the node, and modules bring some.
fn has_built_in_event(built_in: BuiltIn, name: &str) -> Answer<()> {
    const MADE_ON_NODES: [&str; 4] = ["kprobes", "uprobes", "synthetic", "eprobes"];
    let (subsystem, event) = name.split_once('/').unwrap_or_default();
    match built_in.has_event(name) {
        true => Answer::Holds,
        false if MADE_ON_NODES.contains(&subsystem) || built_in.is_of_a_module(event) => Answer::Untold,
        false => Answer::Fails(()),
    }
}

fn check_field(name: &str, arg: &Arg<'_>, cx: &mut Cx<'_>) {
    let Some(index) = arg.index else { return };
    let question = |kernel: &Kernel| {
        let Some(fields) = kernel.fields(name) else { return Answer::Untold };
        let Some(field) = fields.get(index.value as usize) else {
            let last = fields.len().saturating_sub(1);
            let own = fields
                .get(4)
                .map_or(String::new(), |first| format!("; its own begin at 4, `{}`", first.name));
            let why = format!("`{name}` has no field {}: its fields are 0 to {last}{own}", index.value);
            return Answer::Fails((why, index.span));
        };
        let size = arg.size_arg_index.filter(|size| size.value > 0);
        if let Some(size) = size
            && size.value as usize > fields.len()
        {
            let why = format!("`{name}` has no field {} that could be the size", size.value - 1);
            return Answer::Fails((why, size.span));
        }
        let ty = arg.ty.map_or(ArgType::Auto, |ty| ty.value);
        let span = arg.ty.map_or(arg.span(), |ty| ty.span);
        match (ty, no_type(field, size.is_some())) {
            (ArgType::Auto, Some(why)) if !arg.incomplete => Answer::Fails((why, span)),
            _ => Answer::Holds,
        }
    };
    cx.ask_too(question, |(why, span), on| codes::bad_field(why, on, *span));
}

/// Bytes of the common fields (`struct trace_entry`).
const COMMON_BYTES: u32 = 8;

/// Where the field is that an argument reads `bytes` bytes of, the same on every kernel that has the event.
///
/// # Errors
/// If that is not known, or a program cannot read it there.
pub fn place(name: &str, arg: &Arg<'_>, bytes: u32, cx: &mut Cx<'_>) -> Result<policy::Field, Reported> {
    let Some(index) = arg.index else { return Err(cx.reported(arg.span())) };
    let kernels = cx.facts.kernels.clone();
    // Who names no kernel at all is compiled for what is built in.
    let built_in = if kernels.is_empty() { kernel::built_in(None) } else { vec![] };
    let (mut found, mut untold): (Vec<(Field, On<'_>)>, Vec<&Kernel>) = (vec![], vec![]);
    for kernel in kernels.iter().chain(&built_in) {
        let Some(fields) = kernel.fields(name) else {
            // That it is not there is said elsewhere.
            if has_event(kernel, name) == Answer::Untold {
                untold.push(kernel);
            }
            continue;
        };
        let Some(field) = fields.get(index.value as usize) else { return Err(cx.reported(index.span)) };
        if field.offset.is_none() {
            untold.push(kernel);
            continue;
        }
        let is_same = |known: &Field| (known.offset, known.bytes) == (field.offset, field.bytes);
        match found.iter_mut().find(|(known, _)| is_same(known)) {
            Some((_, on)) => on.kernels.push(kernel),
            None => found.push((field.clone(), On { kernels: vec![kernel] })),
        }
    }
    if !untold.is_empty() {
        return Err(cx.refuse(codes::no_place(name, index.value, &listed(&untold), index.span)));
    }
    if let [(_, first), (_, second), ..] = &found[..] {
        return Err(cx.refuse(codes::places_differ(name, index.value, first, second, index.span)));
    }
    let Some((Field { name: field, offset: Some(offset), bytes: has, .. }, _)) = found.pop() else {
        return Err(cx.reported(index.span));
    };
    if offset < COMMON_BYTES {
        return Err(cx.refuse(codes::common_field(&field, index.span)));
    }
    let span = arg.ty.map_or(arg.span(), |ty| ty.span);
    let (Ok(offset), Ok(has)) = (u16::try_from(offset), u16::try_from(has)) else {
        return Err(cx.refuse(codes::field_too_small(&field, has, bytes, span)));
    };
    if u32::from(has) < bytes || !u32::from(offset).is_multiple_of(bytes.max(1)) {
        return Err(cx.refuse(codes::field_too_small(&field, has.into(), bytes, span)));
    }
    Ok(policy::Field { name: field, offset, bytes: has })
}

/// Why no argument type can be derived from a field.
fn no_type(field: &Field, has_size: bool) -> Option<String> {
    let ty = field.ty.trim_start_matches("const ");
    if ty == "size_t" || ty.starts_with("__data_loc") || ty.ends_with(']') {
        return None;
    }
    if ty.ends_with('*') {
        return match ty.trim_end_matches(['*', ' ']) {
            "char" if has_size => None,
            "char" => Some(format!("field `{}` is a `{}` and needs a `sizeArgIndex`", field.name, field.ty)),
            _ => Some(format!("field `{}` is a `{}`, which needs a `type`", field.name, field.ty)),
        };
    }
    let is_small = matches!(field.bytes, 1 | 2);
    is_small.then(|| format!("field `{}` is a `{}`, which needs a `type`", field.name, field.ty))
}

/// A raw tracepoint: the kernel's own, below the events of tracefs.
pub fn check_raw(subsystem: &str, event: Text<'_>, cx: &mut Cx<'_>) {
    let name = format!("{subsystem}/{}", event.value);
    let question = |kernel: &Kernel| {
        if let Some(built_in) = kernel.built_in {
            return match built_in.has_event(event.value) {
                false if built_in.is_of_a_module(event.value) => Answer::Untold,
                has => Answer::of(Some(has), || ()),
            };
        }
        let of_types = kernel.types.as_ref().map(|t| t.has_typedef(&format!("btf_trace_{}", event.value)));
        let is_event = kernel.node.as_ref().is_some_and(|node| node.tracepoint(&name).is_some());
        Answer::of(if is_event { Some(true) } else { of_types }, || ())
    };
    let fact = (FactKind::RawTracepoint, &*crate::diag::schema::shown(event.value), event.span);
    cx.ask(fact, question, |(), on| codes::no_tracepoint(event.value, on, None, event.span));
}

/// Whether a parameter is known to be there, on every kernel that has the tracepoint.
pub fn check_raw_parameter(event: &str, arg: &Arg<'_>, cx: &mut Cx<'_>) -> Result<(), Reported> {
    let Some(index) = arg.index else { return Err(cx.reported(arg.span())) };
    let kernels = cx.facts.kernels.clone();
    let built_in = if kernels.is_empty() { kernel::built_in(None) } else { vec![] };
    let function = raw_function(event);
    let has = |kernel: &Kernel| kernel.signature(&function).map(|found| found.params.len());
    let (known, untold): (Vec<&Kernel>, Vec<&Kernel>) =
        kernels.iter().chain(&built_in).partition(|kernel| has(kernel).is_some());
    if known.is_empty() {
        return Err(cx.refuse(codes::no_place(event, index.value, &listed(&untold), index.span)));
    }
    // One is ahead of them. That there are fewer is said elsewhere.
    match known.into_iter().filter_map(has).min().is_some_and(|least| index.value as usize + 1 < least) {
        true => Ok(()),
        false => Err(cx.reported(index.span)),
    }
}

/// The function whose parameters a raw tracepoint's arguments are, behind one of its own.
pub fn raw_function(event: &str) -> String {
    format!("__bpf_trace_{event}")
}
