//! Whether selectors that an artifact does not hold change nothing, as certificates say.

use super::Difference;
use super::compare::Checker;
use crate::artifact::manifest::Table;
use crate::fold::opt::Omission;
use crate::interp::document::{Condition, Is, Selector};
use crate::policy::Interval;

impl Checker<'_> {
    /// A selector may be missing only if its conditions exclude each other, if one ahead of it has no condition
    /// that it lacks, or if nothing from it on does anything.
    pub(super) fn check_omissions(&self, kept: &[&Selector<'_>]) -> Result<(), Difference> {
        let selectors = &self.claim.selectors;
        let numbered = |number: u8| selectors.iter().copied().find(|s| s.number == number);
        for &(number, omission) in &self.claim.omitted {
            let Some(selector) = numbered(number) else {
                return Err((
                    format!("{} selectors", selectors.len()),
                    format!("selector {number} left out"),
                ));
            };
            let sound = match omission {
                Omission::NeverMatches => self.excludes_itself(selector),
                // Whatever becomes of the covering selector, it decides first.
                Omission::CoveredBy { selector: other } => {
                    other < number
                        && numbered(other).is_some_and(|other| {
                            other.conditions.iter().all(|c| self.has_condition(selector, c, other))
                        })
                }
                Omission::QuietTail => {
                    selector.acts.is_quiet(self.claim.document.mode) && kept.iter().all(|s| s.number < number)
                }
            };
            if !sound {
                return Err((format!("selector {number} can decide"), format!("left out: {omission:?}")));
            }
        }
        Ok(())
    }

    /// Whether the values of one condition are all contradicted by other conditions on the same argument. A value that
    /// cannot be read passes no condition that is not negated, so it needs no answer.
    fn excludes_itself(&self, selector: &Selector<'_>) -> bool {
        let about = |c: &Condition<'_>| (self.subject(c), c.projection);
        selector.conditions.iter().enumerate().filter(|(_, c)| !c.negated).any(|(i, c)| {
            let others =
                selector.conditions.iter().enumerate().filter(|(j, g)| *j != i && about(g) == about(c));
            let others: Vec<&Condition<'_>> = others.map(|(_, g)| g).collect();
            match &c.is {
                Is::Never | Is::AnyBit(0) => true,
                Is::AnyBit(_) => false,
                Is::Addresses(ranges) => ranges.is_empty(),
                Is::Intervals(intervals) => {
                    let left = others.iter().fold(intervals.clone(), |left, g| match &g.is {
                        Is::Intervals(of_g) if g.negated => without(&left, of_g),
                        Is::Intervals(of_g) => both(&left, of_g),
                        Is::Never if !g.negated => vec![],
                        Is::Never
                        | Is::Path(_)
                        | Is::Text(_)
                        | Is::Prefix(_)
                        | Is::Postfix(_)
                        | Is::AnyBit(_)
                        | Is::Addresses(_) => left,
                    });
                    left.is_empty()
                }
                Is::Path(values) | Is::Text(values) | Is::Prefix(values) | Is::Postfix(values) => {
                    values.iter().all(|v| others.iter().any(|g| contradict(&c.is, v, g)))
                }
            }
        })
    }

    /// Whether `selector` has a condition that means the same as `wanted` means in `whose`.
    fn has_condition(&self, selector: &Selector<'_>, wanted: &Condition<'_>, whose: &Selector<'_>) -> bool {
        let about = |c: &Condition<'_>| (self.subject(c), c.projection);
        let same_answer_if_unreadable = !wanted.negated
            || !wanted.is.table().is_some_and(Table::holds_texts)
            || selector.acts.enforces() == whose.acts.enforces();
        selector.conditions.iter().any(|c| {
            about(c) == about(wanted)
                && c.negated == wanted.negated
                && same_values(&c.is, &wanted.is)
                && same_answer_if_unreadable
        })
    }
}

/// Whether no text that passes `is` for the one value `v` passes `g`.
fn contradict(is: &Is<'_>, v: &[u8], g: &Condition<'_>) -> bool {
    let some = |values: &[&[u8]], relation: &dyn Fn(&[u8]) -> bool| values.iter().any(|w| relation(w));
    let is_whole = matches!(is, Is::Path(_) | Is::Text(_));
    match (is, &g.is) {
        (_, Is::Never) => true,
        (Is::Path(_) | Is::Text(_), Is::Path(w) | Is::Text(w)) => some(w, &|w| w == v) == g.negated,
        (_, Is::Prefix(w)) if is_whole && (1..256).contains(&v.len()) => {
            some(w, &|w| v.starts_with(w)) == g.negated
        }
        (_, Is::Postfix(w)) if is_whole && (1..128).contains(&v.len()) => {
            some(w, &|w| v.ends_with(w)) == g.negated
        }
        // An empty text has neither beginning nor end.
        (_, Is::Prefix(_) | Is::Postfix(_)) if is_whole => v.is_empty() && !g.negated,
        (Is::Prefix(_), Is::Prefix(w)) if g.negated => some(w, &|w| v.starts_with(w)),
        (Is::Prefix(_), Is::Prefix(w)) => !some(w, &|w| v.starts_with(w) || w.starts_with(v)),
        (Is::Postfix(_), Is::Postfix(w)) if g.negated => some(w, &|w| v.ends_with(w)),
        (Is::Postfix(_), Is::Postfix(w)) => !some(w, &|w| v.ends_with(w) || w.ends_with(v)),
        (
            _,
            Is::Path(_)
            | Is::Text(_)
            | Is::Prefix(_)
            | Is::Postfix(_)
            | Is::Intervals(_)
            | Is::AnyBit(_)
            | Is::Addresses(_),
        ) => false,
    }
}

/// The numbers that are in both. All are ascending and apart.
fn both(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut out = vec![];
    for x in a {
        let from = b.partition_point(|y| y.last < x.first);
        for y in b[from..].iter().take_while(|y| y.first <= x.last) {
            out.push(Interval { first: x.first.max(y.first), last: x.last.min(y.last) });
        }
    }
    out
}

/// The numbers of `a` that are not in `b`.
fn without(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut gaps = vec![];
    let mut next = Some(0);
    for y in b {
        if let Some(first) = next.filter(|&first| first < y.first) {
            gaps.push(Interval { first, last: y.first - 1 });
        }
        next = y.last.checked_add(1);
    }
    gaps.extend(next.map(|first| Interval { first, last: u64::MAX }));
    both(a, &gaps)
}

/// In any order.
fn same_values(a: &Is<'_>, b: &Is<'_>) -> bool {
    let sorted = |values: &[&[u8]]| {
        let mut values: Vec<Vec<u8>> = values.iter().map(|v| v.to_vec()).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    a.table() == b.table()
        && match (a, b) {
            (Is::Intervals(a), Is::Intervals(b)) => a == b,
            (Is::AnyBit(a), Is::AnyBit(b)) => a == b,
            (Is::Addresses(a), Is::Addresses(b)) => a == b,
            (Is::Never, Is::Never) => true,
            (a, b) => match (a.texts(), b.texts()) {
                (Some(a), Some(b)) => a == b || sorted(a) == sorted(b),
                (_, _) => false,
            },
        }
}
