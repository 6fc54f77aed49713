//! YAML text to a tree of nodes, each with its bytes in the source. Knows no field name.
//!
//! [`Reader`] yields the documents of one text, one by one, so that a caller can let go of each before the
//! next is read. What it yields is what Tetragon's reader (go-yaml v2 in `sigs.k8s.io/yaml`) would make of
//! that document: aliases are expanded, merges are done, tags have had their effect. A document with an
//! error is reported and not yielded; those behind it are.
//! JSON is read as the YAML that it is.
//!
//! Not here: duplicate keys (kept in the order written; whoever reads a mapping refuses them), and which
//! kind of scalar a field wants ([`scalars`] says what a scalar means).

pub mod scalars;

mod common;
mod reader;
mod tabs;
mod tags;
#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;

pub use self::reader::Reader;
use crate::source::Span;

/// Lists and mappings inside each other, block and flow counted apart.
pub const MAX_DEPTH: usize = 255;

/// Keys, values, lists and mappings of one document, aliases expanded.
pub const MAX_NODES: usize = 1 << 20;

/// Values that the aliases of one text may stand for, all documents together.
pub const MAX_ALIASED_NODES: usize = 1 << 22;

/// How a scalar was written; decides what it may mean (Tetragon refuses `values: [1]` where a string is wanted).
///
/// A tag counts as a way of writing: `!!str 1` is `DoubleQuoted`, `!!int "1"` is `Plain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
}

/// A piece of a document.
///
/// The span of a scalar is its text with its quotes, without tag and anchor; for a missing value it is empty
/// and stands where the value would. The span of a list or mapping goes from its first to its last
/// byte; one in block style starts at its first element's content. A node that came through an alias or a
/// merge has the span of what the anchor names.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'s> {
    pub span: Span,
    pub kind: NodeKind<'s>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind<'s> {
    Scalar {
        text: Cow<'s, str>,
        style: Style,
    },
    Sequence(Vec<Node<'s>>),
    /// In the order written; duplicate keys are kept (and refused by whoever reads the mapping).
    Mapping(Vec<(Node<'s>, Node<'s>)>),
}

impl<'s> Node<'s> {
    pub fn as_mapping(&self) -> Option<&[(Node<'s>, Node<'s>)]> {
        match &self.kind {
            NodeKind::Mapping(entries) => Some(entries),
            NodeKind::Scalar { .. } | NodeKind::Sequence(_) => None,
        }
    }

    pub fn as_sequence(&self) -> Option<&[Node<'s>]> {
        match &self.kind {
            NodeKind::Sequence(items) => Some(items),
            NodeKind::Scalar { .. } | NodeKind::Mapping(_) => None,
        }
    }

    /// What a message calls it: `a list`, `a mapping`, or the kind of scalar.
    pub fn kind_name(&self) -> &'static str {
        match (&self.kind, self.scalar()) {
            (NodeKind::Sequence(_), _) => "a list",
            (NodeKind::Mapping(_), _) => "a mapping",
            (NodeKind::Scalar { .. }, scalar) => scalar.map_or("a scalar", |scalar| scalar.kind_name()),
        }
    }
}
