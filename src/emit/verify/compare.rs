//! Compares a decoded artifact with the policies it was made from, list by list and atom by atom.
//!
//! Assumes nothing of the folding: what a condition means for an atom is worked out from the policies and
//! from the strings that the tables themselves spell. Every set of atoms here is finite or the complement of
//! a finite one, so two sets are equal if they agree on every atom that either names and on one that neither
//! names; that keeps the cost linear in what is written down.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;

use super::read::{Atoms, DecodedAct, DecodedList, DecodedOperation, DecodedRule, DecodedScope, Row};
use crate::artifact::manifest::Integer;
use crate::fold::opt::Omission;
use crate::policy::{
    AddressRange, Condition, Hook, Interval, Mode, PolicySet, ScopeId, Selector, Source, StrId, Values,
};
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::Table;

/// A difference between policies and artifact: always a fault of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub place: String,
    pub policies_say: String,
    pub artifact_says: String,
}

/// One hook of one policy and where the artifact claims to hold it.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub policy: usize,
    pub hook: &'a Hook,
    /// Number that events give the first selector of the hook as it is written.
    pub first_selector: u32,
    /// Parameter of what is attached, by position in the hook's `args`.
    pub params: Vec<u8>,
    /// Selectors that were left out, and why that changes nothing.
    pub omitted: Vec<(u8, Omission)>,
}

/// Which atom each value of the policies is, in one dimension, as the tables spell it.
struct Spelling {
    table: Table,
    count: u32,
    /// Each [`StrId`] with each atom for which a test for that value holds, ascending.
    strings: Vec<(u32, u32)>,
    /// Of atom i + 1.
    pieces: Vec<Interval>,
    /// Of bit i of an atom.
    masks: Vec<u64>,
    /// Of atom i + 1.
    addresses: Vec<AddressRange>,
}

impl Spelling {
    fn atoms_of(&self, StrId(value): StrId) -> impl Iterator<Item = u32> {
        let from = self.strings.partition_point(|(other, _)| *other < value);
        self.strings[from..].iter().take_while(move |(other, _)| *other == value).map(|(_, atom)| *atom)
    }

    /// The pieces that the interval is made of. Each number of it has to be in one, and no number beside it.
    fn atoms_within(&self, interval: Interval) -> Result<std::ops::Range<u32>, Difference> {
        let from = self.pieces.partition_point(|piece| piece.last < interval.first);
        let to = self.pieces.partition_point(|piece| piece.first <= interval.last);
        let mut wanted = Some(interval.first);
        for piece in &self.pieces[from..to.max(from)] {
            if wanted != Some(piece.first) || piece.last > interval.last {
                return Err((format!("the numbers {interval}"), format!("a piece {piece}")));
            }
            wanted = piece.last.checked_add(1);
        }
        if wanted != interval.last.checked_add(1) {
            return Err((format!("the numbers {interval}"), "no piece for some of them".to_string()));
        }
        Ok(from as u32 + 1..to as u32 + 1)
    }

    /// The same of addresses.
    fn atoms_of_addresses(&self, range: AddressRange) -> Result<std::ops::Range<u32>, Difference> {
        let from = self.addresses.partition_point(|piece| piece.last < range.first);
        let to = self.addresses.partition_point(|piece| piece.first <= range.last);
        let mut wanted = Some(range.first);
        for piece in &self.addresses[from..to.max(from)] {
            if wanted != Some(piece.first) || piece.last > range.last {
                return Err((format!("the addresses {range}"), format!("a piece {piece}")));
            }
            wanted = behind(piece.last);
        }
        if wanted != behind(range.last) {
            return Err((format!("the addresses {range}"), "no piece for some of them".to_string()));
        }
        Ok(from as u32 + 1..to as u32 + 1)
    }
}

/// The next address of the same family.
fn behind(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            address.to_bits().checked_add(1).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        }
        IpAddr::V6(address) => {
            address.to_bits().checked_add(1).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
    }
}

/// Compares every list of `operation` with its claim.
pub fn compare(set: &PolicySet, operation: &DecodedOperation, claims: &[Claim<'_>]) -> Vec<Mismatch> {
    let spellings: Vec<Spelling> =
        operation.dimensions.iter().map(|d| spell(set, d.table, &d.atoms)).collect();
    let mut found = vec![];
    let mut at: IndexMap<(u32, u32, u32), (&DecodedScope, &DecodedList)> = IndexMap::new();
    for scope in &operation.scopes {
        for list in &scope.lists {
            let place = (list.rank, list.first_selector, scope.scope);
            if at.insert(place, (scope, list)).is_some() {
                found.push(mismatch(
                    set,
                    operation,
                    None,
                    "a list stands once",
                    format!("list {place:?} stands twice"),
                ));
            }
        }
    }
    for claim in claims {
        let ScopeId(scope) = claim.hook.scope.unwrap_or(set.policies[claim.policy].scope);
        let here = at.swap_remove(&(claim.policy as u32, claim.first_selector, scope));
        let checker = Checker { set, operation, spellings: &spellings, claim };
        if let Err((say, art)) = checker.check(here) {
            found.push(mismatch(set, operation, Some(claim), &say, art));
        }
    }
    for (place, _) in at {
        found.push(mismatch(set, operation, None, "no such list", format!("list {place:?} acts")));
    }
    found
}

fn mismatch(
    set: &PolicySet,
    operation: &DecodedOperation,
    claim: Option<&Claim<'_>>,
    say: &str,
    art: String,
) -> Mismatch {
    let whose = claim.map_or(String::new(), |c| format!(", policy {}", set.policies[c.policy].identity.name));
    Mismatch {
        place: format!("{} {}{whose}", operation.kind, operation.target),
        policies_say: say.to_string(),
        artifact_says: art,
    }
}

fn spell(set: &PolicySet, table: Table, atoms: &Atoms) -> Spelling {
    let (strings, pieces, masks, addresses) = (vec![], vec![], vec![], vec![]);
    let mut spelling = Spelling { table, count: atoms.count(), strings, pieces, masks, addresses };
    match atoms {
        Atoms::Pieces(pieces) => spelling.pieces.clone_from(pieces),
        Atoms::Masks(masks) => spelling.masks.clone_from(masks),
        Atoms::Addresses(pieces) => spelling.addresses.clone_from(pieces),
        Atoms::Strings(values) => {
            for (i, bytes) in values.iter().enumerate() {
                let atom = i as u32 + 1;
                match table {
                    Table::Path | Table::Text | Table::Intervals | Table::AnyBit | Table::Address => {
                        if let Some(StrId(s)) = set.strings.find(bytes) {
                            spelling.strings.push((s, atom));
                        }
                    }
                    Table::Prefix => each_known(set, (0..=bytes.len()).map(|n| &bytes[..n]), |s| {
                        spelling.strings.push((s, atom));
                    }),
                    Table::Postfix => each_known(set, (0..=bytes.len()).map(|n| &bytes[n..]), |s| {
                        spelling.strings.push((s, atom));
                    }),
                }
            }
            spelling.strings.sort_unstable();
        }
    }
    spelling
}

fn each_known<'a>(set: &PolicySet, parts: impl Iterator<Item = &'a [u8]>, mut then: impl FnMut(u32)) {
    for part in parts {
        if let Some(StrId(s)) = set.strings.find(part) {
            then(s);
        }
    }
}

struct Checker<'a> {
    set: &'a PolicySet,
    operation: &'a DecodedOperation,
    spellings: &'a [Spelling],
    claim: &'a Claim<'a>,
}

type Difference = (String, String);

impl Checker<'_> {
    fn check(&self, here: Option<(&DecodedScope, &DecodedList)>) -> Result<(), Difference> {
        let kept: Vec<(u8, &Selector)> = self
            .claim
            .hook
            .selectors
            .iter()
            .map(|s| (s.number, s))
            .filter(|(i, _)| !self.claim.omitted.iter().any(|(o, _)| o == i))
            .collect();
        self.check_omissions(&kept)?;
        let Some((scope, list)) = here else {
            let mode = self.set.policies[self.claim.policy].mode;
            return if kept.iter().all(|(_, s)| is_quiet(s, mode)) {
                Ok(())
            } else {
                Err((format!("{} selectors", kept.len()), "no list".to_string()))
            };
        };
        let policy = &self.set.policies[self.claim.policy];
        if list.rules.len() != kept.len() {
            return Err((format!("{} selectors", kept.len()), format!("{} rules", list.rules.len())));
        }
        for ((index, selector), rule) in kept.iter().zip(&list.rules) {
            self.check_action(*index, selector, rule.act, policy.mode)?;
            self.check_tests(*index, selector, rule)?;
        }
        check_needs(scope, list)?;
        for d in 0..self.spellings.len() {
            if let Some(quiet) = scope.quiet.get(d).and_then(Option::as_ref) {
                self.check_quiet(d, quiet, list)?;
            }
        }
        Ok(())
    }

    /// A selector may be missing only if its conditions exclude each other, if one ahead of it has no condition
    /// that it lacks, or if nothing from it on does anything.
    fn check_omissions(&self, kept: &[(u8, &Selector)]) -> Result<(), Difference> {
        let selectors = &self.claim.hook.selectors;
        let policy = &self.set.policies[self.claim.policy];
        for &(index, omission) in &self.claim.omitted {
            let numbered = |number: u8| selectors.iter().find(|s| s.number == number);
            let Some(selector) = numbered(index) else {
                return Err((format!("{} selectors", selectors.len()), format!("selector {index} left out")));
            };
            let sound = match omission {
                Omission::NeverMatches => self.excludes_itself(selector),
                // Whatever becomes of the covering selector, it decides first.
                Omission::CoveredBy { selector: other } => {
                    other < index
                        && numbered(other).is_some_and(|other| {
                            other.conditions.iter().all(|f| self.has_filter(selector, f, other))
                        })
                }
                Omission::QuietTail => {
                    is_quiet(selector, policy.mode) && kept.iter().all(|(i, _)| *i < index)
                }
            };
            if !sound {
                return Err((format!("selector {index} can decide"), format!("left out: {omission:?}")));
            }
        }
        Ok(())
    }

    fn check_action(
        &self,
        index: u8,
        selector: &Selector,
        act: Option<DecodedAct>,
        mode: Mode,
    ) -> Result<(), Difference> {
        let actions = &selector.actions;
        let enforce = mode == Mode::Enforce;
        let expected = DecodedAct {
            selector: index,
            post: actions.post,
            override_value: actions.override_value.filter(|&v| enforce && v != 0).map(|v| v as i16),
            sigkill: enforce && actions.signal.is_some(),
        };
        let expected = (!is_quiet(selector, mode)).then_some(expected);
        if act == expected { Ok(()) } else { Err((format!("{expected:?}"), format!("{act:?}"))) }
    }

    /// Dimension by dimension: the row holds for exactly the atoms for which all of the selector's filters do.
    fn check_tests(&self, index: u8, selector: &Selector, rule: &DecodedRule) -> Result<(), Difference> {
        let enforces = selector.actions.enforces();
        let mut of_dimension: Vec<Vec<&Condition>> = vec![vec![]; self.spellings.len()];
        for filter in &selector.conditions {
            let d = self.dimension(filter)?;
            of_dimension[d].push(filter);
        }
        for (d, filters) in of_dimension.iter().enumerate() {
            let rows: Vec<&Row> =
                rule.tests.iter().filter(|(t, _)| *t as usize == d).map(|(_, r)| r).collect();
            if filters.is_empty() && rows.is_empty() {
                continue;
            }
            let named: Vec<Vec<u32>> = filters.iter().map(|f| self.named(d, f)).collect::<Result<_, _>>()?;
            for atom in self.witnesses(d, named.iter().flatten().copied(), &rows) {
                let wanted =
                    filters.iter().zip(&named).all(|(f, named)| self.holds(d, f, named, enforces, atom));
                if wanted != rows.iter().all(|r| r.contains(atom)) {
                    let spelt = self.atom_text(d, atom);
                    return Err((
                        format!(
                            "selector {index} {} for {spelt}",
                            if wanted { "holds" } else { "does not hold" }
                        ),
                        format!("its test says {}", !wanted),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Parameter of what is attached, and how the policy reads it: as a number, or by its type.
    fn subject(&self, filter: &Condition) -> (u8, Result<Integer, ArgType>) {
        let Source::Argument(arg) = filter.source;
        let ty = self.claim.hook.args[arg].ty;
        let reading = match ty.class() {
            Some(Class::Int { bytes, signed }) => Ok(Integer { bytes, signed }),
            Some(Class::Text | Class::Path | Class::Flow) | None => Err(ty),
        };
        (self.claim.params[arg], reading)
    }

    fn dimension(&self, filter: &Condition) -> Result<usize, Difference> {
        let table = filter.values.table();
        let (param, reading) = self.subject(filter);
        let integer = reading.ok();
        self.operation
            .dimensions
            .iter()
            .position(|d| {
                d.param == param
                    && d.table == table
                    && d.projection == filter.projection
                    && d.integer == integer
            })
            .ok_or_else(|| (format!("a {table:?} test on argument {param}"), "no such dimension".to_string()))
    }

    /// Every atom that a filter or a row names, the two special ones, and one that nobody names.
    fn witnesses(&self, d: usize, named: impl Iterator<Item = u32>, rows: &[&Row]) -> Vec<u32> {
        let s = &self.spellings[d];
        let mut out: Vec<u32> = vec![0];
        if s.table.holds_texts() || !self.operation.dimensions[d].projection.is_whole() {
            out.push(s.count + 1);
        }
        out.extend(named);
        out.extend(rows.iter().flat_map(|r| r.ids.iter().copied()).filter(|&a| a <= s.count));
        out.sort_unstable();
        out.dedup();
        let unnamed = (0..=s.count).find(|a| out.binary_search(a).is_err());
        out.extend(unnamed);
        out
    }

    /// The atoms for which some value of `filter` holds, ascending.
    fn named(&self, d: usize, filter: &Condition) -> Result<Vec<u32>, Difference> {
        let s = &self.spellings[d];
        let mut out: Vec<u32> = vec![];
        match &filter.values {
            Values::Intervals(intervals) => {
                for interval in intervals {
                    out.extend(s.atoms_within(*interval)?);
                }
            }
            Values::AnyBit(masks) => {
                for mask in masks {
                    let bit = s.masks.iter().position(|m| m == mask);
                    let bit =
                        bit.ok_or_else(|| (format!("the mask {mask:#x}"), "no such mask".to_string()))?;
                    out.extend((1..=s.count).filter(|atom| atom >> bit & 1 == 1));
                }
            }
            Values::Addresses(ranges) => {
                for range in ranges {
                    out.extend(s.atoms_of_addresses(*range)?);
                }
            }
            Values::Path(values)
            | Values::Text(values)
            | Values::Prefix(values)
            | Values::Postfix(values) => {
                out.extend(values.iter().flat_map(|v| s.atoms_of(*v)));
            }
        }
        out.sort_unstable();
        Ok(out)
    }

    fn holds(&self, d: usize, filter: &Condition, named: &[u32], enforces: bool, atom: u32) -> bool {
        let s = &self.spellings[d];
        if atom == s.count + 1 {
            // What a socket lacks fits no condition.
            return s.table.holds_texts() && filter.negated && enforces;
        }
        named.binary_search(&atom).is_ok() != filter.negated
    }

    /// An atom is quiet only if, whatever the other dimensions hold, no rule that acts can decide.
    fn check_quiet(&self, d: usize, quiet: &Row, list: &DecodedList) -> Result<(), Difference> {
        let rows: Vec<&Row> = list
            .rules
            .iter()
            .flat_map(|r| r.tests.iter().filter(|(t, _)| *t as usize == d).map(|(_, r)| r))
            .chain([quiet])
            .collect();
        for atom in self.witnesses(d, std::iter::empty(), &rows).into_iter().filter(|&a| quiet.contains(a)) {
            for rule in &list.rules {
                let here = rule.tests.iter().filter(|(t, _)| *t as usize == d).all(|(_, r)| r.contains(atom));
                let certain = here && rule.tests.iter().all(|(t, _)| *t as usize == d);
                if here && rule.act.is_some() {
                    let spelt = self.atom_text(d, atom);
                    return Err((format!("{spelt} can act"), "its quiet bit is set".to_string()));
                }
                if certain {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the values of one filter are all contradicted by other filters on the same argument. A value that
    /// cannot be read passes no filter that is not negated, so it needs no answer.
    fn excludes_itself(&self, selector: &Selector) -> bool {
        let subject = |f: &Condition| (self.subject(f), f.projection);
        selector.conditions.iter().enumerate().filter(|(_, f)| !f.negated).any(|(i, f)| {
            let others: Vec<&Condition> = selector
                .conditions
                .iter()
                .enumerate()
                .filter(|(j, g)| *j != i && subject(g) == subject(f))
                .map(|(_, g)| g)
                .collect();
            match &f.values {
                Values::Intervals(values) => values.iter().all(|v| others.iter().any(|g| apart(*v, g))),
                Values::AnyBit(masks) => masks.is_empty(),
                // Never left out.
                Values::Addresses(_) => false,
                Values::Path(values)
                | Values::Text(values)
                | Values::Prefix(values)
                | Values::Postfix(values) => values
                    .iter()
                    .all(|v| others.iter().any(|g| self.contradict(&f.values, self.set.strings.get(*v), g))),
            }
        })
    }

    /// Whether no text that passes `test` for the one value `v` passes `g`.
    fn contradict(&self, test: &Values, v: &[u8], g: &Condition) -> bool {
        use Values::{Path, Postfix, Prefix, Text};
        let some = |values: &[StrId], relation: &dyn Fn(&[u8]) -> bool| {
            values.iter().any(|w| relation(self.set.strings.get(*w)))
        };
        match (test, &g.values) {
            (Path(_) | Text(_), Path(w) | Text(w)) => some(w, &|w| w == v) == g.negated,
            (Path(_) | Text(_), Prefix(w)) if (1..256).contains(&v.len()) => {
                some(w, &|w| v.starts_with(w)) == g.negated
            }
            (Path(_) | Text(_), Postfix(w)) if (1..128).contains(&v.len()) => {
                some(w, &|w| v.ends_with(w)) == g.negated
            }
            // An empty text has neither beginning nor end.
            (Path(_) | Text(_), Prefix(_) | Postfix(_)) => v.is_empty() && !g.negated,
            (Prefix(_), Prefix(w)) if g.negated => some(w, &|w| v.starts_with(w)),
            (Prefix(_), Prefix(w)) => !some(w, &|w| v.starts_with(w) || w.starts_with(v)),
            (Postfix(_), Postfix(w)) if g.negated => some(w, &|w| v.ends_with(w)),
            (Postfix(_), Postfix(w)) => !some(w, &|w| v.ends_with(w) || w.ends_with(v)),
            (Prefix(_), Path(_) | Text(_) | Postfix(_))
            | (Postfix(_), Path(_) | Text(_) | Prefix(_))
            | (Values::Intervals(_) | Values::AnyBit(_) | Values::Addresses(_), _)
            | (_, Values::Intervals(_) | Values::AnyBit(_) | Values::Addresses(_)) => false,
        }
    }

    /// Whether `selector` has a filter that means the same as `wanted` means in `whose`.
    fn has_filter(&self, selector: &Selector, wanted: &Condition, whose: &Selector) -> bool {
        let same_answer_if_unreadable = !wanted.negated
            || !wanted.values.table().holds_texts()
            || selector.actions.enforces() == whose.actions.enforces();
        let subject = |f: &Condition| (self.subject(f), f.projection);
        selector.conditions.iter().any(|f| {
            subject(f) == subject(wanted)
                && f.negated == wanted.negated
                && f.values == wanted.values
                && same_answer_if_unreadable
        })
    }

    fn atom_text(&self, d: usize, atom: u32) -> String {
        let dimension = &self.operation.dimensions[d];
        if atom == 0 {
            return "any other value".to_string();
        }
        let i = atom as usize - 1;
        match &dimension.atoms {
            Atoms::Strings(v) => v.get(atom).map(|b| format!("`{}`", String::from_utf8_lossy(b))),
            Atoms::Pieces(v) => v.get(i).map(ToString::to_string),
            Atoms::Masks(v) => Some(bits_of(v, atom)),
            Atoms::Addresses(v) => v.get(i).map(ToString::to_string),
        }
        .unwrap_or_else(|| "a value that cannot be read".to_string())
    }
}

fn check_needs(scope: &DecodedScope, list: &DecodedList) -> Result<(), Difference> {
    let tested = list.rules.iter().flat_map(|r| &r.tests).fold(0u32, |bits, (d, _)| bits | 1 << d);
    if tested & !scope.needs == 0 {
        Ok(())
    } else {
        Err((format!("dimensions {tested:#b} are tested"), format!("only {:#b} are read", scope.needs)))
    }
}

fn is_quiet(selector: &Selector, mode: Mode) -> bool {
    let acts = mode == Mode::Enforce
        && (selector.actions.signal.is_some() || selector.actions.override_value.is_some_and(|v| v != 0));
    !selector.actions.post && !acts
}

/// Whether `g` is false for every number of `v`.
fn apart(v: Interval, g: &Condition) -> bool {
    let Values::Intervals(others) = &g.values else { return false };
    match g.negated {
        true => others.iter().any(|w| w.first <= v.first && v.last <= w.last),
        false => others.iter().all(|w| w.last < v.first || v.last < w.first),
    }
}

/// The masks of an atom.
fn bits_of(masks: &[u64], atom: u32) -> String {
    let has = masks.iter().enumerate().filter(|(i, _)| atom >> i & 1 == 1);
    has.map(|(_, mask)| format!("{mask:#x}")).collect::<Vec<_>>().join(" and ")
}
