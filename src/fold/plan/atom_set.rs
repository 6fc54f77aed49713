//! Sets of atoms: what a predicate is once the values of its dimension are numbered.

/// A set of atom numbers, held by its smaller side. `inverted` sets are complements in an unbounded
/// universe; whoever writes one down knows how many atoms there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtomSet {
    /// Ascending, each once.
    pub ids: Vec<u32>,
    pub inverted: bool,
}

impl AtomSet {
    pub fn none() -> AtomSet {
        AtomSet { ids: vec![], inverted: false }
    }

    pub fn all() -> AtomSet {
        AtomSet { ids: vec![], inverted: true }
    }

    /// `ids` in any order, repeats allowed.
    pub fn of(mut ids: Vec<u32>) -> AtomSet {
        ids.sort_unstable();
        ids.dedup();
        AtomSet { ids, inverted: false }
    }

    pub fn contains(&self, id: u32) -> bool {
        self.ids.binary_search(&id).is_ok() != self.inverted
    }

    /// Whether no atom is in it.
    pub fn is_none(&self) -> bool {
        !self.inverted && self.ids.is_empty()
    }

    #[must_use]
    pub fn complement(mut self) -> AtomSet {
        self.inverted = !self.inverted;
        self
    }

    #[must_use]
    pub fn intersect(&self, other: &AtomSet) -> AtomSet {
        match (self.inverted, other.inverted) {
            (false, false) => AtomSet { ids: merge(&self.ids, &other.ids, |a, b| a && b), inverted: false },
            (false, true) => AtomSet { ids: merge(&self.ids, &other.ids, |a, b| a && !b), inverted: false },
            (true, false) => other.intersect(self),
            (true, true) => AtomSet { ids: merge(&self.ids, &other.ids, |a, b| a || b), inverted: true },
        }
    }

    #[must_use]
    pub fn union(&self, other: &AtomSet) -> AtomSet {
        self.clone().complement().intersect(&other.clone().complement()).complement()
    }

    /// Adds `id` or takes it out.
    pub fn set(&mut self, id: u32, member: bool) {
        match (self.ids.binary_search(&id), member != self.inverted) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(at), false) => {
                self.ids.remove(at);
            }
            (Err(at), true) => self.ids.insert(at, id),
        }
    }
}

/// The ids for which `keep(in a, in b)` holds; `keep(false, false)` must be false. Linear.
fn merge(a: &[u32], b: &[u32], keep: impl Fn(bool, bool) -> bool) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let x = a.get(i).copied().unwrap_or(u32::MAX);
        let y = b.get(j).copied().unwrap_or(u32::MAX);
        let id = x.min(y);
        if keep(x == id && i < a.len(), y == id && j < b.len()) {
            out.push(id);
        }
        i += usize::from(x == id && i < a.len());
        j += usize::from(y == id && j < b.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arb_set() -> impl Strategy<Value = AtomSet> {
        (proptest::collection::vec(0u32..12, 0..8), any::<bool>())
            .prop_map(|(ids, inverted)| AtomSet { inverted, ..AtomSet::of(ids) })
    }

    proptest! {
        #[test]
        fn algebra_is_that_of_sets(a in arb_set(), b in arb_set(), id in 0u32..14) {
            prop_assert_eq!(a.intersect(&b).contains(id), a.contains(id) && b.contains(id));
            prop_assert_eq!(a.union(&b).contains(id), a.contains(id) || b.contains(id));
            prop_assert_eq!(a.clone().complement().contains(id), !a.contains(id));
            let mut c = a.clone();
            c.set(id, false);
            prop_assert!(!c.contains(id));
            c.set(id, true);
            prop_assert!(c.contains(id));
        }
    }
}
