//! Constructors of the TF03xx codes: which processes a policy applies to.

use super::schema::shown;
use super::{Code, Diagnostic};
use crate::source::Span;

pub fn host_selector_with_labels(key: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::HOST_SELECTOR_LABELS, "`hostSelector` cannot ask for labels")
        .label(span, format!("`{key}` is refused here, even if empty"))
        .help("hostSelector: {}")
        .note("the host has no labels; leave it out, or write `{}` to apply to the host's processes")
}

pub fn host_selector_in_namespace(span: Span) -> Diagnostic {
    Diagnostic::error(Code::HOST_SELECTOR_NAMESPACED, "a namespaced policy cannot have `hostSelector`")
        .label(span, "refused here, even if empty")
        .help("kind: TracingPolicy")
        .note("the host's processes belong to no namespace")
}

pub fn bad_label_value(value: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_LABEL_VALUE, format!("`{}` is not a label's value", shown(value))).label(
        span,
        "63 characters at most: letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
    )
}

pub fn selects_no_pod(what: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::SELECTS_NOTHING, format!("{what} selects no pod"))
        .label(span, why)
        .help("correct it, or remove it")
        .note("what applies to nothing is left out of the artifact")
}

/// A requirement that Kubernetes' `NewRequirement` refuses (k8s.io/apimachinery, pkg/labels/selector.go).
pub fn no_kubernetes_selector(what: &str, meaning: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::NO_KUBERNETES_SELECTOR, format!("Kubernetes refuses {what}")).label(span, meaning)
}
