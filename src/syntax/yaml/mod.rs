//! YAML text to a tree of nodes, each with its bytes in the source. Knows no field name.

use std::borrow::Cow;

use crate::source::Span;

/// How a scalar was written; decides what it may mean (Tetragon refuses `values: [1]` where a string is wanted).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
}

/// A piece of a document.
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
