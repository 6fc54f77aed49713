//! Numbers as ascending pieces that a program searches by halves.
//!
//! Turns: the intervals of all conditions, cut at each other's ends. Into: the table, in which the atom of a piece is
//! its rank, from 1; what lies in no piece has atom 0. Single numbers are pieces of one: a table of nothing else holds no
//! lengths, and its stencil looks for none.

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi::int_table;
use crate::policy::Interval;

/// Cuts intervals, in any order, so that each is made of whole pieces. Ascending and apart from each other.
pub fn pieces(intervals: &[Interval]) -> Vec<Interval> {
    let wide: Vec<(u128, u128)> = intervals.iter().map(|i| (i.first.into(), i.last.into())).collect();
    cut(&wide).into_iter().map(|(first, last)| Interval { first: first as u64, last: last as u64 }).collect()
}

/// The same for numbers of any width, each interval as its first and last number.
pub fn cut(intervals: &[(u128, u128)]) -> Vec<(u128, u128)> {
    // Where something begins or ends; behind the last number of all nothing begins.
    let mut ends: Vec<(Option<u128>, i32)> = Vec::with_capacity(2 * intervals.len());
    for &(first, last) in intervals {
        ends.push((Some(first), 1));
        ends.push((last.checked_add(1), -1));
    }
    ends.sort_unstable_by_key(|&(at, change)| (at.is_none(), at, change));
    let (mut out, mut open) = (vec![], 0);
    for pair in ends.windows(2) {
        let [(from, change), (to, _)] = [pair[0], pair[1]];
        open += change;
        if let (Some(from), true) = (from, open > 0 && from != to) {
            out.push((from, to.map_or(u128::MAX, |to| to - 1)));
        }
    }
    out
}

/// Whether all pieces are single numbers.
pub fn are_points(pieces: &[Interval]) -> bool {
    pieces.iter().all(|piece| piece.first == piece.last)
}

/// Writes the table of these pieces and returns its reference.
pub fn build(blob: &mut Blob, pieces: &[Interval]) -> Result<u32, TableError> {
    if let Some(i) = pieces.windows(2).position(|pair| pair[0].last >= pair[1].first) {
        return Err(TableError::Duplicate { first: i, second: i + 1 });
    }
    let mut bytes = vec![0; int_table::VALUES];
    bytes[int_table::COUNT..][..4].copy_from_slice(&(pieces.len() as u32).to_le_bytes());
    bytes.extend(pieces.iter().flat_map(|piece| piece.first.to_le_bytes()));
    if !are_points(pieces) {
        bytes[int_table::SIZES..][..4].copy_from_slice(&1u32.to_le_bytes());
        bytes.extend(pieces.iter().flat_map(|piece| (piece.last - piece.first).to_le_bytes()));
    }
    blob.put(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::evaluate::Tables;

    fn atom(pieces: &[Interval], value: u64) -> u32 {
        let mut blob = Blob::tables();
        let root = build(&mut blob, pieces).unwrap();
        let region = blob.finish();
        Tables::open(&region.bytes).unwrap().int(root, value).unwrap()
    }

    #[test]
    fn values_are_found_and_neighbours_are_not() {
        let points = [0, 7, 8, 1 << 63, -4095i64 as u64, u64::MAX].map(Interval::point);
        for (i, point) in points.iter().enumerate() {
            assert_eq!(atom(&points, point.first), i as u32 + 1);
        }
        for near in [1, 6, 9, u64::MAX - 1, (1 << 63) + 1] {
            assert_eq!(atom(&points, near), 0, "{near}");
        }
    }

    #[test]
    fn no_value_at_all() {
        assert_eq!(atom(&[], 0), 0);
    }

    #[test]
    fn twice_the_same_is_refused() {
        let again = build(&mut Blob::tables(), &[5, 5].map(Interval::point));
        assert_eq!(again, Err(TableError::Duplicate { first: 0, second: 1 }));
    }

    fn arb_interval() -> impl Strategy<Value = Interval> {
        let edge = prop_oneof![0u64..24, (u64::MAX - 24)..=u64::MAX];
        (edge.clone(), edge).prop_map(|(a, b)| Interval { first: a.min(b), last: a.max(b) })
    }

    proptest! {
        /// A value's piece lies in exactly those intervals that hold the value.
        #[test]
        fn pieces_keep_apart_what_intervals_keep_apart(
            intervals in prop::collection::vec(arb_interval(), 0..7),
            value in prop_oneof![0u64..26, (u64::MAX - 26)..=u64::MAX, any::<u64>()],
        ) {
            let pieces = pieces(&intervals);
            match atom(&pieces, value) {
                0 => prop_assert!(intervals.iter().all(|i| !i.contains(value))),
                atom => {
                    let piece = pieces[atom as usize - 1];
                    prop_assert!(piece.contains(value));
                    for i in &intervals {
                        prop_assert_eq!(i.contains(value), i.contains(piece.first) && i.contains(piece.last));
                        prop_assert_eq!(i.contains(piece.first), i.contains(piece.last));
                    }
                }
            }
        }
    }
}
