//! Rows as they stand in a node region: sets of atoms in the cheaper of the forms that the program can read.
//!
//! Bits where that is at most 128 bytes or no longer than the list, since testing a bit costs the same whatever
//! the set; a list, which the program halves, elsewhere. Of a set and its complement the smaller one is kept if
//! the program can invert, so that an allowlist's quiet row and the row that its policy tests are one.

use crate::abi::{ROW_INVERT, ROW_LIST};
use crate::manifest::RowForm;
use crate::scope_block::Atoms;

const BITS_ALWAYS: u64 = 128;

/// How a set is kept; the atoms are written by [`encode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// What stands in the region: the set itself, or its complement if `flags` say so.
    kept: Atoms,
    /// Atoms that the dimension can give.
    width: u64,
    pub(super) flags: u32,
}

/// The row of a dimension that names `atoms` values.
pub(super) fn row_of(set: &Atoms, atoms: u32, form: RowForm) -> Row {
    let width = u64::from(atoms) + 2;
    let others = set.complement(atoms);
    let invert = form == RowForm::Any && others.len() < set.len();
    let kept = if invert { others } else { set.clone() };
    let bits = bits_bytes(width);
    let as_bits = form == RowForm::Bits || bits <= BITS_ALWAYS.max(list_bytes(&kept));
    let flags = if as_bits { 0 } else { ROW_LIST } | if invert { ROW_INVERT } else { 0 };
    Row { kept, width, flags }
}

pub(super) fn row_bytes(row: &Row) -> u64 {
    if row.flags & ROW_LIST == 0 { bits_bytes(row.width) } else { list_bytes(&row.kept) }
}

/// A multiple of 8 bytes. Two rows of the same bytes are the same row, whatever their flags.
pub(super) fn encode(row: &Row) -> Vec<u8> {
    let mut bytes = vec![0; row_bytes(row) as usize];
    if row.flags & ROW_LIST == 0 {
        for atom in row.kept.iter() {
            // Little endian: byte n of the words holds the bits from 8 n on.
            bytes[atom as usize / 8] |= 1 << (atom % 8);
        }
    } else {
        let words = std::iter::once(row.kept.len() as u32).chain(row.kept.iter());
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

fn bits_bytes(width: u64) -> u64 {
    width.div_ceil(64) * 8
}

fn list_bytes(set: &Atoms) -> u64 {
    (4 + 4 * set.len()).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(range: impl IntoIterator<Item = u32>) -> Atoms {
        Atoms::of(range)
    }

    #[test]
    fn an_allowlist_and_its_complement_are_one_row() {
        let listed = atoms([3, 70, 499]);
        let (quiet, tested) =
            (row_of(&listed, 500, RowForm::Any), row_of(&listed.complement(500), 500, RowForm::Any));
        assert_eq!((quiet.flags, tested.flags), (0, ROW_INVERT));
        assert_eq!(encode(&quiet), encode(&tested));
        assert_eq!(row_bytes(&quiet), 64);
        assert_eq!(encode(&quiet)[8], 1 << 6);
    }

    #[test]
    fn a_program_that_reads_bits_gets_bits() {
        for set in [atoms([]), atoms([1]), atoms(0..=99_999)] {
            let row = row_of(&set, 100_000, RowForm::Bits);
            assert_eq!((row.flags, row_bytes(&row)), (0, 12_504));
            assert_eq!(encode(&row).iter().map(|b| u64::from(b.count_ones())).sum::<u64>(), set.len());
        }
    }

    #[test]
    fn few_of_many_become_a_list() {
        let row = row_of(&atoms([7, 90_000]), 100_000, RowForm::Any);
        assert_eq!(row.flags, ROW_LIST);
        assert_eq!(encode(&row), [2u32, 7, 90_000, 0].map(u32::to_le_bytes).concat());
        let most = row_of(&atoms([7, 90_000]).complement(100_000), 100_000, RowForm::Any);
        assert_eq!((most.flags, encode(&most)), (ROW_LIST | ROW_INVERT, encode(&row)));
        assert_eq!(row_of(&atoms((0..50_000).map(|n| 2 * n)), 100_000, RowForm::Any).flags, 0, "too many");
        assert_eq!(row_of(&atoms([7]), 1000, RowForm::Any).flags, 0, "bits are short enough");
    }
}
