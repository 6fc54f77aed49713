//! Rules of the schema between fields of one object: those that the CRD states in CEL.
//!
//! They test presence, not value: `symbols: []` beside `addrs` is refused as well.

use super::objects::{Action, Kprobe, LabelSelector, Uprobe, WorkloadFilter};
use super::read::Reader;
use crate::diag::schema as codes;
use crate::source::Span;
use crate::syntax::yaml::{Node, NodeKind};

pub fn check_kprobe(kprobe: &Kprobe<'_>, reader: &mut Reader<'_>) {
    if let (Some(returns), None) = (kprobe.returns, &kprobe.return_arg)
        && returns.value
        && key_span(kprobe.node, "returnArg").is_none()
    {
        reader.report(codes::return_without_arg(returns.span));
    }
}

pub fn check_uprobe(uprobe: &Uprobe<'_>, reader: &mut Reader<'_>) {
    if let (Some(returns), None) = (uprobe.returns, &uprobe.return_arg)
        && returns.value
        && key_span(uprobe.node, "returnArg").is_none()
    {
        reader.report(codes::return_without_arg(returns.span));
    }
    at_most_one(uprobe.node, &["symbols", "addrs", "offsets"], reader);
}

pub fn check_action(action: &Action<'_>, reader: &mut Reader<'_>) {
    at_most_one(action.node, &["argNewSymbol", "argNewAddr", "argNewOffset"], reader);
}

pub fn check_workloads(filter: &WorkloadFilter<'_>, reader: &mut Reader<'_>) {
    if let Some(selector) = &filter.host_selector {
        check_host_selector(selector, reader);
    }
}

/// The host belongs to no namespace.
pub fn check_host_selector_of(
    namespaced: bool,
    selector: Option<&LabelSelector<'_>>,
    parent: &Node<'_>,
    reader: &mut Reader<'_>,
) {
    let Some(selector) = selector else { return };
    if namespaced {
        let span = key_span(parent, "hostSelector").unwrap_or(selector.node.span);
        reader.report(crate::diag::workload::host_selector_in_namespace(span));
    } else {
        check_host_selector(selector, reader);
    }
}

/// Labels of a host are not known: only `{}` may be asked for.
pub fn check_host_selector(selector: &LabelSelector<'_>, reader: &mut Reader<'_>) {
    for key in ["matchLabels", "matchExpressions"] {
        if let Some(span) = key_span(selector.node, key) {
            reader.report(crate::diag::workload::host_selector_with_labels(key, span));
        }
    }
}

fn at_most_one(node: &Node<'_>, keys: &[&'static str], reader: &mut Reader<'_>) {
    let mut first: Option<(&str, Span)> = None;
    for &key in keys {
        match (key_span(node, key), first) {
            (Some(span), Some((other, other_span))) => {
                return reader.report(codes::exclusive_fields(other, other_span, key, span, keys));
            }
            (Some(span), None) => first = Some((key, span)),
            (None, _) => {}
        }
    }
}

/// Where a key stands, unless its value is null.
pub fn key_span(node: &Node<'_>, name: &str) -> Option<Span> {
    let NodeKind::Mapping(entries) = &node.kind else { return None };
    let (key, _) = entries.iter().find(|(key, value)| {
        matches!(&key.kind, NodeKind::Scalar { text, .. } if text.eq_ignore_ascii_case(name))
            && !value.is_null()
    })?;
    Some(key.span)
}
