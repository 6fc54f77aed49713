//! Filters on the process: PIDs, programs, namespaces, capabilities.
//!
//! None is compiled yet; each is checked as Tetragon does, and what Tetragon takes and does not do as
//! written is pointed out (semantics 4.2 to 4.7, 4.11, 10.6).

use super::values::number::parse_decimal;
use crate::diag::{arguments as codes, lints};
use crate::policy::Condition;
use crate::policy::context::Cx;
use crate::policy::context::facts::FactKind;
use crate::policy::context::given::Given;
use crate::policy::context::reported::Reported;
use crate::policy::expand::macros::Parts;
use crate::source::Span;
use crate::syntax::ast::objects::{
    BinaryFilter, CapabilityFilter, NamespaceChangeFilter, NamespaceFilter, PidFilter,
};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::Vocabulary;
use crate::vocab::capability::Capability;
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
        FilterKind::Pids => parts.pids.map(|list| {
            check_pids(list, cx);
            list.span
        }),
        FilterKind::Binaries => parts.binaries.map(|list| {
            list.items.iter().for_each(|filter| check_binaries(filter, cx));
            list.span
        }),
        FilterKind::ParentBinaries => parts.parent_binaries.map(|list| {
            cx.unchecked(FactKind::ParentsMap, "", list.span);
            list.items.iter().for_each(|filter| check_binaries(filter, cx));
            list.span
        }),
        FilterKind::Namespaces => parts.namespaces.map(|list| {
            check_namespaces(list, cx);
            list.span
        }),
        FilterKind::NamespaceChanges => parts.namespace_changes.map(|list| {
            check_namespace_changes(list, cx);
            list.span
        }),
        FilterKind::Capabilities => parts.capabilities.map(|list| {
            check_capabilities(list, kind.name(), cx);
            list.span
        }),
        FilterKind::CapabilityChanges => parts.capability_changes.map(|list| {
            check_capabilities(list, kind.name(), cx);
            list.span
        }),
        FilterKind::Args | FilterKind::Data | FilterKind::ReturnArgs | FilterKind::Workloads => None,
    };
    match place {
        // No source reads a fact of the process yet.
        Some(span) => Err(cx.not_compiled(&format!("`{kind}`"), key.unwrap_or(span))),
        None => Ok(vec![]),
    }
}

fn check_pids(list: &List<PidFilter<'_>>, cx: &mut Cx<'_>) {
    // Tetragon: the kernel reads the first entry and its first four values (semantics 4.2).
    if let Some(second) = list.items.get(1) {
        cx.report(lints::ignored(
            "a second entry of `matchPIDs`",
            "Tetragon reads the first one only",
            second.span(),
        ));
    }
    for filter in &list.items {
        let Some(values) = &filter.values else { continue };
        if let Some(extra) = values.items.get(limit::INLINE_VALUES) {
            cx.report(lints::ignored("a fifth value of `matchPIDs`", "Tetragon reads four", extra.span));
        }
        check_empty(
            values.items.is_empty() && !values.poisoned,
            filter.operator.map(|op| op.value),
            values.span,
            cx,
        );
        let is_on = |flag: Option<crate::source::Spanned<bool>>| flag.is_some_and(|flag| flag.value);
        if is_on(filter.is_namespace_pid)
            && is_on(filter.follow_forks)
            && let Some(zero) = values.items.iter().find(|value| value.value == 0)
        {
            // Tetragon: the parent's id stays 0 there, so that 0 is always found (semantics 4.2).
            let why = "with `isNamespacePID` and `followForks` Tetragon finds 0 in every process";
            match filter.operator.map(|op| op.value) {
                Some(SetOperator::In) => {
                    cx.report(lints::filter_always_matches("`In` with 0", why, zero.span).help("leave 0 out"))
                }
                Some(SetOperator::NotIn) => cx.report(
                    lints::filter_never_matches("`NotIn` with 0", why, zero.span).help("leave 0 out"),
                ),
                None => {}
            }
        }
    }
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

fn check_binaries(filter: &BinaryFilter<'_>, cx: &mut Cx<'_>) {
    let values = listed(filter.values.as_ref(), filter.variable, cx);
    let (Some(op), Some(values)) = (filter.operator, values) else { return };
    if let Some(flag) = filter.follow_children.filter(|flag| flag.value)
        && !op.value.allows_follow_children()
    {
        cx.report(codes::follow_children(op.value.name(), flag.span));
    }
    if values.items.is_empty() && !values.poisoned {
        cx.report(lints::ignored("a program filter without values", "it matches every program", values.span));
    }
    for value in &values.items {
        let bytes = value.value.len();
        if bytes > op.value.max_value_bytes() {
            cx.report(codes::value_too_long(op.value.name(), bytes, op.value.max_value_bytes(), value.span));
            continue;
        }
        match op.value {
            BinaryOperator::Postfix | BinaryOperator::NotPostfix if value.value.is_empty() => {
                cx.report(codes::empty_value(op.value.name(), value.span));
            }
            BinaryOperator::Prefix | BinaryOperator::NotPrefix if bytes > limit::PREFIX_EFFECTIVE_BYTES => {
                cx.report(lints::value_never_matches(
                    value.value,
                    "only 255 bytes are kept of a path",
                    value.span,
                ));
            }
            BinaryOperator::In
            | BinaryOperator::NotIn
            | BinaryOperator::Prefix
            | BinaryOperator::NotPrefix
                if !value.value.starts_with('/') && !value.value.is_empty() =>
            {
                cx.report(lints::value_never_matches(
                    value.value,
                    "programs' paths start with `/`",
                    value.span,
                ));
            }
            BinaryOperator::In
            | BinaryOperator::NotIn
            | BinaryOperator::Prefix
            | BinaryOperator::NotPrefix
            | BinaryOperator::Postfix
            | BinaryOperator::NotPostfix => {}
        }
    }
}

fn check_namespaces(list: &List<NamespaceFilter<'_>>, cx: &mut Cx<'_>) {
    if let Some(extra) = list.items.get(limit::NAMESPACE_FILTERS) {
        cx.report(codes::too_many_filters(
            "`matchNamespaces`",
            list.items.len(),
            limit::NAMESPACE_FILTERS,
            extra.span(),
        ));
    }
    for filter in &list.items {
        let Some(values) = listed(filter.values.as_ref(), filter.variable, cx) else { continue };
        if let Some(extra) = values.items.get(limit::INLINE_VALUES) {
            cx.report(codes::too_many_values(
                "matchNamespaces",
                values.items.len(),
                limit::INLINE_VALUES,
                extra.span,
            ));
        }
        check_empty(
            values.items.is_empty() && !values.poisoned,
            filter.operator.map(|op| op.value),
            values.span,
            cx,
        );
        for value in &values.items {
            let has_sign = value.value.starts_with(['+', '-']);
            let is_inode = parse_decimal(value.value).is_ok_and(|n| !has_sign && n <= i128::from(u32::MAX));
            if value.value != "host_ns" && !is_inode {
                cx.report(codes::bad_value(value.value, "an inode's number or `host_ns`", value.span));
            }
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

fn check_capabilities(list: &List<CapabilityFilter<'_>>, name: &str, cx: &mut Cx<'_>) {
    // Tetragon: further entries break the selector's encoding (semantics 4.6).
    if let Some(second) = list.items.get(1) {
        let what = format!("a second entry of `{name}`");
        cx.report(lints::ignored(&what, "Tetragon reads the first one only", second.span()));
    }
    for filter in &list.items {
        let Some(values) = listed(filter.values.as_ref(), filter.variable, cx) else { continue };
        check_empty(
            values.items.is_empty() && !values.poisoned,
            filter.operator.map(|op| op.value),
            values.span,
            cx,
        );
        for value in &values.items {
            if Capability::parse_lenient(value.value).is_none() {
                unknown_word::<Capability>(*value, cx);
            }
        }
    }
}

fn unknown_word<V: Vocabulary>(value: Text<'_>, cx: &mut Cx<'_>) {
    let nearest = crate::diag::suggest::nearest(value.value, V::names());
    cx.report(crate::diag::schema::unknown_word(V::WHAT, value.value, nearest, V::names(), value.span));
}
