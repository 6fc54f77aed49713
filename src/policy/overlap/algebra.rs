//! Scopes made from others: what two have in common, and what one has beyond others.
//!
//! Results are simplified (one set of values a key), so that the same workloads written in a usual way give the
//! same scope; a scope that nothing was taken from stays as it was written. `None` stands for "too many terms
//! to be written down", which callers refuse.

use super::Parsed;
use super::term::Term;
use crate::policy::{Scope, ScopeTerm};

/// More terms than anybody reads, and than a loader should have to evaluate for each pod.
pub const MAX_TERMS: usize = 64;

/// What both select; no terms if nothing is.
pub fn intersect(a: &Scope, b: &Scope) -> Option<Scope> {
    let (pa, pb) = (Parsed::of(a), Parsed::of(b));
    if pa.is_within(&pb) {
        return Some(a.clone());
    }
    let mut both = Parsed { host: pa.host && pb.host, terms: vec![] };
    for a in &pa.terms {
        both.terms.extend(pb.terms.iter().filter_map(|b| a.and(b)));
        if both.terms.len() > MAX_TERMS * MAX_TERMS {
            return None;
        }
    }
    both.into_scope()
}

/// What `from` selects and none of `others` does; no terms if nothing is.
pub fn subtract<'a>(from: &'a Scope, others: impl IntoIterator<Item = &'a Scope>) -> Option<Scope> {
    let mut left = Parsed::of(from);
    let mut changed = false;
    for other in others {
        let other = Parsed::of(other);
        if !left.meets(&other) {
            continue;
        }
        changed = true;
        left.host &= !other.host;
        for term in &other.terms {
            left.terms = left.terms.into_iter().flat_map(|mine| mine.without(term)).collect();
            left.absorb();
            if left.terms.len() > MAX_TERMS {
                return None;
            }
        }
    }
    if changed { left.into_scope() } else { Some(from.clone()) }
}

impl Parsed<'_> {
    /// Drops terms that lie in another one.
    fn absorb(&mut self) {
        if self.terms.len() < 2 {
            return;
        }
        let mut kept: Vec<Term<'_>> = vec![];
        for term in std::mem::take(&mut self.terms) {
            if !kept.iter().any(|other| term.is_within(other)) {
                kept.retain(|other| !other.is_within(&term));
                kept.push(term);
            }
        }
        self.terms = kept;
    }

    fn into_scope(mut self) -> Option<Scope> {
        self.absorb();
        if self.terms.len() > MAX_TERMS {
            return None;
        }
        let mut any: Vec<ScopeTerm> = self.terms.iter().map(Term::to_scope_term).collect();
        if self.host {
            any.push(ScopeTerm::Host);
        }
        any.sort_unstable();
        any.dedup();
        Some(Scope { any })
    }
}
