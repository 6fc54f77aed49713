//! Hooks on kernel functions: kprobes, fentries and LSM hooks.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/{generickprobe,genericfentry,genericlsm}.go` (semantics 2.1 to 2.3, 2.6).

use super::super::args::Args;
use super::super::hook::{HookCx, PolicyCx, Resolved};
use super::super::{args, selectors};
use super::text::{is_symbol, message, tags};
use crate::diag::{lints, meant, schema as codes};
use crate::policy::context::Cx;
use crate::policy::context::kernels::{self, Prototype};
use crate::policy::context::reported::Reported;
use crate::policy::expand::Calls;
use crate::policy::expand::lists::{self, Members};
use crate::policy::expand::macros::Parts;
use crate::policy::{Hook, HookCall};
use crate::syntax::ast::objects::{Arg, Kprobe, LsmHook};
use crate::syntax::ast::read::Text;
use crate::vocab::action::Action;
use crate::vocab::arg_type::ArgType;
use crate::vocab::hook::HookKind;

/// The prefixes of syscall wrappers by architecture.
const X86_64_PREFIX: &str = "__x64_";
const FOREIGN_PREFIXES: [&str; 2] = ["__arm64_", "__ia32_"];

/// One hook for each function that the kprobe or fentry is placed on.
pub fn kprobe(
    policy: &PolicyCx<'_, '_>,
    kind: HookKind,
    entry: u32,
    kprobe: &Kprobe<'_>,
    calls: Calls<'_, '_>,
    written: &[Parts<'_, '_>],
    cx: &mut Cx<'_>,
) -> Vec<Result<Resolved, Reported>> {
    let is_syscall_list = kprobe.call.is_some_and(|call| names_syscalls(policy, call));
    let syscall = is_syscall_list || kprobe.syscall.is_none_or(|syscall| syscall.value);
    let args = args::resolve(kind, kprobe.args.as_ref(), kprobe.incomplete, cx);
    let data = args::resolve_data(kind, kprobe.data.as_ref(), kprobe.incomplete, cx);
    args::check_count(kprobe.args.as_ref(), kprobe.data.as_ref(), cx);
    args::check_resolve_roots(kprobe.call, syscall, kprobe.args.as_ref(), cx);
    let hooks_return = kprobe.returns.is_some_and(|returns| returns.value);
    let returned =
        args::resolve_returned(kind, kprobe.return_arg.as_ref(), hooks_return, kprobe.incomplete, cx);
    check_return(kprobe, hooks_return, cx);
    let hook = HookCx {
        policy,
        kind,
        name: kprobe.call,
        syscall,
        args: &args,
        data: &data,
        returned: &returned,
        hooks_return,
        has_one_selector: written.len() <= 1,
    };
    let selectors = selectors::resolve(&hook, written, cx);
    let message = message(kprobe.message, cx);
    let tags = tags(kprobe.tags.as_ref(), cx);
    report_uncompiled(kprobe, cx);
    if let (Some(returns), true) = (kprobe.returns.filter(|_| hooks_return), overrides(written)) {
        // The call is moved to where it can be denied, and what the function returns is seen elsewhere.
        cx.not_compiled("`return` at a hook that overrides", returns.span);
    }
    let Some(call) = kprobe.call else { return vec![Err(cx.reported(kprobe.node.span))] };
    let names = function_names(kprobe, calls, call, syscall, cx);
    let known: Vec<String> = names.iter().flatten().cloned().collect();
    check_arguments(kprobe, &known, syscall, hooks_return, cx);
    let resolved = |name: Result<String, Reported>| {
        let hook = Hook {
            call: HookCall::Kprobe { function: name?, syscall },
            entry,
            scope: None,
            args: args.compiled.clone(),
            returned: returned.compiled.first().cloned(),
            selectors: selectors.all.clone()?,
            message: message.clone(),
            tags: tags.clone(),
            span: call.span,
        };
        Ok(Resolved { hook, workloads: selectors.workloads.clone() })
    };
    names.into_iter().map(resolved).collect()
}

/// What the functions' prototypes say of the arguments.
fn check_arguments(
    kprobe: &Kprobe<'_>,
    functions: &[String],
    syscall: bool,
    hooks_return: bool,
    cx: &mut Cx<'_>,
) {
    let args = kprobe.args.as_ref();
    // The functions of a list have no root in common, which is said elsewhere.
    let is_list = kprobe.call.is_some_and(|call| call.value.starts_with(lists::REFERENCE));
    let root = functions.first().filter(|_| !is_list).map(|name| Prototype::of(name));
    kernels::check_paths(root, args, cx);
    kernels::check_paths(None, kprobe.data.as_ref(), cx);
    for function in functions {
        if syscall {
            kernels::check_syscall_arguments(function, args, cx);
        } else if let Some(bare) = wrapped_syscall(function) {
            // What is read there is not what is meant, whatever the kernel.
            let read = args.iter().flat_map(|args| &args.items).find(|arg| reads_a_register(arg));
            if let (Some(arg), Some(call)) = (read, kprobe.call) {
                cx.report(meant::syscall_wrapper(function, bare, call.span, arg.span()));
            }
        } else {
            kernels::check_parameters(Prototype::of(function), args, cx);
            if hooks_return {
                kernels::check_returned(function, kprobe.return_arg.as_ref(), cx);
            }
        }
    }
}

/// The system call whose wrapper a function is.
fn wrapped_syscall(function: &str) -> Option<&str> {
    let bare = [X86_64_PREFIX, "__ia32_"].iter().find_map(|prefix| function.strip_prefix(prefix))?;
    bare.starts_with("sys_").then_some(bare)
}

/// Whether an argument is none of what a wrapper does have: its registers, by a path of fields.
fn reads_a_register(arg: &Arg<'_>) -> bool {
    let has_path = arg.resolve.is_some_and(|path| !path.value.is_empty());
    !has_path && arg.source.is_none() && arg.ty.is_none_or(|ty| ty.value != ArgType::Nop)
}

fn names_syscalls(policy: &PolicyCx<'_, '_>, call: Text<'_>) -> bool {
    let Some(name) = call.value.strip_prefix(lists::REFERENCE) else { return false };
    policy.lists.find(name).is_some_and(|list| match lists::members(list) {
        Members::Syscalls(_) | Members::Generated(crate::vocab::hook::ListKind::GeneratedSyscalls) => true,
        Members::Symbols(_) | Members::Generated(_) => false,
    })
}

fn check_return(kprobe: &Kprobe<'_>, hooks_return: bool, cx: &mut Cx<'_>) {
    let Some(action) = kprobe.return_arg_action.filter(|action| !action.value.is_empty()) else { return };
    let is_known = ["TrackSock", "UntrackSock"].iter().any(|name| name.eq_ignore_ascii_case(action.value));
    if !is_known {
        let names = ["TrackSock", "UntrackSock"];
        let nearest = crate::diag::suggest::nearest(action.value, names);
        cx.report(codes::unknown_word("return action", action.value, nearest, names, action.span));
    } else if hooks_return {
        cx.not_compiled("`returnArgAction`", action.span);
    } else {
        cx.report(
            lints::ignored("`returnArgAction`", "the hook has no `return: true`", action.span)
                .help("add `return: true` to the hook, or remove it"),
        );
    }
}

fn report_uncompiled(kprobe: &Kprobe<'_>, cx: &mut Cx<'_>) {
    if let Some(data) = kprobe.data.as_ref().filter(|data| !data.items.is_empty()) {
        cx.not_compiled("`data`", data.span);
    }
    let skip = kprobe.ignore.as_ref().and_then(|ignore| ignore.call_not_found);
    if let Some(skip) = skip.filter(|skip| skip.value) {
        cx.not_compiled("`ignore.callNotFound`", skip.span);
    }
}

fn overrides(written: &[Parts<'_, '_>]) -> bool {
    let actions = written.iter().filter_map(|parts| parts.actions).flat_map(|list| &list.items);
    actions.filter_map(|written| written.action).any(|action| action.value == Action::Override)
}

/// The symbols that the hook attaches to.
fn function_names(
    kprobe: &Kprobe<'_>,
    calls: Calls<'_, '_>,
    call: Text<'_>,
    syscall: bool,
    cx: &mut Cx<'_>,
) -> Vec<Result<String, Reported>> {
    let skip = kprobe.ignore.as_ref().and_then(|ignore| ignore.call_not_found);
    let skip = skip.is_some_and(|skip| skip.value);
    let members = match calls {
        Calls::Named(name) => return vec![function_name(name, syscall, skip, cx)],
        Calls::Listed(members) => members,
        Calls::Unknown => return vec![Err(cx.reported(call.span))],
    };
    match members {
        Members::Symbols(values) => {
            values.iter().map(|&value| listed_symbol(value, syscall, skip, cx)).collect()
        }
        Members::Syscalls(values) => {
            let symbol = |value: &Text<'_>| match lists::x86_64_symbol(value.value) {
                Some(symbol) => Ok(symbol),
                None => {
                    let what = format!("`{}`, a syscall of another architecture,", value.value);
                    Err(cx.not_compiled(&what, value.span))
                }
            };
            values.iter().map(symbol).collect()
        }
        Members::Generated(kind) => {
            vec![Err(cx.not_compiled(&format!("a list of type `{kind}`"), call.span))]
        }
    }
}

/// Symbols of a plain list are used as written.
fn listed_symbol(value: Text<'_>, syscall: bool, skip: bool, cx: &mut Cx<'_>) -> Result<String, Reported> {
    if value.value.is_empty() || !is_symbol(value.value) {
        return Err(cx.refuse(codes::not_a_symbol("lists.values", value.value, value.span)));
    }
    if syscall && !value.value.starts_with(X86_64_PREFIX) {
        // Tetragon: checked with the prefix, attached without (semantics 1.8).
        let what = format!("`{}` in a plain list, with `syscall: true` as is the default,", value.value);
        return Err(cx.not_compiled(&what, value.span));
    }
    if syscall {
        kernels::check_syscall(value.value, skip, value.span, cx);
    } else {
        kernels::check_function(value.value, skip, value.span, cx);
    }
    native(value, cx)
}

/// Nor does a function with the prefix of another architecture's system calls exist on x86-64.
fn native(name: Text<'_>, cx: &mut Cx<'_>) -> Result<String, Reported> {
    match name.value.starts_with("__arm64_") {
        true => {
            Err(cx.not_compiled(&format!("`{}`, a syscall of another architecture,", name.value), name.span))
        }
        false => Ok(name.value.to_string()),
    }
}

fn function_name(call: Text<'_>, syscall: bool, skip: bool, cx: &mut Cx<'_>) -> Result<String, Reported> {
    let name = call.value;
    if name.is_empty() {
        return Err(cx.refuse(codes::empty_hook_name("call", call.span)));
    }
    if !is_symbol(name) {
        return Err(cx.refuse(codes::not_a_symbol("call", name, call.span)));
    }
    if !syscall {
        kernels::check_function(name, skip, call.span, cx);
        return native(call, cx);
    }
    let is_prefixed = name.starts_with(X86_64_PREFIX) || FOREIGN_PREFIXES.iter().any(|p| name.starts_with(p));
    if !is_prefixed && !name.starts_with("sys_") && !name.starts_with("compat_sys_") {
        return Err(cx.refuse(codes::not_a_syscall(name, call.span)));
    }
    kernels::check_syscall(name, skip, call.span, cx);
    if FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(cx.not_compiled(&format!("`{name}`, a syscall of another architecture,"), call.span));
    }
    if name.starts_with(X86_64_PREFIX) {
        return Ok(name.to_string());
    }
    Ok(format!("{X86_64_PREFIX}{name}"))
}

pub fn lsm(
    policy: &PolicyCx<'_, '_>,
    entry: u32,
    lsm: &LsmHook<'_>,
    written: &[Parts<'_, '_>],
    cx: &mut Cx<'_>,
) -> Result<Resolved, Reported> {
    let args = args::resolve(HookKind::Lsm, lsm.args.as_ref(), lsm.incomplete, cx);
    args::check_count(lsm.args.as_ref(), None, cx);
    let none = Args::default();
    let hook = HookCx {
        policy,
        kind: HookKind::Lsm,
        name: lsm.hook,
        syscall: false,
        args: &args,
        data: &none,
        returned: &none,
        hooks_return: false,
        has_one_selector: written.len() <= 1,
    };
    let selectors = selectors::resolve(&hook, written, cx);
    let message = message(lsm.message, cx);
    let tags = tags(lsm.tags.as_ref(), cx);
    let Some(name) = lsm.hook else { return Err(cx.reported(lsm.node.span)) };
    check_lsm_name(name, cx)?;
    let function = format!("bpf_lsm_{}", name.value);
    let prototype = Prototype { name: name.value, ..Prototype::of(&function) };
    kernels::check_paths(Some(prototype), lsm.args.as_ref(), cx);
    kernels::check_parameters(prototype, lsm.args.as_ref(), cx);
    let call = HookCall::Lsm { hook: name.value.to_string() };
    let hook = Hook {
        call,
        entry,
        scope: None,
        args: args.compiled,
        returned: None,
        selectors: selectors.all?,
        message,
        tags,
        span: name.span,
    };
    Ok(Resolved { hook, workloads: selectors.workloads })
}

fn check_lsm_name(name: Text<'_>, cx: &mut Cx<'_>) -> Result<(), Reported> {
    if name.value.is_empty() {
        return Err(cx.refuse(codes::empty_hook_name("hook", name.span)));
    }
    if let Some(bare) = ["bpf_lsm_", "security_"].iter().find_map(|prefix| name.value.strip_prefix(prefix)) {
        return Err(cx.refuse(codes::prefixed_lsm_hook(name.value, bare, name.span)));
    }
    if !is_symbol(name.value) {
        return Err(cx.refuse(codes::not_a_symbol("hook", name.value, name.span)));
    }
    kernels::check_lsm_hook(name.value, name.span, cx);
    Ok(())
}
