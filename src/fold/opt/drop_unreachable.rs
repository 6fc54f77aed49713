//! Removes rules that can never decide.
//!
//! Turns: a list in which rule `b` stands behind rule `a` and `a`'s predicates are among `b`'s.
//! Into:  the list without `b`.
//! Law:   whenever `b` would match, `a` has matched before. Predicates are hash-consed, so "among" is a test
//!        of ids; a predicate that merely implies another is not understood and left alone.
//! Gain:  fewer words and rows; the quiet rows become exact where a rule without predicates ends a list.

use super::{Certificate, Omission};
use crate::fold::ir::{PredicateId, Program, Rule};
use crate::policy::Strings;

pub(super) fn run(program: &mut Program, _: &Strings, certificate: &mut Certificate) {
    for list in program.lists.iter_mut().filter(|list| !list.at_return) {
        let mut kept: Vec<Rule> = Vec::with_capacity(list.rules.len());
        for rule in std::mem::take(&mut list.rules) {
            match kept.iter().find(|a| is_subset(&a.predicates, &rule.predicates)) {
                Some(a) => {
                    certificate.omit(list, rule.selector, Omission::CoveredBy { selector: a.selector });
                }
                None => kept.push(rule),
            }
        }
        list.rules = kept;
    }
}

/// Both sorted.
fn is_subset(a: &[PredicateId], b: &[PredicateId]) -> bool {
    a.iter().all(|p| b.binary_search(p).is_ok())
}
