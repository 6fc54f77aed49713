//! `args` and `data` to what is read at a hook.

use super::Cx;
use super::facts::FactKind;
use crate::diag::arguments as codes;
use crate::policy::Arg;
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::Arg as WrittenArg;
use crate::syntax::ast::read::List;
use crate::vocab::arg_type::ArgType;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

/// The arguments of a hook, in the order written.
#[derive(Default)]
pub struct Args {
    pub known: Vec<KnownArg>,
    /// Of the list, if there is one.
    pub span: Option<Span>,
    /// Something in the list was refused, so that nothing can be said about what it lacks.
    pub poisoned: bool,
    /// As they are compiled; as long as `known` if nothing was refused.
    pub compiled: Vec<Arg>,
}

/// What a filter has to know of an argument.
#[derive(Clone, Copy)]
pub struct KnownArg {
    pub index: Option<u32>,
    /// `None` if it was refused, or is found out later.
    pub ty: Option<ArgType>,
    /// Of the type; of the argument if it has none.
    pub ty_span: Span,
    pub max_data: bool,
}

/// `incomplete` says that the hook may have arguments that could not be read.
pub fn resolve(
    kind: HookKind,
    written: Option<&List<WrittenArg<'_>>>,
    incomplete: bool,
    cx: &mut Cx<'_>,
) -> Args {
    let Some(list) = written else { return Args { poisoned: incomplete, ..Args::default() } };
    let mut args = Args { span: Some(list.span), poisoned: list.poisoned, ..Args::default() };
    if let Some(extra) = list.items.get(limit::ARGS_PER_HOOK) {
        cx.report(codes::too_many_args(list.items.len(), limit::ARGS_PER_HOOK, extra.span()));
    }
    for arg in &list.items {
        let known = known(kind, arg, cx);
        args.poisoned |= arg.poisoned || known.index.is_none();
        args.known.push(known);
        let (Some(index), Some(ty)) = (known.index, known.ty) else { continue };
        if let Ok(index) = u8::try_from(index) {
            let label =
                arg.label.filter(|label| !label.value.is_empty()).map(|label| label.value.to_string());
            args.compiled.push(Arg { index, ty: ty.canonical(), label, span: arg.span() });
        }
    }
    args
}

fn known(kind: HookKind, arg: &WrittenArg<'_>, cx: &mut Cx<'_>) -> KnownArg {
    let written = arg.ty.unwrap_or(Spanned::new(ArgType::Auto, arg.span()));
    let resolve = arg.resolve.filter(|path| !path.value.is_empty());
    let source = arg.source.filter(|source| !source.value.is_empty());
    let max_data = arg.max_data.is_some_and(|flag| flag.value);
    let index = check_index(kind, arg, cx);
    let mut known = KnownArg { index, ty: None, ty_span: written.span, max_data };
    if arg.ty.is_none() && arg.poisoned {
        return known;
    }
    known.ty = check_type(kind, written, arg.ty.is_some(), resolve.is_some(), cx);
    if let Some(path) = resolve {
        cx.unchecked(FactKind::ResolvePath, path.value, path.span);
        cx.not_compiled("`resolve`", path.span);
    }
    if let Some(source) = source {
        check_source(kind, source, cx);
    }
    for (flag, name) in [(arg.return_copy, "`returnCopy`"), (arg.max_data, "`maxData`")] {
        if let Some(flag) = flag.filter(|flag| flag.value) {
            cx.not_compiled(name, flag.span);
        }
    }
    if let Some(ty) = known.ty
        && !ty.is_compiled()
    {
        cx.not_compiled(&format!("argument type `{ty}`"), written.span);
    }
    known
}

/// The position, if it is within reach.
fn check_index(kind: HookKind, arg: &WrittenArg<'_>, cx: &mut Cx<'_>) -> Option<u32> {
    if let Some(size) = arg.size_arg_index {
        if size.value > limit::MAX_SIZE_ARG_INDEX {
            cx.report(codes::size_arg_index(size.value, limit::MAX_ACCESSIBLE_ARGS, size.span));
        } else if size.value != 0 {
            cx.not_compiled("`sizeArgIndex`", size.span);
        }
    }
    let max = match kind {
        HookKind::Kprobe | HookKind::Fentry | HookKind::Lsm | HookKind::Uprobe => limit::MAX_ARG_INDEX,
        HookKind::RawTracepoint => limit::MAX_RAW_TRACEPOINT_INDEX,
        // Fields of the format and operands of the probe, which only the node knows.
        HookKind::Tracepoint | HookKind::Usdt => u32::MAX,
    };
    let index = arg.index?;
    if index.value > max {
        cx.report(codes::arg_index_out_of_reach(index.value, max, index.span));
        return None;
    }
    Some(index.value)
}

/// The type by which the argument is compared, if it is known.
fn check_type(
    kind: HookKind,
    ty: Spanned<ArgType>,
    is_written: bool,
    has_resolve: bool,
    cx: &mut Cx<'_>,
) -> Option<ArgType> {
    let refused = match (kind, ty.value) {
        (HookKind::Kprobe | HookKind::Fentry, ArgType::Auto | ArgType::Syscall64) => true,
        (HookKind::Lsm | HookKind::Uprobe, ArgType::Auto | ArgType::BpfCmd) => !has_resolve,
        (HookKind::RawTracepoint, ArgType::Auto) => true,
        (HookKind::Tracepoint, ArgType::ConstBuf) => true,
        _ => false,
    };
    if refused {
        cx.report(codes::type_unusable(ty.value, kind.noun(), is_written, "cannot be read here", ty.span));
        return None;
    }
    (ty.value != ArgType::Auto).then_some(ty.value)
}

fn check_source(kind: HookKind, source: Spanned<&str>, cx: &mut Cx<'_>) {
    match kind {
        HookKind::Kprobe | HookKind::Fentry | HookKind::Uprobe => cx.report(codes::bad_source(
            "an argument cannot have a `source`".to_string(),
            "refused here",
            Some("move it to `data`"),
            source.span,
        )),
        HookKind::Lsm | HookKind::Tracepoint | HookKind::RawTracepoint | HookKind::Usdt => {
            cx.not_compiled("`source`", source.span);
        }
    }
}
