//! Tracepoints: events of tracefs with their fields, and the kernel's own below them (semantics 2.4, 2.5).

use super::super::Cx;
use super::super::facts::{Answer, FactKind};
use crate::diag::{kernels as codes, suggest};
use crate::platform::builtin::BuiltIn;
use crate::platform::description::{Field, Tracepoint};
use crate::platform::kernel::Kernel;
use crate::syntax::ast::objects::Arg;
use crate::syntax::ast::read::{List, Text};
use crate::vocab::arg_type::ArgType;

/// That the event is there, and each field that is read.
pub fn check(subsystem: &str, event: Text<'_>, args: Option<&List<Arg<'_>>>, cx: &mut Cx<'_>) {
    let name = format!("{subsystem}/{}", event.value);
    let may_guess = cx.facts.guesses();
    let question = |kernel: &Kernel| {
        if let Some(built_in) = kernel.built_in {
            return has_event(built_in, subsystem, event.value);
        }
        let all = kernel.node.as_ref().and_then(|node| node.tracepoints.as_ref());
        Answer::of(all.map(|all| all.iter().any(|tracepoint| tracepoint.name == name)), || ())
    };
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

/// Events of `kprobes` and the like are made on the node, and modules bring some.
fn has_event(built_in: BuiltIn, subsystem: &str, event: &str) -> Answer<()> {
    const MADE_ON_NODES: [&str; 4] = ["kprobes", "uprobes", "synthetic", "eprobes"];
    match built_in.has_event(&format!("{subsystem}/{event}")) {
        true => Answer::Holds,
        false if MADE_ON_NODES.contains(&subsystem) || built_in.is_of_a_module(event) => Answer::Untold,
        false => Answer::Fails(()),
    }
}

fn check_field(name: &str, arg: &Arg<'_>, cx: &mut Cx<'_>) {
    let Some(index) = arg.index else { return };
    let question = |kernel: &Kernel| {
        let event = kernel.node.as_ref().and_then(|node| node.tracepoint(name));
        let Some(Tracepoint { fields, .. }) = event else { return Answer::Untold };
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

/// The function whose parameters a raw tracepoint's arguments are, behind one of its own.
pub fn raw_function(event: &str) -> String {
    format!("__bpf_trace_{event}")
}
