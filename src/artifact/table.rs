//! The kinds of tables that classify values, one row each.
//!
//! A kind is here only if it has all of these: a builder and a stencil (`emit::lower`, `bpf-templates/`), a decoder for
//! the proof (`emit::verify::decode`), and its lookup in [`super::evaluate`], for whoever simulates a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::{Damaged, Tables, TextMatch};
use super::judge::Argument;

/// What a table holds, and how it is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Table {
    /// Whole paths.
    Path,
    /// Whole strings.
    Text,
    Prefix,
    Postfix,
    #[serde(rename = "int")]
    Intervals,
    /// Masks: atoms say which of them a number has a bit of.
    AnyBit,
    /// Internet addresses of both kinds.
    Address,
}

impl Table {
    pub const ALL: &[Table] = &[
        Table::Path,
        Table::Text,
        Table::Prefix,
        Table::Postfix,
        Table::Intervals,
        Table::AnyBit,
        Table::Address,
    ];

    /// The test, as people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Path | Table::Text => "whole text",
            Table::Prefix => "prefix",
            Table::Postfix => "postfix",
            Table::Intervals => "number",
            Table::AnyBit => "any bit",
            Table::Address => "address",
        }
    }

    /// Whether it classifies texts, which may be unreadable, and not numbers.
    pub const fn holds_texts(self) -> bool {
        match self {
            Table::Path | Table::Text | Table::Prefix | Table::Postfix => true,
            Table::Intervals | Table::AnyBit | Table::Address => false,
        }
    }

    /// The atom of an argument that could be read, in the table at `root`.
    ///
    /// # Errors
    /// If the bytes are not what the compiler writes, or the argument is of another kind.
    pub fn atom(self, tables: &Tables<'_>, root: u32, argument: Argument<'_>) -> Result<u32, Damaged> {
        match (self, argument) {
            (Table::Intervals, Argument::Int(value)) => tables.int(root, value),
            (Table::AnyBit, Argument::Int(value)) => tables.masks(root, value),
            (Table::Address, Argument::Address(address)) => tables.address(root, address),
            (Table::Path, Argument::Text(text)) => tables.path(root, text),
            (Table::Text, Argument::Text(text)) => tables.text(root, text, TextMatch::Equal),
            (Table::Prefix | Table::Postfix, Argument::Text([])) => Ok(0),
            (Table::Prefix, Argument::Text(text)) => {
                tables.text(root, &text[..text.len().min(255)], TextMatch::Prefix)
            }
            (Table::Postfix, Argument::Text(text)) => {
                tables.text(root, &text[text.len() - text.len().min(127)..], TextMatch::Postfix)
            }
            (Table::Intervals | Table::AnyBit, Argument::Text(_) | Argument::Address(_))
            | (
                Table::Path | Table::Text | Table::Prefix | Table::Postfix,
                Argument::Int(_) | Argument::Address(_),
            )
            | (Table::Address, Argument::Int(_) | Argument::Text(_))
            | (_, Argument::Flow(_) | Argument::Unreadable) => {
                Err(Damaged { at: 0, what: "an argument of another kind than its dimension" })
            }
        }
    }
}
