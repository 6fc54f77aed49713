//! Constructors of lints on what does as written and is probably not meant: TF0716 to TF0719, TF0723 and TF0740 on.

use super::schema::shown;
use super::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::vocab::action::Action;

/// `why` says what stands for itself.
pub fn literal_pattern(value: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::LITERAL_PATTERN, format!("`{}` is compared as it is written", shown(value)))
        .label(span, why)
        .help("use `Prefix` or `Postfix`, or list the paths")
        .note("there are no patterns in values")
}

/// `place` is where the link leads; `more` values of the filter are alike.
pub fn symlinked_path(value: &str, place: &str, more: usize, span: Span) -> Diagnostic {
    let others = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("`{}`{others} leads through a link on most images", shown(value));
    Diagnostic::lint(Code::SYMLINKED_PATH, message)
        .label(span, format!("shown as {place}"))
        .help("list both, if images differ")
}

pub fn syscall_wrapper(name: &str, bare: &str, call: Span, arg: Span) -> Diagnostic {
    let message = format!("`{}` has one parameter, the registers of the call", shown(name));
    Diagnostic::lint(Code::SYSCALL_WRAPPER, message)
        .label(arg, "no argument of the system call")
        .label(call, "hooked as a function")
        .help(format!("call: \"{}\" with `syscall: true`", shown(bare)))
}

pub fn one_address_family(is_ipv6: bool, op: Span, values: Span) -> Diagnostic {
    let [listed, other, also] = match is_ipv6 {
        false => ["IPv4", "IPv6", "add the ranges of IPv6, `::1` among them"],
        true => ["IPv6", "IPv4", "add the ranges of IPv4, `127.0.0.0/8` among them"],
    };
    let message = format!("every connection over {other} matches, whatever its address");
    Diagnostic::lint(Code::ONE_ADDRESS_FAMILY, message)
        .label(op, "true of what is not listed")
        .label(values, format!("lists {listed} alone"))
        .help(format!("{also}, or a filter by `Family`"))
}

pub fn enforces_everywhere(action: Spanned<Action>) -> Diagnostic {
    let message = format!("`{}` hits every process of every node", action.value);
    Diagnostic::lint(Code::ENFORCES_EVERYWHERE, message)
        .label(action.span, "the selector has no filter, and the policy selects no workload")
        .help("add a filter, or `podSelector`")
        .note("the host's own processes are among them, those of the kubelet and of Tetragon too")
}

pub fn caller_not_callee(span: Span) -> Diagnostic {
    Diagnostic::lint(Code::CALLER_NOT_CALLEE, "`matchBinaries` is about the program that calls exec")
        .label(span, "not about the program that is started")
        .help("compare what is started: `matchArgs` on argument 0, of type `linux_binprm` at the LSM hook")
}

pub fn split_selector(span: Span, before: Span, action: Spanned<Action>) -> Diagnostic {
    let message = format!("`{}` is for every event that the selector before does not match", action.value);
    Diagnostic::lint(Code::SPLIT_SELECTOR, message)
        .label(span, "a selector of its own, without filters")
        .label(before, "these filters have no actions, and only keep events from the next one")
        .help("leave the `-` before `matchActions` out to make it one selector; if it is meant, write `matchActions: [{action: Post}]` in the first")
}

pub fn rate_limit_key(limit: Span, sock: Span) -> Diagnostic {
    Diagnostic::lint(Code::RATE_LIMIT_KEY, "the rate limit hardly ever limits")
        .label(limit, "for events that are alike in the first 40 bytes of each argument")
        .label(sock, "these hold the source port, which each connection has anew")
        .help("leave this argument out of a hook that is limited")
}
