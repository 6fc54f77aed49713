//! `args`, `data` and `returnArg` to what is read at a hook.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/{args_linux,generic}.go` (semantics 3, 10.3, 10.4).

use crate::diag::{arguments as codes, lints};
use crate::policy::Arg;
use crate::policy::context::facts::FactKind;
use crate::policy::context::field_path::path_steps;
use crate::policy::context::{Cx, kernels};
use crate::policy::expand::lists;
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::Arg as WrittenArg;
use crate::syntax::ast::read::{List, Text};
use crate::vocab::Vocabulary;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::hook::{DataSource, HookKind};
use crate::vocab::limit;
use crate::vocab::register::Register;

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

impl Args {
    /// Of the argument with this index.
    pub fn of_index(&self, index: u32) -> Option<usize> {
        self.known.iter().position(|arg| arg.index == Some(index))
    }

    /// As [`Args::of_index`]; at tracepoints of the field with this number, or else at this position.
    pub fn by_index(&self, kind: HookKind, index: u32) -> Option<usize> {
        let found = self.of_index(index);
        match kind {
            HookKind::Tracepoint | HookKind::RawTracepoint => {
                found.or(Some(index as usize)).filter(|&at| at < self.known.len())
            }
            HookKind::Kprobe | HookKind::Fentry | HookKind::Lsm | HookKind::Uprobe | HookKind::Usdt => found,
        }
    }
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
    let copied = list.items.iter().filter_map(|arg| arg.return_copy.filter(|flag| flag.value));
    let copied: Vec<Spanned<bool>> = copied.collect();
    if let Some((_, others)) = copied.split_last() {
        for other in others {
            // Tetragon: one argument is read at the return (semantics 2.2).
            cx.report(lints::ignored("`returnCopy`", "the last argument that has it counts", other.span));
        }
    }
    for arg in &list.items {
        let known = known(kind, arg, cx);
        args.poisoned |= arg.poisoned || known.index.is_none();
        args.known.push(known);
        let (Some(index), Some(ty)) = (known.index, known.ty) else { continue };
        if let Ok(index) = u8::try_from(index) {
            let label =
                arg.label.filter(|label| !label.value.is_empty()).map(|label| label.value.to_string());
            args.compiled.push(Arg { index, ty: ty.canonical(), field: None, label, span: arg.span() });
        }
    }
    args
}

/// `args` and `data` share five places.
pub fn check_count(
    args: Option<&List<WrittenArg<'_>>>,
    data: Option<&List<WrittenArg<'_>>>,
    cx: &mut Cx<'_>,
) {
    let mut all = [args, data].into_iter().flatten().flat_map(|list| &list.items);
    let count = all.clone().count();
    if let Some(extra) = all.nth(limit::ARGS_PER_HOOK) {
        cx.report(codes::too_many_args(count, limit::ARGS_PER_HOOK, extra.span()));
    }
}

/// `data`: from the current task or from registers, and nothing else.
pub fn resolve_data(
    kind: HookKind,
    written: Option<&List<WrittenArg<'_>>>,
    incomplete: bool,
    cx: &mut Cx<'_>,
) -> Args {
    let Some(list) = written else { return Args { poisoned: incomplete, ..Args::default() } };
    let mut data = Args { span: Some(list.span), poisoned: list.poisoned, ..Args::default() };
    for arg in &list.items {
        let written = written_type(arg);
        let mut known =
            KnownArg { index: arg.index.map(|i| i.value), ty: None, ty_span: written.span, max_data: false };
        data.poisoned |= arg.poisoned;
        if !arg.incomplete {
            let source = check_data_source(arg, cx);
            check_data_path(kind, source, arg, cx);
            let is_explicit = written.value != ArgType::Auto;
            if source == Some(DataSource::PtRegs) && !is_explicit {
                let why = "a register has no type of its own";
                cx.report(codes::type_unusable(
                    ArgType::Auto,
                    "a register",
                    arg.ty.is_some(),
                    why,
                    written.span,
                ));
            }
            known.ty = is_explicit.then_some(written.value);
        }
        data.known.push(known);
    }
    data
}

fn check_data_source(arg: &WrittenArg<'_>, cx: &mut Cx<'_>) -> Option<DataSource> {
    let source = arg.source.filter(|source| !source.value.is_empty());
    let known = source.and_then(|source| DataSource::parse(source.value));
    if known.is_none() {
        let span = source.map_or(arg.span(), |source| source.span);
        let message = "`data` needs a `source`".to_string();
        let label = "`current_task` or `pt_regs` is wanted";
        cx.report(codes::bad_source(message, label, Some("source: \"current_task\""), span));
    }
    known
}

fn check_data_path(kind: HookKind, source: Option<DataSource>, arg: &WrittenArg<'_>, cx: &mut Cx<'_>) {
    let Some(path) = arg.resolve.filter(|path| !path.value.is_empty()) else {
        let message = "`data` needs `resolve`".to_string();
        cx.report(codes::bad_source(message, "says what is read", Some("resolve: \"comm\""), arg.span()));
        return;
    };
    match source {
        Some(DataSource::PtRegs) if Register::parse(path.value).is_none() => {
            let nearest = crate::diag::suggest::nearest(path.value, Register::names());
            let message = format!("there is no register `{}`", crate::diag::schema::shown(path.value));
            cx.report(codes::bad_source(message, "a register of x86-64 is wanted", nearest, path.span));
        }
        Some(DataSource::PtRegs) if kind == HookKind::Fentry => {
            cx.report(lints::ignored(
                "`pt_regs` at a fentry",
                "there are no registers, so 0 is read",
                path.span,
            ));
        }
        Some(DataSource::CurrentTask) => check_path(path, cx),
        Some(DataSource::PtRegs) | None => {}
    }
}

/// `returnArg`, as a list of one; it counts only if the return is hooked.
pub fn resolve_returned(
    kind: HookKind,
    written: Option<&WrittenArg<'_>>,
    hooks_return: bool,
    incomplete: bool,
    cx: &mut Cx<'_>,
) -> Args {
    let Some(arg) = written else { return Args { poisoned: incomplete, ..Args::default() } };
    let ty = written_type(arg);
    let is_known = !matches!(ty.value, ArgType::Auto | ArgType::BpfCmd);
    if hooks_return && !is_known && !(arg.ty.is_none() && arg.incomplete) {
        let what = format!("the returned value of {}", kind.noun());
        cx.report(codes::type_unusable(ty.value, &what, arg.ty.is_some(), "cannot be read here", ty.span));
    }
    if !hooks_return && !incomplete {
        cx.report(
            lints::ignored("`returnArg`", "the hook has no `return: true`", arg.span())
                .help("add `return: true` to the hook, or remove it"),
        );
    }
    let known = KnownArg {
        index: arg.index.map(|index| index.value),
        ty: is_known.then_some(ty.value),
        ty_span: ty.span,
        max_data: false,
    };
    let compiled = if hooks_return { compile_returned(arg, known.ty, cx) } else { None };
    Args {
        known: vec![known],
        span: Some(arg.node.span),
        poisoned: arg.poisoned,
        compiled: compiled.into_iter().collect(),
    }
}

/// A number can be read of what a function returns, and nothing else.
fn compile_returned(arg: &WrittenArg<'_>, ty: Option<ArgType>, cx: &mut Cx<'_>) -> Option<Arg> {
    let ty = ty?;
    let resolve = arg.resolve.filter(|path| !path.value.is_empty());
    let source = arg.source.filter(|source| !source.value.is_empty());
    let size = arg.size_arg_index.filter(|size| size.value != 0);
    let unread = [
        ("`resolve`", resolve.map(|path| path.span)),
        ("`source`", source.map(|source| source.span)),
        ("`sizeArgIndex`", size.map(|size| size.span)),
        ("`returnCopy`", arg.return_copy.filter(|flag| flag.value).map(|flag| flag.span)),
        ("`maxData`", arg.max_data.filter(|flag| flag.value).map(|flag| flag.span)),
    ];
    for (name, span) in unread {
        if let Some(span) = span {
            cx.not_compiled(&format!("{name} of a returned value"), span);
        }
    }
    if !matches!(ty.class(), Some(Class::Int { .. })) {
        cx.not_compiled(&format!("a returned value of type `{ty}`"), written_type(arg).span);
        return None;
    }
    let label = arg.label.filter(|label| !label.value.is_empty()).map(|label| label.value.to_string());
    Some(Arg { index: 0, ty: ty.canonical(), label, field: None, span: arg.span() })
}

fn written_type(arg: &WrittenArg<'_>) -> Spanned<ArgType> {
    arg.ty.unwrap_or(Spanned::new(ArgType::Auto, arg.span()))
}

fn known(kind: HookKind, arg: &WrittenArg<'_>, cx: &mut Cx<'_>) -> KnownArg {
    let written = written_type(arg);
    let resolve = arg.resolve.filter(|path| !path.value.is_empty());
    let max_data = arg.max_data.is_some_and(|flag| flag.value);
    let index = check_index(kind, arg, cx);
    let mut known = KnownArg { index, ty: None, ty_span: written.span, max_data };
    if arg.ty.is_none() && arg.incomplete {
        return known;
    }
    known.ty = check_type(kind, written, arg.ty.is_some(), resolve.is_some(), cx);
    if let Some(path) = resolve {
        check_path(path, cx);
        cx.not_compiled("`resolve`", path.span);
    }
    if let Some(source) = arg.source.filter(|source| !source.value.is_empty()) {
        check_source(kind, source, cx);
    }
    if let (None, Some(root)) = (resolve, arg.btf_type.or(arg.btf_type_module)) {
        cx.report(lints::ignored("`btfType`", "there is no `resolve` that could start there", root.span));
    }
    check_copies(arg, max_data, cx);
    check_buffer(arg, known.ty, written.span, cx);
    if let Some(ty) = known.ty
        && ty.reads().is_none()
    {
        cx.not_compiled(&format!("argument type `{ty}`"), written.span);
    }
    known
}

/// Tetragon: a buffer has as many bytes as the argument says that `sizeArgIndex` names (semantics 3.2).
fn check_buffer(arg: &WrittenArg<'_>, ty: Option<ArgType>, span: Span, cx: &mut Cx<'_>) {
    let has_size = arg.size_arg_index.is_some_and(|size| size.value != 0);
    let is_copied = arg.return_copy.is_some_and(|flag| flag.value);
    if let Some(ty @ (ArgType::CharBuf | ArgType::CharIovec)) = ty
        && !has_size
        && !is_copied
        && !arg.incomplete
    {
        let what = format!("a `{ty}` without `sizeArgIndex`");
        cx.report(
            lints::ignored(&what, "nothing says its size, so nothing is read", span)
                .help("sizeArgIndex: N, the number of the argument with the size, counted from 1"),
        );
    }
}

fn check_copies(arg: &WrittenArg<'_>, max_data: bool, cx: &mut Cx<'_>) {
    for (flag, name) in [(arg.return_copy, "`returnCopy`"), (arg.max_data, "`maxData`")] {
        if let Some(flag) = flag.filter(|flag| flag.value) {
            cx.not_compiled(name, flag.span);
        }
    }
    if let (true, Some(copy)) = (max_data, arg.return_copy.filter(|flag| flag.value)) {
        cx.report(lints::ignored(
            "`maxData` with `returnCopy`",
            "at the return 4095 bytes are read at most",
            copy.span,
        ));
    }
}

/// The position, if it is within reach.
fn check_index(kind: HookKind, arg: &WrittenArg<'_>, cx: &mut Cx<'_>) -> Option<u32> {
    if let Some(size) = arg.size_arg_index {
        if size.value > limit::MAX_SIZE_ARG_INDEX {
            cx.report(codes::size_arg_index(size.value, limit::MAX_ACCESSIBLE_ARGS, size.span));
        } else if size.value != 0 {
            cx.not_compiled("`sizeArgIndex`", size.span);
            if size.value > limit::MAX_ACCESSIBLE_ARGS && kind != HookKind::Tracepoint {
                cx.report(lints::ignored("`sizeArgIndex` above 5", "nothing is read then", size.span));
            }
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
    if kind == HookKind::RawTracepoint && index.value > limit::MAX_ARG_INDEX {
        cx.report(lints::ignored("argument 5 of a raw tracepoint", "0 to 4 are read", index.span));
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
    let refused = match kind {
        HookKind::Kprobe | HookKind::Fentry => matches!(ty.value, ArgType::Auto | ArgType::Syscall64),
        HookKind::Lsm | HookKind::Uprobe => {
            matches!(ty.value, ArgType::Auto | ArgType::BpfCmd) && !has_resolve
        }
        HookKind::RawTracepoint => matches!(ty.value, ArgType::Auto | ArgType::ConstBuf),
        HookKind::Tracepoint => ty.value == ArgType::ConstBuf,
        HookKind::Usdt => false,
    };
    if refused {
        cx.report(codes::type_unusable(ty.value, kind.noun(), is_written, "cannot be read here", ty.span));
        return None;
    }
    if matches!(kind, HookKind::Uprobe | HookKind::Usdt) && ty.value == ArgType::String {
        kernels::check_kfunc("bpf_copy_from_user_str", ty.span, cx);
    }
    let reads_nothing = match kind {
        HookKind::Usdt => matches!(ty.value, ArgType::Auto | ArgType::BpfCmd) && !has_resolve,
        HookKind::Tracepoint | HookKind::RawTracepoint => ty.value == ArgType::BpfCmd,
        HookKind::Kprobe | HookKind::Fentry | HookKind::Lsm | HookKind::Uprobe => false,
    };
    if reads_nothing {
        let what = format!("an argument of type `{}` at {}", ty.value, kind.noun());
        cx.report(lints::ignored(&what, "Tetragon reads nothing for it", ty.span));
    }
    (ty.value != ArgType::Auto).then_some(ty.value)
}

fn check_source(kind: HookKind, source: Text<'_>, cx: &mut Cx<'_>) {
    match kind {
        HookKind::Kprobe | HookKind::Fentry | HookKind::Uprobe => cx.report(codes::bad_source(
            "an argument cannot have a `source`".to_string(),
            "refused here",
            Some("move it to `data`"),
            source.span,
        )),
        HookKind::Lsm => _ = cx.not_compiled("`source`", source.span),
        HookKind::Tracepoint | HookKind::RawTracepoint | HookKind::Usdt => {
            cx.report(lints::ignored("`source`", "it counts in `data` only", source.span));
        }
    }
}

/// Components separated by `.`, each a name or `[N]`, or a name and `[N]`.
fn check_path(path: Text<'_>, cx: &mut Cx<'_>) {
    match path_steps(path.value) {
        Err(why) => {
            let message = format!("`{}` is no path of fields", crate::diag::schema::shown(path.value));
            cx.report(codes::bad_source(message, why, None, path.span));
        }
        Ok(steps) if steps > limit::RESOLVE_STEPS => {
            let message = format!("a path of {steps} steps is too long");
            let label = format!("{} at most are followed", limit::RESOLVE_STEPS);
            cx.report(codes::bad_source(message, &label, None, path.span));
        }
        Ok(_) => {}
    }
}

/// Where `resolve` starts: the prototype of the function as it is written (semantics 3.5).
pub fn check_resolve_roots(
    call: Option<Text<'_>>,
    syscall: bool,
    args: Option<&List<WrittenArg<'_>>>,
    cx: &mut Cx<'_>,
) {
    let Some(call) = call else { return };
    let has_prefix = ["__x64_", "__arm64_", "__ia32_"].iter().any(|prefix| call.value.starts_with(prefix));
    let is_list = call.value.starts_with(lists::REFERENCE);
    if syscall && !has_prefix && !is_list && !call.value.starts_with("sys_") {
        // No syscall at all, and refused as such.
        return;
    }
    for arg in args.iter().flat_map(|args| &args.items) {
        let is_set = |text: Option<Text<'_>>| text.is_some_and(|text| !text.value.is_empty());
        if !is_set(arg.resolve) || is_set(arg.btf_type) {
            continue;
        }
        let span = arg.resolve.map_or(arg.span(), |path| path.span);
        let why = if is_list {
            "the functions of a list have no prototype in common"
        } else if syscall && !has_prefix {
            "the prototype of a syscall is found with its prefix only, `__x64_` for example"
        } else if syscall && arg.index.is_some_and(|index| index.value > 0) {
            "a syscall's wrapper has one parameter"
        } else {
            continue;
        };
        let message = "`resolve` has no type to start from".to_string();
        cx.report(codes::bad_source(message, why, Some("btfType: \"task_struct\""), span));
    }
}

/// User programs bring their types in a file of their own.
pub fn check_user_resolve(args: Option<&List<WrittenArg<'_>>>, btf_path: Option<Text<'_>>, cx: &mut Cx<'_>) {
    for arg in args.iter().flat_map(|args| &args.items) {
        let Some(path) = arg.resolve.filter(|path| !path.value.is_empty()) else { continue };
        let missing = match (btf_path, arg.btf_type) {
            (None, _) => "`btfPath` of the hook",
            (Some(_), None) => "`btfType` of the argument",
            (Some(_), Some(_)) => {
                cx.unchecked(FactKind::UserPath, path.value, path.span);
                continue;
            }
        };
        if !arg.incomplete {
            let message = format!("`resolve` in a user program needs {missing}");
            cx.report(codes::bad_source(message, "has no type to start from", None, path.span));
        }
    }
}
