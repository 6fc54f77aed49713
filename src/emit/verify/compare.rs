//! Compares a decoded operation with the claims of the documents, list by list and set by set.
//!
//! What a condition means for an atom is worked out from the document's values and from those that the tables
//! themselves spell. Sets of atoms are runs, so that the cost is linear in what is written down, and two sets are
//! compared as a whole.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::Mismatch;
use super::claims::Claim;
use super::read::{Atoms, DecodedAct, DecodedDimension, DecodedList, DecodedOperation, DecodedRule};
use super::read::{DecodedScope, Row};
use super::runs::Runs;
use crate::artifact::abi::{COMPONENT_MAX, TEXT_MAX};
use crate::artifact::manifest::Family;
use crate::fold::opt::Omission;
use crate::interp::document::{Condition, Is, Selector};
use crate::vocab::arg_type::{ArgType, Class};

type Difference = (String, String);

/// Compares every list of `operation` with its claim.
pub fn compare(operation: &DecodedOperation, claims: &[Claim<'_>], found: &mut Vec<Mismatch>) {
    let mut note = |claim: Option<&Claim<'_>>, (policies_say, artifact_says): Difference| {
        let whose = claim.map_or(String::new(), |c| format!(", policy {}", c.document.policy.identity.name));
        let place = format!("{} {}{whose}", operation.kind, operation.target);
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
                        && (claim.first..claim.first + claim.selectors.len() as u32).contains(&wanted)
                });
            match claim {
                Some(c) if lists[c].is_none() => lists[c] = Some((scope, list)),
                Some(_) | None => {
                    let says = format!("a list of policy {} acts from selector {wanted}", list.rank);
                    note(None, (format!("no such list in scope {}", scope.scope), says));
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
        if dimension.merges_unreadable != (dimension.family == Family::Path) {
            let says = format!("{:?}: {}", dimension.family, dimension.merges_unreadable);
            note(None, ("only a walk merges what cannot be read".to_string(), says));
        }
    }
}

/// Which atom each value is, in one dimension, as the tables spell it.
struct Spelling<'a> {
    param: u8,
    family: Family,
    count: u32,
    /// Of whole texts.
    atoms: FxHashMap<&'a [u8], u32>,
    /// In the order in which beginnings, or ends, are in a row: each with its atom.
    sorted: Vec<(&'a [u8], u32)>,
    ints: &'a [u64],
}

impl<'a> Spelling<'a> {
    fn of(dimension: &'a DecodedDimension) -> Spelling<'a> {
        let DecodedDimension { param, family, atoms, .. } = dimension;
        let (param, family) = (*param, *family);
        let mut spelling = Spelling {
            param,
            family,
            count: atoms.count(),
            atoms: FxHashMap::default(),
            sorted: vec![],
            ints: &[],
        };
        match (atoms, family) {
            (Atoms::Ints(values), _) => spelling.ints = values,
            (Atoms::Strings(values), Family::Prefix | Family::Postfix) => {
                spelling.sorted = values.iter().zip(1..).collect();
                spelling.sorted.sort_by(|(a, _), (b, _)| compare_ends(family, a, b));
            }
            (Atoms::Strings(values), Family::Path | Family::Text | Family::Int) => {
                spelling.atoms = values.iter().zip(1..).collect();
            }
        }
        spelling
    }

    /// The last atom: one above the values, which cannot be read, but of integers, which always can.
    fn top(&self) -> u32 {
        self.count + u32::from(self.family != Family::Int)
    }

    /// The atoms for which a condition holds, readable ones. An error is a value that no atom stands for.
    fn described(&self, condition: &Condition<'_>, class: Option<Class>) -> Result<Runs, Difference> {
        let mut runs = vec![];
        match &condition.is {
            Is::Never => {}
            Is::Equal(values) => {
                for value in values {
                    match self.atoms.get(value) {
                        Some(&atom) => runs.push((atom, atom)),
                        None if cannot_equal(value, class) => {}
                        None => return Err(self.missing(value)),
                    }
                }
            }
            Is::Prefix(values) | Is::Postfix(values) => {
                for value in values {
                    let from = self.sorted.partition_point(|(text, _)| {
                        compare_ends(self.family, text, value) == std::cmp::Ordering::Less
                    });
                    match self.sorted.get(from) {
                        Some((text, _)) if text == value => {}
                        Some(_) | None if cannot_be_part(value, self.family) => continue,
                        Some(_) | None => return Err(self.missing(value)),
                    }
                    let here = &self.sorted[from..];
                    let len = here.partition_point(|(text, _)| is_part(self.family, value, text));
                    runs.extend(here[..len].iter().map(|&(_, atom)| (atom, atom)));
                }
            }
            Is::Int(ranges) => {
                for &(first, last) in ranges {
                    // Each atom is one value, so that a range is told by its values one by one.
                    let from = self.ints.partition_point(|&value| value < first);
                    let named = self.ints[from..].partition_point(|&value| value <= last);
                    if named as u64 != (last - first).saturating_add(1) {
                        return Err(self.missing(format!("{first} to {last}").as_bytes()));
                    }
                    runs.push((from as u32 + 1, (from + named) as u32));
                }
            }
        }
        Ok(Runs::of(runs))
    }

    fn missing(&self, value: &[u8]) -> Difference {
        let value = String::from_utf8_lossy(value).into_owned();
        (format!("argument {} is compared with `{value}`", self.param), "no table holds it".to_string())
    }
}

/// Prefix tries are in byte order, postfix tries in that of the reversed bytes.
fn compare_ends(family: Family, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    if family == Family::Postfix { a.iter().rev().cmp(b.iter().rev()) } else { a.cmp(b) }
}

fn is_part(family: Family, part: &[u8], of: &[u8]) -> bool {
    if family == Family::Postfix { of.ends_with(part) } else { of.starts_with(part) }
}

/// Values that no argument has, so that no table need hold them: a walk gives whole components of an absolute path.
fn cannot_equal(value: &[u8], class: Option<Class>) -> bool {
    if value.contains(&0) {
        return true;
    }
    class == Some(Class::Path)
        && match value.split_first() {
            None => true,
            Some((b'/', [])) => false,
            Some((b'/', names)) => {
                let is_name =
                    |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= COMPONENT_MAX;
                value.len() > TEXT_MAX || !names.split(|&b| b == b'/').all(is_name)
            }
            Some(_) => true,
        }
}

/// So much of an argument is seen; it ends at its first NUL.
fn cannot_be_part(value: &[u8], family: Family) -> bool {
    value.contains(&0) || family == Family::Prefix && value.len() > 255
}

struct Checker<'a> {
    operation: &'a DecodedOperation,
    spellings: &'a [Spelling<'a>],
    claim: &'a Claim<'a>,
}

impl Checker<'_> {
    fn check(&self, here: Option<(&DecodedScope, &DecodedList)>) -> Result<(), Difference> {
        let claim = self.claim;
        let is_omitted = |i: usize| claim.omitted.iter().any(|(o, _)| *o as usize == i);
        let kept: Vec<(usize, &Selector<'_>)> =
            claim.selectors.iter().copied().enumerate().filter(|(i, _)| !is_omitted(*i)).collect();
        self.check_omissions(&kept)?;
        let mode = claim.document.mode;
        let Some((scope, list)) = here else {
            return if kept.iter().all(|(_, s)| s.acts.is_quiet(mode)) {
                Ok(())
            } else {
                Err((format!("{} selectors", kept.len()), "no list".to_string()))
            };
        };
        if list.rules.len() != kept.len() {
            return Err((format!("{} selectors", kept.len()), format!("{} rules", list.rules.len())));
        }
        self.check_args()?;
        for ((index, selector), rule) in kept.iter().zip(&list.rules) {
            self.check_action(*index, selector, rule.act)?;
            self.check_conditions(*index, selector, rule)?;
        }
        check_needs(scope, list)?;
        for d in 0..self.spellings.len() {
            if let Some(quiet) = scope.quiet.get(d).and_then(Option::as_ref) {
                self.check_quiet(d, quiet, list)?;
            }
        }
        Ok(())
    }

    /// What the operation's programs read.
    fn check_args(&self) -> Result<(), Difference> {
        for arg in self.claim.hook.args.iter().filter(|arg| arg.ty.class().is_some()) {
            let param = u32::from(self.claim.at.param(arg.index));
            if !self.operation.args.iter().any(|(index, ty)| *index == param && ty == arg.ty.name()) {
                let says = format!("{:?}", self.operation.args);
                return Err((format!("argument {param} is of type {}", arg.ty), says));
            }
        }
        Ok(())
    }

    /// A selector may be missing only if its conditions exclude each other, if one ahead of it has no condition
    /// that it lacks, or if nothing from it on does anything.
    fn check_omissions(&self, kept: &[(usize, &Selector<'_>)]) -> Result<(), Difference> {
        let selectors = &self.claim.selectors;
        for &(index, omission) in &self.claim.omitted {
            let Some(&selector) = selectors.get(index as usize) else {
                return Err((format!("{} selectors", selectors.len()), format!("selector {index} left out")));
            };
            let sound = match omission {
                Omission::NeverMatches => self.excludes_itself(selector),
                // Whatever becomes of the covering selector, it decides first.
                Omission::CoveredBy { selector: other } => {
                    other < index && {
                        let other = selectors[other as usize];
                        other.conditions.iter().all(|c| self.has_condition(selector, c, other))
                    }
                }
                Omission::QuietTail => {
                    selector.acts.is_quiet(self.claim.document.mode)
                        && kept.iter().all(|(i, _)| *i < index as usize)
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
        index: usize,
        selector: &Selector<'_>,
        act: Option<DecodedAct>,
    ) -> Result<(), Difference> {
        let mode = self.claim.document.mode;
        let (value, sigkill) = selector.acts.enforced(mode);
        let expected = DecodedAct {
            selector: self.claim.first + index as u32,
            post: selector.acts.post,
            override_value: value.map(|value| value as i16),
            sigkill,
        };
        let expected = (!selector.acts.is_quiet(mode)).then_some(expected);
        if act == expected { Ok(()) } else { Err((format!("{expected:?}"), format!("{act:?}"))) }
    }

    /// Dimension by dimension: the rows hold for exactly the atoms for which all of the selector's conditions do.
    fn check_conditions(
        &self,
        index: usize,
        selector: &Selector<'_>,
        rule: &DecodedRule,
    ) -> Result<(), Difference> {
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

    fn subject(&self, condition: &Condition<'_>) -> (u8, ArgType) {
        let arg = self.claim.hook.args[condition.arg];
        (self.claim.at.param(arg.index), arg.ty)
    }

    fn dimension(&self, condition: &Condition<'_>) -> Result<usize, Difference> {
        let (param, ty) = self.subject(condition);
        let family = match (&condition.is, ty.class()) {
            (Is::Equal(_), Some(Class::Path)) => Family::Path,
            (Is::Equal(_), _) => Family::Text,
            (Is::Prefix(_), _) => Family::Prefix,
            (Is::Postfix(_), _) => Family::Postfix,
            (Is::Int(_) | Is::Never, _) => Family::Int,
        };
        self.spellings.iter().position(|s| s.param == param && s.family == family).ok_or_else(|| {
            (format!("a {family:?} test on argument {param}"), "no such dimension".to_string())
        })
    }

    fn atoms(&self, d: usize, condition: &Condition<'_>, enforces: bool) -> Result<Runs, Difference> {
        let spelling = &self.spellings[d];
        let (_, ty) = self.subject(condition);
        let described = spelling.described(condition, ty.class())?;
        let top = spelling.top();
        let holds = if condition.negated { described.complement(top) } else { described };
        // An allowlist must not let through what cannot be read.
        let is_in = condition.negated && enforces;
        Ok(if spelling.family == Family::Int { holds } else { holds.with(top, is_in) })
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

    /// Whether the values of one condition are all contradicted by other conditions on the same argument. A value that
    /// cannot be read passes no condition that is not negated, so it needs no answer.
    fn excludes_itself(&self, selector: &Selector<'_>) -> bool {
        selector.conditions.iter().enumerate().filter(|(_, c)| !c.negated).any(|(i, c)| {
            let others: Vec<&Condition<'_>> = selector
                .conditions
                .iter()
                .enumerate()
                .filter(|(j, g)| *j != i && self.subject(g) == self.subject(c))
                .map(|(_, g)| g)
                .collect();
            match &c.is {
                Is::Never => true,
                // Apart from it, or within it if it is negated.
                Is::Int(ranges) => ranges.iter().all(|&(first, last)| {
                    others.iter().any(|g| match &g.is {
                        Is::Int(of_g) if g.negated => of_g.iter().any(|&(a, b)| a <= first && last <= b),
                        Is::Int(of_g) => of_g.iter().all(|&(a, b)| b < first || last < a),
                        Is::Never | Is::Equal(_) | Is::Prefix(_) | Is::Postfix(_) => false,
                    })
                }),
                Is::Equal(values) | Is::Prefix(values) | Is::Postfix(values) => {
                    values.iter().all(|v| others.iter().any(|g| contradict(&c.is, v, g)))
                }
            }
        })
    }

    /// Whether `selector` has a condition that means the same as `wanted` means in `whose`.
    fn has_condition(&self, selector: &Selector<'_>, wanted: &Condition<'_>, whose: &Selector<'_>) -> bool {
        let same_answer_if_unreadable = !wanted.negated
            || matches!(wanted.is, Is::Int(_))
            || selector.acts.enforces() == whose.acts.enforces();
        selector.conditions.iter().any(|c| {
            self.subject(c) == self.subject(wanted)
                && c.negated == wanted.negated
                && same_values(&c.is, &wanted.is)
                && same_answer_if_unreadable
        })
    }

    fn atom_text(&self, d: usize, atom: u32) -> String {
        if atom == 0 {
            return "any other value".to_string();
        }
        match &self.operation.dimensions[d].atoms {
            Atoms::Strings(v) => v.get(atom).map(|b| format!("`{}`", String::from_utf8_lossy(b))),
            Atoms::Ints(v) => v.get(atom as usize - 1).map(ToString::to_string),
        }
        .unwrap_or_else(|| "a value that cannot be read".to_string())
    }
}

/// Whether no text that passes `is` for the one value `v` passes `g`.
fn contradict(is: &Is<'_>, v: &[u8], g: &Condition<'_>) -> bool {
    let some = |values: &[&[u8]], relation: &dyn Fn(&[u8]) -> bool| values.iter().any(|w| relation(w));
    match (is, &g.is) {
        (_, Is::Never) => true,
        (Is::Equal(_), Is::Equal(w)) => some(w, &|w| w == v) == g.negated,
        (Is::Equal(_), Is::Prefix(w)) if (1..256).contains(&v.len()) => {
            some(w, &|w| v.starts_with(w)) == g.negated
        }
        (Is::Equal(_), Is::Postfix(w)) if (1..128).contains(&v.len()) => {
            some(w, &|w| v.ends_with(w)) == g.negated
        }
        // An empty text has neither beginning nor end.
        (Is::Equal(_), Is::Prefix(_) | Is::Postfix(_)) => v.is_empty() && !g.negated,
        (Is::Prefix(_), Is::Prefix(w)) if g.negated => some(w, &|w| v.starts_with(w)),
        (Is::Prefix(_), Is::Prefix(w)) => !some(w, &|w| v.starts_with(w) || w.starts_with(v)),
        (Is::Postfix(_), Is::Postfix(w)) if g.negated => some(w, &|w| v.ends_with(w)),
        (Is::Postfix(_), Is::Postfix(w)) => !some(w, &|w| v.ends_with(w) || w.ends_with(v)),
        (
            Is::Never | Is::Int(_) | Is::Equal(_) | Is::Prefix(_) | Is::Postfix(_),
            Is::Int(_) | Is::Equal(_) | Is::Prefix(_) | Is::Postfix(_),
        ) => false,
    }
}

/// In any order.
fn same_values(a: &Is<'_>, b: &Is<'_>) -> bool {
    fn same<T: Ord + Copy>(a: &[T], b: &[T]) -> bool {
        let sorted = |values: &[T]| {
            let mut values = values.to_vec();
            values.sort_unstable();
            values.dedup();
            values
        };
        sorted(a) == sorted(b)
    }
    match (a, b) {
        (Is::Equal(a), Is::Equal(b)) | (Is::Prefix(a), Is::Prefix(b)) | (Is::Postfix(a), Is::Postfix(b)) => {
            same(a, b)
        }
        (Is::Int(a), Is::Int(b)) => same(a, b),
        (Is::Never, Is::Never) => true,
        (Is::Never | Is::Equal(_) | Is::Prefix(_) | Is::Postfix(_) | Is::Int(_), _) => false,
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
