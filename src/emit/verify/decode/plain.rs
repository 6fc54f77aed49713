//! Integers and rows.

use super::{Claims, DecodeError};
use crate::artifact::abi::{self, int_table};

pub fn ints(bytes: &[u8], root: u32, expected: u32) -> Result<Vec<u64>, DecodeError> {
    let mut claims = Claims::new(bytes);
    let at = Claims::place(0, root, 0)?;
    let count = claims.u32(at + int_table::COUNT)?;
    if count != expected {
        return Err(DecodeError::Count { expected, found: u64::from(count) });
    }
    let piece = claims.take(at, int_table::SIZE + 8 * count as usize)?;
    if abi::u32_at(piece, int_table::PAD) != Some(0) {
        return Err(DecodeError::Size { at });
    }
    let values: Vec<u64> = abi::words(&piece[int_table::VALUES..]).collect();
    match values.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(i) => Err(DecodeError::Order { at: at + int_table::VALUES + 8 * (i + 1) }),
        None => Ok(values),
    }
}

/// A set of atoms as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// Ascending.
    pub ids: Vec<u32>,
    /// The set is that of the other atoms.
    pub inverted: bool,
}

impl Row {
    pub fn holds(&self, atom: u32) -> bool {
        self.ids.binary_search(&atom).is_ok() != self.inverted
    }
}

/// Reads a row over the atoms of `values` values: 0..=values + 1.
///
/// `region` is what the reference points into. Costs as much as the row has bytes.
pub fn row(region: &[u8], reference: u32, values: u32) -> Result<Row, DecodeError> {
    let at = Claims::place(0, reference, abi::ROW_LIST | abi::ROW_INVERT)?;
    if at == 0 {
        return Err(DecodeError::Reference { at: 0, reference });
    }
    let atoms = u64::from(values) + 2;
    let ids = if reference & abi::ROW_LIST != 0 {
        listed(region, at, atoms)?
    } else {
        from_bits(region, at, atoms)?
    };
    Ok(Row { ids, inverted: reference & abi::ROW_INVERT != 0 })
}

fn listed(region: &[u8], at: usize, atoms: u64) -> Result<Vec<u32>, DecodeError> {
    let count = abi::u32_at(region, at).ok_or(DecodeError::Outside { at })?;
    let end = (4 * u64::from(count) + 4) as usize + at;
    let list = region.get(at + 4..end).ok_or(DecodeError::Outside { at })?;
    let mut ids: Vec<u32> = Vec::with_capacity(list.len() / 4);
    for (i, id) in list.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)).enumerate() {
        if u64::from(id) >= atoms || ids.last().is_some_and(|&last| last >= id) {
            return Err(DecodeError::Order { at: at + 4 + 4 * i });
        }
        ids.push(id);
    }
    Ok(ids)
}

fn from_bits(region: &[u8], at: usize, atoms: u64) -> Result<Vec<u32>, DecodeError> {
    let len = (atoms.div_ceil(64) * 8) as usize;
    let bits = region.get(at..at.saturating_add(len)).ok_or(DecodeError::Outside { at })?;
    let mut ids = vec![];
    for (i, mut word) in abi::words(bits).enumerate() {
        while word != 0 {
            let id = 64 * i as u64 + u64::from(word.trailing_zeros());
            if id >= atoms {
                return Err(DecodeError::Order { at: at + 8 * i });
            }
            ids.push(id as u32);
            word &= word - 1;
        }
    }
    Ok(ids)
}
