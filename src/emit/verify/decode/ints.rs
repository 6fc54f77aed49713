//! Integers.

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
