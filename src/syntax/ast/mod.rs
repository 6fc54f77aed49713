//! Documents as written, field by field.
//!
//! Turns the root [`Node`] of a document into a [`Document`] or [`BindingDocument`]: the objects of
//! [`objects`], every field with its place, nothing defaulted and nothing looked up. Assumes that somebody
//! else told policies from other documents. Guarantees that what the schema refuses is reported, all of it, and that what was refused is
//! marked. Does not know what a value means; that is `policy::resolve`'s.

pub mod bindings;
pub mod objects;
pub mod publish;
pub mod read;
pub mod rules;
pub mod schema;

use crate::diag::Diagnostics;
use crate::source::Span;
use crate::syntax::yaml::{Node, NodeKind};
use crate::vocab::Vocabulary;
use crate::vocab::kind::PolicyKind;
use bindings::Binding;
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

/// A binding as written.
#[derive(Clone, Debug)]
pub struct BindingDocument<'n> {
    /// Of the whole document.
    pub span: Span,
    pub binding: Binding<'n>,
}

/// Reads a document whose kind is a policy's; `None` if it is not, or if its root is no policy at all.
///
/// A document in which something was refused is still returned: `policy.poisoned` says so.
pub fn read<'n>(root: &'n Node<'n>, diags: &mut Diagnostics) -> Option<Document<'n>> {
    let kind_node = kind_node(root)?;
    let NodeKind::Scalar { text, .. } = &kind_node.kind else { return None };
    let kind = PolicyKind::parse(text).filter(|&kind| kind != PolicyKind::TracingPolicyBinding)?;
    let mut reader = Reader::new(diags);
    let mut policy = Policy::read(root, &mut reader)?;
    if let (PolicyKind::TracingPolicyNamespaced, Some(spec)) = (kind, &policy.spec) {
        rules::check_no_host_selector(spec.node, &mut reader);
    }
    policy.poisoned |= reader.errors() != 0;
    Some(Document { kind, kind_span: kind_node.span, span: root.span, policy })
}

/// Reads a template. It has the shape of a policy of the cluster-wide kind, and is returned as one.
pub fn read_template<'n>(root: &'n Node<'n>, diags: &mut Diagnostics) -> Option<Document<'n>> {
    let kind_span = kind_node(root).map_or(root.span, |node| node.span);
    let mut reader = Reader::new(diags).of_template();
    let mut policy = Policy::read(root, &mut reader)?;
    policy.poisoned |= reader.errors() != 0;
    Some(Document { kind: PolicyKind::TracingPolicy, kind_span, span: root.span, policy })
}

/// Reads a binding; the same is true of it.
pub fn read_binding<'n>(root: &'n Node<'n>, diags: &mut Diagnostics) -> Option<BindingDocument<'n>> {
    let mut reader = Reader::new(diags);
    let mut binding = Binding::read(root, &mut reader)?;
    if let Some(spec) = &binding.spec {
        let namespace = binding.metadata.as_ref().and_then(|metadata| metadata.namespace);
        let namespaced = namespace.is_some_and(|namespace| !namespace.text.is_empty());
        if namespaced {
            rules::check_no_host_selector(spec.node, &mut reader);
        }
    }
    binding.poisoned |= reader.errors() != 0;
    Some(BindingDocument { span: root.span, binding })
}

/// The value of `kind`, which counts in its exact spelling only.
pub fn kind_node<'n>(root: &'n Node<'n>) -> Option<&'n Node<'n>> {
    let NodeKind::Mapping(entries) = &root.kind else { return None };
    entries
        .iter()
        .find(|(key, _)| matches!(&key.kind, NodeKind::Scalar { text, .. } if text == "kind"))
        .map(|(_, v)| v)
}
