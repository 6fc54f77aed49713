//! Decision lists over atoms: what a program interprets for an event that is not quiet.
//!
//! Turns the rules of a list into words whose tests name sets of atoms, and says for each dimension which
//! atoms cannot lead to an action. Assumes that every value has its number ([`Numbering`]). Guarantees: the
//! first rule that matches decides, as in the list; a quiet atom never acts, whatever the other dimensions
//! hold. Does not decide how a set of atoms is encoded.

use super::numbering::Numbering;
use crate::fold::ir::{List, Operation, Outcome, Predicate, Rule};
use crate::fold::plan::{AtomSet, Unit};

/// One list as words; the number of the list is its policy's place in every output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCode {
    pub words: Vec<Word>,
    /// Per dimension of the unit: the atoms for which the list does nothing whatever the others are.
    pub quiet: Vec<AtomSet>,
    /// Bit `d`: some rule tests dimension `d`.
    pub needs: u32,
}

/// `skip` counts encoded words, in which an action takes two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Test { dimension: u8, skip: u16, row: AtomSet },
    Act { selector: u8, outcome: Outcome },
    Skip { skip: u16 },
}

impl Word {
    /// Encoded length in words.
    pub fn words(&self) -> u16 {
        match self {
            Word::Act { .. } => 2,
            Word::Test { .. } | Word::Skip { .. } => 1,
        }
    }
}

/// The code of a list. Tests of one rule on one dimension are one test.
pub fn encode(operation: &Operation, unit: &Unit, numbering: &[Numbering], list: &List) -> ListCode {
    let dims = unit.dimensions.len();
    let mut possible = vec![AtomSet::none(); dims];
    let mut remaining = vec![AtomSet::all(); dims];
    let mut needs = 0u32;
    let mut pieces: Vec<Vec<Word>> = vec![];
    for rule in &list.rules {
        let tests = tests_of(operation, unit, numbering, rule);
        needs |= tests.iter().fold(0, |bits, (d, _)| bits | 1 << d);
        for d in 0..dims {
            let here = tests.iter().find(|(t, _)| *t == d).map_or_else(AtomSet::all, |(_, s)| s.clone());
            let reached = remaining[d].intersect(&here);
            if !rule.outcome.is_quiet() {
                possible[d] = possible[d].union(&reached);
            }
            if !list.at_return && tests.iter().all(|(t, _)| *t == d) {
                remaining[d] = remaining[d].intersect(&here.complement());
            }
        }
        pieces.push(words_of(tests, rule));
    }
    ListCode {
        words: join(pieces, list.at_return),
        quiet: possible.into_iter().map(AtomSet::complement).collect(),
        needs,
    }
}

fn tests_of(
    operation: &Operation,
    unit: &Unit,
    numbering: &[Numbering],
    rule: &Rule,
) -> Vec<(usize, AtomSet)> {
    let mut tests: Vec<(usize, AtomSet)> = vec![];
    for &p in &rule.predicates {
        let predicate = operation.predicate(p);
        let d = unit.dimension_of(predicate);
        let set = atoms_of(predicate, &numbering[d]);
        match tests.iter_mut().find(|(t, _)| *t == d) {
            Some((_, known)) => *known = known.intersect(&set),
            None => tests.push((d, set)),
        }
    }
    tests.sort_by_key(|(d, _)| *d);
    tests
}

/// The atoms for which `predicate` is true.
pub fn atoms_of(predicate: &Predicate, numbering: &Numbering) -> AtomSet {
    let mut set = AtomSet::of(numbering.atoms(&predicate.values));
    if predicate.negated {
        set = set.complement();
    }
    if predicate.may_be_unreadable() {
        set.set(numbering.unreadable(), predicate.unreadable);
    }
    set
}

fn words_of(tests: Vec<(usize, AtomSet)>, rule: &Rule) -> Vec<Word> {
    let mut words: Vec<Word> =
        tests.into_iter().map(|(d, row)| Word::Test { dimension: d as u8, skip: 0, row }).collect();
    if !rule.outcome.is_quiet() {
        words.push(Word::Act { selector: rule.selector, outcome: rule.outcome });
    }
    words
}

/// Strings the rules together: a failed test goes on with the next rule, a rule that decided leaves the list. At a
/// return the next rule is looked at in any case.
fn join(pieces: Vec<Vec<Word>>, at_return: bool) -> Vec<Word> {
    let mut out: Vec<Word> = vec![];
    let mut behind: u16 = 0;
    for (i, mut piece) in pieces.into_iter().rev().enumerate() {
        if i > 0 && behind > 0 && !at_return {
            piece.push(Word::Skip { skip: behind });
        }
        let mut left: u16 = 0;
        for word in piece.iter_mut().rev() {
            if let Word::Test { skip, .. } = word {
                *skip = left;
            }
            left += word.words();
        }
        behind += left;
        out.splice(0..0, piece);
    }
    out
}
