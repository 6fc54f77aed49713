use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::artifact::evaluate::row_holds;
use crate::emit::verify::decode;

#[test]
fn small_dimensions_take_bits_and_large_ones_lists() {
    let (mut blob, mut rows) = (Blob::tables(), Rows::default());
    // 2048 atoms are 256 bytes of bits; one more would be 264.
    let at_the_limit = rows.put(&mut blob, &[1, 2], false, 2046).unwrap();
    let above = rows.put(&mut blob, &[1, 2], false, 2047).unwrap();
    assert_eq!((at_the_limit & 7, above & 7), (0, abi::ROW_LIST));
    // A list of 63 ids takes 256 bytes, one of 64 takes 264, as many as the bits.
    let ids: Vec<u32> = (0..64).map(|i| i * 3).collect();
    assert_eq!(rows.put(&mut blob, &ids[..63], false, 2047).unwrap() & 7, abi::ROW_LIST);
    assert_eq!(rows.put(&mut blob, &ids, false, 2047).unwrap() & 7, 0);
}

#[test]
fn equal_sets_share_a_row_however_they_are_given() {
    let (mut blob, mut rows) = (Blob::tables(), Rows::default());
    let set = [1, 5, 700];
    let outside: Vec<u32> = (0..3002).filter(|a| !set.contains(a)).collect();
    let plain = rows.put(&mut blob, &set, false, 3000).unwrap();
    assert_eq!(rows.put(&mut blob, &outside, true, 3000).unwrap(), plain);
    let inverted = rows.put(&mut blob, &set, true, 3000).unwrap();
    assert_eq!(rows.put(&mut blob, &outside, false, 3000).unwrap(), inverted);
    assert_eq!(inverted ^ plain, abi::ROW_INVERT);
    assert_eq!(rows.len(), 1);
    // A list says nothing about how many atoms there are.
    assert_eq!(rows.put(&mut blob, &set, false, 90_000).unwrap(), plain);
    assert_ne!(rows.put(&mut blob, &[1, 5, 701], false, 3000).unwrap(), plain);
    assert_eq!(rows.len(), 2);
}

#[test]
fn halves_are_the_same_set_too() {
    let (mut blob, mut rows) = (Blob::tables(), Rows::default());
    let a = rows.put(&mut blob, &[0, 1], false, 2).unwrap();
    let b = rows.put(&mut blob, &[2, 3], true, 2).unwrap();
    assert_eq!(a, b);
    assert_eq!(rows.len(), 1);
}

#[test]
fn nothing_and_everything() {
    for values in [0, 1, 62, 63, 100_000] {
        let (mut blob, mut rows) = (Blob::tables(), Rows::default());
        let none = rows.put(&mut blob, &[], false, values).unwrap();
        let all = rows.put(&mut blob, &[], true, values).unwrap();
        let every: Vec<u32> = (0..values + 2).collect();
        assert_eq!(rows.put(&mut blob, &every, false, values).unwrap(), all);
        assert_eq!(rows.put(&mut blob, &every, true, values).unwrap(), none);
        assert_eq!(rows.len(), 1, "{values}");
        let region = blob.finish().bytes;
        for atom in [0, values, values + 1] {
            assert_eq!(row_holds(&region, none, atom), Ok(false));
            assert_eq!(row_holds(&region, all, atom), Ok(true));
        }
    }
}

#[test]
fn wrong_ids_are_refused() {
    let (mut blob, mut rows) = (Blob::tables(), Rows::default());
    for (ids, atom) in [(&[1, 1][..], 1), (&[2, 1], 1), (&[0, 12], 12)] {
        assert_eq!(rows.put(&mut blob, ids, false, 10), Err(TableError::InvalidRow { atom }));
        assert_eq!(rows.put_bits(&mut blob, ids, true, 10), Err(TableError::InvalidRow { atom }));
    }
    assert!(rows.put(&mut blob, &[0, 11], false, 10).is_ok());
}

#[test]
fn sparse_rows_over_many_atoms_are_cheap() {
    let (mut blob, mut rows) = (Blob::tables(), Rows::default());
    for i in 0..10_000u32 {
        let ids: Vec<u32> = (1..=10).map(|k| i + k * 9_000).collect();
        rows.put(&mut blob, &ids, i % 2 == 0, 100_000).unwrap();
    }
    assert_eq!(rows.len(), 10_000);
    assert_eq!(blob.len(), 80 + 10_000 * 48);
}

proptest! {
    #[test]
    fn any_set_comes_back(
        values in prop_oneof![0u32..70, 2000u32..2100, 5000u32..5010],
        ids in prop::collection::btree_set(0u32..6000, 0..150),
        inverted: bool,
    ) {
        let ids: BTreeSet<u32> = ids.into_iter().map(|i| i % (values + 2)).collect();
        let sorted: Vec<u32> = ids.iter().copied().collect();
        let (mut blob, mut rows) = (Blob::tables(), Rows::default());
        let row = rows.put(&mut blob, &sorted, inverted, values).unwrap();
        let bits = rows.put_bits(&mut blob, &sorted, inverted, values).unwrap();
        prop_assert_eq!(bits & 7, 0);
        let region = blob.finish().bytes;
        let decoded = decode::row(&region, row, values).unwrap();
        for atom in 0..values + 2 {
            let expected = ids.contains(&atom) != inverted;
            prop_assert_eq!(row_holds(&region, row, atom), Ok(expected));
            prop_assert_eq!(row_holds(&region, bits, atom), Ok(expected));
            prop_assert_eq!(decoded.holds(atom), expected);
        }
    }
}
