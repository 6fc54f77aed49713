//! `matchActions` to [`Actions`] (semantics 6).

use super::Cx;
use super::hooks::HookCx;
use crate::diag::{actions as codes, lints};
use crate::policy::{Actions, ShownAction};
use crate::source::Spanned;
use crate::syntax::ast::objects::Action as WrittenAction;
use crate::syntax::ast::read::List;
use crate::vocab::action::{Action, Availability};
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

const SIGKILL: u32 = 9;
/// What the kernel takes as an error from an LSM program.
const LSM_ERRORS: std::ops::RangeInclusive<i32> = -4095..=0;

pub fn resolve(hook: &HookCx<'_, '_>, written: Option<&List<WrittenAction<'_>>>, cx: &mut Cx<'_>) -> Actions {
    let mut actions = Actions { post: true, override_value: None, signal: None, shown: ShownAction::Post };
    let Some(list) = written else { return actions };
    if let Some(extra) = list.items.get(limit::ACTIONS_PER_SELECTOR) {
        cx.report(codes::too_many_actions(list.items.len(), limit::ACTIONS_PER_SELECTOR, extra.span()));
    }
    for written in &list.items {
        let Some(action) = written.action else { continue };
        check_parameters(written, action, cx);
        match action.value.at(hook.kind) {
            Availability::Works => {}
            Availability::Refused => {
                cx.report(codes::action_unavailable(action, hook.kind.noun()));
                continue;
            }
            Availability::NoEffect => {
                let what = format!("`{}` at a {}", action.value, hook.kind.noun());
                cx.report(lints::no_effect(&what, "loads and does nothing", action.span));
            }
        }
        if !action.value.is_compiled() {
            cx.not_compiled(&format!("action `{}`", action.value), action.span);
        }
        apply(hook, written, action, &mut actions, cx);
    }
    actions
}

/// Actions run in the order written; the last one names the event.
fn apply(
    hook: &HookCx<'_, '_>,
    written: &WrittenAction<'_>,
    action: Spanned<Action>,
    actions: &mut Actions,
    cx: &mut Cx<'_>,
) {
    match action.value {
        Action::Post => actions.shown = ShownAction::Post,
        Action::NoPost => {
            actions.post = false;
            actions.shown = ShownAction::NoPost;
        }
        Action::Sigkill => {
            actions.signal = Some(SIGKILL);
            actions.shown = ShownAction::Sigkill;
        }
        Action::Override => {
            actions.override_value = override_value(hook, written, action, cx);
            actions.shown = ShownAction::Override;
        }
        Action::GetUrl
        | Action::DnsLookup
        | Action::Signal
        | Action::TrackSock
        | Action::UntrackSock
        | Action::NotifyEnforcer
        | Action::CleanupEnforcerNotification
        | Action::Set => {}
    }
}

fn override_value(
    hook: &HookCx<'_, '_>,
    written: &WrittenAction<'_>,
    action: Spanned<Action>,
    cx: &mut Cx<'_>,
) -> Option<i32> {
    if written.error.is_none() && written.poisoned {
        return None;
    }
    let value = written.error.map_or(0, |error| error.value);
    let span = written.error.map_or(action.span, |error| error.span);
    match hook.kind {
        HookKind::Lsm => {
            // Tetragon: what is no error becomes -1 (semantics 2.6).
            let clamped = if LSM_ERRORS.contains(&value) { value } else { -1 };
            if clamped != value {
                let what = format!("`argError: {value}`");
                cx.report(lints::no_effect(
                    &what,
                    "only -4095 to 0 can be returned, and -1 is instead",
                    span,
                ));
            }
            warn_about_zero(clamped, span, cx);
            Some(clamped)
        }
        HookKind::Kprobe => {
            let call = hook.name?;
            if call.value.starts_with("list:") {
                return None;
            }
            if call.value.starts_with("security_") && !hook.syscall {
                if !LSM_ERRORS.contains(&value) {
                    cx.report(codes::override_value_not_compiled(value, span));
                    return None;
                }
                warn_about_zero(value, span, cx);
                return Some(value);
            }
            match hook.syscall {
                true => cx.report(codes::override_syscall_not_compiled(call.value, action.span, call.span)),
                false => cx.report(codes::override_target(call.value, action.span, call.span)),
            }
            None
        }
        HookKind::Fentry
        | HookKind::Tracepoint
        | HookKind::RawTracepoint
        | HookKind::Uprobe
        | HookKind::Usdt => None,
    }
}

fn warn_about_zero(value: i32, span: crate::source::Span, cx: &mut Cx<'_>) {
    if value == 0 {
        cx.report(lints::no_effect("`Override` with 0", "0 means that the call goes on", span));
    }
}

/// Parameters that belong to other actions, and values that none takes.
fn check_parameters(written: &WrittenAction<'_>, action: Spanned<Action>, cx: &mut Cx<'_>) {
    if let Some(limit) = written.rate_limit.filter(|limit| !limit.value.is_empty()) {
        match action.value {
            Action::Post if is_rate_limit(limit.value) => cx.not_compiled("`rateLimit`", limit.span),
            Action::Post => cx.report(codes::bad_rate_limit(limit.value, limit.span)),
            other => cx.report(codes::rate_limit_without_post(other, limit.span)),
        }
    }
    let flags = [
        (written.kernel_stack_trace, "`kernelStackTrace`"),
        (written.user_stack_trace, "`userStackTrace`"),
        (written.ima_hash, "`imaHash`"),
    ];
    for (flag, name) in flags {
        if let Some(flag) = flag.filter(|flag| flag.value) {
            cx.not_compiled(name, flag.span);
        }
    }
}

/// `N`, `Ns`, `Nm` or `Nh`.
fn is_rate_limit(text: &str) -> bool {
    let digits = text.strip_suffix(['s', 'S', 'm', 'M', 'h', 'H']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u32>().is_ok()
}
