//! Reads tables back whole: every value with its atom, every decision word.
//!
//! Turns the bytes of a region and a reference into what they say. Knows [`crate::artifact::abi`] and nothing of
//! the builders; it follows every edge of a table where [`crate::artifact::evaluate`] follows one value's.
//! Assumes nothing about the bytes. Guarantees: no panic, and no more work than the region and the strings that
//! it holds are long (4096 bytes each and 2^28 in all, at most): every table must own its bytes alone, edges of an automaton lead
//! to lower offsets and nodes of a trie to bytes not yet read, so nothing is read twice.
//! A table that this accepts has the atoms 1..=n, each for one value, and finds each value by its own steps.

use std::fmt;

use crate::artifact::abi::{self, tables_header};
use crate::policy::{AddressRange, Interval};

mod automaton;
mod code;
mod ints;
mod trie;

pub use code::{Step, code, fragment};

/// What is wrong with the bytes. Offsets are in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The header is not one of this compiler's.
    Header,
    /// Bytes that are not there.
    Outside { at: usize },
    /// Bytes that something else of the same table holds already.
    Overlap { at: usize },
    /// A reference that is not a multiple of 8, or has flags that mean nothing here.
    Reference { at: usize, reference: u32 },
    /// An edge that leads to a higher offset, so that it might lead back.
    Forward { at: usize },
    /// A component or label whose length, mask, padding or bytes cannot be.
    Name { at: usize },
    /// Two edges with the same name, or a name that its own hash does not find.
    Misplaced { at: usize },
    /// A size that is not a power of two, or above what a hash selects.
    Size { at: usize },
    /// Weights that are not the numbers of the strings before.
    Weight { at: usize },
    /// A node from which no value can be reached.
    DeadEnd { at: usize },
    /// A value longer than any that a program reads.
    TooLong { at: usize },
    /// More text than any input has; a small automaton can stand for very many long strings.
    TooMuch,
    /// An atom above n, or one that two values have.
    Atom { at: usize, atom: u32 },
    /// Another number of values than the manifest says.
    Count { expected: u32, found: u64 },
    /// Integers or ids that do not ascend.
    Order { at: usize },
    /// No decision word, or one behind the end. Positions are in words.
    Word { position: usize },
    /// A skip that ends inside an instruction or behind the end.
    Skip { position: usize },
    /// Decision words that do not end.
    NoEnd,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Header => write!(f, "the header is not that of tables"),
            DecodeError::Outside { at } => write!(f, "offset {at} is outside"),
            DecodeError::Overlap { at } => write!(f, "offset {at} is used twice"),
            DecodeError::Reference { at, reference } => write!(f, "reference {reference:#x} at offset {at}"),
            DecodeError::Forward { at } => write!(f, "the edge at offset {at} leads forward"),
            DecodeError::Name { at } => write!(f, "the name at offset {at} cannot be"),
            DecodeError::Misplaced { at } => write!(f, "the edge at offset {at} would not be found"),
            DecodeError::Size { at } => write!(f, "the size at offset {at} cannot be"),
            DecodeError::Weight { at } => write!(f, "the weight of the edge at offset {at} is wrong"),
            DecodeError::DeadEnd { at } => write!(f, "no value goes through offset {at}"),
            DecodeError::TooLong { at } => write!(f, "a value through offset {at} is too long"),
            DecodeError::TooMuch => write!(f, "the values of a table have more than 2^28 bytes"),
            DecodeError::Atom { at, atom } => {
                write!(f, "atom {atom} at offset {at} is out of range or used twice")
            }
            DecodeError::Count { expected, found } => write!(f, "{found} values where {expected} are said"),
            DecodeError::Order { at } => write!(f, "the number at offset {at} is not above the one before"),
            DecodeError::Word { position } => write!(f, "decision word {position} cannot be"),
            DecodeError::Skip { position } => write!(f, "decision word {position} skips to no instruction"),
            DecodeError::NoEnd => write!(f, "the decision words do not end"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The values of a table; the one with atom i + 1 stands at i.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    bytes: Vec<u8>,
    spans: Vec<(u32, u32)>,
}

/// Bytes of all values of one table; inputs are smaller.
const VALUES_MAX: usize = 1 << 28;

impl Values {
    /// Appends the pieces of one value and returns where it stands.
    fn append<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(u32, u32), DecodeError> {
        let start = self.bytes.len();
        pieces.for_each(|piece| self.bytes.extend_from_slice(piece));
        if self.bytes.len() > VALUES_MAX {
            return Err(DecodeError::TooMuch);
        }
        Ok((start as u32, self.bytes.len() as u32))
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The value that has this atom; `None` for 0 (any other) and n + 1 (cannot be read).
    pub fn get(&self, atom: u32) -> Option<&[u8]> {
        let &(start, end) = self.spans.get((atom as usize).checked_sub(1)?)?;
        Some(&self.bytes[start as usize..end as usize])
    }

    /// In order of atom, from 1.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|&(start, end)| &self.bytes[start as usize..end as usize])
    }
}

/// The tables of one operation, as an image holds them.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    bytes: &'a [u8],
}

impl<'a> Tables<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Tables<'a>, DecodeError> {
        let len = abi::u32_at(bytes, tables_header::LEN).ok_or(DecodeError::Header)? as usize;
        let magic = abi::u32_at(bytes, tables_header::MAGIC) == Some(abi::TABLES_MAGIC);
        let number = abi::u32_at(bytes, tables_header::ABI) == Some(abi::TABLES_ABI);
        let pad = abi::u32_at(bytes, tables_header::PAD) == Some(0);
        if !(magic && number && pad)
            || len < tables_header::SIZE
            || !len.is_multiple_of(8)
            || len > bytes.len()
        {
            return Err(DecodeError::Header);
        }
        let none = &bytes[tables_header::ZERO..tables_header::SIZE];
        let (head, rest) = none.split_at(abi::edge::MASK);
        if head.iter().any(|&b| b != 0) || rest.iter().any(|&b| b != 0xff) {
            return Err(DecodeError::Header);
        }
        Ok(Tables { bytes: &bytes[..len] })
    }

    /// Every path of an automaton, in order of id. `expected` of them, as the manifest says.
    pub fn paths(&self, root: u32, expected: u32) -> Result<Values, DecodeError> {
        automaton::paths(Claims::new(self.bytes), root, expected)
    }

    /// Every text of a trie, in reading order: those of a Postfix trie are given as they are written in policies
    /// if `backward`.
    pub fn texts(&self, root: u32, expected: u32, backward: bool) -> Result<Values, DecodeError> {
        trie::texts(Claims::new(self.bytes), root, expected, backward)
    }

    /// Every piece of a table of integers, in order of atom.
    pub fn pieces(&self, root: u32, expected: u32) -> Result<Vec<Interval>, DecodeError> {
        ints::pieces(self.bytes, root, expected)
    }

    /// Every piece of a table of addresses, in order of atom.
    pub fn addresses(&self, root: u32, expected: u32) -> Result<Vec<AddressRange>, DecodeError> {
        ints::addresses(self.bytes, root, expected)
    }

    /// Every limit: window in nanoseconds, scope, words of the key.
    pub fn limits(&self, root: u32, count: u32) -> Result<Vec<(u64, u32, u32)>, DecodeError> {
        let mut claims = Claims::new(self.bytes);
        let first = Claims::place(0, root, 0)?;
        (0..count as usize)
            .map(|i| {
                let at = first.saturating_add(i * abi::limit::SIZE);
                claims.take(at, abi::limit::SIZE)?;
                let window = claims.u64(at + abi::limit::WINDOW)?;
                Ok((window, claims.u32(at + abi::limit::SCOPE)?, claims.u32(at + abi::limit::WORDS)?))
            })
            .collect()
    }

    /// Every mask of a table, in order of its bit in atoms.
    pub fn masks(&self, root: u32, expected: u32) -> Result<Vec<u64>, DecodeError> {
        ints::masks(self.bytes, root, expected)
    }
}

/// A region of which one table is read: every piece is taken once.
struct Claims<'a> {
    bytes: &'a [u8],
    /// One bit for each 8 bytes.
    taken: Vec<u64>,
}

impl<'a> Claims<'a> {
    fn new(bytes: &'a [u8]) -> Claims<'a> {
        Claims { bytes, taken: vec![0; bytes.len().div_ceil(512)] }
    }

    /// The offset that a reference names, whose flags must be among those given.
    fn place(at: usize, reference: u32, flags: u32) -> Result<usize, DecodeError> {
        if reference & abi::REF_FLAGS & !flags != 0 {
            return Err(DecodeError::Reference { at, reference });
        }
        Ok((reference & !abi::REF_FLAGS) as usize)
    }

    /// Takes bytes at a multiple of 8, with the padding behind them, which must be zero. The header is nobody's.
    fn take(&mut self, at: usize, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = at.saturating_add(len).checked_next_multiple_of(8).ok_or(DecodeError::Outside { at })?;
        let piece = self.bytes.get(at..end).ok_or(DecodeError::Outside { at })?;
        if at < tables_header::SIZE {
            return Err(DecodeError::Overlap { at });
        }
        for unit in at / 8..end / 8 {
            let bit = 1 << (unit % 64);
            if self.taken[unit / 64] & bit != 0 {
                return Err(DecodeError::Overlap { at: unit * 8 });
            }
            self.taken[unit / 64] |= bit;
        }
        let (piece, padding) = piece.split_at(len);
        if padding.iter().any(|&b| b != 0) {
            return Err(DecodeError::Name { at });
        }
        Ok(piece)
    }

    fn u32(&self, at: usize) -> Result<u32, DecodeError> {
        abi::u32_at(self.bytes, at).ok_or(DecodeError::Outside { at })
    }

    fn u64(&self, at: usize) -> Result<u64, DecodeError> {
        abi::u64_at(self.bytes, at).ok_or(DecodeError::Outside { at })
    }
}

#[cfg(test)]
mod tests;
