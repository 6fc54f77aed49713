//! Plan to contents: the tables of each operation and its decision lists over atoms. Still no object, no image.
//!
//! Turns a [`Unit`] into a [`LoweredUnit`]. Assumes that the front end refused values that no table holds.
//! Guarantees: every value that an input can have has its atom; the same plan gives the same bytes. Values
//! that no input can have (a relative path where paths are absolute) have none, and their tests never hold.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod lists;
pub mod numbering;
pub mod program;
pub mod tables;
pub mod values;

use indexmap::IndexMap;

use crate::fold::ir::{Place, Program};
use crate::fold::plan::{AtomSet, Dimension, Unit};
use crate::policy::{PolicySet, ScopeId, StrId, Values};
use crate::vocab::condition::Table;
use lists::ListCode;
use numbering::Numbering;
use tables::blob::{Blob, Region};
use tables::trie::Direction;
use tables::{TableError, addresses, automaton, intervals, limits, masks, trie};

/// One operation, ready to be written.
#[derive(Clone, Debug)]
pub struct LoweredUnit {
    pub tables: Region,
    /// In the order of the unit's dimensions.
    pub dimensions: Vec<LoweredDimension>,
    /// Reference of the table of limits; 0 if there are none.
    pub limits: u32,
    pub scopes: IndexMap<ScopeId, ScopeCode>,
}

#[derive(Clone, Debug)]
pub struct LoweredDimension {
    pub table: Table,
    pub lookup: Lookup,
    /// Reference of its table.
    pub root: u32,
    /// Number of values: atoms are `0..=count + 1`.
    pub count: u32,
}

/// How a program finds the atom of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// The stencil takes a register.
    Register(&'static str),
    /// The stencil takes a number that another one read before.
    Number(&'static str),
    /// The same of a number of the process.
    Fact(&'static str),
    /// The stencil reads the address of a socket.
    Address,
    /// From the leaf up, without a copy; leaves at the first unknown component, so that it cannot tell "other" from
    /// "cannot be read".
    Walk,
    /// The stencil takes a text that was built before.
    Text(&'static str),
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
        let place = operation.subject(dimension.subject).place;
        let (lowered, numbering) = lower_dimension(&mut blob, set, dimension, place)?;
        dimensions.push(lowered);
        numberings.push(numbering);
    }
    let limits = limits::build(&mut blob, &unit.limited)?;
    let scopes = unit
        .scopes
        .iter()
        .map(|(&scope, of_scope)| {
            let lists = of_scope
                .iter()
                .map(|&l| (l, lists::encode(operation, unit, &numberings, &program.lists[l])))
                .collect();
            (scope, scope_code(lists, &dimensions))
        })
        .collect();
    Ok(LoweredUnit { tables: blob.finish(), dimensions, limits, scopes })
}

fn lower_dimension(
    blob: &mut Blob,
    set: &PolicySet,
    dimension: &Dimension,
    place: Place,
) -> Result<(LoweredDimension, Numbering), TableError> {
    let text = |s: &StrId| set.strings.get(*s);
    let (lookup, root, numbering) = match &dimension.values {
        Values::Intervals(values) => {
            let pieces = intervals::pieces(values);
            let are_points = intervals::are_points(&pieces);
            let lookup = match (place, dimension.projection.is_whole(), are_points) {
                (Place::Fact(_), _, true) => Lookup::Fact("fact_lookup"),
                (Place::Fact(_), _, false) => Lookup::Fact("fact_interval_lookup"),
                (Place::Param(_), true, true) => Lookup::Register("int_lookup"),
                (Place::Param(_), true, false) => Lookup::Register("interval_lookup"),
                (Place::Param(_), false, true) => Lookup::Number("number_lookup"),
                (Place::Param(_), false, false) => Lookup::Number("number_interval_lookup"),
            };
            let root = intervals::build(blob, &pieces)?;
            (lookup, root, Numbering::of_pieces(pieces))
        }
        Values::AnyBit(values) => {
            let root = masks::build(blob, values)?;
            let lookup = match place {
                Place::Param(_) => Lookup::Register("mask_lookup"),
                Place::Fact(_) => Lookup::Fact("fact_mask_lookup"),
            };
            (lookup, root, Numbering::of_masks(values.clone()))
        }
        Values::Addresses(values) => {
            let pieces = addresses::pieces(values);
            let root = addresses::build(blob, &pieces)?;
            (Lookup::Address, root, Numbering::of_addresses(pieces))
        }
        Values::Path(values) => {
            let paths: Vec<&[u8]> = values.iter().map(text).collect();
            let table = automaton::build(blob, &paths)?;
            let ids = values.iter().zip(&table.ids).filter_map(|(&s, id)| id.ok().map(|id| (s, id)));
            (Lookup::Walk, table.root, Numbering::of_strings(ids, table.count))
        }
        Values::Text(values) => {
            let (root, sorted) = build_trie(blob, set, values, Direction::Forward)?;
            let ids = sorted.iter().enumerate().map(|(i, (s, _))| (*s, i as u32 + 1));
            (Lookup::Text("trie_equal"), root, Numbering::of_strings(ids, values.len() as u32))
        }
        Values::Prefix(values) => {
            let (root, sorted) = build_trie(blob, set, values, Direction::Forward)?;
            (Lookup::Text("trie_prefix"), root, Numbering::of_prefixes(&sorted))
        }
        Values::Postfix(values) => {
            let (root, sorted) = build_trie(blob, set, values, Direction::Backward)?;
            (Lookup::Text("trie_postfix"), root, Numbering::of_prefixes(&sorted))
        }
    };
    Ok((LoweredDimension { table: dimension.table(), lookup, root, count: numbering.count }, numbering))
}

/// Values with their bytes in the order in which a trie reads them.
type AsRead = Vec<(StrId, Vec<u8>)>;

/// The trie of `values`, and these with their bytes as they are read, in order: numbers must not depend on the order in
/// which files were read.
fn build_trie(
    blob: &mut Blob,
    set: &PolicySet,
    values: &[StrId],
    direction: Direction,
) -> Result<(u32, AsRead), TableError> {
    let as_read = |s: &StrId| {
        let mut bytes = set.strings.get(*s).to_vec();
        if direction == Direction::Backward {
            bytes.reverse();
        }
        (*s, bytes)
    };
    let mut sorted: AsRead = values.iter().map(as_read).collect();
    sorted.sort_by(|a, b| a.1.cmp(&b.1));
    let texts: Vec<&[u8]> = sorted.iter().map(|(s, _)| set.strings.get(*s)).collect();
    Ok((trie::build(blob, &texts, direction)?, sorted))
}

fn scope_code(lists: Vec<(usize, ListCode)>, dimensions: &[LoweredDimension]) -> ScopeCode {
    let needs = lists.iter().fold(0, |bits, (_, code)| bits | code.needs);
    let quiet = dimensions
        .iter()
        .enumerate()
        .map(|(d, dimension)| {
            let mut quiet = lists.iter().fold(AtomSet::all(), |all, (_, code)| all.intersect(&code.quiet[d]));
            let unreadable = dimension.count + 1;
            if dimension.lookup == Lookup::Walk && !quiet.contains(unreadable) {
                quiet.set(0, false);
            }
            quiet
        })
        .collect();
    ScopeCode { needs, quiet, lists }
}
