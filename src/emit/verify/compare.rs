//! Compares a decoded artifact with the policies it was made from, list by list and atom by atom.
//!
//! Assumes nothing of the folding: what a condition means for an atom is worked out from the policies and
//! from the strings that the tables themselves spell. Every set of atoms here is finite or the complement of
//! a finite one, so two sets are equal if they agree on every atom that either names and on one that neither
//! names; that keeps the cost linear in what is written down.

use indexmap::IndexMap;

use super::read::{Atoms, DecodedAct, DecodedList, DecodedOperation, DecodedRule, DecodedScope, Row};
use crate::fold::opt::Omission;
use crate::policy::{Filter, Hook, Mode, PolicySet, ScopeId, Selector, StrId, Test};

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
    family: &'static str,
    param: u8,
    count: u32,
    /// Each [`StrId`] with each atom for which a test for that value holds, ascending.
    strings: Vec<(u32, u32)>,
    ints: IndexMap<u64, u32>,
}

impl Spelling {
    fn atoms_of(&self, StrId(value): StrId) -> impl Iterator<Item = u32> {
        let from = self.strings.partition_point(|(other, _)| *other < value);
        self.strings[from..].iter().take_while(move |(other, _)| *other == value).map(|(_, atom)| *atom)
    }
}

/// Compares every list of `operation` with its claim.
pub fn compare(set: &PolicySet, operation: &DecodedOperation, claims: &[Claim<'_>]) -> Vec<Mismatch> {
    let spellings: Vec<Spelling> =
        operation.dimensions.iter().map(|d| spell(set, d.family, d.param, &d.atoms)).collect();
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

fn spell(set: &PolicySet, family: &'static str, param: u8, atoms: &Atoms) -> Spelling {
    let mut spelling =
        Spelling { family, param, count: atoms.count(), strings: vec![], ints: IndexMap::new() };
    match atoms {
        Atoms::Ints(values) => {
            spelling.ints = values.iter().enumerate().map(|(i, &v)| (v, i as u32 + 1)).collect();
        }
        Atoms::Strings(values) => {
            for (i, bytes) in values.iter().enumerate() {
                let atom = i as u32 + 1;
                match family {
                    "equal" => {
                        if let Some(StrId(s)) = set.strings.find(bytes) {
                            spelling.strings.push((s, atom));
                        }
                    }
                    "prefix" => each_known(set, (0..=bytes.len()).map(|n| &bytes[..n]), |s| {
                        spelling.strings.push((s, atom));
                    }),
                    _ => each_known(set, (0..=bytes.len()).map(|n| &bytes[n..]), |s| {
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
                            other.filters.iter().all(|f| self.has_filter(selector, f, other))
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
        let mut of_dimension: Vec<Vec<&Filter>> = vec![vec![]; self.spellings.len()];
        for filter in &selector.filters {
            let d = self.dimension(filter)?;
            of_dimension[d].push(filter);
        }
        for (d, filters) in of_dimension.iter().enumerate() {
            let rows: Vec<&Row> =
                rule.tests.iter().filter(|(t, _)| *t as usize == d).map(|(_, r)| r).collect();
            if filters.is_empty() && rows.is_empty() {
                continue;
            }
            let named: Vec<Vec<u32>> = filters.iter().map(|f| self.named(d, f)).collect();
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

    fn dimension(&self, filter: &Filter) -> Result<usize, Difference> {
        let family = family_of(&filter.test);
        let param = self.claim.params[filter.arg];
        self.spellings
            .iter()
            .position(|s| s.param == param && s.family == family)
            .ok_or_else(|| (format!("a {family} test on argument {param}"), "no such dimension".to_string()))
    }

    /// Every atom that a filter or a row names, the two special ones, and one that nobody names.
    fn witnesses(&self, d: usize, named: impl Iterator<Item = u32>, rows: &[&Row]) -> Vec<u32> {
        let s = &self.spellings[d];
        let mut out: Vec<u32> = vec![0];
        if s.family != "int" {
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
    fn named(&self, d: usize, filter: &Filter) -> Vec<u32> {
        let s = &self.spellings[d];
        let mut out: Vec<u32> = match &filter.test {
            Test::Int(values) => values.iter().filter_map(|v| s.ints.get(v).copied()).collect(),
            Test::Equal(values) | Test::Prefix(values) | Test::Postfix(values) => {
                values.iter().flat_map(|v| s.atoms_of(*v)).collect()
            }
        };
        out.sort_unstable();
        out
    }

    fn holds(&self, d: usize, filter: &Filter, named: &[u32], enforces: bool, atom: u32) -> bool {
        let s = &self.spellings[d];
        if s.family != "int" && atom == s.count + 1 {
            return filter.negated && enforces;
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
        let subject = |f: &Filter| (self.claim.params[f.arg], self.claim.hook.args[f.arg].ty);
        selector.filters.iter().enumerate().filter(|(_, f)| !f.negated).any(|(i, f)| {
            let others: Vec<&Filter> = selector
                .filters
                .iter()
                .enumerate()
                .filter(|(j, g)| *j != i && subject(g) == subject(f))
                .map(|(_, g)| g)
                .collect();
            match &f.test {
                Test::Int(values) => values.iter().all(|v| {
                    others.iter().any(|g| matches!(&g.test, Test::Int(w) if w.contains(v) == g.negated))
                }),
                Test::Equal(values) | Test::Prefix(values) | Test::Postfix(values) => values
                    .iter()
                    .all(|v| others.iter().any(|g| self.contradict(&f.test, self.set.strings.get(*v), g))),
            }
        })
    }

    /// Whether no text that passes `test` for the one value `v` passes `g`.
    fn contradict(&self, test: &Test, v: &[u8], g: &Filter) -> bool {
        let some = |values: &[StrId], relation: &dyn Fn(&[u8]) -> bool| {
            values.iter().any(|w| relation(self.set.strings.get(*w)))
        };
        match (test, &g.test) {
            (Test::Equal(_), Test::Equal(w)) => some(w, &|w| w == v) == g.negated,
            (Test::Equal(_), Test::Prefix(w)) if (1..256).contains(&v.len()) => {
                some(w, &|w| v.starts_with(w)) == g.negated
            }
            (Test::Equal(_), Test::Postfix(w)) if (1..128).contains(&v.len()) => {
                some(w, &|w| v.ends_with(w)) == g.negated
            }
            // An empty text has neither beginning nor end.
            (Test::Equal(_), Test::Prefix(_) | Test::Postfix(_)) => v.is_empty() && !g.negated,
            (Test::Prefix(_), Test::Prefix(w)) if g.negated => some(w, &|w| v.starts_with(w)),
            (Test::Prefix(_), Test::Prefix(w)) => !some(w, &|w| v.starts_with(w) || w.starts_with(v)),
            (Test::Postfix(_), Test::Postfix(w)) if g.negated => some(w, &|w| v.ends_with(w)),
            (Test::Postfix(_), Test::Postfix(w)) => !some(w, &|w| v.ends_with(w) || w.ends_with(v)),
            _ => false,
        }
    }

    /// Whether `selector` has a filter that means the same as `wanted` means in `whose`.
    fn has_filter(&self, selector: &Selector, wanted: &Filter, whose: &Selector) -> bool {
        let same_answer_if_unreadable = !wanted.negated
            || matches!(wanted.test, Test::Int(_))
            || selector.actions.enforces() == whose.actions.enforces();
        let subject = |f: &Filter| (self.claim.params[f.arg], self.claim.hook.args[f.arg].ty);
        selector.filters.iter().any(|f| {
            subject(f) == subject(wanted)
                && f.negated == wanted.negated
                && f.test == wanted.test
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
            Atoms::Ints(v) => v.get(i).map(ToString::to_string),
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

fn family_of(test: &Test) -> &'static str {
    match test {
        Test::Equal(_) => "equal",
        Test::Prefix(_) => "prefix",
        Test::Postfix(_) => "postfix",
        Test::Int(_) => "int",
    }
}
