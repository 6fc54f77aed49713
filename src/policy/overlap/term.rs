//! One term of a scope as independent sets of values, one for each attribute that it looks at.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::policy::{Requirement, RequirementOp, ScopeTerm};

/// The label that every pod has.
pub const NAMESPACE_LABEL: &str = "k8s:io.kubernetes.pod.namespace";

/// What a requirement looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute<'a> {
    /// Of the pod: always there.
    Namespace,
    /// A label of the pod.
    Label(&'a str),
    /// Of the container: always there.
    Name,
    /// Of the container's image: always there, possibly empty.
    Repo,
    /// Whatever else is asked of a container: never there.
    Missing,
}

/// The values that an attribute may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed<'a> {
    /// It may be not there at all.
    pub absent: bool,
    pub values: Values<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    Only(BTreeSet<&'a str>),
    /// Never empty, as there is no end of texts.
    AllBut(BTreeSet<&'a str>),
}

impl Attribute<'_> {
    /// What it may be where nothing is required of it.
    fn anything<'v>(self) -> Allowed<'v> {
        let all = Values::AllBut(BTreeSet::new());
        match self {
            Attribute::Label(_) => Allowed { absent: true, values: all },
            Attribute::Namespace | Attribute::Name | Attribute::Repo => {
                Allowed { absent: false, values: all }
            }
            Attribute::Missing => Allowed { absent: true, values: Values::Only(BTreeSet::new()) },
        }
    }
}

impl<'a> Allowed<'a> {
    fn require(&mut self, requirement: &'a Requirement) {
        let listed = || requirement.values.iter().map(String::as_str).collect();
        let required = match requirement.op {
            RequirementOp::In => Allowed { absent: false, values: Values::Only(listed()) },
            RequirementOp::NotIn => Allowed { absent: true, values: Values::AllBut(listed()) },
            RequirementOp::Exists => Allowed { absent: false, values: Values::AllBut(BTreeSet::new()) },
            RequirementOp::DoesNotExist => Allowed { absent: true, values: Values::Only(BTreeSet::new()) },
        };
        self.limit(&required);
    }

    /// Keeps what `other` allows too.
    pub fn limit(&mut self, other: &Allowed<'a>) {
        self.absent &= other.absent;
        match (&mut self.values, &other.values) {
            (Values::Only(mine), Values::Only(theirs)) => mine.retain(|value| theirs.contains(value)),
            (Values::Only(mine), Values::AllBut(not)) => mine.retain(|value| !not.contains(value)),
            (Values::AllBut(not), Values::AllBut(more)) => not.extend(more),
            (Values::AllBut(not), Values::Only(theirs)) => {
                let left = theirs.iter().copied().filter(|value| !not.contains(value)).collect();
                self.values = Values::Only(left);
            }
        }
    }

    pub fn is_nothing(&self) -> bool {
        !self.absent && matches!(&self.values, Values::Only(values) if values.is_empty())
    }

    fn meets(&self, other: &Allowed<'_>) -> bool {
        let shares = match (&self.values, &other.values) {
            (Values::AllBut(_), Values::AllBut(_)) => true,
            (Values::Only(values), Values::AllBut(not)) | (Values::AllBut(not), Values::Only(values)) => {
                values.iter().any(|value| !not.contains(value))
            }
            (Values::Only(a), Values::Only(b)) => {
                let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
                few.iter().any(|value| many.contains(value))
            }
        };
        self.absent && other.absent || shares
    }

    fn is_within(&self, other: &Allowed<'_>) -> bool {
        let values = match (&self.values, &other.values) {
            (Values::Only(mine), Values::Only(theirs)) => mine.is_subset(theirs),
            (Values::Only(mine), Values::AllBut(not)) => mine.is_disjoint(not),
            (Values::AllBut(mine), Values::AllBut(theirs)) => theirs.is_subset(mine),
            (Values::AllBut(_), Values::Only(_)) => false,
        };
        values && (!self.absent || other.absent)
    }

    /// What `attribute` may be and this does not allow, in parts that requirements can express.
    fn complement(&self, attribute: Attribute<'_>) -> Vec<Allowed<'a>> {
        let mut rest = attribute.anything();
        match &self.values {
            Values::Only(values) => {
                rest.limit(&Allowed { absent: true, values: Values::AllBut(values.clone()) })
            }
            Values::AllBut(not) => rest.limit(&Allowed { absent: true, values: Values::Only(not.clone()) }),
        }
        rest.absent &= !self.absent;
        let has_values = !matches!(&rest.values, Values::Only(values) if values.is_empty());
        let nothing = || Values::Only(BTreeSet::new());
        match (rest.absent, has_values, &rest.values) {
            (false, false, _) => vec![],
            // "Absent or one of these" takes two.
            (true, true, Values::Only(_)) => {
                vec![
                    Allowed { absent: true, values: nothing() },
                    Allowed { absent: false, values: rest.values },
                ]
            }
            (_, _, Values::Only(_) | Values::AllBut(_)) => vec![rest],
        }
    }

    /// A value, `wanted` if it will do; `None` if it can be absent, or has to.
    pub fn example(&self, wanted: &str) -> Option<String> {
        match &self.values {
            Values::Only(values) => values.first().map(|value| (*value).to_string()),
            Values::AllBut(_) if self.absent => None,
            Values::AllBut(not) => {
                let numbered = (2..).map(|n| format!("{wanted}-{n}"));
                std::iter::once(wanted.to_string())
                    .chain(numbered)
                    .find(|value| !not.contains(value.as_str()))
            }
        }
    }

    /// As requirements; assumes that it can be expressed.
    fn requirements(&self, key: &str, always_there: bool, into: &mut Vec<Requirement>) {
        let mut push = |op, values: &BTreeSet<&str>| {
            let values = values.iter().map(|value| (*value).to_string()).collect();
            into.push(Requirement { key: key.to_string(), op, values });
        };
        let none = BTreeSet::new();
        match &self.values {
            Values::Only(values) if self.absent => {
                debug_assert!(values.is_empty());
                push(RequirementOp::DoesNotExist, &none);
            }
            Values::Only(values) => push(RequirementOp::In, values),
            Values::AllBut(not) => {
                if !self.absent && !always_there {
                    push(RequirementOp::Exists, &none);
                }
                if !not.is_empty() {
                    push(RequirementOp::NotIn, not);
                }
            }
        }
    }
}

/// Containers for which each attribute is allowed to be what it is. Holds for at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    /// Attributes that may be anything are not here.
    pub parts: BTreeMap<Attribute<'a>, Allowed<'a>>,
}

impl<'a> Term<'a> {
    /// `None` if it holds for nothing.
    pub fn of(
        namespace: Option<&'a str>,
        pod: &'a [Requirement],
        container: &'a [Requirement],
    ) -> Option<Term<'a>> {
        let mut parts = Term::parts(namespace, pod, container);
        if parts.values().any(Allowed::is_nothing) {
            return None;
        }
        parts.retain(|attribute, allowed| *allowed != attribute.anything());
        Some(Term { parts })
    }

    /// The first attribute that would have to be what nothing is.
    pub fn contradiction(
        namespace: Option<&'a str>,
        pod: &'a [Requirement],
        container: &'a [Requirement],
    ) -> Option<Attribute<'a>> {
        let parts = Term::parts(namespace, pod, container);
        parts.into_iter().find(|(_, allowed)| allowed.is_nothing()).map(|(attribute, _)| attribute)
    }

    fn parts(
        namespace: Option<&'a str>,
        pod: &'a [Requirement],
        container: &'a [Requirement],
    ) -> BTreeMap<Attribute<'a>, Allowed<'a>> {
        let mut parts: BTreeMap<Attribute<'a>, Allowed<'a>> = BTreeMap::new();
        if let Some(namespace) = namespace {
            let values = Values::Only(BTreeSet::from([namespace]));
            parts.insert(Attribute::Namespace, Allowed { absent: false, values });
        }
        let mut require = |attribute: Attribute<'a>, requirement| {
            parts.entry(attribute).or_insert_with(|| attribute.anything()).require(requirement);
        };
        for requirement in pod {
            match requirement.key.as_str() {
                NAMESPACE_LABEL => require(Attribute::Namespace, requirement),
                key => require(Attribute::Label(key), requirement),
            }
        }
        for requirement in container {
            match requirement.key.as_str() {
                "name" => require(Attribute::Name, requirement),
                "repo" => require(Attribute::Repo, requirement),
                _ => require(Attribute::Missing, requirement),
            }
        }
        parts
    }

    pub fn meets(&self, other: &Term<'_>) -> bool {
        let (few, many) = if self.parts.len() < other.parts.len() {
            (&self.parts, &other.parts)
        } else {
            (&other.parts, &self.parts)
        };
        few.iter().all(|(attribute, allowed)| many.get(attribute).is_none_or(|other| allowed.meets(other)))
    }

    /// What both hold for, if there is such a thing.
    pub fn and<'b>(&self, other: &Term<'b>) -> Option<Term<'b>>
    where
        'a: 'b,
    {
        let mut both: Term<'b> = self.clone();
        for (attribute, allowed) in &other.parts {
            let entry = both.parts.entry(*attribute).or_insert_with(|| attribute.anything());
            entry.limit(allowed);
            if entry.is_nothing() {
                return None;
            }
        }
        Some(both)
    }

    /// Keeps what the other holds for as well; they [meet](Term::meets).
    pub fn limit(&mut self, other: &Term<'a>) {
        for (attribute, allowed) in &other.parts {
            self.parts.entry(*attribute).or_insert_with(|| attribute.anything()).limit(allowed);
        }
    }

    /// Whether the other holds wherever this one does.
    pub fn is_within(&self, other: &Term<'_>) -> bool {
        other.parts.iter().all(|(attribute, allowed)| match self.parts.get(attribute) {
            Some(mine) => mine.is_within(allowed),
            None => attribute.anything().is_within(allowed),
        })
    }

    /// What this one holds for and `other` does not, as terms that may overlap.
    pub fn without(self, other: &Term<'a>) -> Vec<Term<'a>> {
        if !self.meets(other) {
            return vec![self];
        }
        let mut branches: Vec<(Attribute<'a>, Allowed<'a>)> = vec![];
        for (&attribute, allowed) in &other.parts {
            let mine = self.parts.get(&attribute);
            for rest in allowed.complement(attribute) {
                if mine.is_none_or(|mine| mine.meets(&rest)) {
                    branches.push((attribute, rest));
                }
            }
        }
        let mut out = Vec::with_capacity(branches.len());
        let last = branches.pop();
        for (attribute, rest) in branches {
            out.push(self.clone().limited(attribute, &rest));
        }
        // One branch alone, as is usual, copies nothing.
        out.extend(last.map(|(attribute, rest)| self.limited(attribute, &rest)));
        out
    }

    fn limited(mut self, attribute: Attribute<'a>, rest: &Allowed<'a>) -> Term<'a> {
        self.parts.entry(attribute).or_insert_with(|| attribute.anything()).limit(rest);
        self
    }

    pub fn to_scope_term(&self) -> ScopeTerm {
        let (mut namespace, mut pod, mut container) = (None, vec![], vec![]);
        for (attribute, allowed) in &self.parts {
            match (attribute, &allowed.values) {
                (Attribute::Namespace, Values::Only(values)) if values.len() == 1 => {
                    namespace = values.first().map(|value| (*value).to_string());
                }
                (Attribute::Namespace, _) => allowed.requirements(NAMESPACE_LABEL, true, &mut pod),
                (Attribute::Label(key), _) => allowed.requirements(key, false, &mut pod),
                (Attribute::Name, _) => allowed.requirements("name", true, &mut container),
                (Attribute::Repo, _) => allowed.requirements("repo", true, &mut container),
                (Attribute::Missing, _) => {}
            }
        }
        pod.sort_unstable();
        container.sort_unstable();
        ScopeTerm::Pods { namespace, pod, container }
    }
}
