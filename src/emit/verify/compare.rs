//! Compares a decoded operation with the claims of the documents, list by list and set by set.
//!
//! What a condition means for an atom is worked out from the document's values and from those that the tables
//! themselves spell. Sets of atoms are runs, so that the cost is linear in what is written down, and two sets are
//! compared as a whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;

use super::claims::Claim;
use super::read::{Atoms, DecodedAct, DecodedList, DecodedOperation, DecodedRule, DecodedScope, Row};
<<<<<<< HEAD
use super::runs::Runs;
use super::spelling::Spelling;
use super::{Difference, Mismatch};
use crate::artifact::manifest::{Integer, Subject, Table};
use crate::interp::document::{Condition, Is, Selector};
use crate::policy::Source;
use crate::vocab::Vocabulary;
=======
use crate::artifact::manifest::Integer;
use crate::fold::opt::Omission;
use crate::policy::{
    AddressRange, Condition, Hook, Interval, Mode, PolicySet, ScopeId, Selector, Source, StrId, Values,
};
>>>>>>> main
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::Projection;

<<<<<<< HEAD
/// Compares every list of `operation` with its claim; the claims are those of one of its targets.
pub fn compare(operation: &DecodedOperation, target: &str, claims: &[Claim<'_>], found: &mut Vec<Mismatch>) {
    let mut note = |claim: Option<&Claim<'_>>, (policies_say, artifact_says): Difference| {
        let whose = claim.map_or(String::new(), |c| format!(", policy {}", c.document.policy.identity.name));
        let place = format!("{} {target}{whose}", operation.kind);
        found.push(Mismatch { place, policies_say, artifact_says });
    };
    let spellings: Vec<Spelling<'_>> = operation.dimensions.iter().map(Spelling::of).collect();
    let at = |claim: &Claim<'_>| (claim.rank, claim.scope, claim.first);
    let mut known: IndexMap<(usize, u32, u32), usize> = IndexMap::new();
    for (c, claim) in claims.iter().enumerate() {
        known.insert(at(claim), c);
    }
    known.sort_unstable_keys();
    let mut lists: Vec<Option<(&DecodedScope, &DecodedList)>> = vec![None; claims.len()];
    for scope in &operation.scopes {
        for list in &scope.lists {
            let wanted = list.first_act().unwrap_or(u32::MAX);
            // The last claim that begins no later than the list's number.
            let behind = known.partition_point(|key, _| *key <= (list.rank, scope.scope, wanted));
            let claim =
                behind.checked_sub(1).and_then(|i| known.get_index(i)).map(|(_, &c)| c).filter(|&c| {
                    let claim = &claims[c];
                    (claim.rank, claim.scope) == (list.rank, scope.scope)
                        && claim.selectors.iter().any(|s| claim.number(s) == wanted)
                });
            match claim {
                Some(c) if lists[c].is_none() => lists[c] = Some((scope, list)),
                Some(_) | None => {
                    let says = format!("a list of policy {} acts from selector {wanted}", list.rank);
                    note(None, (format!("no such list in scope {}", scope.scope), says));
=======
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
>>>>>>> main
                }
            }
        }
    }
    for (claim, here) in claims.iter().zip(lists) {
        let checker = Checker { operation, spellings: &spellings, claim };
        if let Err(difference) = checker.check(here) {
            note(Some(claim), difference);
        }
    }
    for dimension in &operation.dimensions {
        if dimension.merges_unreadable != (dimension.table == Table::Path) {
            let says = format!("{:?}: {}", dimension.table, dimension.merges_unreadable);
            note(None, ("only a walk merges what cannot be read".to_string(), says));
        }
    }
}

/// One claim and what it is compared with.
pub(super) struct Checker<'a> {
    operation: &'a DecodedOperation,
    spellings: &'a [Spelling<'a>],
    pub(super) claim: &'a Claim<'a>,
}

impl Checker<'_> {
    fn check(&self, here: Option<(&DecodedScope, &DecodedList)>) -> Result<(), Difference> {
        let claim = self.claim;
        let is_omitted = |s: &Selector<'_>| claim.omitted.iter().any(|(o, _)| *o == s.number);
        let kept: Vec<&Selector<'_>> = claim.selectors.iter().copied().filter(|s| !is_omitted(s)).collect();
        self.check_omissions(&kept)?;
        let mode = claim.document.mode;
        let Some((scope, list)) = here else {
            return if kept.iter().all(|s| s.acts.is_quiet(mode)) {
                Ok(())
            } else {
                Err((format!("{} selectors", kept.len()), "no list".to_string()))
            };
        };
        if list.rules.len() != kept.len() {
            return Err((format!("{} selectors", kept.len()), format!("{} rules", list.rules.len())));
        }
        self.check_args()?;
        for (selector, rule) in kept.iter().zip(&list.rules) {
            self.check_action(selector, rule.act)?;
            self.check_conditions(selector, rule)?;
        }
        check_needs(scope, list)?;
        for d in 0..self.spellings.len() {
            if let Some(quiet) = scope.quiet.get(d).and_then(Option::as_ref) {
                self.check_quiet(d, quiet, list)?;
            }
        }
        Ok(())
    }

    /// What the operation's programs read: of each argument something of its type, or a number.
    fn check_args(&self) -> Result<(), Difference> {
        let is_number = |ty: ArgType| matches!(ty.class(), Some(Class::Int { .. }));
        for arg in self.claim.hook.args.iter().filter(|arg| arg.ty.class().is_some()) {
            let param = u32::from(self.claim.at.param(arg.index));
            let is_read = |ty: &str| {
                let ty = ArgType::parse(ty);
                ty.is_some_and(|ty| ty == arg.ty || is_number(ty) && is_number(arg.ty))
            };
            if !self.operation.args.iter().any(|(index, ty)| *index == param && is_read(ty)) {
                let says = format!("{:?}", self.operation.args);
                return Err((format!("argument {param} is of type {}", arg.ty), says));
            }
        }
        Ok(())
    }

    fn check_action(&self, selector: &Selector<'_>, act: Option<DecodedAct>) -> Result<(), Difference> {
        let mode = self.claim.document.mode;
        let (value, sigkill) = selector.acts.enforced(mode);
        let value = value.map(i16::try_from).transpose();
        let override_value = value.map_err(|e| ("a value that is returned".to_string(), e.to_string()))?;
        let (number, post) = (self.claim.number(selector), selector.acts.post);
        let expected = DecodedAct { selector: number, post, override_value, sigkill };
        let expected = (!selector.acts.is_quiet(mode)).then_some(expected);
        if act == expected { Ok(()) } else { Err((format!("{expected:?}"), format!("{act:?}"))) }
    }

    /// Dimension by dimension: the rows hold for exactly the atoms for which all of the selector's conditions do.
    fn check_conditions(&self, selector: &Selector<'_>, rule: &DecodedRule) -> Result<(), Difference> {
        let index = selector.number;
        let here = |d: usize| -> Option<Runs> {
            let top = self.spellings[d].top();
            let rows = rule.tests.iter().filter(|(t, _)| *t as usize == d).map(|(_, row)| row.atoms(top));
            rows.reduce(|a, b| a.and(&b))
        };
        if selector.conditions.iter().any(|c| matches!(c.is, Is::Never)) {
            let is_impossible = (0..self.spellings.len()).any(|d| here(d).is_some_and(|row| row.is_empty()));
            let says = || (format!("selector {index} never matches"), "it may".to_string());
            return if is_impossible { Ok(()) } else { Err(says()) };
        }
        let mut wanted: Vec<Option<Runs>> = vec![None; self.spellings.len()];
        for condition in &selector.conditions {
            let d = self.dimension(condition)?;
            let atoms = self.atoms(d, condition, selector.acts.enforces())?;
            wanted[d] = Some(wanted[d].take().map_or(atoms.clone(), |other| other.and(&atoms)));
        }
        for (d, wanted) in wanted.into_iter().enumerate() {
            let top = self.spellings[d].top();
            let (wanted, found) = match (wanted, here(d)) {
                (None, None) => continue,
                (wanted, found) => {
                    (wanted.unwrap_or_else(|| Runs::all(top)), found.unwrap_or_else(|| Runs::all(top)))
                }
            };
            if wanted != found
                && let Some(atom) = wanted.first_difference(&found, top)
            {
                let holds = wanted.contains(atom);
                let says = if holds { "holds" } else { "does not hold" };
                let spelt = self.atom_text(d, atom);
                return Err((
                    format!("selector {index} {says} for {spelt}"),
                    format!("its test says {}", !holds),
                ));
            }
        }
        Ok(())
    }

<<<<<<< HEAD
    /// What a condition is about: where it is read, and how.
    ///
    /// To add a source: its arm.
    pub(super) fn subject(&self, condition: &Condition<'_>) -> (Subject, Reading) {
        match condition.source {
            Source::Argument(position) => {
                let arg = self.claim.hook.args[position];
                (Subject::Argument(self.claim.at.param(arg.index).into()), Reading::of(arg.ty))
            }
        }
    }

    fn dimension(&self, condition: &Condition<'_>) -> Result<usize, Difference> {
        let (subject, reading) = self.subject(condition);
        let integer = reading.integer();
        let is_it = |s: &Spelling<'_>| {
            let of = s.dimension;
            of.subject == subject && Some(of.table) == condition.is.table() && of.integer == integer
=======
    /// Parameter of what is attached, and how the policy reads it: as a number, or by its type.
    fn subject(&self, filter: &Condition) -> (u8, Result<Integer, ArgType>) {
        let Source::Argument(arg) = filter.source;
        let ty = self.claim.hook.args[arg].ty;
        let reading = match ty.class() {
            Some(Class::Int { bytes, signed }) => Ok(Integer { bytes, signed }),
            Some(Class::Text | Class::Path | Class::Flow) | None => Err(ty),
>>>>>>> main
        };
        // No dimension says what of its subject it is about: it is the whole.
        let found =
            self.spellings.iter().position(is_it).filter(|_| condition.projection == Projection::Whole);
        found.ok_or_else(|| {
            (format!("a {:?} test on {subject:?}", condition.is.table()), "no such dimension".to_string())
        })
    }

<<<<<<< HEAD
    fn atoms(&self, d: usize, condition: &Condition<'_>, enforces: bool) -> Result<Runs, Difference> {
        let spelling = &self.spellings[d];
        let described = spelling.described(&condition.is)?;
        let top = spelling.top();
        let holds = if condition.negated { described.complement(top) } else { described };
        // An allowlist must not let through what cannot be read.
        let is_in = condition.negated && enforces;
        Ok(if spelling.dimension.table.holds_texts() { holds.with(top, is_in) } else { holds })
=======
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
>>>>>>> main
    }

    /// An atom is quiet only if, whatever the other dimensions hold, no rule that acts can decide.
    fn check_quiet(&self, d: usize, quiet: &Row, list: &DecodedList) -> Result<(), Difference> {
        let top = self.spellings[d].top();
        let mut left = quiet.atoms(top);
        if self.operation.dimensions[d].merges_unreadable && left.contains(0) && !left.contains(top) {
            return Err((
                "what cannot be read may act".to_string(),
                "a walk that ends early is quiet".into(),
            ));
        }
        for rule in &list.rules {
            let tests = || rule.tests.iter().filter(|(t, _)| *t as usize == d);
            let here = tests().fold(left.clone(), |here, (_, row)| here.and(&row.atoms(top)));
            if let (true, Some(atom)) = (rule.act.is_some(), here.first()) {
                let spelt = self.atom_text(d, atom);
                return Err((format!("{spelt} can act"), "its quiet bit is set".to_string()));
            }
            // Nothing else is tested: here the rule decides.
            if rule.tests.iter().all(|(t, _)| *t as usize == d) {
                left = left.and(&here.complement(top));
            }
        }
        Ok(())
    }

<<<<<<< HEAD
=======
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

>>>>>>> main
    fn atom_text(&self, d: usize, atom: u32) -> String {
        if atom == 0 {
            return "any other value".to_string();
        }
        let i = atom as usize - 1;
        match &self.operation.dimensions[d].atoms {
            Atoms::Strings(v) => v.get(atom).map(|b| format!("`{}`", String::from_utf8_lossy(b))),
            Atoms::Pieces(v) => v.get(i).map(ToString::to_string),
            Atoms::Masks(v) => Some(bits_of(v, atom)),
            Atoms::Addresses(v) => v.get(i).map(ToString::to_string),
        }
        .unwrap_or_else(|| "a value that cannot be read".to_string())
    }
}

/// How an argument is read: types of one width and sign are one number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Number(Integer),
    As(ArgType),
}

impl Reading {
    fn of(ty: ArgType) -> Reading {
        match ty.class() {
            Some(Class::Int { bytes, signed }) => Reading::Number(Integer { bytes, signed }),
            Some(Class::Text | Class::Path) | None => Reading::As(ty),
        }
    }

    fn integer(self) -> Option<Integer> {
        match self {
            Reading::Number(integer) => Some(integer),
            Reading::As(_) => None,
        }
    }
}

/// The masks of an atom.
fn bits_of(masks: &[u64], atom: u32) -> String {
    let has = masks.iter().enumerate().filter(|(i, _)| atom >> i & 1 == 1);
    has.map(|(_, mask)| format!("{mask:#x}")).collect::<Vec<_>>().join(" and ")
}

fn check_needs(scope: &DecodedScope, list: &DecodedList) -> Result<(), Difference> {
    let tested = list.rules.iter().flat_map(|r| &r.tests).fold(0u32, |bits, (d, _)| bits | 1 << d);
    if tested & !scope.needs == 0 {
        Ok(())
    } else {
        Err((format!("dimensions {tested:#b} are tested"), format!("only {:#b} are read", scope.needs)))
    }
}
