//! Compares a decoded operation with the claims of the documents, list by list and set by set.
//!
//! What a condition means for an atom is worked out from the document's values and from those that the tables
//! themselves spell. Sets of atoms are runs, so that the cost is linear in what is written down, and two sets are
//! compared as a whole.

use indexmap::IndexMap;

use super::claims::Claim;
use super::read::{
    Atoms, DecodedAct, DecodedLimit, DecodedList, DecodedOperation, DecodedRule, DecodedScope, RETURN, Row,
};
use super::runs::Runs;
use super::spelling::Spelling;
use super::{Difference, Mismatch};
use crate::artifact::manifest::{Integer, Subject, Table};
use crate::interp::document::{Condition, Is, Limit, Selector};
use crate::policy::Source;
use crate::vocab::Vocabulary;
use crate::vocab::action::RateLimitScope;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::fact::Fact;

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
    let mut lists: Vec<Option<(&DecodedScope, &DecodedList)>> = vec![None; claims.len()];
    for scope in &operation.scopes {
        for list in &scope.lists {
            let claim = known.get(&(list.rank, scope.scope, list.first)).copied();
            match claim {
                Some(c) if lists[c].is_none() => lists[c] = Some((scope, list)),
                Some(_) | None => {
                    let says =
                        format!("a list of policy {} is there from selector {}", list.rank, list.first);
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

    fn at_return(&self) -> bool {
        self.operation.kind == RETURN
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
            if self.operation.kind == "tracepoint" && !self.operation.has_place(param, arg.ty) {
                let says = format!("{:?}", self.operation.fields);
                return Err((format!("field {param} is read as {}", arg.ty), says));
            }
            if !self.operation.args.iter().any(|(index, ty)| *index == param && is_read(ty)) {
                let says = format!("{:?}", self.operation.args);
                return Err((format!("argument {param} is of type {}", arg.ty), says));
            }
            if !self.operation.shows(param, arg.ty) {
                let says = format!("{:?}", self.operation.values);
                return Err((format!("events show argument {param} as {}", arg.ty), says));
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
        let half = post && (self.claim.hook.returned.is_some() || self.at_return());
        let limit = selector.acts.limit.map(|limit| self.limit(limit));
        let expected = DecodedAct { selector: number, post, override_value, sigkill, half, limit };
        let expected = (!selector.acts.is_quiet(mode)).then_some(expected);
        if act == expected { Ok(()) } else { Err((format!("{expected:?}"), format!("{act:?}"))) }
    }

    /// Events are counted together by all arguments that the hook declares.
    fn limit(&self, limit: Limit) -> DecodedLimit {
        let args = self.claim.hook.args.iter().filter(|arg| arg.ty.class().is_some());
        DecodedLimit {
            nanoseconds: limit.milliseconds * 1_000_000,
            scope: match limit.scope {
                RateLimitScope::Thread => 0,
                RateLimitScope::Process => 1,
                RateLimitScope::Global => 2,
            },
            args: args.fold(0, |bits, arg| bits | 1 << self.claim.at.param(arg.index)),
        }
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
    pub(super) fn subject(&self, condition: &Condition<'_>) -> (Subject, Reading) {
        match condition.source {
            Source::Argument(position) => {
                let arg = self.claim.hook.args[position];
                (Subject::Argument(self.claim.at.param(arg.index).into()), Reading::of(arg.ty))
            }
            Source::Fact(Fact::Binary) => (Subject::Fact(Fact::Binary), Reading::As(ArgType::Path)),
            Source::Fact(fact) => (Subject::Fact(fact), Reading::Number(Integer { bytes: 8, signed: false })),
        }
    }

    fn dimension(&self, condition: &Condition<'_>) -> Result<usize, Difference> {
        let (subject, reading) = self.subject(condition);
        let integer = reading.integer();
        let is_it = |s: &Spelling<'_>| {
            let of = s.dimension;
            (of.subject, of.projection, of.integer) == (subject, condition.projection, integer)
                && Some(of.table) == condition.is.table()
        };
        let found = self.spellings.iter().position(is_it);
        found.ok_or_else(|| {
            (
                format!("a {:?} test on {subject:?}, {:?}", condition.is.table(), condition.projection),
                "no such dimension".to_string(),
            )
        })
    }

    fn atoms(&self, d: usize, condition: &Condition<'_>, enforces: bool) -> Result<Runs, Difference> {
        let spelling = &self.spellings[d];
        let described = spelling.described(&condition.is)?;
        let top = spelling.top();
        let holds = if condition.negated { described.complement(top) } else { described };
        let is_text = spelling.dimension.table.holds_texts();
        if !is_text && condition.projection.is_whole() {
            return Ok(holds);
        }
        // An allowlist must not let through what cannot be read. What a socket lacks fits no condition.
        let is_in = is_text && condition.negated && enforces;
        Ok(holds.with(top, is_in))
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
            // Nothing else is tested: here the rule decides. At a return none does.
            if !self.at_return() && rule.tests.iter().all(|(t, _)| *t as usize == d) {
                left = left.and(&here.complement(top));
            }
        }
        Ok(())
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
            Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None => Reading::As(ty),
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
