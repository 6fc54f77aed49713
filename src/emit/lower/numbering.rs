//! Which atom a value is, per dimension: what the table builders decided, in the form that predicates need.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::tables;
use crate::policy::{AddressRange, Interval, StrId, Values};

/// The atoms of one dimension: 0 is any other value, `1..=count` are values, then the one that cannot be read.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    pub count: u32,
    /// Atom `i + 1` is `pieces[i]`; ascending and apart from each other.
    pieces: Vec<Interval>,
    /// The same of addresses.
    addresses: Vec<AddressRange>,
    /// Bit `i` of an atom is `masks[i]`.
    masks: Vec<u64>,
    /// The values whose tests are true for an atom: of a prefix trie, a value holds for itself and for all
    /// longer ones below it, which are numbered in a row.
    strings: IndexMap<StrId, std::ops::Range<u32>, FxBuildHasher>,
}

impl Numbering {
    /// No condition's interval ends inside a piece.
    pub fn of_pieces(pieces: Vec<Interval>) -> Numbering {
        Numbering { count: pieces.len() as u32, pieces, ..Numbering::default() }
    }

    /// As [`Numbering::of_pieces`].
    pub fn of_addresses(addresses: Vec<AddressRange>) -> Numbering {
        Numbering { count: addresses.len() as u32, addresses, ..Numbering::default() }
    }

    pub fn of_masks(masks: Vec<u64>) -> Numbering {
        Numbering { count: tables::masks::atoms(masks.len()), masks, ..Numbering::default() }
    }

    /// Each value is its own atom. Values that nothing can equal have none.
    pub fn of_strings(ids: impl IntoIterator<Item = (StrId, u32)>, count: u32) -> Numbering {
        Numbering {
            count,
            strings: ids.into_iter().map(|(s, id)| (s, id..id + 1)).collect(),
            ..Numbering::default()
        }
    }

    /// `sorted` are the values in byte order (of the reversed bytes for Postfix): atom `i + 1` is
    /// `sorted[i]`, and what begins with it stands directly behind it.
    pub fn of_prefixes(sorted: &[(StrId, Vec<u8>)]) -> Numbering {
        let mut strings = IndexMap::default();
        let mut open: Vec<usize> = vec![];
        let mut ends = vec![0u32; sorted.len()];
        for (i, (_, bytes)) in sorted.iter().enumerate() {
            while open.last().is_some_and(|&o| !bytes.starts_with(&sorted[o].1)) {
                ends[open.pop().expect("not empty")] = i as u32 + 1;
            }
            open.push(i);
        }
        for o in open {
            ends[o] = sorted.len() as u32 + 1;
        }
        for (i, (id, _)) in sorted.iter().enumerate() {
            strings.insert(*id, i as u32 + 1..ends[i]);
        }
        Numbering { count: sorted.len() as u32, strings, ..Numbering::default() }
    }

    /// The atoms for which a condition with these values is true.
    pub fn atoms(&self, values: &Values) -> Vec<u32> {
        match values {
            Values::Path(texts) | Values::Text(texts) | Values::Prefix(texts) | Values::Postfix(texts) => {
                texts.iter().flat_map(|&text| self.atoms_under(text)).collect()
            }
            Values::Intervals(intervals) => intervals.iter().flat_map(|&i| self.atoms_within(i)).collect(),
            Values::Addresses(ranges) => {
                ranges.iter().flat_map(|&range| self.atoms_of_range(range)).collect()
            }
            Values::AnyBit(masks) => {
                let bits = self.masks.iter().enumerate().filter(|(_, mask)| masks.contains(mask));
                let bits = bits.fold(0, |bits, (i, _)| bits | 1u32 << i);
                (1..=self.count).filter(|atom| atom & bits != 0).collect()
            }
        }
    }

    fn atoms_within(&self, interval: Interval) -> std::ops::Range<u32> {
        let from = self.pieces.partition_point(|piece| piece.first < interval.first);
        let to = self.pieces.partition_point(|piece| piece.first <= interval.last);
        from as u32 + 1..to as u32 + 1
    }

    fn atoms_of_range(&self, range: AddressRange) -> std::ops::Range<u32> {
        let from = self.addresses.partition_point(|piece| piece.first < range.first);
        let to = self.addresses.partition_point(|piece| piece.first <= range.last);
        from as u32 + 1..to as u32 + 1
    }

    /// The atoms for which a test for `value` is true; none if no input can have it.
    fn atoms_under(&self, value: StrId) -> std::ops::Range<u32> {
        self.strings.get(&value).cloned().unwrap_or(0..0)
    }

    pub fn unreadable(&self) -> u32 {
        self.count + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_for_the_longer_ones_and_for_nothing_beside_them() {
        let sorted: Vec<(StrId, Vec<u8>)> = ["/a", "/a/b", "/a/c", "/ab", "/b"]
            .iter()
            .enumerate()
            .map(|(i, s)| (StrId(i as u32), s.as_bytes().to_vec()))
            .collect();
        let n = Numbering::of_prefixes(&sorted);
        assert_eq!(n.atoms_under(StrId(0)), 1..5);
        assert_eq!(n.atoms_under(StrId(1)), 2..3);
        assert_eq!(n.atoms_under(StrId(3)), 4..5);
        assert_eq!(n.atoms_under(StrId(4)), 5..6);
        assert_eq!(n.unreadable(), 6);
    }
}
