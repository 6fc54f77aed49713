//! Documents as written, field by field.
//!
//! Turns the root [`Node`] of a document into a [`Document`]: the objects of [`objects`], every field with
//! its place, nothing defaulted and nothing looked up. Assumes that somebody else told policies from other
//! documents. Guarantees that what the schema refuses is reported, all of it, and that what was refused is
//! marked. Does not know what a value means; that is `policy::resolve`'s.

pub mod objects;
pub mod read;
pub mod rules;
pub mod schema;

use crate::diag::Diagnostics;
use crate::policy::PolicyKind;
use crate::source::Span;
use crate::syntax::yaml::{Node, NodeKind};
use objects::Policy;
use read::{Read, Reader};

/// One policy as written.
#[derive(Clone, Debug)]
pub struct Document<'n> {
    pub kind: PolicyKind,
    pub kind_span: Span,
    /// Of the whole document.
    pub span: Span,
    pub policy: Policy<'n>,
}

/// Reads a document whose kind is one of ours; `None` if it is not, or if its root is no policy at all.
///
/// A document in which something was refused is still returned: `policy.poisoned` says so.
pub fn read<'n>(root: &'n Node<'n>, diags: &mut Diagnostics) -> Option<Document<'n>> {
    let kind_node = kind_node(root)?;
    let NodeKind::Scalar { text, .. } = &kind_node.kind else { return None };
    let kind = match &**text {
        "TracingPolicy" => PolicyKind::TracingPolicy,
        "TracingPolicyNamespaced" => PolicyKind::TracingPolicyNamespaced,
        "TracingPolicyTemplate" | "TracingPolicyBinding" => {
            diags.push(crate::diag::schema::kind_not_compiled(text, kind_node.span));
            return None;
        }
        _ => return None,
    };
    let mut reader = Reader::new(diags);
    let mut policy = Policy::read(root, &mut reader)?;
    if let Some(spec) = &policy.spec {
        check_host_selectors(kind, spec, &mut reader);
    }
    policy.poisoned |= reader.errors() != 0;
    Some(Document { kind, kind_span: kind_node.span, span: root.span, policy })
}

/// The value of `kind`, which counts in its exact spelling only.
pub fn kind_node<'n>(root: &'n Node<'n>) -> Option<&'n Node<'n>> {
    let NodeKind::Mapping(entries) = &root.kind else { return None };
    entries
        .iter()
        .find(|(key, _)| matches!(&key.kind, NodeKind::Scalar { text, .. } if text == "kind"))
        .map(|(_, v)| v)
}

fn check_host_selectors(kind: PolicyKind, spec: &objects::Spec<'_>, reader: &mut Reader<'_>) {
    if let Some(selector) = &spec.host_selector {
        match kind {
            PolicyKind::TracingPolicy => rules::check_host_selector(selector, reader),
            PolicyKind::TracingPolicyNamespaced => {
                let span = rules::key_span(spec.node, "hostSelector").unwrap_or(selector.node.span);
                reader.report(crate::diag::workload::host_selector_in_namespace(span));
            }
        }
    }
}
