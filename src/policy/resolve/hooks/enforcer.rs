//! `enforcers`: checked, not compiled yet.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/enforcer.go` (semantics 2.9).

use super::super::hook::PolicyCx;
use crate::diag::schema::{bad_enforcer, shown};
use crate::policy::context::{Cx, kernels};
use crate::policy::expand::lists::{self, Members};
use crate::syntax::ast::read::Text;
use crate::vocab::limit;
use crate::vocab::option::PolicyOption;

pub fn check(policy: &PolicyCx<'_, '_>, cx: &mut Cx<'_>) {
    let Some(list) = policy.spec.enforcers.as_ref().filter(|list| !list.items.is_empty()) else { return };
    cx.not_compiled("`enforcers`", list.span);
    if let Some(extra) = list.items.get(limit::ENFORCERS_PER_POLICY) {
        let message = "a policy has one entry of `enforcers` at most".to_string();
        cx.report(bad_enforcer(message, "this one is too many", extra.span()));
    }
    let by_return = policy.spec.options.iter().flat_map(|options| &options.items).any(|option| {
        option.name.is_some_and(|name| name.value == PolicyOption::OverrideMethod.name())
            && option.value.is_some_and(|value| value.value == "override-return")
    });
    for call in
        list.items.iter().filter_map(|enforcer| enforcer.calls.as_ref()).flat_map(|calls| &calls.items)
    {
        check_call(policy, *call, by_return, cx);
    }
}

fn check_call(policy: &PolicyCx<'_, '_>, call: Text<'_>, by_return: bool, cx: &mut Cx<'_>) {
    if call.value.starts_with(lists::REFERENCE) {
        let Some(list) = policy.lists.get(call, cx) else { return };
        match lists::members(list) {
            Members::Symbols(values) => values.iter().for_each(|&value| check_function(value, by_return, cx)),
            Members::Syscalls(values) => {
                values.iter().for_each(|v| kernels::check_enforced(v.value, by_return, v.span, cx));
            }
            Members::Generated(_) => {}
        }
        return;
    }
    check_function(call, by_return, cx);
}

fn check_function(call: Text<'_>, by_return: bool, cx: &mut Cx<'_>) {
    let is_security = call.value.starts_with("security_");
    let is_syscall =
        ["sys_", "__x64_", "__arm64_", "__ia32_"].iter().any(|prefix| call.value.starts_with(prefix));
    if !is_security && !is_syscall {
        let message = format!("`{}` cannot be enforced", shown(call.value));
        cx.report(bad_enforcer(message, "neither a syscall nor a `security_` function", call.span));
    } else if is_security && by_return {
        let message = format!("`{}` cannot be enforced by `override-return`", shown(call.value));
        cx.report(bad_enforcer(message, "needs `fmod-ret`", call.span));
    } else {
        if call.value.starts_with("__arm64_") {
            cx.not_compiled(&format!("`{}`, a syscall of another architecture,", call.value), call.span);
        }
        kernels::check_enforced(call.value, by_return, call.span, cx);
    }
}
