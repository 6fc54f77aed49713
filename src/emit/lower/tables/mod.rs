//! Tables that classify a value into its atom.
//!
//! Turns the values of one dimension into bytes of a [`blob::Blob`], one file per kind of table.
//! Guarantees: the same values give the same bytes; every value that can occur has its own atom, 1..=n;
//! no cost grows faster than the input, but for the sorting of it.
//! Not here: which dimension takes which table (the plan), and reading back (`emit::verify::decode`).
//!
//! Source: `bpf-templates/abi.h`, whose twin is [`crate::artifact::abi`].

use std::fmt;

pub mod addresses;
pub mod automaton;
pub mod blob;
pub mod intervals;
pub mod limits;
pub mod masks;
mod perfect_hash;
pub mod trie;

/// Why values cannot be put into a table. Indices are positions in the values as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The caller gives each value once: atoms number *different* values.
    Duplicate { first: usize, second: usize },
    /// More values than numbers: an edge's weight has 24 bits.
    TooManyPaths { paths: usize },
    /// More different components end the same path than 21 bits of hash can tell apart.
    NodeTooWide { edges: usize },
    /// No multiplier gave every component its own slot.
    NoPerfectHash { edges: usize },
    /// A text longer than any that a program reads.
    TextTooLong { value: usize, len: usize },
    /// More bytes than the verifier lets a program index.
    RegionTooLarge { bytes: usize },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Duplicate { first, second } => {
                write!(f, "values {first} and {second} of a table are the same")
            }
            TableError::TooManyPaths { paths } => {
                write!(f, "{paths} paths are more than one table can number (2^24)")
            }
            TableError::NodeTooWide { edges } => {
                write!(
                    f,
                    "{edges} different names below one path suffix are more than a table can tell apart"
                )
            }
            TableError::NoPerfectHash { edges } => write!(f, "no perfect hash found for {edges} names"),
            TableError::TextTooLong { value, len } => {
                write!(f, "value {value} has {len} bytes; a program reads at most 4096")
            }
            TableError::RegionTooLarge { bytes } => {
                write!(f, "the tables of one operation need {bytes} bytes, more than a program can index")
            }
        }
    }
}

impl std::error::Error for TableError {}
