//! Rows: for which atoms of a dimension a condition holds.
//!
//! Turns: a set of atoms, as ascending ids and whether they are those outside the set.
//! Into: a reference with flags to bits or to a list.
//! Guarantees: equal sets, however they were given, have the same reference; a set and its complement share
//! their bytes and differ in [`abi::ROW_INVERT`] alone; time and memory are linear in the ids given, never in
//! the number of atoms, but for bits that are written.
//! Cost rule: of a set and its complement the smaller is written (of two halves, the one without atom 0).
//! It is written as bits where they take at most 256 bytes (one test instead of a search) or no more than the
//! list; else as a list. [`Rows::put_bits`] is for stencils that know no other form. So a row of ten ids over 100 000 paths takes 44 bytes, not 12.5 KB.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi;

/// Bits are preferred up to this size, since testing one is faster than searching a list.
const CHEAP_BITS: usize = 256;

/// Rows of one region, each distinct one once.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Flags of the form, bytes, where they stand. Dimensions share rows that happen to have the same bytes.
    known: IndexMap<(u32, Box<[u8]>), u32, FxBuildHasher>,
}

impl Rows {
    /// The row of a set over the atoms 0..=n + 1, where 1..=n are `values` values, 0 is any other value and
    /// n + 1 one that cannot be read.
    pub fn put(
        &mut self,
        blob: &mut Blob,
        ids: &[u32],
        inverted: bool,
        values: u32,
    ) -> Result<u32, TableError> {
        let atoms = check(ids, values)?;
        let other_is_smaller = match (2 * ids.len()).cmp(&atoms) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => ids.first() == Some(&0),
            std::cmp::Ordering::Greater => true,
        };
        let complement;
        let (ids, inverted) = if other_is_smaller {
            complement = complement_of(ids, atoms as u32);
            (&complement[..], !inverted)
        } else {
            (ids, inverted)
        };
        let (form, bytes) = encode(ids, atoms);
        let invert = if inverted { abi::ROW_INVERT } else { 0 };
        Ok(self.intern(blob, form, bytes)? | invert)
    }

    /// The same set as plain bits, not inverted: its reference has no flags. Linear in the number of atoms.
    pub fn put_bits(
        &mut self,
        blob: &mut Blob,
        ids: &[u32],
        inverted: bool,
        values: u32,
    ) -> Result<u32, TableError> {
        let atoms = check(ids, values)?;
        let bits = if inverted { bits(&complement_of(ids, atoms as u32), atoms) } else { bits(ids, atoms) };
        self.intern(blob, 0, bits)
    }

    fn intern(&mut self, blob: &mut Blob, form: u32, bytes: Box<[u8]>) -> Result<u32, TableError> {
        if let Some(&at) = self.known.get(&(form, bytes.clone())) {
            return Ok(at | form);
        }
        let at = blob.put(&bytes)?;
        self.known.insert((form, bytes), at);
        Ok(at | form)
    }

    /// Distinct rows written so far.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// The number of atoms, if the ids are ascending and among them.
fn check(ids: &[u32], values: u32) -> Result<usize, TableError> {
    let atoms = values as usize + 2;
    let ascending = ids.windows(2).find(|pair| pair[0] >= pair[1]).map(|pair| pair[1]);
    let outside = ids.last().copied().filter(|&last| last as usize >= atoms);
    ascending.or(outside).map_or(Ok(atoms), |atom| Err(TableError::InvalidRow { atom }))
}

fn complement_of(ids: &[u32], atoms: u32) -> Vec<u32> {
    let mut next = ids.iter().copied().peekable();
    (0..atoms).filter(|&atom| next.next_if_eq(&atom).is_none()).collect()
}

/// The form's flag and the bytes.
fn encode(ids: &[u32], atoms: usize) -> (u32, Box<[u8]>) {
    let list_len = (4 + 4 * ids.len()).next_multiple_of(8);
    if bits_len(atoms) <= CHEAP_BITS.max(list_len) {
        return (0, bits(ids, atoms));
    }
    let count = ids.len() as u32;
    (abi::ROW_LIST, std::iter::once(count).chain(ids.iter().copied()).flat_map(u32::to_le_bytes).collect())
}

fn bits_len(atoms: usize) -> usize {
    atoms.div_ceil(64) * 8
}

fn bits(ids: &[u32], atoms: usize) -> Box<[u8]> {
    let mut bits = vec![0u8; bits_len(atoms)];
    for &id in ids {
        bits[id as usize / 8] |= 1 << (id % 8);
    }
    bits.into()
}

#[cfg(test)]
mod tests;
