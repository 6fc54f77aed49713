//! Plan to contents: the tables of each operation and its decision lists over atoms. Still no object, no image.
//!
//! Turns a [`Unit`] into a [`LoweredUnit`]. Assumes that the front end refused values that no table holds.
//! Guarantees: every value that an input can have has its atom; the same plan gives the same bytes. Values
//! that no input can have (a relative path where paths are absolute) have none, and their tests never hold.

pub mod lists;
pub mod numbering;
pub mod program;
pub mod tables;

use indexmap::IndexMap;

use crate::fold::ir::{Family, Operation, Program, Subject};
use crate::fold::plan::{AtomSet, Dimension, DimensionValues, Unit};
use crate::policy::{PolicySet, ScopeId, StrId};
use crate::vocab::arg_type::Class;
use lists::ListCode;
use numbering::Numbering;
use tables::blob::{Blob, Region};
use tables::trie::Direction;
use tables::{TableError, automaton, ints, trie};

/// One operation, ready to be written.
#[derive(Clone, Debug)]
pub struct LoweredUnit {
    pub tables: Region,
    /// In the order of the unit's dimensions.
    pub dimensions: Vec<LoweredDimension>,
    pub scopes: IndexMap<ScopeId, ScopeCode>,
}

#[derive(Clone, Debug)]
pub struct LoweredDimension {
    pub matcher: Matcher,
    /// Reference of its table.
    pub root: u32,
    /// Number of values: atoms are `0..=count + 1`.
    pub count: u32,
}

/// What classifies the values of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matcher {
    /// The component automaton; leaves at the first unknown component, so that it cannot tell "other" from
    /// "cannot be read".
    Walk,
    TrieEqual,
    TriePrefix,
    TriePostfix,
    Ints,
}

/// What one scope adds to a set, at one operation.
#[derive(Clone, Debug)]
pub struct ScopeCode {
    /// Bit `d`: dimension `d` has to be read.
    pub needs: u32,
    /// Per dimension: the atoms for which nothing can happen, whatever the others are.
    pub quiet: Vec<AtomSet>,
    /// Index of the list in the program, and its code; in order of the lists.
    pub lists: Vec<(usize, ListCode)>,
}

pub fn run(set: &PolicySet, program: &Program, unit: &Unit) -> Result<LoweredUnit, TableError> {
    let operation = &program.operations[unit.operation.0 as usize];
    let mut blob = Blob::tables();
    let mut dimensions = vec![];
    let mut numberings = vec![];
    for dimension in &unit.dimensions {
        let (lowered, numbering) = lower_dimension(&mut blob, set, operation, dimension)?;
        dimensions.push(lowered);
        numberings.push(numbering);
    }
    let scopes = unit
        .scopes
        .iter()
        .map(|(&scope, of_scope)| {
            let lists = of_scope
                .iter()
                .map(|&l| (l, lists::encode(operation, unit, &numberings, &program.lists[l].rules)))
                .collect();
            (scope, scope_code(lists, &dimensions))
        })
        .collect();
    Ok(LoweredUnit { tables: blob.finish(), dimensions, scopes })
}

fn lower_dimension(
    blob: &mut Blob,
    set: &PolicySet,
    operation: &Operation,
    dimension: &Dimension,
) -> Result<(LoweredDimension, Numbering), TableError> {
    let matcher = matcher(dimension.family, operation.subject(dimension.subject));
    let (root, numbering) = match &dimension.values {
        DimensionValues::Ints(values) => {
            let table = ints::build(blob, values)?;
            (table.root, Numbering::of_ints(values))
        }
        DimensionValues::Strings(values) => lower_strings(blob, set, matcher, values)?,
    };
    Ok((LoweredDimension { matcher, root, count: numbering.count }, numbering))
}

fn lower_strings(
    blob: &mut Blob,
    set: &PolicySet,
    matcher: Matcher,
    values: &[StrId],
) -> Result<(u32, Numbering), TableError> {
    let bytes = |s: &StrId| set.strings.get(*s);
    let sorted = |reversed: bool| {
        let mut pairs: Vec<(StrId, Vec<u8>)> = values
            .iter()
            .map(|s| {
                let mut b = bytes(s).to_vec();
                if reversed {
                    b.reverse();
                }
                (*s, b)
            })
            .collect();
        pairs.sort_by(|a, b| a.1.cmp(&b.1));
        pairs
    };
    match matcher {
        Matcher::Walk => {
            let paths: Vec<&[u8]> = values.iter().map(bytes).collect();
            let table = automaton::build(blob, &paths)?;
            let ids = values.iter().zip(&table.ids).filter_map(|(&s, id)| id.ok().map(|id| (s, id)));
            Ok((table.root, Numbering::of_strings(ids, table.count)))
        }
        Matcher::TrieEqual => {
            // Numbers must not depend on the order in which files were read.
            let pairs = sorted(false);
            let texts: Vec<&[u8]> = pairs.iter().map(|(s, _)| set.strings.get(*s)).collect();
            let root = trie::build(blob, &texts, Direction::Forward)?;
            let ids = pairs.iter().enumerate().map(|(i, (s, _))| (*s, i as u32 + 1));
            Ok((root, Numbering::of_strings(ids, values.len() as u32)))
        }
        Matcher::TriePrefix | Matcher::TriePostfix => {
            let reversed = matcher == Matcher::TriePostfix;
            let pairs = sorted(reversed);
            let texts: Vec<&[u8]> = pairs.iter().map(|(s, _)| set.strings.get(*s)).collect();
            let direction = if reversed { Direction::Backward } else { Direction::Forward };
            let root = trie::build(blob, &texts, direction)?;
            Ok((root, Numbering::of_prefixes(&pairs)))
        }
        Matcher::Ints => unreachable!("integers are no strings"),
    }
}

fn matcher(family: Family, subject: Subject) -> Matcher {
    match (family, subject.ty.class()) {
        (Family::Int, _) => Matcher::Ints,
        (Family::Equal, Some(Class::Path)) => Matcher::Walk,
        (Family::Equal, Some(Class::Text | Class::Int { .. }) | None) => Matcher::TrieEqual,
        (Family::Prefix, _) => Matcher::TriePrefix,
        (Family::Postfix, _) => Matcher::TriePostfix,
    }
}

fn scope_code(lists: Vec<(usize, ListCode)>, dimensions: &[LoweredDimension]) -> ScopeCode {
    let needs = lists.iter().fold(0, |bits, (_, code)| bits | code.needs);
    let quiet = dimensions
        .iter()
        .enumerate()
        .map(|(d, dimension)| {
            let mut quiet = lists.iter().fold(AtomSet::all(), |all, (_, code)| all.intersect(&code.quiet[d]));
            let unreadable = dimension.count + 1;
            if dimension.matcher == Matcher::Walk && !quiet.contains(unreadable) {
                quiet.set(0, false);
            }
            quiet
        })
        .collect();
    ScopeCode { needs, quiet, lists }
}
