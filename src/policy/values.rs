//! What a condition compares with: one variant for each kind of table, so that a condition exists only if it can be
//! compiled. The same type says what a condition, a predicate and a dimension compare with.

use std::collections::BTreeSet;
use std::net::IpAddr;

use indexmap::IndexSet;

use super::{StrId, Strings};
use crate::vocab::condition::Table;

/// True for a value if any of these fits it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Values {
    /// The whole path.
    Path(Vec<StrId>),
    /// The whole text.
    Text(Vec<StrId>),
    /// At most 255 bytes each; an empty text has no prefix.
    Prefix(Vec<StrId>),
    /// At most 127 bytes each.
    Postfix(Vec<StrId>),
    /// Ascending and apart from each other.
    Intervals(Vec<Interval>),
    /// Ascending, each once, none 0. A condition has one at most: a bit of any of its masks is a bit of all together.
    AnyBit(Vec<u64>),
    /// Ascending and apart from each other. What has no address fits none, and none of the others either.
    Addresses(Vec<AddressRange>),
}

/// The addresses from `first` to `last`, both in it and both of one family; those of IPv4 come before those of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    pub first: IpAddr,
    pub last: IpAddr,
}

impl AddressRange {
    pub fn contains(self, address: IpAddr) -> bool {
        self.first <= address && address <= self.last
    }
}

/// The numbers from `first` to `last`, both in it. A number is its bits at the width of its type, extended to 64 bits
/// by its sign, and compared without one: what crosses 0 with a sign is two intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    pub first: u64,
    pub last: u64,
}

impl Interval {
    pub const fn point(value: u64) -> Interval {
        Interval { first: value, last: value }
    }

    pub const fn contains(self, value: u64) -> bool {
        self.first <= value && value <= self.last
    }
}

impl Values {
    /// Each of `numbers`, in any order, repeats allowed.
    pub fn numbers(numbers: impl IntoIterator<Item = u64>) -> Values {
        Values::intervals(numbers.into_iter().map(Interval::point).collect())
    }

    /// In any order; what overlaps is put together.
    pub fn intervals(mut intervals: Vec<Interval>) -> Values {
        intervals.sort_unstable();
        let mut apart: Vec<Interval> = Vec::with_capacity(intervals.len());
        for next in intervals {
            match apart.last_mut() {
                Some(last) if next.first <= last.last => last.last = last.last.max(next.last),
                Some(_) | None => apart.push(next),
            }
        }
        Values::Intervals(apart)
    }

    /// A bit of any of `masks`.
    pub fn any_bit(masks: impl IntoIterator<Item = u64>) -> Values {
        let together = masks.into_iter().fold(0, |all, mask| all | mask);
        Values::AnyBit(if together == 0 { vec![] } else { vec![together] })
    }

    /// In any order; what lies in another one is left out.
    pub fn addresses(mut ranges: Vec<AddressRange>) -> Values {
        ranges.sort_unstable_by_key(|range| (range.first, std::cmp::Reverse(range.last)));
        let mut apart: Vec<AddressRange> = Vec::with_capacity(ranges.len());
        for next in ranges {
            // Networks lie in each other or are apart.
            if apart.last().is_none_or(|last| !last.contains(next.last)) {
                apart.push(next);
            }
        }
        Values::Addresses(apart)
    }

    /// What classifies a value for them.
    pub const fn table(&self) -> Table {
        match self {
            Values::Path(_) => Table::Path,
            Values::Text(_) => Table::Text,
            Values::Prefix(_) => Table::Prefix,
            Values::Postfix(_) => Table::Postfix,
            Values::Intervals(_) => Table::Intervals,
            Values::AnyBit(_) => Table::AnyBit,
            Values::Addresses(_) => Table::Address,
        }
    }

    /// The texts, where values are texts.
    pub fn texts(&self) -> Option<&[StrId]> {
        match self {
            Values::Path(texts) | Values::Text(texts) | Values::Prefix(texts) | Values::Postfix(texts) => {
                Some(texts)
            }
            Values::Intervals(_) | Values::AnyBit(_) | Values::Addresses(_) => None,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Values::Path(texts) | Values::Text(texts) | Values::Prefix(texts) | Values::Postfix(texts) => {
                texts.len()
            }
            Values::Intervals(intervals) => intervals.len(),
            Values::AnyBit(masks) => masks.len(),
            Values::Addresses(ranges) => ranges.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values of conditions of one kind, each once: texts in order of first use, numbers ascending. Intervals may
    /// overlap here.
    ///
    /// # Panics
    /// If there are none.
    pub fn union(parts: &[&Values]) -> Values {
        let texts = || {
            let all: IndexSet<StrId> = parts.iter().filter_map(|v| v.texts()).flatten().copied().collect();
            all.into_iter().collect()
        };
        match parts[0] {
            Values::Path(_) => Values::Path(texts()),
            Values::Text(_) => Values::Text(texts()),
            Values::Prefix(_) => Values::Prefix(texts()),
            Values::Postfix(_) => Values::Postfix(texts()),
            Values::Intervals(_) => {
                let intervals = parts.iter().flat_map(|part| match part {
                    Values::Intervals(intervals) => intervals.clone(),
                    _ => vec![],
                });
                let all: BTreeSet<Interval> = intervals.collect();
                Values::Intervals(all.into_iter().collect())
            }
            Values::AnyBit(_) => {
                let masks = parts.iter().flat_map(|part| match part {
                    Values::AnyBit(masks) => masks.clone(),
                    _ => vec![],
                });
                let all: BTreeSet<u64> = masks.collect();
                Values::AnyBit(all.into_iter().collect())
            }
            Values::Addresses(_) => {
                let ranges = parts.iter().flat_map(|part| match part {
                    Values::Addresses(ranges) => ranges.clone(),
                    _ => vec![],
                });
                let all: BTreeSet<AddressRange> = ranges.collect();
                Values::Addresses(all.into_iter().collect())
            }
        }
    }

    /// The condition as people read it: `begins with {/etc}`.
    pub fn to_text(&self, negated: bool, strings: &Strings) -> String {
        let verb = match (self.table(), negated) {
            (Table::Path | Table::Text | Table::Intervals | Table::Address, false) => "in",
            (Table::Path | Table::Text | Table::Intervals | Table::Address, true) => "not in",
            (Table::Prefix, false) => "begins with",
            (Table::Prefix, true) => "does not begin with",
            (Table::Postfix, false) => "ends with",
            (Table::Postfix, true) => "does not end with",
            (Table::AnyBit, false) => "has a bit of",
            (Table::AnyBit, true) => "has no bit of",
        };
        let text = |id: &StrId| String::from_utf8_lossy(strings.get(*id)).into_owned();
        let mut values: Vec<String> = match self {
            Values::Path(texts) | Values::Text(texts) | Values::Prefix(texts) | Values::Postfix(texts) => {
                texts.iter().map(text).collect()
            }
            Values::Intervals(intervals) => intervals.iter().map(Interval::to_string).collect(),
            Values::AnyBit(masks) => masks.iter().map(|mask| format!("{mask:#x}")).collect(),
            Values::Addresses(ranges) => ranges.iter().map(AddressRange::to_string).collect(),
        };
        values.sort();
        format!("{verb} {{{}}}", values.join(", "))
    }
}

/// With a sign: what is small and what is just below 0 is read most easily so.
impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (self.first as i64, self.last as i64);
        if first == last { write!(f, "{first}") } else { write!(f, "{first}:{last}") }
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (self.first, self.last);
        if first == last { write!(f, "{first}") } else { write!(f, "{first}..{last}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_one_interval() {
        let of = |pairs: &[(u64, u64)]| {
            Values::intervals(pairs.iter().map(|&(first, last)| Interval { first, last }).collect())
        };
        assert_eq!(of(&[(5, 9), (1, 5)]), of(&[(1, 9)]));
        assert_eq!(of(&[(1, 9), (2, 3)]), of(&[(1, 9)]));
        assert_ne!(
            of(&[(1, 4), (5, 9)]),
            of(&[(1, 9)]),
            "neighbours stay apart: single numbers are searched faster"
        );
        assert_eq!(Values::numbers([3, 1, 3]), of(&[(1, 1), (3, 3)]));
    }
}
