//! Finds the pairs that meet among many scopes, without comparing all with all.
//!
//! A term that requires a key to be one of a few values (`In`, a namespace, a container's name) can meet only
//! terms that allow one of these values, or that say nothing about the key; each term is looked up by the
//! key for which these are fewest. Scopes that have nothing in common in what they look at do meet, so what is
//! compared beyond that is little more than what is found.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rustc_hash::FxHashMap;

use super::term::{Attribute, Term, Values};
use super::{Parsed, Scope};

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Pairs of scopes that were looked at.
    pub compared: u64,
    /// Not all pairs were looked at.
    pub stopped: bool,
}

/// Calls `visit` for each pair of `scopes` that meets and is `wanted`, by position, the one that asks first. A pair
/// is considered only if one of both `asks`: the callers' way to leave out pairs that they do not want without
/// visiting each. Pairs come in a fixed order. At most `most` are
/// compared.
pub fn pairs(
    scopes: &[&Scope],
    asks: &dyn Fn(usize) -> bool,
    wanted: &dyn Fn(usize, usize) -> bool,
    visit: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    most: u64,
) -> Work {
    let index = Index::new(scopes);
    let mut work = Work::default();
    let mut found: Vec<u32> = vec![];
    for asking in (0..scopes.len()).filter(|&i| asks(i)) {
        index.may_meet(asking, &mut found);
        for other in found.iter().map(|&i| i as usize) {
            // Each pair once: from the later of two that ask.
            let is_other_way = other > asking && asks(other);
            if other == asking || is_other_way || !wanted(asking, other) {
                continue;
            }
            if work.compared == most {
                work.stopped = true;
                return work;
            }
            work.compared += 1;
            if index.parsed[asking].meets(&index.parsed[other]) && visit(asking, other).is_break() {
                work.stopped = true;
                return work;
            }
        }
    }
    work
}

struct Index<'a> {
    parsed: Vec<Parsed<'a>>,
    /// All terms of all scopes.
    terms: usize,
    hosts: Vec<u32>,
    keys: FxHashMap<Attribute<'a>, Key<'a>>,
}

#[derive(Default)]
struct Key<'a> {
    /// Scopes of the terms that require one of some values, by value.
    by_value: FxHashMap<&'a str, Vec<u32>>,
    /// How many terms these are.
    terms: usize,
    /// Scopes of all other terms.
    others: OnceCell<Vec<u32>>,
}

/// The attributes of which a term requires one of a few values.
fn required<'t, 'a>(term: &'t Term<'a>) -> impl Iterator<Item = (Attribute<'a>, &'t BTreeSet<&'a str>)> {
    term.parts.iter().filter_map(|(attribute, allowed)| match &allowed.values {
        Values::Only(values) if !allowed.absent => Some((*attribute, values)),
        Values::Only(_) | Values::AllBut(_) => None,
    })
}

impl<'a> Index<'a> {
    fn new(scopes: &[&'a Scope]) -> Index<'a> {
        let parsed: Vec<Parsed<'a>> = scopes.iter().map(|scope| Parsed::of(scope)).collect();
        let mut keys: FxHashMap<Attribute<'a>, Key<'a>> = FxHashMap::default();
        let mut hosts = vec![];
        let mut terms = 0;
        for (i, scope) in parsed.iter().enumerate() {
            if scope.host {
                hosts.push(i as u32);
            }
            terms += scope.terms.len();
            for (attribute, values) in scope.terms.iter().flat_map(required) {
                let key = keys.entry(attribute).or_default();
                key.terms += 1;
                for value in values {
                    key.by_value.entry(value).or_default().push(i as u32);
                }
            }
        }
        Index { parsed, terms, hosts, keys }
    }

    /// Positions of all scopes that may meet the one at `position`, ascending, each once.
    fn may_meet(&self, position: usize, found: &mut Vec<u32>) {
        found.clear();
        let scope = &self.parsed[position];
        if scope.host {
            found.extend(&self.hosts);
        }
        for term in &scope.terms {
            let cheapest = required(term)
                .filter_map(|(attribute, values)| {
                    let key = self.keys.get(&attribute)?;
                    let listed = values.iter().filter_map(|value| key.by_value.get(value));
                    let cost = listed.map(Vec::len).sum::<usize>() + (self.terms - key.terms);
                    Some((cost, attribute, values))
                })
                .min_by_key(|(cost, attribute, _)| (*cost, *attribute));
            match cheapest {
                // A list of others for each key that few terms look at would be all scopes many times over.
                Some((cost, attribute, values)) if cost < self.terms - self.terms / 8 => {
                    let key = &self.keys[&attribute];
                    found.extend(self.others(key, attribute));
                    found.extend(values.iter().filter_map(|value| key.by_value.get(value)).flatten());
                }
                Some(_) | None => {
                    found.clear();
                    found.extend(0..self.parsed.len() as u32);
                    return;
                }
            }
        }
        found.sort_unstable();
        found.dedup();
    }

    fn others<'k>(&self, key: &'k Key<'a>, attribute: Attribute<'a>) -> &'k [u32] {
        key.others.get_or_init(|| {
            let looks = |term: &Term<'a>| required(term).any(|(other, _)| other == attribute);
            let has_other = |scope: &Parsed<'a>| scope.terms.iter().any(|term| !looks(term));
            let all = self.parsed.iter().enumerate();
            all.filter(|(_, scope)| has_other(scope)).map(|(i, _)| i as u32).collect()
        })
    }
}
