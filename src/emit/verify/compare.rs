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
use crate::artifact::manifest::{Integer, Subject, Table};
use crate::fold::opt::Omission;
use crate::interp::document::{Condition, Is, Selector};
use crate::policy::{Interval, Source};
use crate::vocab::Vocabulary;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::Projection;

type Difference = (String, String);

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

/// Which atom each value is, in one dimension, as the tables spell it.
struct Spelling<'a> {
    dimension: &'a DecodedDimension,
    count: u32,
    /// Of whole texts.
    atoms: FxHashMap<&'a [u8], u32>,
    /// In the order in which beginnings, or ends, are in a row: each with its atom.
    sorted: Vec<(&'a [u8], u32)>,
}

impl<'a> Spelling<'a> {
    fn of(dimension: &'a DecodedDimension) -> Spelling<'a> {
        let (mut atoms, mut sorted) = (FxHashMap::default(), vec![]);
        match (&dimension.atoms, dimension.table) {
            (Atoms::Strings(values), table @ (Table::Prefix | Table::Postfix)) => {
                sorted = values.iter().zip(1..).collect();
                sorted.sort_by(|(a, _), (b, _)| compare_ends(table, a, b));
            }
            (Atoms::Strings(values), _) => atoms = values.iter().zip(1..).collect(),
            (Atoms::Pieces(_) | Atoms::Masks(_), _) => {}
        }
        Spelling { dimension, count: dimension.atoms.count(), atoms, sorted }
    }

    /// The last atom: one above the values, which cannot be read, but of numbers, which always can.
    fn top(&self) -> u32 {
        self.count + u32::from(self.dimension.table.holds_texts())
    }

    /// The atoms for which a condition holds, readable ones. An error is a value that no atom stands for.
    ///
    /// To add a match kind: its arm.
    fn described(&self, is: &Is<'_>) -> Result<Runs, Difference> {
        let mut runs = vec![];
        match is {
            Is::Never => {}
            Is::Path(values) | Is::Text(values) => {
                let is_path = matches!(is, Is::Path(_));
                for value in values {
                    match self.atoms.get(value) {
                        Some(&atom) => runs.push((atom, atom)),
                        None if is_path && no_path(value) => {}
                        None => return Err(self.missing(&String::from_utf8_lossy(value))),
                    }
                }
            }
            Is::Prefix(values) | Is::Postfix(values) => {
                let table = self.dimension.table;
                for value in values {
                    let from =
                        self.sorted.partition_point(|(text, _)| compare_ends(table, text, value).is_lt());
                    match self.sorted.get(from) {
                        Some((text, _)) if text == value => {}
                        // So much of a text is seen.
                        Some(_) | None if table == Table::Prefix && value.len() > 255 => continue,
                        Some(_) | None => return Err(self.missing(&String::from_utf8_lossy(value))),
                    }
                    let here = &self.sorted[from..];
                    let len = here.partition_point(|(text, _)| is_part(table, value, text));
                    runs.extend(here[..len].iter().map(|&(_, atom)| (atom, atom)));
                }
            }
            Is::Intervals(intervals) => {
                for interval in intervals {
                    runs.push(self.pieces_of(*interval)?);
                }
            }
            Is::AnyBit(0) => {}
            Is::AnyBit(mask) => {
                let Atoms::Masks(masks) = &self.dimension.atoms else { return Err(self.missing("a mask")) };
                let Some(bit) = masks.iter().position(|m| m == mask) else {
                    return Err(self.missing(&format!("{mask:#x}")));
                };
                runs.extend((1..=self.count).filter(|atom| atom >> bit & 1 == 1).map(|atom| (atom, atom)));
            }
        }
        Ok(Runs::of(runs))
    }

    /// The pieces that the interval is made of. Each number of it has to be in one, and no number beside it.
    fn pieces_of(&self, interval: Interval) -> Result<(u32, u32), Difference> {
        let Atoms::Pieces(pieces) = &self.dimension.atoms else { return Err(self.missing("a number")) };
        let from = pieces.partition_point(|piece| piece.last < interval.first);
        let to = pieces.partition_point(|piece| piece.first <= interval.last);
        let mut wanted = Some(interval.first);
        for piece in &pieces[from..to.max(from)] {
            if wanted != Some(piece.first) || piece.last > interval.last {
                return Err((format!("the numbers {interval}"), format!("a piece {piece}")));
            }
            wanted = piece.last.checked_add(1);
        }
        if from >= to || wanted != interval.last.checked_add(1) {
            return Err(self.missing(&interval.to_string()));
        }
        Ok((from as u32 + 1, to as u32))
    }

    fn missing(&self, value: &str) -> Difference {
        let DecodedDimension { subject, table, .. } = self.dimension;
        (format!("{subject:?} is compared with `{value}`"), format!("no {} holds it", table.name()))
    }
}

/// Prefix tries are in byte order, postfix tries in that of the reversed bytes.
fn compare_ends(table: Table, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    if table == Table::Postfix { a.iter().rev().cmp(b.iter().rev()) } else { a.cmp(b) }
}

fn is_part(table: Table, part: &[u8], of: &[u8]) -> bool {
    if table == Table::Postfix { of.ends_with(part) } else { of.starts_with(part) }
}

/// Whether a walk, which gives whole components of an absolute path, never gives this, so that no table need hold it.
fn no_path(value: &[u8]) -> bool {
    match value.split_first() {
        None => true,
        Some((b'/', [])) => false,
        Some((b'/', names)) => {
            let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= COMPONENT_MAX;
            value.len() > TEXT_MAX || !names.split(|&b| b == b'/').all(is_name)
        }
        Some(_) => true,
    }
}

struct Checker<'a> {
    operation: &'a DecodedOperation,
    spellings: &'a [Spelling<'a>],
    claim: &'a Claim<'a>,
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

    /// A selector may be missing only if its conditions exclude each other, if one ahead of it has no condition
    /// that it lacks, or if nothing from it on does anything.
    fn check_omissions(&self, kept: &[&Selector<'_>]) -> Result<(), Difference> {
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

    /// What a condition is about: where it is read, and how.
    ///
    /// To add a source: its arm.
    fn subject(&self, condition: &Condition<'_>) -> (Subject, Reading) {
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
        };
        // No dimension says what of its subject it is about: it is the whole.
        let found =
            self.spellings.iter().position(is_it).filter(|_| condition.projection == Projection::Whole);
        found.ok_or_else(|| {
            (format!("a {:?} test on {subject:?}", condition.is.table()), "no such dimension".to_string())
        })
    }

    fn atoms(&self, d: usize, condition: &Condition<'_>, enforces: bool) -> Result<Runs, Difference> {
        let spelling = &self.spellings[d];
        let described = spelling.described(&condition.is)?;
        let top = spelling.top();
        let holds = if condition.negated { described.complement(top) } else { described };
        // An allowlist must not let through what cannot be read.
        let is_in = condition.negated && enforces;
        Ok(if spelling.dimension.table.holds_texts() { holds.with(top, is_in) } else { holds })
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
        let about = |c: &Condition<'_>| (self.subject(c), c.projection);
        selector.conditions.iter().enumerate().filter(|(_, c)| !c.negated).any(|(i, c)| {
            let others =
                selector.conditions.iter().enumerate().filter(|(j, g)| *j != i && about(g) == about(c));
            let others: Vec<&Condition<'_>> = others.map(|(_, g)| g).collect();
            match &c.is {
                Is::Never | Is::AnyBit(0) => true,
                Is::AnyBit(_) => false,
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
                        | Is::AnyBit(_) => left,
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

    fn atom_text(&self, d: usize, atom: u32) -> String {
        if atom == 0 {
            return "any other value".to_string();
        }
        let i = atom as usize - 1;
        match &self.operation.dimensions[d].atoms {
            Atoms::Strings(v) => v.get(atom).map(|b| format!("`{}`", String::from_utf8_lossy(b))),
            Atoms::Pieces(v) => v.get(i).map(ToString::to_string),
            Atoms::Masks(v) => Some(bits_of(v, atom)),
        }
        .unwrap_or_else(|| "a value that cannot be read".to_string())
    }
}

/// How an argument is read: types of one width and sign are one number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
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
            Is::Path(_) | Is::Text(_) | Is::Prefix(_) | Is::Postfix(_) | Is::Intervals(_) | Is::AnyBit(_),
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
            (Is::Never, Is::Never) => true,
            (a, b) => match (a.texts(), b.texts()) {
                (Some(a), Some(b)) => a == b || sorted(a) == sorted(b),
                (_, _) => false,
            },
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
