//! Rules of the schema between fields of one object: those that the CRD states in CEL.
//!
//! They test presence, not value: `symbols: []` beside `addrs` is refused as well.

use super::read::Reader;
use super::schema::Rule;
use crate::diag::{schema as codes, workload as report};
use crate::source::Span;
use crate::syntax::yaml::scalars::Scalar;
use crate::syntax::yaml::{Node, NodeKind};

/// Checks the rules of an object that was read from `node`.
pub fn check(node: &Node<'_>, rules: &[Rule], reader: &mut Reader<'_>) {
    for rule in rules {
        match *rule {
            Rule::AtMostOne(keys) => at_most_one(node, keys, reader),
            Rule::ReturnNeedsArg => {
                if let (Some((_, returns)), None) = (entry(node, "return"), entry(node, "returnArg"))
                    && returns.scalar() == Some(Scalar::Bool(true))
                {
                    reader.report(codes::return_without_arg(returns.span));
                }
            }
            Rule::HostHasNoLabels => {
                let Some((_, selector)) = entry(node, "hostSelector") else { continue };
                for key in ["matchLabels", "matchExpressions"] {
                    if let Some(span) = key_span(selector, key) {
                        reader.report(report::host_selector_with_labels(key, span));
                    }
                }
            }
        }
    }
}

/// The host belongs to no namespace.
pub fn check_no_host_selector(spec: &Node<'_>, reader: &mut Reader<'_>) {
    if let Some(span) = key_span(spec, "hostSelector") {
        reader.report(report::host_selector_in_namespace(span));
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
    entry(node, name).map(|(key, _)| key.span)
}

fn entry<'a, 's>(node: &'a Node<'s>, name: &str) -> Option<(&'a Node<'s>, &'a Node<'s>)> {
    let NodeKind::Mapping(entries) = &node.kind else { return None };
    let found = entries.iter().find(|(key, value)| {
        matches!(&key.kind, NodeKind::Scalar { text, .. } if text.eq_ignore_ascii_case(name))
            && !value.is_null()
    })?;
    Some((&found.0, &found.1))
}
