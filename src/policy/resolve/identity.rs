//! `metadata` to an [`Identity`].
//!
//! Source: Kubernetes' rules for object names, as Tetragon 4fbfe2d applies them to files.

use crate::diag::schema as codes;
use crate::policy::context::Cx;
use crate::policy::context::facts::FactKind;
use crate::policy::{Identity, PolicyKind};
use crate::source::Span;
use crate::syntax::ast::objects::Metadata;

const NAME_BYTES: usize = 253;
const NAMESPACE_BYTES: usize = 63;

/// The policy's identity and where its name stands; a namespaced policy that names no namespace is in `filled_in`.
/// `None` if it has none that is allowed.
pub fn resolve(
    kind: PolicyKind,
    metadata: &Metadata<'_>,
    filled_in: &str,
    cx: &mut Cx<'_>,
) -> Option<(Identity, Span)> {
    check_labels(metadata, cx);
    let namespace = namespace(kind, metadata, filled_in, cx);
    let (name, span) = name(metadata, cx)?;
    Some((Identity { kind, namespace: namespace?, name }, span))
}

/// The same of a template, which is known by its name alone.
pub fn of_template(metadata: &Metadata<'_>, cx: &mut Cx<'_>) -> Option<(String, Span)> {
    check_labels(metadata, cx);
    if let Some(namespace) = metadata.namespace.filter(|namespace| !namespace.text.is_empty()) {
        cx.report(codes::namespace_on_template(namespace.text, namespace.span));
    }
    name(metadata, cx)
}

fn name(metadata: &Metadata<'_>, cx: &mut Cx<'_>) -> Option<(String, Span)> {
    let Some(name) = metadata.name.filter(|name| !name.text.is_empty()) else {
        match metadata.generate_name.filter(|prefix| !prefix.text.is_empty()) {
            Some(prefix) => cx.report(codes::generated_name(prefix.span)),
            None if !metadata.incomplete => {
                let span = metadata.name.map_or(metadata.span(), |name| name.span);
                cx.report(codes::name_missing(span));
            }
            None => {}
        }
        return None;
    };
    if !is_subdomain(name.text) {
        cx.report(codes::bad_name("metadata.name", name.text, SUBDOMAIN, name.span));
        return None;
    }
    Some((name.text.to_string(), name.span))
}

const SUBDOMAIN: &str =
    "lower case letters, digits, `-` and `.` are allowed, with a letter or digit at both ends of each part";
const LABEL: &str = "lower case letters, digits and `-` are allowed, with a letter or digit at both ends";
const LABEL_KEY: &str = "a name of 63 characters at most, after a domain and `/` if need be";

/// `Some(None)` for the cluster-wide kind, and for a binding without one.
fn namespace(
    kind: PolicyKind,
    metadata: &Metadata<'_>,
    filled_in: &str,
    cx: &mut Cx<'_>,
) -> Option<Option<String>> {
    let written = metadata.namespace.filter(|namespace| !namespace.text.is_empty());
    match (kind, written) {
        (PolicyKind::TracingPolicy | PolicyKind::TracingPolicyBinding, None) => Some(None),
        (PolicyKind::TracingPolicy, Some(namespace)) => {
            cx.report(codes::namespace_on_cluster_kind(namespace.text, namespace.span));
            Some(None)
        }
        (PolicyKind::TracingPolicyNamespaced, None) => {
            cx.unchecked(FactKind::Namespace, filled_in, metadata.span());
            Some(Some(filled_in.to_string()))
        }
        (PolicyKind::TracingPolicyNamespaced | PolicyKind::TracingPolicyBinding, Some(namespace)) => {
            if namespace.text.len() > NAMESPACE_BYTES || !is_dns_label(namespace.text) {
                cx.report(codes::bad_name("metadata.namespace", namespace.text, LABEL, namespace.span));
                return None;
            }
            Some(Some(namespace.text.to_string()))
        }
    }
}

fn check_labels(metadata: &Metadata<'_>, cx: &mut Cx<'_>) {
    for (key, value) in metadata.labels.iter().flat_map(|labels| &labels.entries) {
        if !is_label_key(&key.value) {
            cx.report(codes::bad_name("a label's name", &key.value, LABEL_KEY, key.span));
        }
        if !super::workload::is_label_value(value.text) {
            cx.report(crate::diag::workload::bad_label_value(value.text, value.span));
        }
    }
    for (key, _) in metadata.annotations.iter().flat_map(|annotations| &annotations.entries) {
        if !is_label_key(&key.value.to_ascii_lowercase()) {
            cx.report(codes::bad_name("an annotation's name", &key.value, LABEL_KEY, key.span));
        }
    }
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= NAME_BYTES && text.split('.').all(is_dns_label)
}

/// `[domain/]name`.
pub fn is_label_key(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(is_subdomain) && !name.is_empty() && super::workload::is_label_value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_1123_subdomain() {
        for name in ["a", "a-b", "a.b-c.d", "0", "x".repeat(253).as_str()] {
            assert!(is_subdomain(name), "{name}");
        }
        for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "ä", "x".repeat(254).as_str()] {
            assert!(!is_subdomain(name), "{name}");
        }
    }

    #[test]
    fn a_label_key_may_have_a_domain() {
        for key in ["app", "app.kubernetes.io/name", "A_b.c"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/x", "x/", "a/b/c", "A/b", "-x"] {
            assert!(!is_label_key(key), "{key}");
        }
    }
}
