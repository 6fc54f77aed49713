//! Parameters of actions: those that an action refuses, and those that it does not look at.

use super::super::hook::HookCx;
use crate::diag::suggest::nearest;
use crate::diag::{actions as codes, lints};
use crate::policy::RateLimit;
use crate::policy::context::Cx;
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::Action as WrittenAction;
use crate::syntax::ast::read::Text;
use crate::vocab::Vocabulary;
use crate::vocab::action::{Action, Availability, Parameter, RateLimitScope};
use crate::vocab::hook::HookKind;

/// LSM hooks at which the hash of the file can be asked for (semantics 2.6).
const IMA_HOOKS: [&str; 11] = [
    "bprm_check_security",
    "bprm_committed_creds",
    "bprm_committing_creds",
    "bprm_creds_for_exec",
    "bprm_creds_from_file",
    "file_ioctl",
    "file_lock",
    "file_open",
    "file_post_open",
    "file_receive",
    "mmap_file",
];

/// The limit of a `Post` that has one, and where it stands.
pub fn check(
    hook: &HookCx<'_, '_>,
    written: &WrittenAction<'_>,
    action: Spanned<Action>,
    cx: &mut Cx<'_>,
) -> Option<(RateLimit, Span)> {
    let limit = rate_limit(written, action.value, cx);
    check_stack_traces(hook.kind, written, action.value, cx);
    check_ima_hash(hook, written, action.value, cx);
    check_unused(written, action.value, cx);
    check_zero(hook.kind, written, action, cx);
    if let Some(sock) = written.sock.filter(|_| action.value.takes(Parameter::Sock))
        && sock.value as usize >= hook.args.known.len()
        && !hook.args.poisoned
    {
        let what = format!("`{}` on position {}", action.value, sock.value);
        cx.report(lints::no_effect(&what, "`args` has no such position", sock.span));
    }
    limit
}

fn rate_limit(written: &WrittenAction<'_>, action: Action, cx: &mut Cx<'_>) -> Option<(RateLimit, Span)> {
    let limit = written.rate_limit.filter(|limit| !limit.value.is_empty());
    let scope = written.rate_limit_scope.filter(|scope| !scope.value.is_empty());
    let Some(limit) = limit else {
        if let Some(scope) = scope {
            cx.report(
                lints::ignored("`rateLimitScope`", "there is no `rateLimit`", scope.span)
                    .help("add `rateLimit`, or remove it"),
            );
        }
        return None;
    };
    if action != Action::Post {
        cx.report(codes::rate_limit_without_post(action, limit.span));
        return None;
    }
    let Some(milliseconds) = milliseconds(limit.value) else {
        cx.report(codes::bad_rate_limit(limit.value, limit.span));
        return None;
    };
    let scope = match scope {
        None => RateLimitScope::Thread,
        Some(scope) => match RateLimitScope::parse(scope.value) {
            Some(known) => known,
            None => {
                let nearest = nearest(scope.value, RateLimitScope::names());
                let names = RateLimitScope::names();
                cx.report(crate::diag::schema::unknown_word(
                    RateLimitScope::WHAT,
                    scope.value,
                    nearest,
                    names,
                    scope.span,
                ));
                return None;
            }
        },
    };
    if milliseconds == 0 {
        cx.report(lints::no_effect("`rateLimit` of 0", "0 limits nothing", limit.span));
        return None;
    }
    Some((RateLimit { milliseconds, scope }, limit.span))
}

/// `N`, `Ns`, `Nm` or `Nh`; as many milliseconds as 32 bits hold at most.
fn milliseconds(text: &str) -> Option<u32> {
    let (digits, unit) = match text.as_bytes().last()? {
        b's' | b'S' => (&text[..text.len() - 1], 1_000),
        b'm' | b'M' => (&text[..text.len() - 1], 60_000),
        b'h' | b'H' => (&text[..text.len() - 1], 3_600_000),
        _ => (text, 1_000),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = is_number.then(|| digits.parse().ok())??;
    Some(u32::try_from(u64::from(number) * unit).unwrap_or(u32::MAX))
}

fn check_stack_traces(kind: HookKind, written: &WrittenAction<'_>, action: Action, cx: &mut Cx<'_>) {
    let flags =
        [(written.kernel_stack_trace, "kernelStackTrace"), (written.user_stack_trace, "userStackTrace")];
    for (flag, name) in flags {
        let Some(flag) = flag.filter(|flag| flag.value) else { continue };
        match kind {
            HookKind::Lsm if action != Action::Post => {
                let why = "Tetragon looks at it of a `Post` only";
                cx.report(lints::ignored(&format!("`{name}`"), why, flag.span));
            }
            HookKind::Lsm => cx.report(codes::stack_trace_unavailable(name, "at an LSM hook", flag.span)),
            HookKind::Kprobe | HookKind::Fentry if action != Action::Post => {
                let what = format!("with `{action}`; only `Post` shows it");
                cx.report(codes::stack_trace_unavailable(name, &what, flag.span));
            }
            HookKind::Kprobe | HookKind::Fentry => _ = cx.not_compiled(&format!("`{name}`"), flag.span),
            HookKind::Tracepoint | HookKind::RawTracepoint | HookKind::Uprobe | HookKind::Usdt => {
                let why = format!("Tetragon does not resolve it at {}", kind.noun());
                cx.report(lints::ignored(&format!("`{name}`"), &why, flag.span));
            }
        }
    }
}

fn check_ima_hash(hook: &HookCx<'_, '_>, written: &WrittenAction<'_>, action: Action, cx: &mut Cx<'_>) {
    let Some(flag) = written.ima_hash.filter(|flag| flag.value) else { return };
    let is_known = hook.name.is_some_and(|name| IMA_HOOKS.contains(&name.value));
    if hook.kind == HookKind::Lsm && is_known && action == Action::Post {
        cx.not_compiled("`imaHash`", flag.span);
    } else {
        let why = "only `Post` at LSM hooks on opened and executed files has it";
        cx.report(lints::ignored("`imaHash`", why, flag.span));
    }
}

/// Signal 0 is none (semantics 6.3).
fn check_zero(kind: HookKind, written: &WrittenAction<'_>, action: Spanned<Action>, cx: &mut Cx<'_>) {
    let is_zero = |number: Option<i64>| number.is_none_or(|number| number == 0);
    let signal = is_zero(written.signal.map(|number| i64::from(number.value)));
    let error = is_zero(written.error.map(|number| i64::from(number.value)));
    let (why, is_empty) = match action.value {
        Action::Signal => ("`argSig` 0 is no signal", signal),
        Action::NotifyEnforcer => {
            ("with neither `argError` nor `argSig` nothing is enforced", signal && error)
        }
        Action::Post
        | Action::Sigkill
        | Action::Override
        | Action::GetUrl
        | Action::DnsLookup
        | Action::NoPost
        | Action::TrackSock
        | Action::UntrackSock
        | Action::CleanupEnforcerNotification
        | Action::Set => return,
    };
    if is_empty && !written.incomplete && action.value.at(kind) == Availability::Works {
        cx.report(lints::no_effect(&format!("`{}`", action.value), why, action.span));
    }
}

/// Parameters of other actions. Tetragon does not look at them.
fn check_unused(written: &WrittenAction<'_>, action: Action, cx: &mut Cx<'_>) {
    let text = |text: Option<Text<'_>>| text.map(|text| text.span);
    let places: [(Parameter, &str, Option<Span>); 11] = [
        (Parameter::Url, "argUrl", text(written.url)),
        (Parameter::Fqdn, "argFqdn", text(written.fqdn)),
        (Parameter::Error, "argError", written.error.map(|n| n.span)),
        (Parameter::Signal, "argSig", written.signal.map(|n| n.span)),
        (Parameter::Sock, "argSock", written.sock.map(|n| n.span)),
        (Parameter::Index, "argIndex", written.index.map(|n| n.span)),
        (Parameter::Value, "argValue", written.value.map(|n| n.span)),
        (Parameter::Registers, "argRegs", written.registers.as_ref().map(|list| list.span)),
        (Parameter::Registers, "argNewSymbol", text(written.new_symbol)),
        (Parameter::Registers, "argNewAddr", written.new_addr.map(|n| n.span)),
        (Parameter::Registers, "argNewOffset", written.new_offset.map(|n| n.span)),
    ];
    for (parameter, name, span) in places {
        if let Some(span) = span
            && !action.takes(parameter)
        {
            cx.report(lints::ignored(&format!("`{name}`"), &format!("`{action}` does not look at it"), span));
        }
    }
}
