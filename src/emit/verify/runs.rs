//! Sets of atoms `0..=top`, as the runs in which they are stored.

/// Ascending, with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(Vec<(u32, u32)>);

impl Runs {
    /// First and last of each run, in any order.
    pub fn of(mut runs: Vec<(u32, u32)>) -> Runs {
        runs.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
        for (first, last) in runs {
            match joined.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                Some(_) | None => joined.push((first, last)),
            }
        }
        Runs(joined)
    }

    pub fn all(top: u32) -> Runs {
        Runs(vec![(0, top)])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, atom: u32) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= atom);
        behind > 0 && atom <= self.0[behind - 1].1
    }

    /// Atom by atom.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(first, last)| first..=last)
    }

    pub fn complement(&self, top: u32) -> Runs {
        let mut out = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for &(first, last) in &self.0 {
            if first > next {
                out.push((next, first - 1));
            }
            next = last.saturating_add(1);
        }
        if next <= top {
            out.push((next, top));
        }
        Runs(out)
    }

    pub fn and(&self, other: &Runs) -> Runs {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut out = vec![];
        while let (Some(&&(a_first, a_last)), Some(&&(b_first, b_last))) = (a.peek(), b.peek()) {
            let (first, last) = (a_first.max(b_first), a_last.min(b_last));
            if first <= last {
                out.push((first, last));
            }
            if a_last < b_last {
                a.next()
            } else {
                b.next()
            };
        }
        Runs(out)
    }

    /// With or without one atom.
    pub fn with(self, atom: u32, is_in: bool) -> Runs {
        match (self.contains(atom), is_in) {
            (true, true) | (false, false) => self,
            (false, true) => Runs::of([self.0, vec![(atom, atom)]].concat()),
            (true, false) => {
                let split = |(first, last): (u32, u32)| {
                    let below = (first < atom).then(|| (first, last.min(atom.wrapping_sub(1))));
                    let above = (last > atom).then(|| (first.max(atom + 1), last));
                    [below, above].into_iter().flatten()
                };
                Runs(self.0.into_iter().flat_map(split).collect())
            }
        }
    }

    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|(first, _)| *first)
    }

    /// The lowest atom that is in one of them only.
    pub fn first_difference(&self, other: &Runs, top: u32) -> Option<u32> {
        let mine = self.and(&other.complement(top)).first();
        let theirs = other.and(&self.complement(top)).first();
        mine.into_iter().chain(theirs).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOP: u32 = 12;

    fn runs() -> impl Strategy<Value = (Runs, Vec<bool>)> {
        prop::collection::vec(any::<bool>(), TOP as usize + 1).prop_map(|bits| {
            let ids = (0..=TOP).filter(|&i| bits[i as usize]).map(|i| (i, i));
            (Runs::of(ids.collect()), bits)
        })
    }

    fn bits(runs: &Runs) -> Vec<bool> {
        (0..=TOP).map(|atom| runs.contains(atom)).collect()
    }

    proptest! {
        #[test]
        fn they_are_sets((a, in_a) in runs(), (b, in_b) in runs(), atom in 0..=TOP, put in any::<bool>()) {
            prop_assert_eq!(bits(&a), in_a.clone());
            let both: Vec<bool> = in_a.iter().zip(&in_b).map(|(a, b)| *a && *b).collect();
            prop_assert_eq!(bits(&a.and(&b)), both);
            prop_assert_eq!(bits(&a.complement(TOP)), in_a.iter().map(|x| !x).collect::<Vec<_>>());
            let differs = (0..=TOP).find(|&i| in_a[i as usize] != in_b[i as usize]);
            prop_assert_eq!(a.first_difference(&b, TOP), differs);
            prop_assert_eq!(a == b, differs.is_none());
            let mut changed = in_a;
            changed[atom as usize] = put;
            prop_assert_eq!(bits(&a.with(atom, put)), changed);
        }
    }
}
