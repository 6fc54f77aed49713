//! `matchArgs`, `matchData` and `matchReturnArgs`: which argument, which operator, which values.
//!
//! `matchArgs` entries become [`Condition`]s; the others are checked.

use super::args::{Args, KnownArg};
use super::check::reach::Compared;
use super::hook::HookCx;
use super::values;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::given::Given;
use crate::policy::context::reported::{self, Reported};
use crate::policy::expand::macros::Parts;
use crate::policy::{Condition, Source, Values};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::List;
use crate::syntax::ast::rules::key_span;
use crate::vocab::arg_type::FilterClass;
use crate::vocab::condition::{Projection, Verdict, compare};
use crate::vocab::filter::FilterKind;
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

/// Conditions on `args`; those of them that are known value by value go to `compared`.
pub fn resolve<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    compared: &mut Vec<Compared<'v>>,
    cx: &mut Cx<'c>,
) -> Result<Vec<Condition>, Reported> {
    let args = entries(parts.args);
    let found: Vec<_> = args
        .iter()
        .map(|filter| {
            let asked = resolve_one(hook, Subject::Args, filter, compared, cx)?;
            let Asked { at, projection, negated, values } = asked;
            let source = Source::Argument(at);
            Ok(Condition { source, projection, negated, values, span: filter.span() })
        })
        .collect();
    reported::all(found)
}

/// `matchData`: no source reads data yet.
pub fn resolve_data<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    key: Option<Span>,
    cx: &mut Cx<'c>,
) -> Result<Vec<Condition>, Reported> {
    let Some(list) = parts.data else { return Ok(vec![]) };
    for filter in entries(parts.data) {
        _ = resolve_one(hook, Subject::Data, filter, &mut vec![], cx);
    }
    Err(cx.not_compiled("`matchData`", key.unwrap_or(list.span)))
}

/// `matchReturnArgs`: conditions on the one argument of the return.
pub fn resolve_returned<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    parts: &Parts<'v, 'v>,
    cx: &mut Cx<'c>,
) -> Result<Vec<Condition>, Reported> {
    let Some(list) = parts.return_args else { return Ok(vec![]) };
    if !hook.hooks_return {
        let key = key_span(parts.written.node, FilterKind::ReturnArgs.name());
        return Err(cx.not_compiled("`matchReturnArgs`", key.unwrap_or(list.span)));
    }
    let condition = |filter: &'v ArgFilter<'v>| {
        let asked = resolve_one(hook, Subject::Returned, filter, &mut vec![], cx)?;
        let Asked { at, projection, negated, values } = asked;
        let source = Source::Argument(at);
        Ok(Condition { source, projection, negated, values, span: filter.span() })
    };
    reported::all(entries(parts.return_args).iter().map(condition).collect())
}

/// What is limited for a selector and for its hook.
pub fn check_counts<'v, 'c: 'v>(parts: &Parts<'v, 'v>, counts: &mut Counts, cx: &mut Cx<'c>) {
    let (args, data) = (entries(parts.args), entries(parts.data));
    check_entries(args, data, entries(parts.return_args), cx);
    counts.add(args.iter().chain(data), cx);
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
                | ValueKind::Above
                | ValueKind::Below
                | ValueKind::Bits
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

fn check_entries(
    args: &[ArgFilter<'_>],
    data: &[ArgFilter<'_>],
    returned: &[ArgFilter<'_>],
    cx: &mut Cx<'_>,
) {
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

/// What an entry asks of the element of a list.
struct Asked {
    /// Position in the list.
    at: usize,
    projection: Projection,
    negated: bool,
    values: Values,
}

fn resolve_one<'v, 'c: 'v>(
    hook: &HookCx<'_, '_>,
    subject: Subject,
    written: &'v ArgFilter<'v>,
    compared: &mut Vec<Compared<'v>>,
    cx: &mut Cx<'c>,
) -> Result<Asked, Reported> {
    let given = cx.values(written.values.as_ref(), written.variable);
    let Some(op) = written.operator else { return Err(cx.reported(written.span())) };
    if op.value == Operator::CelExpr {
        if subject == Subject::Args {
            values::check_expression(hook, op, written, given, cx);
        } else {
            let why = "an expression is evaluated over `args` and in `matchArgs` only";
            cx.report(
                lints::filter_never_matches("`CelExpr`", why, op.span).help("compare with other operators"),
            );
        }
        return Err(operator_not_compiled(op, cx));
    }
    if op.value == Operator::CapabilitiesGained {
        check_capabilities_gained(hook, subject, op, written, cx);
        return Err(operator_not_compiled(op, cx));
    }
    let (at, known) = target(hook, subject, written, cx)?;
    let Some(ty) = known.ty else { return Err(cx.reported(written.span())) };
    cx.check_variable_type(written.variable, Some(ty));
    check_max_data(known, op, cx);
    let (projection, kind) = match compare(op.value, ty.filter_class()) {
        Verdict::Works(projection, kind) => (projection, kind),
        Verdict::Refused => return Err(cx.refuse(codes::operator_refuses_type(op, ty, known.ty_span))),
        Verdict::AlwaysTrue => {
            cx.report(lints::always_matches_type(op, ty, known.ty_span));
            return Err(cx.not_compiled(&format!("operator `{}` on `{ty}`", op.value), op.span));
        }
        Verdict::AlwaysFalse => {
            // Negated or not: the operator is not handled, and what is not handled does not match.
            cx.report(lints::never_matches_type(op, ty, known.ty_span));
            let values = Values::Intervals(vec![]);
            return Ok(Asked { at, projection: Projection::Whole, negated: false, values });
        }
    };
    if written.poisoned {
        return Err(cx.reported(written.span()));
    }
    let values = values::resolve(hook, op, ty, kind, given, cx)?;
    // What the kind's values are compared with has to be read as well.
    if ty.reader(projection).is_none() {
        return Err(cx.reported(op.span));
    }
    // Of a selector that stands alone, whole values can only stand twice, which their number tells.
    let is_plain = |count: usize| match &values {
        Values::Path(ids) | Values::Text(ids) => ids.len() == count,
        Values::Prefix(_)
        | Values::Postfix(_)
        | Values::Intervals(_)
        | Values::AnyBit(_)
        | Values::Addresses(_) => false,
    };
    if let Given::Listed(list) = given
        && !(hook.has_one_selector && is_plain(list.items.len()))
        && let Some(values) = Compared::of(at, op, ty, &list.items)
    {
        values.report_covered(cx);
        compared.push(values);
    }
    Ok(Asked { at, projection, negated: op.value.is_negated(), values })
}

fn operator_not_compiled(op: Spanned<Operator>, cx: &mut Cx<'_>) -> Reported {
    cx.not_compiled(&format!("operator `{}`", op.value), op.span)
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
) -> Result<(usize, KnownArg), Reported> {
    if written.args.as_ref().is_some_and(|list| list.poisoned) {
        return Err(cx.reported(written.span()));
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
        return Err(cx.reported(written.span()));
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
    match found {
        Some(at) => Ok((at, list.known[at])),
        None if list.poisoned => Err(cx.reported(index.span)),
        None => {
            let what = if subject == Subject::Returned { "returned value" } else { "argument" };
            Err(cx.refuse(codes::no_such_arg(&format!("{what} {}", index.value), list.span, index.span)))
        }
    }
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
) -> Result<(usize, KnownArg), Reported> {
    match list.known.get(position.value) {
        Some(&arg) => Ok((position.value, arg)),
        None if list.poisoned => Err(cx.reported(position.span)),
        None => {
            let what = format!("position {} of `{noun}`", position.value);
            Err(cx.refuse(codes::no_such_arg(&what, list.span, position.span)))
        }
    }
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
        if let Ok((_, KnownArg { ty: Some(ty), ty_span, .. })) = found
            && ty.filter_class() != FilterClass::CapSet
        {
            cx.report(codes::operator_refuses_type(op, ty, ty_span));
        }
    }
}
