//! Which workloads scopes have in common, and scopes made from others.
//!
//! Turns two [`Scope`]s into what they have in common ([`relation`]), with a workload that both select, or
//! into their intersection or difference ([`algebra`]); finds among many scopes the pairs that meet
//! ([`index`]), among policies those whose overrides contradict each other ([`overrides`]), and how many may
//! meet at all ([`tally`]).
//! Assumes that a pod's own labels never have the name `k8s:io.kubernetes.pod.namespace`: Kubernetes allows no
//! `:` in a label's name, so that the label always is the pod's namespace.
//! Guarantees: "disjoint" is a proof, a witness is selected by both scopes under the rules of
//! `artifact::scope`, and both are exact: requirements are decided attribute by attribute, each over a set
//! of values that is finite or the complement of a finite one. Values that no cluster admits (a label of
//! other letters) count as possible.
//! Deliberately not here: whether one event can match the object conditions of two policies.

pub mod algebra;
pub mod index;
pub mod overrides;
pub mod tally;
mod term;

use std::collections::BTreeMap;
use std::fmt;

use super::{Scope, ScopeTerm};
pub use term::NAMESPACE_LABEL;
use term::{Attribute, Term};

/// What two scopes have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// No workload is selected by both.
    Disjoint,
    /// Some workload may be there that both select: this one, for example.
    Possible(Witness),
    /// Whatever one of them selects, the other selects as well.
    Certain(Witness),
}

/// A workload that both scopes select. What no requirement looks at is left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// A process in no container of a pod.
    Host,
    Container {
        namespace: Option<String>,
        /// Of the pod. Keys that are not here may have any value or none, or must have none.
        labels: BTreeMap<String, String>,
        name: Option<String>,
        repo: Option<String>,
    },
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Witness::Container { namespace, labels, name, repo } = self else {
            return f.write_str("a process of the host");
        };
        match labels.len() {
            0 => f.write_str("a pod")?,
            _ => f.write_str("a pod with ")?,
        }
        for (i, (key, value)) in labels.iter().enumerate() {
            write!(f, "{}`{key}={value}`", if i == 0 { "" } else { ", " })?;
        }
        if let Some(namespace) = namespace {
            write!(f, " in namespace `{namespace}`")?;
        }
        if let Some(name) = name {
            write!(f, ", container `{name}`")?;
        }
        if let Some(repo) = repo {
            write!(f, ", image `{repo}`")?;
        }
        Ok(())
    }
}

/// Compares two scopes. `Certain` is said only if each term of the one lies in a single term of the other.
pub fn relation(a: &Scope, b: &Scope) -> Relation {
    let (a, b) = (Parsed::of(a), Parsed::of(b));
    match a.witness(&b) {
        None => Relation::Disjoint,
        Some(witness) if a.is_within(&b) || b.is_within(&a) => Relation::Certain(witness),
        Some(witness) => Relation::Possible(witness),
    }
}

/// Why no pod can be what the term asks for; `None` if one can be, and for the host.
pub fn impossible(term: &ScopeTerm) -> Option<String> {
    let ScopeTerm::Pods { namespace, pod, container } = term else { return None };
    Term::contradiction(namespace.as_deref(), pod, container).map(|attribute| match attribute {
        Attribute::Namespace => "the pod's namespace would have to be two".to_string(),
        Attribute::Label(key) => format!("no value of `{key}` holds for all of it"),
        Attribute::Name => "no container's `name` holds for all of it".to_string(),
        Attribute::Repo => "no image's `repo` holds for all of it".to_string(),
        Attribute::Missing => "it asks for what no container has".to_string(),
    })
}

/// A workload that both select, if there can be one.
pub fn witness(a: &Scope, b: &Scope) -> Option<Witness> {
    Parsed::of(a).witness(&Parsed::of(b))
}

/// Which of the scopes one pod is in, going through them in order and never turning back, and that pod.
pub fn crowd<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> (Vec<bool>, Option<Witness>) {
    let mut pod: Option<Term<'a>> = None;
    let mut met = vec![];
    for scope in scopes {
        let terms = Parsed::of(scope).terms;
        let fits = |term: &Term<'_>| pod.as_ref().is_none_or(|pod| pod.meets(term));
        let term = terms.into_iter().find(fits);
        met.push(term.is_some());
        match (&mut pod, term) {
            (Some(pod), Some(term)) => pod.limit(&term),
            (None, term) => pod = term,
            (Some(_), None) => {}
        }
    }
    (met, pod.map(|pod| pod.example()))
}

/// A scope taken apart. Terms that hold for nothing are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parsed<'a> {
    host: bool,
    terms: Vec<Term<'a>>,
}

impl<'a> Parsed<'a> {
    fn of(scope: &'a Scope) -> Parsed<'a> {
        let mut parsed = Parsed { host: false, terms: vec![] };
        for term in &scope.any {
            match term {
                ScopeTerm::Host => parsed.host = true,
                ScopeTerm::Pods { namespace, pod, container } => {
                    parsed.terms.extend(Term::of(namespace.as_deref(), pod, container));
                }
            }
        }
        parsed
    }

    fn meets(&self, other: &Parsed<'_>) -> bool {
        self.host && other.host || self.terms.iter().any(|a| other.terms.iter().any(|b| a.meets(b)))
    }

    fn witness(&self, other: &Parsed<'_>) -> Option<Witness> {
        let pairs = self.terms.iter().flat_map(|a| other.terms.iter().map(move |b| (a, b)));
        for (a, b) in pairs {
            if let Some(both) = a.and(b) {
                return Some(both.example());
            }
        }
        (self.host && other.host).then_some(Witness::Host)
    }

    fn is_within(&self, other: &Parsed<'_>) -> bool {
        (!self.host || other.host) && self.terms.iter().all(|a| other.terms.iter().any(|b| a.is_within(b)))
    }
}

impl Term<'_> {
    /// A container that the term describes.
    fn example(&self) -> Witness {
        let (mut namespace, mut name, mut repo) = (None, None, None);
        let mut labels = BTreeMap::new();
        for (attribute, allowed) in &self.parts {
            match attribute {
                Attribute::Namespace => namespace = allowed.example("default"),
                Attribute::Name => name = allowed.example("main"),
                Attribute::Repo => repo = allowed.example("example"),
                Attribute::Label(key) => {
                    labels.extend(allowed.example("x").map(|value| ((*key).to_string(), value)));
                }
                Attribute::Missing => {}
            }
        }
        Witness::Container { namespace, labels, name, repo }
    }
}

#[cfg(test)]
pub mod tests;
