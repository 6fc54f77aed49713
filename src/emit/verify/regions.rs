//! Whether a scope of the artifact selects just the workloads that documents describe.
//!
//! A policy's workloads are a scope less others; selectors with `matchWorkloads` cut it further. So what has to be
//! told apart are regions: all of some scopes and none of others. A pod's labels, its namespace and its
//! container's name and repository are independent of each other, so that a term of a scope is a box over them,
//! and one box lies in others if nothing of it is left when they are taken away one after the other.
//! Assumes, as the compiler does, that no pod has a label of its own named [`NAMESPACE_LABEL`].

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::{Requirement, RequirementOp, Scope, ScopeTerm};

/// The label that a pod carries for its namespace.
const NAMESPACE_LABEL: &str = "k8s:io.kubernetes.pod.namespace";

/// Workloads in all of the first and none of the others.
#[derive(Clone, Debug, Default)]
pub struct Region<'a> {
    pub all: Vec<&'a Scope>,
    pub none: Vec<&'a Scope>,
}

/// More pieces than any scope that is written down leaves; beyond it nothing is claimed to be known.
const STEPS: usize = 1 << 20;

impl<'a> Region<'a> {
    /// `None` if it cannot be told.
    pub fn is_empty(&self) -> Option<bool> {
        self.lies_in(&[])
    }

    /// Whether `scope` selects this region and nothing else.
    pub fn is(&self, scope: &Scope) -> Option<bool> {
        if let ([only], []) = (&*self.all, &*self.none)
            && *only == scope
        {
            return Some(true);
        }
        let inside = self
            .all
            .iter()
            .all(|all| Region { all: vec![scope], none: vec![] }.lies_in(&[all]) == Some(true));
        let apart = self
            .none
            .iter()
            .all(|none| Region { all: vec![scope, none], none: vec![] }.is_empty() == Some(true));
        Some(inside && apart && self.lies_in(&[scope])?)
    }

    fn lies_in(&self, others: &[&Scope]) -> Option<bool> {
        let without: Vec<&ScopeTerm> = self.none.iter().chain(others).flat_map(|scope| &scope.any).collect();
        let is_host = |scope: &Scope| scope.any.contains(&ScopeTerm::Host);
        if self.all.iter().all(|scope| is_host(scope)) && !without.contains(&&ScopeTerm::Host) {
            return Some(false);
        }
        let without: Vec<Box> = without.into_iter().filter_map(Box::of).collect();
        let mut boxes = vec![Box::default()];
        for scope in &self.all {
            let terms: Vec<Box> = scope.any.iter().filter_map(Box::of).collect();
            boxes = boxes.iter().flat_map(|a| terms.iter().filter_map(|b| a.and(b))).collect();
        }
        let mut steps = STEPS;
        for all in boxes {
            if !all.is_covered(&without, &mut steps)? {
                return Some(false);
            }
        }
        Some(true)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Namespace,
    Label(&'a str),
    Container(&'a str),
}

/// Values that a key may have.
#[derive(Clone, PartialEq, Eq)]
struct Values<'a> {
    absent: bool,
    named: BTreeSet<&'a str>,
    /// Those that are named, or all others.
    others: bool,
}

/// What each key may be; anything if it is not named.
#[derive(Clone, Default)]
struct Box<'a>(BTreeMap<Key<'a>, Values<'a>>);

impl<'a> Key<'a> {
    fn anything(self) -> Values<'a> {
        let (absent, others) = match self {
            Key::Namespace | Key::Container("name" | "repo") => (false, true),
            // Kubernetes has no other labels.
            Key::Label(key) => (true, is_label_key(key)),
            // A container has no other.
            Key::Container(_) => (true, false),
        };
        Values { absent, named: BTreeSet::new(), others }
    }
}

impl<'a> Values<'a> {
    fn of(requirement: &'a Requirement) -> Values<'a> {
        let named = requirement.values.iter().map(String::as_str).collect();
        match requirement.op {
            RequirementOp::In => Values { absent: false, named, others: false },
            RequirementOp::NotIn => Values { absent: true, named, others: true },
            RequirementOp::Exists => Values { absent: false, named: BTreeSet::new(), others: true },
            RequirementOp::DoesNotExist => Values { absent: true, named: BTreeSet::new(), others: false },
        }
    }

    fn and(&self, other: &Values<'a>) -> Values<'a> {
        let (a, b) = (&self.named, &other.named);
        let (named, others): (BTreeSet<&str>, bool) = match (self.others, other.others) {
            (false, false) => (a & b, false),
            (false, true) => (a - b, false),
            (true, false) => (b - a, false),
            (true, true) => (a | b, true),
        };
        Values { absent: self.absent && other.absent, named, others }
    }

    fn not(&self) -> Values<'a> {
        Values { absent: !self.absent, named: self.named.clone(), others: !self.others }
    }

    /// There is no end of values that are not named.
    fn is_nothing(&self) -> bool {
        !self.absent && !self.others && self.named.is_empty()
    }
}

impl<'a> Box<'a> {
    /// `None` of the host, which is no container, and of what is impossible.
    fn of(term: &'a ScopeTerm) -> Option<Box<'a>> {
        let ScopeTerm::Pods { namespace, pod, container } = term else { return None };
        let mut all = Some(Box::default());
        if let Some(namespace) = namespace {
            let only = Values { absent: false, named: BTreeSet::from([&**namespace]), others: false };
            all = all.and_then(|all| all.limit(Key::Namespace, &only));
        }
        for requirement in pod {
            let key = match &*requirement.key {
                NAMESPACE_LABEL => Key::Namespace,
                key => Key::Label(key),
            };
            let mut values = Values::of(requirement);
            values.named.retain(|value| is_label_value(value));
            all = all.and_then(|all| all.limit(key, &values));
        }
        for requirement in container {
            all = all.and_then(|all| all.limit(Key::Container(&requirement.key), &Values::of(requirement)));
        }
        all
    }

    fn limit(mut self, key: Key<'a>, values: &Values<'a>) -> Option<Box<'a>> {
        let left = self.0.entry(key).or_insert_with(|| key.anything());
        *left = left.and(values);
        let is_possible = !left.is_nothing();
        is_possible.then_some(self)
    }

    fn and(&self, other: &Box<'a>) -> Option<Box<'a>> {
        other.0.iter().try_fold(self.clone(), |all, (key, values)| all.limit(*key, values))
    }

    /// Whether nothing is left of it without the others.
    fn is_covered(&self, others: &[Box<'a>], steps: &mut usize) -> Option<bool> {
        let mut left = self.clone();
        for (at, other) in others.iter().enumerate() {
            *steps = steps.checked_sub(1)?;
            if left.and(other).is_none() {
                continue;
            }
            let mut outside = left.without(other);
            let Some(last) = outside.pop() else { return Some(true) };
            for piece in outside {
                if !piece.is_covered(&others[at + 1..], steps)? {
                    return Some(false);
                }
            }
            left = last;
        }
        Some(false)
    }

    /// In pieces: key by key what is outside of `other` there, and inside of it at all keys before.
    fn without(&self, other: &Box<'a>) -> Vec<Box<'a>> {
        let mut inside = Some(self.clone());
        let mut pieces = vec![];
        for (key, values) in &other.0 {
            let Some(left) = inside else { break };
            pieces.extend(left.clone().limit(*key, &values.not()));
            inside = left.limit(*key, values);
        }
        pieces
    }
}

/// `[DOMAIN/]NAME`, as Kubernetes has it.
fn is_label_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_part = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(inner)
    };
    let is_domain = |domain: &str| domain.len() <= 253 && domain.split('.').all(is_part);
    domain.is_none_or(is_domain) && !name.is_empty() && is_label_value(name)
}

fn is_label_value(value: &str) -> bool {
    let is_end = |b: &u8| b.is_ascii_alphanumeric();
    let is_inner = |b: &u8| is_end(b) || matches!(b, b'-' | b'_' | b'.');
    let bytes = value.as_bytes();
    bytes.len() <= 63
        && [bytes.first(), bytes.last()].into_iter().flatten().all(is_end)
        && bytes.iter().all(is_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::overlap::tests::{scope, selected, universe};

    fn everywhere(region: &Region<'_>) -> Vec<bool> {
        let universe = universe();
        let of = |scope: &&Scope| selected(scope, &universe);
        let all: Vec<Vec<bool>> = region.all.iter().map(of).collect();
        let none: Vec<Vec<bool>> = region.none.iter().map(of).collect();
        (0..universe.len()).map(|at| all.iter().all(|s| s[at]) && !none.iter().any(|s| s[at])).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The universe holds every combination that scopes of the generator can tell apart.
        #[test]
        fn a_region_is_what_its_workloads_are(a in scope(), b in scope(), c in scope(), d in scope()) {
            let region = Region { all: vec![&a, &b], none: vec![&c] };
            let inside = everywhere(&region);
            prop_assert_eq!(region.is_empty(), Some(!inside.contains(&true)));
            let other = everywhere(&Region { all: vec![&d], none: vec![] });
            prop_assert_eq!(region.is(&d), Some(inside == other));
            prop_assert_eq!(Region { all: vec![&a], none: vec![] }.is(&a), Some(true));
        }
    }
}
