//! `matchActions` to [`Actions`], and the checks of `matchReturnActions` (semantics 6).

mod parameters;
mod registers;

use super::hook::HookCx;
use crate::diag::{actions as codes, lints, weak};
use crate::policy::context::{Cx, kernels};
use crate::policy::expand::lists;
use crate::policy::expand::macros::Parts;
use crate::policy::{Actions, ShownAction};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::Action as WrittenAction;
use crate::syntax::ast::read::List;
use crate::vocab::action::{Action, Availability};
use crate::vocab::attach;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

const SIGKILL: u32 = 9;
/// What the kernel takes as an error from an LSM program.
const LSM_ERRORS: std::ops::RangeInclusive<i32> = -4095..=0;

pub fn resolve(hook: &HookCx<'_, '_>, written: Option<&List<WrittenAction<'_>>>, cx: &mut Cx<'_>) -> Actions {
    let mut actions =
        Actions { post: true, override_value: None, signal: None, limit: None, shown: ShownAction::Post };
    let Some(list) = written else { return actions };
    check_count(list, cx);
    let mut limited = None;
    for written in &list.items {
        let Some(action) = written.action else { continue };
        if let Some(limit) = parameters::check(hook, written, action, cx) {
            // Each would count for itself.
            if let Some((_, span)) = limited.replace(limit) {
                cx.not_compiled("a second `rateLimit` in one selector", span);
            }
        }
        match action.value.at(hook.kind) {
            Availability::Works => {}
            Availability::Refused => {
                cx.report(codes::action_unavailable(action, hook.kind.noun()));
                continue;
            }
            Availability::NoEffect => {
                let what = format!("`{}` at {}", action.value, hook.kind.noun());
                cx.report(lints::no_effect(&what, "loads and does nothing", action.span));
            }
        }
        if action.value == Action::NotifyEnforcer
            && matches!(hook.kind, HookKind::Kprobe | HookKind::Tracepoint)
            && !hook.policy.has_enforcers
        {
            cx.report(codes::no_enforcer(action.span));
        }
        apply(hook, written, action, &mut actions, cx);
    }
    if hook.kind == HookKind::Uprobe {
        registers::check_overrides(list, cx);
    }
    check_beside(hook, list, cx);
    actions.limit = limited.filter(|_| actions.post).map(|(limit, _)| limit);
    actions
}

/// Actions that others of the list leave without effect (semantics 6.1, 6.3).
fn check_beside(hook: &HookCx<'_, '_>, list: &List<WrittenAction<'_>>, cx: &mut Cx<'_>) {
    let actions: Vec<Spanned<Action>> = list.items.iter().filter_map(|written| written.action).collect();
    let is_silent = actions.iter().any(|action| action.value == Action::NoPost);
    for (i, action) in actions.iter().enumerate() {
        let behind = &actions[i + 1..];
        let why = match action.value {
            Action::Post if is_silent => "`NoPost` keeps the event back, in any order",
            Action::GetUrl | Action::DnsLookup if is_silent => {
                "it is done when the event arrives, and `NoPost` keeps that back"
            }
            Action::GetUrl | Action::DnsLookup
                if behind.iter().any(|a| matches!(a.value, Action::GetUrl | Action::DnsLookup)) =>
            {
                "the last of several counts"
            }
            Action::Override
                if hook.kind != HookKind::Uprobe && behind.iter().any(|a| a.value == Action::Override) =>
            {
                "the last of several counts"
            }
            Action::Post
            | Action::NoPost
            | Action::Sigkill
            | Action::Override
            | Action::GetUrl
            | Action::DnsLookup
            | Action::Signal
            | Action::TrackSock
            | Action::UntrackSock
            | Action::NotifyEnforcer
            | Action::CleanupEnforcerNotification
            | Action::Set => continue,
        };
        cx.report(lints::no_effect(&format!("`{}` here", action.value), why, action.span));
    }
}

fn check_count(list: &List<WrittenAction<'_>>, cx: &mut Cx<'_>) {
    if let Some(extra) = list.items.get(limit::ACTIONS_PER_SELECTOR) {
        cx.report(codes::too_many_actions(list.items.len(), limit::ACTIONS_PER_SELECTOR, extra.span()));
    }
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
        | Action::Set => _ = cx.not_compiled(&format!("action `{}`", action.value), action.span),
    }
}

fn override_value(
    hook: &HookCx<'_, '_>,
    written: &WrittenAction<'_>,
    action: Spanned<Action>,
    cx: &mut Cx<'_>,
) -> Option<i32> {
    if written.error.is_none() && written.incomplete {
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
        HookKind::Kprobe => override_kprobe(hook, action, Spanned::new(value, span), cx),
        HookKind::Tracepoint | HookKind::RawTracepoint => {
            _ = cx.not_compiled(&format!("`Override` at {}", hook.kind.noun()), action.span);
            None
        }
        HookKind::Fentry | HookKind::Uprobe | HookKind::Usdt => None,
    }
}

fn override_kprobe(
    hook: &HookCx<'_, '_>,
    action: Spanned<Action>,
    value: Spanned<i32>,
    cx: &mut Cx<'_>,
) -> Option<i32> {
    let call = hook.name?;
    let mut result = None;
    for function in overridden(hook, call.value) {
        if function.starts_with("security_") && !hook.syscall {
            kernels::check_security_override(function, hook.policy.spec, action.span, cx);
            if !LSM_ERRORS.contains(&value.value) {
                cx.report(codes::override_value_not_compiled(value.value, value.span));
                return None;
            }
            warn_about_zero(value.value, value.span, cx);
            if attach::equivalent(function).is_none() {
                cx.report(weak::fmod_ret_only(function, action.span, call.span));
            }
            result = Some(value.value);
        } else if hook.syscall {
            kernels::check_syscall_override(function, action.span, cx);
            cx.report(codes::override_syscall_not_compiled(function, action.span, call.span));
            return None;
        } else {
            cx.report(codes::override_target(function, action.span, call.span));
            return None;
        }
    }
    result
}

/// The functions that the call stands for, as far as they are known.
fn overridden<'a>(hook: &HookCx<'a, '_>, call: &'a str) -> Vec<&'a str> {
    let Some(name) = call.strip_prefix(lists::REFERENCE) else { return vec![call] };
    let list = hook.policy.lists.find(name);
    list.and_then(|list| list.values.as_ref())
        .iter()
        .flat_map(|values| values.items.iter().map(|v| v.value))
        .collect()
}

fn warn_about_zero(value: i32, span: Span, cx: &mut Cx<'_>) {
    if value == 0 {
        cx.report(
            lints::no_effect("`Override` with 0", "0 means that the call goes on", span).help("argError: -1"),
        );
    }
}

/// `matchReturnActions`: run at the return, where the call can no longer be changed.
pub fn check_return_actions(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    let Some(list) = parts.return_actions else { return };
    if !hook.hooks_return {
        let why = match hook.kind {
            HookKind::Kprobe | HookKind::Fentry | HookKind::Uprobe => "the hook has no `return: true`",
            HookKind::Tracepoint | HookKind::RawTracepoint | HookKind::Lsm | HookKind::Usdt => {
                "nothing returns here"
            }
        };
        cx.report(lints::ignored("`matchReturnActions`", why, list.span));
        return;
    }
    check_count(list, cx);
    if !list.items.is_empty() {
        cx.not_compiled("`matchReturnActions`", list.span);
    }
    for written in &list.items {
        let Some(action) = written.action else { continue };
        parameters::check(hook, written, action, cx);
        match action.value {
            Action::GetUrl | Action::DnsLookup if hook.kind == HookKind::Uprobe => {
                cx.report(codes::action_unavailable(action, "the return of a uprobe"));
            }
            Action::Override | Action::NotifyEnforcer | Action::Set => {
                let what = format!("`{}` at a return", action.value);
                cx.report(lints::no_effect(&what, "the call is over", action.span));
            }
            Action::Post
            | Action::NoPost
            | Action::Sigkill
            | Action::Signal
            | Action::GetUrl
            | Action::DnsLookup
            | Action::TrackSock
            | Action::UntrackSock
            | Action::CleanupEnforcerNotification => {}
        }
    }
}
