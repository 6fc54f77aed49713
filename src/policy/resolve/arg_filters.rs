//! `matchArgs` entries to [`Filter`]s: which argument, which operator, which values.

use super::args::{Args, KnownArg};
use super::hooks::HookCx;
use super::{Cx, values};
use crate::diag::{arguments as codes, lints};
use crate::policy::{Filter, Test};
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::List;
use crate::vocab::accepts::{Verdict, accepts};
use crate::vocab::limit;

pub fn resolve(hook: &HookCx<'_, '_>, written: Option<&List<ArgFilter<'_>>>, cx: &mut Cx<'_>) -> Vec<Filter> {
    let Some(list) = written else { return vec![] };
    if let Some(extra) = list.items.get(limit::ARG_FILTERS_PER_SELECTOR) {
        let max = limit::ARG_FILTERS_PER_SELECTOR;
        cx.report(codes::too_many_filters(
            "`matchArgs` and `matchData`",
            list.items.len(),
            max,
            extra.span(),
        ));
    }
    list.items.iter().filter_map(|filter| resolve_one(hook, filter, cx)).collect()
}

/// `None` if it was refused or cannot be compiled; both are reported.
fn resolve_one(hook: &HookCx<'_, '_>, written: &ArgFilter<'_>, cx: &mut Cx<'_>) -> Option<Filter> {
    let target = target(hook.args, written, cx);
    let op = written.operator?;
    if !op.value.is_compiled() {
        cx.not_compiled(&format!("operator `{}`", op.value), op.span);
    }
    let (arg, known) = target?;
    let ty = known.ty?;
    let negated = op.value.is_negated();
    match accepts(op.value, ty.filter_class()) {
        Verdict::Works => {}
        Verdict::Refused => {
            cx.report(codes::operator_refuses_type(op, ty, known.ty_span));
            return None;
        }
        Verdict::AlwaysTrue => {
            cx.report(lints::always_matches_type(op, ty, known.ty_span));
            cx.not_compiled(&format!("operator `{}` on `{ty}`", op.value), op.span);
            return None;
        }
        Verdict::AlwaysFalse => {
            // Negated or not: the operator is not handled, and what is not handled does not match.
            cx.report(lints::never_matches_type(op, ty, known.ty_span));
            return Some(Filter { arg, negated: false, test: Test::Int(vec![]), span: written.span() });
        }
    }
    if written.poisoned {
        return None;
    }
    let test = values::resolve(op, ty, written, cx)?;
    Some(Filter { arg, negated, test, span: written.span() })
}

/// Position in the list of arguments, and the argument: `args: [n]` comes before `index`.
fn target(args: &Args, written: &ArgFilter<'_>, cx: &mut Cx<'_>) -> Option<(usize, KnownArg)> {
    if written.args.as_ref().is_some_and(|list| list.poisoned) {
        return None;
    }
    if let Some(position) = written.args.as_ref().and_then(|list| list.items.first()) {
        let found = args.known.get(position.value as usize);
        if found.is_none() && !args.poisoned {
            cx.report(codes::no_such_arg(
                &format!("position {} of `args`", position.value),
                args.span,
                position.span,
            ));
        }
        return found.map(|&arg| (position.value as usize, arg));
    }
    if written.index.is_none() && written.poisoned {
        return None;
    }
    let index = written.index.map_or(0, |index| index.value);
    let found = args.known.iter().position(|arg| arg.index == Some(index));
    if found.is_none() && !args.poisoned {
        let span = written.index.map_or(written.span(), |index| index.span);
        cx.report(codes::no_such_arg(&format!("argument {index}"), args.span, span));
    }
    found.map(|at| (at, args.known[at]))
}
