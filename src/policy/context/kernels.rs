//! The questions that are asked of kernels: functions and their parameters, hooks, paths, lists, overrides.
//!
//! Source: Tetragon 4fbfe2d, `pkg/btf/validation.go`, `pkg/sensors/tracing/{generic,generictracepoint}.go`
//! (semantics 2.1, 2.4 to 2.6, 2.9, 3.5, 10). What Tetragon refuses there is an error here; what it only warns
//! about is a warning.

pub mod tracepoint;

use std::borrow::Cow;

use super::facts::{Answer, FactKind};
use super::{Cx, field_path};
use crate::diag::{kernels as codes, suggest};
use crate::platform::KernelVersion;
use crate::platform::kernel::{Found, Kernel};
use crate::platform::types::fit::{self, Fit};
use crate::platform::types::path;
use crate::source::Span;
use crate::syntax::ast::objects::{Arg, Spec};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::Vocabulary;
use crate::vocab::arg_type::ArgType;
use crate::vocab::hook::DataSource;
use crate::vocab::option::PolicyOption;

/// The first kernel with build ids of mapped files.
const BUILD_IDS: KernelVersion = KernelVersion::new(5, 19);

/// What Tetragon misses of a function.
#[derive(PartialEq)]
enum Lack {
    Function,
    /// See [`Found::Untyped`].
    Types {
        body: Option<String>,
    },
}

fn found(found: Option<Found<'_>>) -> Answer<Lack> {
    match found {
        None => Answer::Untold,
        Some(Found::Typed) => Answer::Holds,
        Some(Found::Absent) => Answer::Fails(Lack::Function),
        Some(Found::Untyped { body }) => Answer::Fails(Lack::Types { body: body.map(Into::into) }),
    }
}

/// Tetragon: the name is looked up in the types of the kernel, or of the module that it belongs to.
pub fn check_function(name: &str, may_be_missing: bool, span: Span, cx: &mut Cx<'_>) {
    let may_guess = cx.facts.guesses();
    let question = |kernel: &Kernel| found(kernel.find_function(name));
    cx.ask((FactKind::Function, name, span), question, |lack, on| {
        if let Lack::Types { body } = lack {
            return codes::untyped_function("function", name, body.as_deref(), may_be_missing, on, span);
        }
        if may_be_missing {
            return codes::skipped_function("function", name, on, span);
        }
        let known = |kernel: &&Kernel| nearest(name, &kernel.functions_with(first_letter(name)));
        let nearest = on.kernels.iter().filter(|_| may_guess()).find_map(known);
        codes::no_function("function", name, on, nearest.as_deref(), span)
            .note("it may have been inlined there; a module's functions count while it is loaded")
    });
}

fn nearest(name: &str, known: &[Cow<'_, str>]) -> Option<String> {
    suggest::nearest_symbol(name, known.iter().map(|known| &**known)).map(str::to_string)
}

fn first_letter(name: &str) -> &str {
    name.chars().next().map_or("", |first| &name[..first.len_utf8()])
}

/// `name` as it is written, `sys_openat` or `__x64_sys_openat`; a prefix that is left out is that of the kernel.
pub fn check_syscall(name: &str, may_be_missing: bool, span: Span, cx: &mut Cx<'_>) {
    let may_guess = cx.facts.guesses();
    let question = |kernel: &Kernel| {
        let Some(symbol) = symbol(name, kernel) else { return Answer::Untold };
        found(kernel.find_function(&symbol))
    };
    cx.ask((FactKind::Syscall, name, span), question, |lack, on| {
        if let Lack::Types { body } = lack {
            return codes::untyped_function("syscall", name, body.as_deref(), may_be_missing, on, span);
        }
        if may_be_missing {
            return codes::skipped_function("syscall", name, on, span);
        }
        let known = |kernel: &&Kernel| {
            let nearest = nearest(&symbol(name, kernel)?, &kernel.syscalls())?;
            let bare = if name.starts_with("__") { &nearest } else { &nearest[nearest.find("sys_")?..] };
            Some(bare.to_string())
        };
        let nearest = on.kernels.iter().filter(|_| may_guess()).find_map(known);
        codes::no_function("syscall", name, on, nearest.as_deref(), span)
    });
}

/// A syscall's function on a kernel.
fn symbol(name: &str, kernel: &Kernel) -> Option<String> {
    if name.starts_with("__") {
        return Some(name.to_string());
    }
    Some(format!("{}{name}", kernel.syscall_prefix()?))
}

/// `[ABI/]NAME` of a list.
pub fn check_listed_syscall(value: Text<'_>, cx: &mut Cx<'_>) {
    let (abi, name) =
        value.value.split_once('/').map_or((None, value.value), |(abi, name)| (Some(abi), name));
    let prefix = match abi {
        _ if name.starts_with("__") => "",
        Some("x64") => "__x64_",
        Some("i386") => "__ia32_",
        Some(_) => "__arm64_",
        None => "",
    };
    check_syscall(&format!("{prefix}{name}"), false, value.span, cx);
}

pub fn check_lsm_hook(hook: &str, span: Span, cx: &mut Cx<'_>) {
    const PREFIX: &str = "bpf_lsm_";
    let may_guess = cx.facts.guesses();
    let question = |kernel: &Kernel| {
        let tells = kernel.tells_signatures();
        // A module cannot have hooks.
        Answer::of(tells.then(|| kernel.has_function(&format!("{PREFIX}{hook}")) == Some(true)), || ())
    };
    cx.ask((FactKind::LsmHook, hook, span), question, |(), on| {
        let known = |kernel: &&Kernel| {
            let known = kernel.functions_with(PREFIX);
            let bare = known.iter().map(|name| &name[PREFIX.len()..]);
            suggest::nearest_symbol(hook, bare).map(str::to_string)
        };
        let nearest = on.kernels.iter().filter(|_| may_guess()).find_map(known);
        codes::no_lsm_hook(hook, on, nearest.as_deref(), span)
    });
    let question = |kernel: &Kernel| {
        let lsm = kernel.node.as_ref().and_then(|node| node.lsm.as_ref());
        Answer::of(lsm.map(|lsm| lsm.iter().any(|name| name == "bpf")), || ())
    };
    cx.ask_once((FactKind::BpfLsm, "", span), question, |(), on| codes::no_bpf_lsm(on, span));
}

/// What a hook's arguments are parameters of.
#[derive(Clone, Copy)]
pub struct Prototype<'a> {
    /// As events name it.
    pub name: &'a str,
    pub function: &'a str,
    /// Parameters ahead of those that `index` counts.
    pub ahead: usize,
}

impl<'a> Prototype<'a> {
    pub fn of(function: &'a str) -> Prototype<'a> {
        Prototype { name: function, function, ahead: 0 }
    }
}

/// Arguments without `resolve`: that the function has them, and that their types fit.
pub fn check_parameters(prototype: Prototype<'_>, args: Option<&List<Arg<'_>>>, cx: &mut Cx<'_>) {
    for arg in args.iter().flat_map(|args| &args.items) {
        let (Some(index), Some(ty)) = (arg.index, arg.ty) else { continue };
        if arg.resolve.is_some_and(|path| !path.value.is_empty()) || arg.source.is_some() {
            continue;
        }
        let question = |kernel: &Kernel| {
            if !kernel.tells_signatures() {
                return Answer::Untold;
            }
            // That it is not there is said elsewhere.
            let Some(signature) = kernel.signature(prototype.function) else { return Answer::Holds };
            let params = signature.params.get(prototype.ahead..).unwrap_or_default();
            match params.get(index.value as usize) {
                None => Answer::Fails(Err(params.len())),
                Some(param) => match fit::fit(ty.value, param) {
                    Fit::Fits => Answer::Holds,
                    fit => Answer::Fails(Ok((fit, param.spelling.to_string()))),
                },
            }
        };
        cx.ask_too(question, |failure, on| match failure {
            Err(params) => codes::no_parameter(prototype.name, *params, on, index.span),
            Ok((fit, is)) => {
                let whose = format!("argument {} of `{}`", index.value, prototype.name);
                codes::type_mismatch(ty.value, (*fit == Fit::Other, &whose), is, on, ty.span)
            }
        });
    }
}

/// The type of the returned value.
pub fn check_returned(function: &str, arg: Option<&Arg<'_>>, cx: &mut Cx<'_>) {
    let Some(ty) = arg.and_then(|arg| arg.ty) else { return };
    let question = |kernel: &Kernel| {
        if !kernel.tells_signatures() {
            return Answer::Untold;
        }
        let Some(returned) = kernel.signature(function).map(|found| found.returned) else {
            return Answer::Holds;
        };
        match fit::fit(ty.value, &returned) {
            Fit::Fits => Answer::Holds,
            fit => Answer::Fails((fit, returned.spelling.to_string())),
        }
    };
    cx.ask_too(question, |(fit, is), on| {
        let whose = format!("what `{function}` returns");
        codes::type_mismatch(ty.value, (*fit == Fit::Other, &whose), is, on, ty.span)
    });
}

/// Arguments of a syscall, of which only its tracepoint tells how many there are.
pub fn check_syscall_arguments(symbol: &str, args: Option<&List<Arg<'_>>>, cx: &mut Cx<'_>) {
    let Some((_, name)) = symbol.split_once("sys_") else { return };
    let event = format!("syscalls/sys_enter_{name}");
    // The common fields and the number of the syscall.
    const AHEAD: usize = 5;
    for index in args.iter().flat_map(|args| &args.items).filter_map(|arg| arg.index) {
        let question = |kernel: &Kernel| {
            let event = kernel.node.as_ref().and_then(|node| node.tracepoint(&event));
            let Some(event) = event else { return Answer::Untold };
            let params = event.fields.len().saturating_sub(AHEAD);
            Answer::of(Some((index.value as usize) < params), || params)
        };
        cx.ask_too(question, |params, on| {
            codes::no_parameter(format!("sys_{name}"), *params, on, index.span)
        });
    }
}

/// Why a path is not what it is to be.
#[derive(PartialEq)]
enum NoValue {
    Nowhere(path::NoPath),
    Unfit(String),
}

/// Paths of `args` or `data`: from the current task, from `btfType`, else from the parameter of `prototype`.
pub fn check_paths(prototype: Option<Prototype<'_>>, args: Option<&List<Arg<'_>>>, cx: &mut Cx<'_>) {
    for arg in args.iter().flat_map(|args| &args.items) {
        let source = arg.source.and_then(|source| DataSource::parse(source.value));
        let Some(written) = arg.resolve.filter(|path| field_path::is_path(path.value)) else { continue };
        if source == Some(DataSource::PtRegs) {
            continue;
        }
        let question = |kernel: &Kernel| check_path(kernel, source, prototype, arg, written.value);
        cx.ask((FactKind::ResolvePath, written.value, written.span), question, |failure, on| match failure {
            NoValue::Nowhere(no) => {
                codes::bad_path(written.value, &no.why, on, no.nearest.as_deref(), written.span)
            }
            NoValue::Unfit(is) => {
                let (ty, span) = arg.ty.map_or((ArgType::Auto, written.span), |ty| (ty.value, ty.span));
                codes::type_mismatch(ty, (false, &format!("`{}`", written.value)), is, on, span)
            }
        });
    }
}

fn check_path(
    kernel: &Kernel,
    source: Option<DataSource>,
    prototype: Option<Prototype<'_>>,
    arg: &Arg<'_>,
    written: &str,
) -> Answer<NoValue> {
    let Some(types) = &kernel.types else { return Answer::Untold };
    let nowhere = |why: String, nearest| Answer::Fails(NoValue::Nowhere(path::NoPath { why, nearest }));
    let named = arg.btf_type.filter(|name| !name.value.is_empty());
    let root = match (source, named, prototype) {
        (Some(DataSource::CurrentTask), ..) => types.structure("task_struct"),
        (_, Some(name), _) => match types.structure(name.value) {
            // The types of modules are not given.
            None if arg.btf_type_module.is_some() => return Answer::Untold,
            None => {
                let nearest = suggest::nearest(name.value, types.structure_names()).map(str::to_string);
                return nowhere(format!("there is no `struct {}`", name.value), nearest);
            }
            found => found,
        },
        (_, None, Some(prototype)) => {
            let found = types.function(prototype.function).and_then(|function| types.prototype(function));
            let Some((params, _)) = found else { return Answer::Holds };
            let params = params.get(prototype.ahead..).unwrap_or_default();
            let index = arg.index.map_or(0, |index| index.value as usize);
            match params.get(index) {
                Some(param) => Some(param.ty),
                None => return nowhere(format!("`{}` has no argument {index}", prototype.name), None),
            }
        }
        (_, None, None) => return Answer::Untold,
    };
    let Some(root) = root else { return Answer::Untold };
    let ty = arg.ty.map_or(ArgType::Auto, |ty| ty.value);
    match path::follow(types, root, written) {
        Err(no) => Answer::Fails(NoValue::Nowhere(no)),
        Ok(end) if !fit::fits_end(types, ty, end.ty) => Answer::Fails(NoValue::Unfit(types.spelling(end.ty))),
        Ok(_) => Answer::Holds,
    }
}

/// A kfunc that programs need.
pub fn check_kfunc(name: &str, span: Span, cx: &mut Cx<'_>) {
    let question = |kernel: &Kernel| Answer::of(kernel.has_function(name), || ());
    cx.ask((FactKind::Kfunc, name, span), question, |(), on| {
        let what = format!("there is no function `{name}` for programs");
        codes::lacking(what, "cannot be compared or read without it", on, span)
    });
}

pub fn check_build_ids(span: Span, cx: &mut Cx<'_>) {
    let question = |kernel: &Kernel| {
        let version = kernel.node.as_ref().and_then(|node| node.version());
        Answer::of(version.map(|version| version >= BUILD_IDS), || ())
    };
    cx.ask((FactKind::BuildIds, "", span), question, |(), on| {
        let what = "mapped files have no build ids".to_string();
        codes::lacking(what, "needs 5.19 or newer", on, span)
    });
}

/// Whether the policy keeps Tetragon from using kprobe.multi.
pub fn disables_kprobe_multi(spec: &Spec<'_>) -> bool {
    let options = spec.options.iter().flat_map(|options| &options.items);
    let mut of_name = options.filter(|option| {
        option.name.is_some_and(|name| name.value == PolicyOption::DisableKprobeMulti.name())
    });
    of_name
        .next_back()
        .and_then(|option| option.value)
        .is_some_and(|value| matches!(value.value, "1" | "t" | "T" | "TRUE" | "true" | "True"))
}

const DISABLE: &str = "options: [{name: \"disable-kprobe-multi\", value: \"true\"}]";

/// Tetragon: one function has one place in a link of many kprobes (semantics 2.1).
pub fn check_hooked_twice(function: &str, spec: &Spec<'_>, span: Span, cx: &mut Cx<'_>) {
    if disables_kprobe_multi(spec) {
        return;
    }
    let question = |kernel: &Kernel| {
        let multi = kernel.node.as_ref().and_then(|node| node.features.kprobe_multi);
        Answer::of(multi.map(|multi| !multi), || ())
    };
    cx.ask((FactKind::HookedTwice, function, span), question, |(), on| {
        let what = format!("Tetragon refuses `{function}` twice in one policy");
        codes::tetragon_refuses(what, "hooked before", on, span)
            .help(DISABLE)
            .note("it attaches with kprobe.multi, unless told not to; an artifact has no such limit")
    });
}

/// Tetragon: by fmod_ret, and not where the policy's kprobes share a link (semantics 6.3).
pub fn check_security_override(function: &str, spec: &Spec<'_>, span: Span, cx: &mut Cx<'_>) {
    #[derive(PartialEq)]
    enum Refused {
        NoFmodRet,
        Multi,
    }
    let disabled = disables_kprobe_multi(spec);
    let question = |kernel: &Kernel| {
        let Some(features) = kernel.node.as_ref().map(|node| node.features) else { return Answer::Untold };
        match (features.fmod_ret, features.kprobe_multi) {
            (Some(false), _) => Answer::Fails(Refused::NoFmodRet),
            (_, Some(true)) if !disabled => Answer::Fails(Refused::Multi),
            (Some(true), Some(false)) => Answer::Holds,
            (Some(true), _) if disabled => Answer::Holds,
            _ => Answer::Untold,
        }
    };
    cx.ask((FactKind::OverrideMethod, function, span), question, |refused, on| match refused {
        Refused::NoFmodRet => {
            codes::override_refused(function, "needs fmod_ret, which the kernel lacks", None, on, span)
        }
        Refused::Multi => codes::override_refused(
            function,
            "not where it attaches with kprobe.multi",
            Some(DISABLE),
            on,
            span,
        )
        .note("unless the agent runs with --disable-kprobe-multi"),
    });
}

const NO_KPROBE_OVERRIDE: &str = "needs CONFIG_BPF_KPROBE_OVERRIDE";

/// Tetragon: by `bpf_override_return`, at functions that may fail; syscalls all may.
pub fn check_syscall_override(function: &str, span: Span, cx: &mut Cx<'_>) {
    let question = |kernel: &Kernel| {
        let features = kernel.node.as_ref().map(|node| node.features);
        Answer::of(features.and_then(|features| features.kprobe_override), || ())
    };
    cx.ask((FactKind::OverrideMethod, function, span), question, |(), on| {
        codes::no_override(function, NO_KPROBE_OVERRIDE, on, span)
    });
}

/// A call of an enforcer. `by_return`: the policy demands `override-return`.
pub fn check_enforced(call: &str, by_return: bool, span: Span, cx: &mut Cx<'_>) {
    let is_security = call.starts_with("security_");
    let question = |kernel: &Kernel| {
        let Some(features) = kernel.node.as_ref().map(|node| node.features) else { return Answer::Untold };
        let any = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        let both = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let can = match (is_security, by_return) {
            (true, _) => features.fmod_ret,
            (false, true) => features.kprobe_override,
            (false, false) => {
                any(features.kprobe_override, both(features.fmod_ret, features.error_injection))
            }
        };
        Answer::of(can, || ())
    };
    cx.ask((FactKind::OverrideMethod, call, span), question, |(), on| {
        let why = match (is_security, by_return) {
            (true, _) => "needs fmod_ret",
            (false, true) => NO_KPROBE_OVERRIDE,
            (false, false) => {
                "needs CONFIG_BPF_KPROBE_OVERRIDE, or fmod_ret and CONFIG_FUNCTION_ERROR_INJECTION"
            }
        };
        codes::no_override(call, why, on, span)
    });
}

/// Tetragon: every syscall of the kernel's own ABI that is in its types.
pub fn check_generated_syscalls(list: &str, span: Span, cx: &mut Cx<'_>) {
    let question = |kernel: &Kernel| {
        let told =
            kernel.tells_signatures() || kernel.node.as_ref().is_some_and(|node| node.syscalls.is_some());
        Answer::of(told.then(|| !kernel.syscalls().is_empty()), || ())
    };
    cx.ask((FactKind::GeneratedList, list, span), question, |(), on| {
        codes::empty_list(list, "the kernel's types name no syscall", on, span)
    });
}

/// Tetragon: functions that can be traced and match the pattern, which need not match from end to end.
pub fn check_generated_ftrace(list: &str, pattern: &str, span: Span, cx: &mut Cx<'_>) {
    // Go's syntax and this one differ in little; what is not understood stays open.
    let regex = regex_lite::Regex::new(pattern).ok();
    let question = |kernel: &Kernel| {
        let functions = kernel.node.as_ref().and_then(|node| node.functions.as_ref());
        match (functions, &regex) {
            (Some(functions), Some(regex)) => {
                Answer::of(Some(functions.iter().any(|name| regex.is_match(name))), || ())
            }
            _ => Answer::Untold,
        }
    };
    cx.ask((FactKind::GeneratedList, list, span), question, |(), on| {
        codes::empty_list(list, "no function that can be traced matches", on, span)
    });
}
