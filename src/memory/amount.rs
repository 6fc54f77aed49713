//! Amounts of memory: exact, or between two bounds.

use super::alloc::Wide;

/// A size or an amount of memory; sums stop at the largest number instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    pub(super) fn from_wide(bytes: Wide) -> Bytes {
        Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add for Bytes {
    type Output = Bytes;
    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

/// An amount that is known exactly (`least == most`) or lies between two bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    pub least: Bytes,
    pub most: Bytes,
}

impl Amount {
    pub fn exactly(bytes: Bytes) -> Amount {
        Amount { least: bytes, most: bytes }
    }

    pub fn is_exact(self) -> bool {
        self.least == self.most
    }

    pub fn holds(self, bytes: Bytes) -> bool {
        self.least <= bytes && bytes <= self.most
    }

    pub(super) fn of_wide(least: Wide, most: Wide) -> Amount {
        Amount { least: Bytes::from_wide(least), most: Bytes::from_wide(most) }
    }

    pub(super) fn union(self, other: Amount) -> Amount {
        Amount { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

impl std::ops::Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount { least: self.least + other.least, most: self.most + other.most }
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::default(), |a, b| a + b)
    }
}
