//! Constructors of the TF04xx codes: what happens when a selector matches.

use super::schema::shown;
use super::{Code, Diagnostic, Severity};
use crate::source::{Span, Spanned};
use crate::vocab::action::Action;

pub fn action_unavailable(action: Spanned<Action>, hook: &str) -> Diagnostic {
    Diagnostic::error(
        Code::ACTION_UNAVAILABLE,
        format!("action `{}` cannot be used at a {hook}", action.value),
    )
    .label(action.span, "refused here")
}

pub fn override_target(function: &str, action: Span, call: Span) -> Diagnostic {
    Diagnostic::error(
        Code::OVERRIDE_TARGET,
        format!("`Override` cannot change what `{}` returns", shown(function)),
    )
    .label(action, "refused here")
    .label(call, "neither a syscall nor a `security_` function")
    .help("hook the LSM hook or the `security_` function that guards the operation")
    .note("kernels let programs replace results of LSM hooks, of `security_` functions and of syscalls")
}

pub fn override_syscall_not_compiled(function: &str, action: Span, call: Span) -> Diagnostic {
    Diagnostic::new(
        Code::OVERRIDE_NOT_COMPILED,
        Severity::NotCompiled,
        format!("`Override` on syscall `{}` is valid, but not compiled", shown(function)),
    )
    .label(action, "needs `bpf_override_return`")
    .label(call, "a syscall")
    .help("use `lsmhooks` with the hook that guards the operation, `file_open` for `sys_openat` for example")
    .note("most kernels are built without CONFIG_BPF_KPROBE_OVERRIDE")
}

pub fn override_value_not_compiled(value: i32, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::OVERRIDE_NOT_COMPILED,
        Severity::NotCompiled,
        format!("`Override` with {value} on a `security_` function is valid, but not compiled"),
    )
    .label(span, "only -4095 to 0 can be returned by an LSM program")
    .help("argError: -1")
}

pub fn too_many_actions(count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TOO_MANY_ACTIONS,
        format!("a selector has {count} actions, {max} at most are allowed"),
    )
    .label(span, "this one is too many")
}

pub fn bad_rate_limit(value: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_RATE_LIMIT, format!("`{}` is not a rate limit", shown(value)))
        .label(span, "a number with `s`, `m`, `h` or nothing is wanted")
        .help("rateLimit: \"1m\"")
}

pub fn rate_limit_without_post(action: Action, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_RATE_LIMIT, format!("`rateLimit` does not work with `{action}`"))
        .label(span, "only `Post` can be limited")
}

pub fn stack_trace_unavailable(field: &str, what: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::ACTION_PARAMETER, format!("`{field}` cannot be used {what}"))
        .label(span, "refused here")
}

pub fn no_enforcer(span: Span) -> Diagnostic {
    Diagnostic::error(Code::NO_ENFORCER, "`NotifyEnforcer` needs `spec.enforcers`")
        .label(span, "nobody would be notified")
        .help("enforcers: [{calls: [\"sys_openat\"]}]")
}

pub fn bad_parameter(message: String, label: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::ACTION_PARAMETER, message).label(span, label)
}
