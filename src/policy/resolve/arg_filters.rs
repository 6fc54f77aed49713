//! `matchArgs`, `matchData` and `matchReturnArgs`: which argument, which operator, which values.
//!
//! `matchArgs` entries become [`Filter`]s; the others are checked.

use super::args::{Args, KnownArg};
use super::check::reach::Compared;
use super::hook::HookCx;
use super::values;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::given::Given;
use crate::policy::expand::macros::Parts;
use crate::policy::{Filter, Test};
use crate::source::Spanned;
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::List;
use crate::vocab::accepts::{Verdict, accepts};
use crate::vocab::arg_type::FilterClass;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;
use crate::vocab::operator::{Operator, ValueKind};

/// Which list a filter's target is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Args,
    Data,
    Returned,
}

/// Filters on `args`, and those of them that are known value by value.
pub fn resolve<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    counts: &mut Counts,
    cx: &mut Cx<'c>,
) -> (Vec<Filter>, Vec<Compared<'v>>) {
    let args = entries(parts.args);
    let data = entries(parts.data);
    check_counts(args, data, entries(parts.return_args), cx);
    counts.add(args.iter().chain(data), cx);
    let mut compared = vec![];
    let filters = args
        .iter()
        .filter_map(|filter| resolve_one(hook, Subject::Args, filter, &mut compared, cx))
        .collect();
    for filter in data {
        resolve_one(hook, Subject::Data, filter, &mut vec![], cx);
    }
    if hook.hooks_return {
        for filter in entries(parts.return_args) {
            resolve_one(hook, Subject::Returned, filter, &mut vec![], cx);
        }
    }
    (filters, compared)
}

/// What is limited for a whole hook.
#[derive(Default)]
pub struct Counts {
    substrings: usize,
    expressions: usize,
}

impl Counts {
    fn add<'a, 'n: 'a>(&mut self, filters: impl Iterator<Item = &'a ArgFilter<'n>>, cx: &mut Cx<'_>) {
        for filter in filters {
            let Some(op) = filter.operator else { continue };
            match op.value.value_kind() {
                ValueKind::SubString => self.add_substrings(op, filter, cx),
                ValueKind::Expression => {
                    self.expressions += 1;
                    if self.expressions == limit::CEL_EXPRESSIONS + 1 {
                        let message = format!("the hook has more than {} of them", limit::CEL_EXPRESSIONS);
                        cx.report(codes::bad_expression(message, op.span));
                    }
                }
                ValueKind::Typed
                | ValueKind::Number
                | ValueKind::Range
                | ValueKind::Set
                | ValueKind::Prefix
                | ValueKind::Postfix
                | ValueKind::Port
                | ValueKind::Address
                | ValueKind::Protocol
                | ValueKind::Family
                | ValueKind::State
                | ValueKind::FileType
                | ValueKind::Nothing => {}
            }
        }
    }

    fn add_substrings(&mut self, op: Spanned<Operator>, filter: &ArgFilter<'_>, cx: &mut Cx<'_>) {
        let max = limit::SUBSTRINGS_PER_HOOK;
        let before = self.substrings;
        let Given::Listed(values) = cx.variables.given(filter.values.as_ref(), filter.variable) else {
            return;
        };
        let values = &values.items;
        self.substrings += values.len();
        if before <= max && self.substrings > max {
            cx.report(codes::too_many_substrings(op.value.name(), max, values[max - before].span));
        }
    }
}

fn entries<'a, 'n>(list: Option<&'a List<ArgFilter<'n>>>) -> &'a [ArgFilter<'n>] {
    list.map_or(&[], |list| &list.items)
}

fn check_counts(args: &[ArgFilter<'_>], data: &[ArgFilter<'_>], returned: &[ArgFilter<'_>], cx: &mut Cx<'_>) {
    let max = limit::ARG_FILTERS_PER_SELECTOR;
    if let Some(extra) = args.iter().chain(data).nth(max) {
        cx.report(codes::too_many_filters(
            "`matchArgs` and `matchData`",
            args.len() + data.len(),
            max,
            extra.span(),
        ));
    }
    if let Some(extra) = returned.get(max) {
        cx.report(codes::too_many_filters("`matchReturnArgs`", returned.len(), max, extra.span()));
    }
}

/// `None` if it was refused or cannot be compiled; both are reported.
fn resolve_one<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    subject: Subject,
    written: &'v ArgFilter<'v>,
    compared: &mut Vec<Compared<'v>>,
    cx: &mut Cx<'c>,
) -> Option<Filter> {
    let given = cx.values(written.values.as_ref(), written.variable);
    let op = written.operator?;
    if !op.value.is_compiled() {
        cx.not_compiled(&format!("operator `{}`", op.value), op.span);
    }
    if op.value == Operator::CelExpr {
        if subject == Subject::Args {
            values::check_expression(hook, op, written, given, cx);
        } else {
            let why = "an expression is evaluated over `args` and in `matchArgs` only";
            cx.report(
                lints::filter_never_matches("`CelExpr`", why, op.span).help("compare with other operators"),
            );
        }
        return None;
    }
    if op.value == Operator::CapabilitiesGained {
        check_capabilities_gained(hook, subject, op, written, cx);
        return None;
    }
    let (arg, known) = target(hook, subject, written, cx)?;
    let ty = known.ty?;
    cx.check_variable_type(written.variable, Some(ty));
    check_max_data(known, op, cx);
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
    let test = values::resolve(hook, op, ty, given, cx)?;
    // Of a selector that stands alone, whole values can only stand twice, which their number tells.
    let is_plain = |values: usize| match &test {
        Test::Equal(ids) => ids.len() == values,
        Test::Prefix(_) | Test::Postfix(_) | Test::Int(_) => false,
    };
    if let Given::Listed(list) = given
        && !(hook.has_one_selector && is_plain(list.items.len()))
        && let Some(values) = Compared::of(arg, op, ty, &list.items)
    {
        values.report_covered(cx);
        compared.push(values);
    }
    Some(Filter { arg, negated: op.value.is_negated(), test, span: written.span() })
}

/// Tetragon: a `maxData` argument has one more word in front, which filters take for the value (semantics 3.2).
fn check_max_data(known: KnownArg, op: Spanned<Operator>, cx: &mut Cx<'_>) {
    if known.max_data {
        let why = "the argument has `maxData`, and Tetragon compares other bytes of it";
        cx.report(
            lints::filter_never_matches(&format!("`{}`", op.value), why, op.span)
                .help("leave `maxData` out of an argument that is compared"),
        );
    }
}

/// Position in the list of arguments, and the argument: `args: [n]` comes before `index`.
fn target(
    hook: &HookCx<'_, '_>,
    subject: Subject,
    written: &ArgFilter<'_>,
    cx: &mut Cx<'_>,
) -> Option<(usize, KnownArg)> {
    if written.args.as_ref().is_some_and(|list| list.poisoned) {
        return None;
    }
    let (list, noun) = match subject {
        Subject::Args => (hook.args, "args"),
        Subject::Data => (hook.data, "data"),
        Subject::Returned => (hook.returned, "returnArg"),
    };
    if let Some(position) = written.args.as_ref().and_then(|list| list.items.first()) {
        return at_position(list, noun, position.map(|n| n as usize), cx);
    }
    if written.index.is_none() && written.incomplete {
        return None;
    }
    let index = written.index.unwrap_or(Spanned::new(0, written.span()));
    // Positions count for data, whatever the elements' own index is.
    if subject == Subject::Data {
        return at_position(list, noun, index.map(|n| n as usize), cx);
    }
    let found = match subject {
        Subject::Args => list.by_index(hook.kind, index.value),
        Subject::Data | Subject::Returned => list.of_index(index.value),
    };
    check_ambiguous(hook.kind, subject, list, index, cx);
    if found.is_none() && !list.poisoned {
        let what = if subject == Subject::Returned { "returned value" } else { "argument" };
        cx.report(codes::no_such_arg(&format!("{what} {}", index.value), list.span, index.span));
    }
    found.map(|at| (at, list.known[at]))
}

/// Tetragon: of a number that is both the field's counts, and rewriting may go on from there (semantics 2.4).
fn check_ambiguous(kind: HookKind, subject: Subject, list: &Args, index: Spanned<u32>, cx: &mut Cx<'_>) {
    let (HookKind::Tracepoint | HookKind::RawTracepoint) = kind else { return };
    let field = list.known.iter().position(|arg| arg.index == Some(index.value));
    let at_position = list.known.get(index.value as usize);
    if let (Subject::Args, Some(field), Some(other)) = (subject, field, at_position)
        && field != index.value as usize
    {
        let field = list.known[field].ty_span;
        cx.report(lints::ambiguous_index(index.value, field, other.ty_span, index.span));
    }
}

fn at_position(
    list: &Args,
    noun: &str,
    position: Spanned<usize>,
    cx: &mut Cx<'_>,
) -> Option<(usize, KnownArg)> {
    let found = list.known.get(position.value);
    if found.is_none() && !list.poisoned {
        cx.report(codes::no_such_arg(
            &format!("position {} of `{noun}`", position.value),
            list.span,
            position.span,
        ));
    }
    found.map(|&arg| (position.value, arg))
}

/// Two capability sets, by position: the second has what the first has not.
fn check_capabilities_gained(
    hook: &HookCx<'_, '_>,
    subject: Subject,
    op: Spanned<Operator>,
    written: &ArgFilter<'_>,
    cx: &mut Cx<'_>,
) {
    if written.poisoned {
        return;
    }
    if subject == Subject::Data {
        let why = "Tetragon takes the second position for one of `args`";
        cx.report(
            lints::filter_never_matches("`CapabilitiesGained` on data", why, op.span)
                .help("compare two elements of `args`"),
        );
        return;
    }
    let positions = written.args.as_ref().map_or(&[][..], |args| &args.items);
    let [first, second] = positions else {
        let span = written.args.as_ref().map_or(op.span, |args| args.span);
        cx.report(codes::no_such_arg(
            "one argument, and two are compared: `args: [old, new]`",
            hook.args.span,
            span,
        ));
        return;
    };
    for position in [first, second] {
        let found = at_position(hook.args, "args", position.map(|n| n as usize), cx);
        if let Some((_, KnownArg { ty: Some(ty), ty_span, .. })) = found
            && ty.filter_class() != FilterClass::CapSet
        {
            cx.report(codes::operator_refuses_type(op, ty, ty_span));
        }
    }
}
