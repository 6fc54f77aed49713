//! Masks, of which a program finds out which ones a number has a bit of.
//!
//! Turns: different masks. Into: the table; bit i of an atom says that the number has a bit of `masks[i]`, so that many
//! conditions on one argument cost one look at it.
//! Assumes that the plan refused more masks than an atom has bits.

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi::mask_table;

/// Writes the table and returns its reference.
pub fn build(blob: &mut Blob, masks: &[u64]) -> Result<u32, TableError> {
    let mut bytes = vec![0; mask_table::MASKS];
    bytes[mask_table::COUNT..][..4].copy_from_slice(&(masks.len() as u32).to_le_bytes());
    bytes.extend(masks.iter().flat_map(|mask| mask.to_le_bytes()));
    blob.put(&bytes)
}

/// How many atoms that many masks have, besides that of a number without any of their bits.
pub fn atoms(masks: usize) -> u32 {
    (1 << masks) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::evaluate::Tables;

    #[test]
    fn an_atom_says_of_which_masks_there_is_a_bit() {
        let mut blob = Blob::tables();
        let root = build(&mut blob, &[0b11, 0b110, 1 << 63]).unwrap();
        let region = blob.finish();
        let tables = Tables::open(&region.bytes).unwrap();
        for (value, atom) in
            [(0, 0), (1, 0b1), (2, 0b11), (4, 0b10), (8, 0), (u64::MAX, 0b111), (1 << 63, 0b100)]
        {
            assert_eq!(tables.masks(root, value), Ok(atom), "{value:#x}");
        }
        assert_eq!((atoms(0), atoms(3)), (0, 7));
    }
}
