//! Filters on the process: PIDs, programs, namespaces, capabilities.
//!
//! Each is checked as Tetragon does, and what Tetragon takes and does not do as written is pointed out (semantics 4.2 to
//! 4.7, 4.11, 10.6). What the task itself shows when it makes the call is compiled: each entry is a condition of its own,
//! and all have to hold. What it was like before, or what its ancestors are, nothing records yet: refused.

use super::values::number::parse_decimal;
use super::values::text::lint_nul;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::facts::FactKind;
use crate::policy::context::given::Given;
use crate::policy::context::reported;
use crate::policy::context::reported::Reported;
use crate::policy::expand::macros::Parts;
use crate::policy::{Condition, Interval, Source, StrId, Values};
use crate::source::Span;
use crate::syntax::ast::objects::{
    BinaryFilter, CapabilityFilter, NamespaceChangeFilter, NamespaceFilter, PidFilter,
};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::Vocabulary;
use crate::vocab::arg_type::ArgType;
use crate::vocab::capability::{Capability, CapabilitySet};
use crate::vocab::condition::Projection;
use crate::vocab::fact::{self, Fact, namespace_number};
use crate::vocab::filter::FilterKind;
use crate::vocab::limit;
use crate::vocab::namespace::Namespace;
use crate::vocab::operator::{BinaryOperator, SetOperator};

/// The conditions of one filter. `key` is where the selector names it, if it does so itself.
pub fn resolve(
    kind: FilterKind,
    parts: &Parts<'_, '_>,
    key: Option<Span>,
    cx: &mut Cx<'_>,
) -> Result<Vec<Condition>, Reported> {
    let place = match kind {
        FilterKind::Pids => return parts.pids.map_or(Ok(vec![]), |list| pids(list, cx)),
        FilterKind::Binaries => return each(parts.binaries, binaries, cx),
        FilterKind::Namespaces => {
            if let Some(list) = parts.namespaces {
                check_namespace_count(list, cx);
            }
            return each(parts.namespaces, namespaces, cx);
        }
        FilterKind::Capabilities => {
            if let Some(list) = parts.capabilities {
                check_capability_count(list, kind.name(), cx);
            }
            return each(parts.capabilities, capabilities, cx);
        }
        FilterKind::ParentBinaries => parts.parent_binaries.map(|list| {
            cx.unchecked(FactKind::ParentsMap, "", list.span);
            list.items.iter().for_each(|filter| drop(binaries(filter, cx)));
            list.span
        }),
        FilterKind::NamespaceChanges => parts.namespace_changes.map(|list| {
            check_namespace_changes(list, cx);
            list.span
        }),
        FilterKind::CapabilityChanges => parts.capability_changes.map(|list| {
            check_capability_count(list, kind.name(), cx);
            list.items.iter().for_each(|filter| drop(capabilities(filter, cx)));
            list.span
        }),
        FilterKind::Args | FilterKind::Data | FilterKind::ReturnArgs | FilterKind::Workloads => None,
    };
    match place {
        // Nothing records what a process was like before, nor who its parent is.
        Some(span) => Err(cx.not_compiled(&format!("`{kind}`"), key.unwrap_or(span))),
        None => Ok(vec![]),
    }
}

/// The conditions of all entries of a filter.
fn each<'a, T>(
    list: Option<&List<T>>,
    resolve: impl Fn(&T, &mut Cx<'a>) -> Result<Vec<Condition>, Reported>,
    cx: &mut Cx<'a>,
) -> Result<Vec<Condition>, Reported> {
    let Some(list) = list else { return Ok(vec![]) };
    let found = list.items.iter().map(|filter| resolve(filter, cx)).collect();
    let found = reported::all(found)?;
    if list.poisoned {
        return Err(cx.reported(list.span));
    }
    Ok(found.concat())
}

fn condition(fact: Fact, negated: bool, values: Values, span: Span) -> Condition {
    Condition { source: Source::Fact(fact), projection: Projection::Whole, negated, values, span }
}

/// The numbers of namespaces that are the host's, whatever their inodes.
fn host_namespaces() -> Interval {
    Interval { first: namespace_number(0, true), last: namespace_number(u32::MAX, true) }
}

fn pids(list: &List<PidFilter<'_>>, cx: &mut Cx<'_>) -> Result<Vec<Condition>, Reported> {
    // Tetragon: the kernel reads the first entry and its first four values (semantics 4.2).
    if let Some(second) = list.items.get(1) {
        cx.report(lints::ignored(
            "a second entry of `matchPIDs`",
            "Tetragon reads the first one only",
            second.span(),
        ));
    }
    each(Some(list), pid, cx)
}

fn pid(filter: &PidFilter<'_>, cx: &mut Cx<'_>) -> Result<Vec<Condition>, Reported> {
    let (Some(op), Some(values)) = (filter.operator, &filter.values) else {
        return Err(cx.reported(filter.span()));
    };
    if let Some(extra) = values.items.get(limit::INLINE_VALUES) {
        cx.report(lints::ignored("a fifth value of `matchPIDs`", "Tetragon reads four", extra.span));
    }
    check_empty(values.items.is_empty() && !values.poisoned, Some(op.value), values.span, cx);
    let is_on = |flag: Option<crate::source::Spanned<bool>>| flag.is_some_and(|flag| flag.value);
    let is_of_namespace = is_on(filter.is_namespace_pid);
    if let Some(flag) = filter.follow_forks.filter(|flag| flag.value) {
        if is_of_namespace && let Some(zero) = values.items.iter().find(|value| value.value == 0) {
            // Tetragon: the parent's id stays 0 there, so that 0 is always found (semantics 4.2).
            let why = "with `isNamespacePID` and `followForks` Tetragon finds 0 in every process";
            match op.value {
                SetOperator::In => {
                    cx.report(lints::filter_always_matches("`In` with 0", why, zero.span).help("leave 0 out"))
                }
                SetOperator::NotIn => cx.report(
                    lints::filter_never_matches("`NotIn` with 0", why, zero.span).help("leave 0 out"),
                ),
            }
        }
        // Nothing records who forked whom.
        return Err(cx.not_compiled("`followForks`", flag.span));
    }
    if values.poisoned {
        return Err(cx.reported(values.span));
    }
    let fact = if is_of_namespace { Fact::NamespacePid } else { Fact::Pid };
    let numbers = Values::numbers(values.items.iter().map(|value| value.value.into()));
    Ok(vec![condition(fact, op.value == SetOperator::NotIn, numbers, filter.span())])
}

/// The values of a filter, if they are known. What it compares with them is no argument.
fn listed<'v, 'a: 'v>(
    own: Option<&'v List<Text<'v>>>,
    variable: Option<Text<'_>>,
    cx: &mut Cx<'a>,
) -> Option<&'v List<Text<'v>>> {
    match cx.values(own, variable) {
        Given::Listed(values) => Some(values),
        Given::Open => {
            cx.check_variable_type(variable, None);
            None
        }
        Given::Nothing => None,
    }
}

fn check_empty(is_empty: bool, op: Option<SetOperator>, span: Span, cx: &mut Cx<'_>) {
    if is_empty {
        match op {
            Some(SetOperator::In) => cx.report(
                lints::filter_never_matches("`In` without values", "nothing is in it", span)
                    .help("give values, or remove the filter"),
            ),
            Some(SetOperator::NotIn) => {
                cx.report(lints::ignored("`NotIn` without values", "everything is outside", span))
            }
            None => {}
        }
    }
}

fn binaries(filter: &BinaryFilter<'_>, cx: &mut Cx<'_>) -> Result<Vec<Condition>, Reported> {
    let values = listed(filter.values.as_ref(), filter.variable, cx);
    let (Some(op), Some(values)) = (filter.operator, values) else {
        return Err(cx.reported(filter.span()));
    };
    let follows = filter.follow_children.filter(|flag| flag.value);
    let refused = follows.filter(|_| !op.value.allows_follow_children());
    let refused = refused.map(|flag| cx.refuse(codes::follow_children(op.value.name(), flag.span)));
    let is_empty = values.items.is_empty() && !values.poisoned;
    if is_empty {
        cx.report(lints::ignored("a program filter without values", "it matches every program", values.span));
    }
    let texts = values.items.iter().map(|value| binary(op.value, *value, cx)).collect();
    let texts: Vec<Option<StrId>> = reported::all(texts)?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    if let Some(flag) = follows {
        // Nothing records which programs an ancestor ran.
        return Err(cx.not_compiled("`followChildren`", flag.span));
    }
    if values.poisoned {
        return Err(cx.reported(values.span));
    }
    if is_empty {
        return Ok(vec![]);
    }
    let mut texts: Vec<StrId> = texts.into_iter().flatten().collect();
    texts.sort_unstable();
    texts.dedup();
    let (negated, values) = match op.value {
        BinaryOperator::In => (false, Values::Path(texts)),
        BinaryOperator::NotIn => (true, Values::Path(texts)),
        BinaryOperator::Prefix => (false, Values::Prefix(texts)),
        BinaryOperator::NotPrefix => (true, Values::Prefix(texts)),
        BinaryOperator::Postfix => (false, Values::Postfix(texts)),
        BinaryOperator::NotPostfix => (true, Values::Postfix(texts)),
    };
    Ok(vec![condition(Fact::Binary, negated, values, filter.span())])
}

/// `None`: no program's path is it, which was said.
fn binary(op: BinaryOperator, value: Text<'_>, cx: &mut Cx<'_>) -> Result<Option<StrId>, Reported> {
    let bytes = value.value.len();
    if bytes > op.max_value_bytes() {
        return Err(cx.refuse(codes::value_too_long(op.name(), bytes, op.max_value_bytes(), value.span)));
    }
    let is_relative = !value.value.starts_with('/') && !value.value.is_empty();
    match op {
        BinaryOperator::Postfix | BinaryOperator::NotPostfix if value.value.is_empty() => {
            return Err(cx.refuse(codes::empty_value(op.name(), value.span)));
        }
        BinaryOperator::Prefix | BinaryOperator::NotPrefix if bytes > limit::PREFIX_EFFECTIVE_BYTES => {
            cx.report(lints::value_never_matches(
                value.value,
                "only 255 bytes are kept of a path",
                value.span,
            ));
            return Ok(None);
        }
        BinaryOperator::In | BinaryOperator::NotIn | BinaryOperator::Prefix | BinaryOperator::NotPrefix
            if is_relative =>
        {
            let why = "programs' paths start with `/`";
            cx.report(lints::value_never_matches(value.value, why, value.span));
        }
        BinaryOperator::In | BinaryOperator::NotIn if value.value.is_empty() => {
            let why = "the path of a program is not empty";
            cx.report(lints::value_never_matches(value.value, why, value.span));
            return Ok(None);
        }
        BinaryOperator::In
        | BinaryOperator::NotIn
        | BinaryOperator::Prefix
        | BinaryOperator::NotPrefix
        | BinaryOperator::Postfix
        | BinaryOperator::NotPostfix => {}
    }
    if lint_nul(ArgType::Path, value, cx) {
        return Ok(None);
    }
    Ok(Some(cx.strings.intern(value.value.as_bytes())))
}

fn check_namespace_count(list: &List<NamespaceFilter<'_>>, cx: &mut Cx<'_>) {
    if let Some(extra) = list.items.get(limit::NAMESPACE_FILTERS) {
        cx.report(codes::too_many_filters(
            "`matchNamespaces`",
            list.items.len(),
            limit::NAMESPACE_FILTERS,
            extra.span(),
        ));
    }
}

fn namespaces(filter: &NamespaceFilter<'_>, cx: &mut Cx<'_>) -> Result<Vec<Condition>, Reported> {
    let values = listed(filter.values.as_ref(), filter.variable, cx);
    let Some(values) = values else { return Err(cx.reported(filter.span())) };
    let extra = values.items.get(limit::INLINE_VALUES).map(|extra| {
        let most = limit::INLINE_VALUES;
        cx.refuse(codes::too_many_values("matchNamespaces", values.items.len(), most, extra.span))
    });
    let operator = filter.operator.map(|op| op.value);
    check_empty(values.items.is_empty() && !values.poisoned, operator, values.span, cx);
    let found = values.items.iter().map(|value| namespace(*value, cx)).collect();
    let found = reported::all(found)?;
    if let Some(extra) = extra {
        return Err(extra);
    }
    let (Some(kind), Some(op)) = (filter.namespace, filter.operator) else {
        return Err(cx.reported(filter.span()));
    };
    if values.poisoned {
        return Err(cx.reported(values.span));
    }
    let (fact, negated) = (fact::of_namespace(kind.value), op.value == SetOperator::NotIn);
    Ok(vec![condition(fact, negated, Values::intervals(found.concat()), filter.span())])
}

/// A namespace by its inode, be it the host's or not; or the host's, whatever its inode.
fn namespace(value: Text<'_>, cx: &mut Cx<'_>) -> Result<Vec<Interval>, Reported> {
    if value.value == "host_ns" {
        return Ok(vec![host_namespaces()]);
    }
    let has_sign = value.value.starts_with(['+', '-']);
    match parse_decimal(value.value).map(u32::try_from) {
        Ok(Ok(inode)) if !has_sign => {
            Ok([false, true].map(|hosts| Interval::point(namespace_number(inode, hosts))).to_vec())
        }
        Ok(_) | Err(_) => {
            Err(cx.refuse(codes::bad_value(value.value, "an inode's number or `host_ns`", value.span)))
        }
    }
}

fn check_namespace_changes(list: &List<NamespaceChangeFilter<'_>>, cx: &mut Cx<'_>) {
    if let Some(extra) = list.items.get(1) {
        cx.report(codes::too_many_filters("`matchNamespaceChanges`", list.items.len(), 1, extra.span()));
    }
    for filter in &list.items {
        let Some(values) = listed(filter.values.as_ref(), filter.variable, cx) else { continue };
        for value in &values.items {
            if Namespace::parse_lenient(value.value).is_none() {
                unknown_word::<Namespace>(*value, cx);
            }
        }
    }
}

fn check_capability_count(list: &List<CapabilityFilter<'_>>, name: &str, cx: &mut Cx<'_>) {
    // Tetragon: further entries break the selector's encoding (semantics 4.6).
    if let Some(second) = list.items.get(1) {
        let what = format!("a second entry of `{name}`");
        cx.report(lints::ignored(&what, "Tetragon reads the first one only", second.span()));
    }
}

fn capabilities(filter: &CapabilityFilter<'_>, cx: &mut Cx<'_>) -> Result<Vec<Condition>, Reported> {
    let values = listed(filter.values.as_ref(), filter.variable, cx);
    let Some(values) = values else { return Err(cx.reported(filter.span())) };
    let operator = filter.operator.map(|op| op.value);
    check_empty(values.items.is_empty() && !values.poisoned, operator, values.span, cx);
    let mut bits = vec![];
    for value in &values.items {
        match Capability::parse_lenient(value.value) {
            Some(capability) => bits.push(1 << capability as u32),
            None => unknown_word::<Capability>(*value, cx),
        }
    }
    let Some(op) = filter.operator else { return Err(cx.reported(filter.span())) };
    if values.poisoned || bits.len() < values.items.len() || filter.poisoned {
        return Err(cx.reported(filter.span()));
    }
    let set = filter.ty.map_or(CapabilitySet::Effective, |set| set.value);
    let negated = op.value == SetOperator::NotIn;
    let mut found =
        vec![condition(fact::of_capabilities(set), negated, Values::any_bit(bits), filter.span())];
    if filter.is_namespace_capability.is_some_and(|flag| flag.value) {
        let host = Values::Intervals(vec![host_namespaces()]);
        found.push(condition(Fact::UserNamespace, true, host, filter.span()));
    }
    Ok(found)
}

fn unknown_word<V: Vocabulary>(value: Text<'_>, cx: &mut Cx<'_>) {
    let nearest = crate::diag::suggest::nearest(value.value, V::names());
    cx.report(crate::diag::schema::unknown_word(V::WHAT, value.value, nearest, V::names(), value.span));
}
