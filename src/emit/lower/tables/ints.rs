//! Integers as an ascending array that a program searches by halves.
//!
//! Turns: different values of 64 bits. Into: the table, and the atom of each value: its rank, from 1.

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi::int_table;

/// Integers of one dimension in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ints {
    pub root: u32,
    /// In the order of the values given.
    pub atoms: Vec<u32>,
}

pub fn build(blob: &mut Blob, values: &[u64]) -> Result<Ints, TableError> {
    let mut sorted: Vec<(u64, usize)> = values.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(TableError::Duplicate { first: pair[0].1, second: pair[1].1 });
    }
    let mut bytes = vec![0; int_table::VALUES];
    bytes[int_table::COUNT..][..4].copy_from_slice(&(values.len() as u32).to_le_bytes());
    bytes.extend(sorted.iter().flat_map(|(value, _)| value.to_le_bytes()));
    let root = blob.put(&bytes)?;
    let mut atoms = vec![0; values.len()];
    for (atom, &(_, i)) in (1u32..).zip(&sorted) {
        atoms[i] = atom;
    }
    Ok(Ints { root, atoms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::evaluate::Tables;

    #[test]
    fn values_are_found_and_neighbours_are_not() {
        let mut blob = Blob::tables();
        let values = [7, 0, u64::MAX, 1 << 63, 8, -4095i64 as u64];
        let ints = build(&mut blob, &values).unwrap();
        assert_eq!(ints.atoms, [2, 1, 6, 4, 3, 5]);
        let region = blob.finish();
        let tables = Tables::open(&region.bytes).unwrap();
        for (value, atom) in values.iter().zip(&ints.atoms) {
            assert_eq!(tables.int(ints.root, *value), Ok(*atom));
        }
        for near in [1, 6, 9, u64::MAX - 1, (1 << 63) + 1] {
            assert_eq!(tables.int(ints.root, near), Ok(0), "{near}");
        }
    }

    #[test]
    fn no_value_at_all() {
        let mut blob = Blob::tables();
        let ints = build(&mut blob, &[]).unwrap();
        let region = blob.finish();
        assert_eq!(Tables::open(&region.bytes).unwrap().int(ints.root, 0), Ok(0));
    }

    #[test]
    fn twice_the_same_is_refused() {
        let again = build(&mut Blob::tables(), &[5, 4, 5]);
        assert_eq!(again, Err(TableError::Duplicate { first: 0, second: 2 }));
    }
}
