//! Sets of atoms: as they stand in an image, and as they are combined on the node.
//!
//! A row in an image is the ascending list of its atoms, in which three or more in a row are two entries: the
//! first, and the last with [`RUN`] set. So a set has one spelling, and neither a short list nor a long range
//! costs more than it must. A [`RowRef`] may mean all *other* atoms instead.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::{ImageError, refused};

/// Flag of an entry: every atom behind the entry before, up to this one.
const RUN: u32 = 1 << 31;

/// Names a row of an image, or the atoms that are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowRef {
    pub row: u32,
    pub invert: bool,
}

impl RowRef {
    /// As it stands in words and quiet rows.
    pub fn code(self) -> u32 {
        self.row << 1 | u32::from(self.invert)
    }

    pub fn from_code(code: u32) -> RowRef {
        RowRef { row: code >> 1, invert: code & 1 == 1 }
    }

    /// The atoms that this one does not mean.
    #[must_use]
    pub fn inverted(self) -> RowRef {
        RowRef { invert: !self.invert, ..self }
    }
}

/// Every row of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub(super) ends: Vec<u32>,
    pub(super) ids: Vec<u32>,
}

impl Rows {
    pub(super) fn checked(ends: Vec<u32>, ids: Vec<u32>) -> Result<Rows, ImageError> {
        if !ends.is_sorted() || ends.last().map_or(0, |&end| end as usize) != ids.len() {
            return Err(refused("rows are not in order"));
        }
        let rows = Rows { ends, ids };
        for row in 0..rows.ends.len() {
            check_spelling(rows.entries(row as u32).unwrap_or_default())?;
        }
        Ok(rows)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Ascending ranges, both ends included, of the atoms that the row lists; `None` if there is no such row.
    pub fn runs(&self, row: u32) -> Option<impl Iterator<Item = (u32, u32)> + '_> {
        let mut entries = self.entries(row)?.iter().peekable();
        Some(std::iter::from_fn(move || {
            let first = *entries.next()?;
            let last = entries.next_if(|&&entry| entry & RUN != 0).map_or(first, |entry| entry & !RUN);
            Some((first, last))
        }))
    }

    /// The atoms meant, of a dimension that names `atoms` values.
    pub fn atoms(&self, row: RowRef, atoms: u32) -> Option<Atoms> {
        let mut set = Atoms::default();
        self.runs(row.row)?.for_each(|(first, last)| set.push(first, last));
        Some(if row.invert { set.complement(atoms) } else { set })
    }

    /// The greatest atom that the row lists, inverted or not; the outer `None` if there is no such row.
    pub(super) fn last(&self, row: RowRef) -> Option<Option<u32>> {
        Some(self.entries(row.row)?.last().map(|entry| entry & !RUN))
    }

    fn entries(&self, row: u32) -> Option<&[u32]> {
        let row = row as usize;
        let end = *self.ends.get(row)? as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        self.ids.get(start..end)
    }
}

/// Collects rows, each once.
#[derive(Debug, Default)]
pub(super) struct RowsBuilder {
    rows: IndexSet<Box<[u32]>, FxBuildHasher>,
}

impl RowsBuilder {
    pub(super) fn intern(&mut self, atoms: &[u32]) -> RowRef {
        debug_assert!(atoms.is_sorted_by(|a, b| a < b) && atoms.last().is_none_or(|&last| last < RUN));
        let mut entries = Vec::with_capacity(atoms.len());
        for run in atoms.chunk_by(|a, b| a + 1 == *b) {
            match run {
                [first, _, .., last] => entries.extend([*first, *last | RUN]),
                short => entries.extend_from_slice(short),
            }
        }
        let row = match self.rows.get_index_of(entries.as_slice()) {
            Some(row) => row,
            None => self.rows.insert_full(entries.into()).0,
        };
        RowRef { row: row as u32, invert: false }
    }

    pub(super) fn finish(self) -> Rows {
        let mut rows = Rows::default();
        for row in self.rows {
            rows.ids.extend_from_slice(&row);
            rows.ends.push(rows.ids.len() as u32);
        }
        rows
    }
}

/// Only the spelling that [`RowsBuilder::intern`] gives.
fn check_spelling(entries: &[u32]) -> Result<(), ImageError> {
    let wrong = || refused("a row that is not in ascending order, shortest form");
    let mut rest = entries;
    let mut last: Option<u32> = None;
    while let [first, tail @ ..] = rest {
        let (end, tail) = match tail {
            [end, tail @ ..] if end & RUN != 0 => ((end & !RUN), tail),
            [end, tail @ ..] if first.checked_add(1) == Some(*end) => (*end, tail),
            _ => (*first, tail),
        };
        let is_run = rest[1..].first().is_some_and(|entry| entry & RUN != 0);
        let follows = last.is_none_or(|last| *first > last + 1);
        if first & RUN != 0 || !follows || (is_run && end < first.saturating_add(2)) {
            return Err(wrong());
        }
        (last, rest) = (Some(end), tail);
    }
    Ok(())
}

/// A set of atoms as ascending ranges, both ends included, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Atoms {
    runs: Vec<(u32, u32)>,
}

impl Atoms {
    /// From ascending atoms.
    pub fn of(atoms: impl IntoIterator<Item = u32>) -> Atoms {
        let mut set = Atoms::default();
        atoms.into_iter().for_each(|atom| set.push(atom, atom));
        set
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn len(&self) -> u64 {
        self.runs.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    pub fn contains(&self, atom: u32) -> bool {
        let behind = self.runs.partition_point(|&(first, _)| first <= atom);
        behind > 0 && atom <= self.runs[behind - 1].1
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs.iter().flat_map(|&(first, last)| first..=last)
    }

    /// What both hold.
    #[must_use]
    pub fn and(&self, other: &Atoms) -> Atoms {
        let mut both = Atoms::default();
        let (mut a, mut b) = (self.runs.as_slice(), other.runs.as_slice());
        while let ([x, ..], [y, ..]) = (a, b) {
            let (first, last) = (x.0.max(y.0), x.1.min(y.1));
            if first <= last {
                both.push(first, last);
            }
            if x.1 < y.1 { a = &a[1..] } else { b = &b[1..] }
        }
        both
    }

    /// The other ones of 0..=`atoms` + 1: all that a dimension which names `atoms` values can give.
    #[must_use]
    pub fn complement(&self, atoms: u32) -> Atoms {
        let mut others = Atoms::default();
        let mut next = 0u64;
        for &(first, last) in &self.runs {
            if next < u64::from(first) {
                others.push(next as u32, first - 1);
            }
            next = u64::from(last) + 1;
        }
        if next <= u64::from(atoms) + 1 {
            others.push(next as u32, atoms.saturating_add(1));
        }
        others
    }

    /// Without this one.
    #[must_use]
    pub fn without(&self, atom: u32) -> Atoms {
        let mut rest = Atoms::default();
        for &(first, last) in &self.runs {
            if !(first..=last).contains(&atom) {
                rest.push(first, last);
                continue;
            }
            if first < atom {
                rest.push(first, atom - 1);
            }
            if atom < last {
                rest.push(atom + 1, last);
            }
        }
        rest
    }

    /// Adds a range behind all that are there.
    fn push(&mut self, first: u32, last: u32) {
        match self.runs.last_mut() {
            Some(run) if u64::from(run.1) + 1 == u64::from(first) => run.1 = last,
            _ => self.runs.push((first, last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(atoms: &[u32]) -> Rows {
        let mut builder = RowsBuilder::default();
        builder.intern(atoms);
        builder.finish()
    }

    #[test]
    fn runs_of_three_become_two_entries() {
        assert_eq!(spelled(&[1, 2]).ids, [1, 2]);
        assert_eq!(spelled(&[1, 2, 3]).ids, [1, RUN | 3]);
        assert_eq!(spelled(&[0, 2, 3, 4, 5, 7, 8]).ids, [0, 2, RUN | 5, 7, 8]);
        assert!(spelled(&[]).ids.is_empty());
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = |entries: &[u32]| check_spelling(entries).is_ok();
        assert!(good(&[]) && good(&[0]) && good(&[1, 2]) && good(&[1, RUN | 3, 5]));
        for wrong in [
            &[RUN | 3][..],
            &[1, RUN | 2],
            &[1, RUN | 1],
            &[3, RUN | 1],
            &[1, 2, 3],
            &[1, RUN | 3, 4],
            &[1, 2, RUN | 4],
            &[1, RUN | 3, RUN | 6],
            &[2, 1],
            &[1, 1],
            &[u32::MAX],
            &[1, u32::MAX, 5],
        ] {
            assert!(!good(wrong), "{wrong:x?}");
        }
    }

    #[test]
    fn equal_rows_stand_once() {
        let mut builder = RowsBuilder::default();
        let (a, b) = (builder.intern(&[1, 5]), builder.intern(&[1, 6]));
        assert_ne!(a, b);
        assert_eq!(builder.intern(&[1, 5]), a);
        assert_eq!(builder.finish().len(), 2);
    }

    fn some_atoms() -> impl Strategy<Value = std::collections::BTreeSet<u32>> {
        proptest::collection::btree_set(0u32..42, 0..40)
    }

    proptest! {
        #[test]
        fn rows_come_back(atoms in some_atoms()) {
            let list: Vec<u32> = atoms.iter().copied().collect();
            let Rows { ends, ids } = spelled(&list);
            let rows = Rows::checked(ends, ids).unwrap();
            let row = RowRef { row: 0, invert: false };
            prop_assert_eq!(rows.atoms(row, 40).unwrap().iter().collect::<Vec<_>>(), list);
            let others: Vec<u32> = (0..=41).filter(|a| !atoms.contains(a)).collect();
            prop_assert_eq!(rows.atoms(row.inverted(), 40).unwrap().iter().collect::<Vec<_>>(), others);
            let none = rows.atoms(RowRef { row: 1, invert: false }, 40).is_none();
            prop_assert!(none);
        }

        #[test]
        fn sets_follow_the_ones_of_the_standard_library(a in some_atoms(), b in some_atoms(), x in 0u32..42) {
            let (set, other) = (Atoms::of(a.iter().copied()), Atoms::of(b.iter().copied()));
            let both: Vec<u32> = a.intersection(&b).copied().collect();
            prop_assert_eq!(set.and(&other), Atoms::of(both));
            prop_assert_eq!(set.len(), a.len() as u64);
            prop_assert_eq!(set.contains(x), a.contains(&x));
            prop_assert_eq!(set.without(x), Atoms::of(a.iter().copied().filter(|&y| y != x)));
            prop_assert_eq!(set.complement(40).complement(40), set);
        }

        #[test]
        fn any_entries_are_read_or_refused(ends in proptest::collection::vec(0u32..9, 0..5),
                                           ids in proptest::collection::vec(prop_oneof![0u32..20, any::<u32>()], 0..9)) {
            if let Ok(rows) = Rows::checked(ends, ids) {
                for row in 0..rows.len() as u32 {
                    let _ = rows.atoms(RowRef { row, invert: true }, 40);
                }
            }
        }
    }
}
