//! Filters that came to the language after 4fbfe2d: checked, not compiled yet.
//!
//! Source: Tetragon's pull requests 5439 (`matchCEL`), 5442 (`matchCmdArgs`) and 5175 (`matchUserCallers`).

use super::hook::HookCx;
use super::values::cel;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::source::Span;
use crate::syntax::ast::objects::{CelFilter, CmdArgFilter, Selector, UserCallerFilter};
use crate::syntax::ast::read::List;
use crate::syntax::ast::rules::key_span;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;
use crate::vocab::operator::Operator;

/// Words of a command line that Tetragon looks at.
const WORDS: u32 = 32;
/// Frames of a stack that it looks at.
const FRAMES: u32 = 15;

pub fn check(hook: &HookCx<'_, '_>, selector: &Selector<'_>, cx: &mut Cx<'_>) {
    let key = |name: &str| key_span(selector.node, name);
    if let Some(filter) = &selector.match_cel {
        check_cel(hook, filter, cx);
        cx.not_compiled("`matchCEL`", key("matchCEL").unwrap_or(filter.span()));
    }
    if let Some(list) = selector.match_cmd_args.as_ref().filter(|list| !list.items.is_empty()) {
        check_cmd_args(list, cx);
        cx.not_compiled("`matchCmdArgs`", key("matchCmdArgs").unwrap_or(list.span));
    }
    if let Some(list) = selector.match_user_callers.as_ref().filter(|list| !list.items.is_empty()) {
        check_user_callers(hook, list, cx);
        cx.not_compiled("`matchUserCallers`", key("matchUserCallers").unwrap_or(list.span));
    }
}

fn check_cel(hook: &HookCx<'_, '_>, filter: &CelFilter<'_>, cx: &mut Cx<'_>) {
    let Some(expr) = filter.expr else { return };
    // What `dataN` is, is not looked at.
    if !expr.value.contains("data")
        && let Err(message) = cel::check(expr.value, hook.args)
    {
        cx.report(codes::bad_expression(message, expr.span));
    }
    if !hook.kind.has_cel() {
        let why =
            format!("Tetragon evaluates expressions at kprobes and uprobes, not at {}", hook.kind.noun());
        cx.report(lints::filter_never_matches("`matchCEL`", &why, expr.span));
    }
}

fn check_cmd_args(list: &List<CmdArgFilter<'_>>, cx: &mut Cx<'_>) {
    let extra = list.items.get(limit::ARG_FILTERS_PER_SELECTOR).map(CmdArgFilter::span);
    check_count("`matchCmdArgs`", list.items.len(), extra, cx);
    for filter in &list.items {
        if let Some(index) = filter.index.filter(|index| index.value >= WORDS) {
            let why = format!("Tetragon looks at the first {WORDS} words");
            cx.report(lints::filter_never_matches(&format!("word {}", index.value), &why, index.span));
        }
        let Some(op) = filter.operator else { continue };
        use Operator::{Equal, NotEqual, NotPostfix, NotPrefix, Postfix, Prefix};
        if ![Equal, NotEqual, Prefix, NotPrefix, Postfix, NotPostfix].contains(&op.value) {
            let known = [Equal, NotEqual, Prefix, NotPrefix, Postfix, NotPostfix].map(|op| op.name());
            cx.report(crate::diag::schema::unknown_word(
                "operator here",
                op.value.name(),
                None,
                known,
                op.span,
            ));
        }
        if let Some(values) =
            filter.values.as_ref().filter(|values| values.items.is_empty() && !values.poisoned)
        {
            cx.report(codes::no_values(op.value.name(), values.span));
        }
    }
}

fn check_user_callers(hook: &HookCx<'_, '_>, list: &List<UserCallerFilter<'_>>, cx: &mut Cx<'_>) {
    if hook.kind != HookKind::Uprobe {
        let why = "the stack of a user program is looked at for uprobes only";
        cx.report(codes::filter_unavailable("matchUserCallers", hook.kind.noun(), why, list.span));
    }
    let extra = list.items.get(limit::ARG_FILTERS_PER_SELECTOR).map(UserCallerFilter::span);
    check_count("`matchUserCallers`", list.items.len(), extra, cx);
    for filter in &list.items {
        if let Some(depth) = filter.depth {
            let number = depth.value.parse::<u32>().ok().filter(|_| !depth.value.starts_with(['0', '+']));
            if depth.value != "any" && !number.is_some_and(|number| (1..=FRAMES).contains(&number)) {
                cx.report(codes::bad_value(depth.value, "`any`, or `1` to `15`", depth.span));
            }
        }
        let has_symbol = filter.symbol.is_some_and(|symbol| !symbol.value.is_empty());
        let range = (filter.start_range, filter.end_range);
        match (has_symbol, range) {
            (true, (None, None)) => {}
            (false, (Some(start), Some(end))) if 0 < start.value && start.value < end.value => {}
            (false, (Some(start), Some(_))) => {
                cx.report(codes::bad_value(
                    &start.value.to_string(),
                    "an offset before `endRange`",
                    start.span,
                ));
            }
            _ if filter.incomplete => {}
            _ => cx.report(codes::bad_value(
                "",
                "either `symbol`, or `startRange` and `endRange`",
                filter.span(),
            )),
        }
    }
}

fn check_count(what: &str, count: usize, extra: Option<Span>, cx: &mut Cx<'_>) {
    if let Some(extra) = extra {
        cx.report(codes::too_many_filters(what, count, limit::ARG_FILTERS_PER_SELECTOR, extra));
    }
}
