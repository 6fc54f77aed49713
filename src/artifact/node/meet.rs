//! How many scopes can select one container: an upper bound, cheap to find.
//!
//! A container has one namespace, one name, one image and at most one value of each label, so scopes that list
//! different values of one of these exclude each other. Each scope is put into the group of one such attribute;
//! of a group as many can meet as list its commonest value. Scopes that list nothing are one group, of which all
//! can meet. The bound is a proof; that so many really meet is not.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::manifest::{LabelOp, LabelRequirement, PodTerm, Scope, ScopeTerm};

/// Scopes of which at most `most` can select one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Positions in the list that was grouped, ascending.
    pub members: Vec<usize>,
    pub most: usize,
}

/// What has one value in each container, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Attribute<'a> {
    Namespace,
    Label(&'a str),
    /// `name` or `repo`.
    Container(&'a str),
}

/// Every scope that selects containers, in one group.
pub fn groups<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> Vec<Group> {
    let all: Vec<&'a Scope> = scopes.into_iter().collect();
    let listed: Vec<Vec<(Attribute<'a>, Vec<&'a str>)>> = all.iter().map(|scope| listed(scope)).collect();
    let mut users: FxHashMap<Attribute<'_>, usize> = FxHashMap::default();
    for (attribute, _) in listed.iter().flatten() {
        *users.entry(*attribute).or_default() += 1;
    }
    let mut by_attribute: BTreeMap<Attribute<'_>, (Vec<usize>, FxHashMap<&str, usize>)> = BTreeMap::new();
    let mut others = vec![];
    for (at, listed) in listed.iter().enumerate() {
        // The attribute that most scopes list, since more exclude each other there.
        let Some((attribute, values)) = listed.iter().max_by_key(|(a, _)| (users[a], std::cmp::Reverse(a)))
        else {
            others.extend(pods_terms(all[at]).next().map(|_| at));
            continue;
        };
        let (members, counts) = by_attribute.entry(*attribute).or_default();
        members.push(at);
        values.iter().for_each(|value| *counts.entry(value).or_default() += 1);
    }
    let exclusive = by_attribute
        .into_values()
        .map(|(members, counts)| Group { members, most: counts.into_values().max().unwrap_or(0) });
    let all = Group { most: others.len(), members: others };
    exclusive.chain([all]).filter(|group| group.most > 0).collect()
}

/// The most that the scopes of one container can weigh together. Weights are by position.
pub fn heaviest(groups: &[Group], weight: impl Fn(usize) -> u64) -> u64 {
    let of_group = |group: &Group| -> u64 {
        let mut weights: Vec<u64> = group.members.iter().map(|&at| weight(at)).collect();
        weights.sort_unstable_by_key(|&w| std::cmp::Reverse(w));
        weights.iter().take(group.most).sum()
    };
    groups.iter().map(of_group).sum()
}

/// Attributes whose value each of the scope's terms lists, and the values, each once.
fn listed(scope: &Scope) -> Vec<(Attribute<'_>, Vec<&str>)> {
    let mut pods = pods_terms(scope);
    let Some(first) = pods.next() else { return vec![] };
    let mut all = term_lists(first);
    for term in pods {
        let more = term_lists(term);
        all.retain_mut(|(attribute, values)| match more.iter().find(|(a, _)| a == attribute) {
            Some((_, others)) => {
                values.extend(others);
                true
            }
            None => false,
        });
    }
    for (_, values) in &mut all {
        values.sort_unstable();
        values.dedup();
    }
    all
}

fn pods_terms(scope: &Scope) -> impl Iterator<Item = &PodTerm> {
    scope.any.iter().filter_map(|term| match term {
        ScopeTerm::Pods(term) => Some(term),
        ScopeTerm::Host(_) => None,
    })
}

fn term_lists(term: &PodTerm) -> Vec<(Attribute<'_>, Vec<&str>)> {
    fn lists(requirement: &LabelRequirement) -> Option<Vec<&str>> {
        (requirement.op == LabelOp::In).then(|| requirement.values.iter().map(String::as_str).collect())
    }
    let namespace = term.namespace.iter().map(|n| (Attribute::Namespace, vec![n.as_str()]));
    let pod = term.pod.iter().filter_map(|r| Some((Attribute::Label(&r.key), lists(r)?)));
    let container = term.container.iter().filter_map(|r| Some((Attribute::Container(&r.key), lists(r)?)));
    let mut all: Vec<(Attribute<'_>, Vec<&str>)> = vec![];
    for (attribute, values) in namespace.chain(pod).chain(container) {
        // Of two lists of one label the first bounds what it can be as well.
        if !all.iter().any(|(a, _)| *a == attribute) {
            all.push((attribute, values));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::HostTerm;
    use crate::scope::{Container, Workload, selects};

    fn requirement(key: &str, op: LabelOp, values: &[&str]) -> LabelRequirement {
        LabelRequirement { key: key.into(), op, values: values.iter().map(|v| (*v).to_string()).collect() }
    }

    fn pods(namespace: Option<&str>, pod: Vec<LabelRequirement>) -> ScopeTerm {
        ScopeTerm::Pods(PodTerm { namespace: namespace.map(str::to_string), pod, container: vec![] })
    }

    fn scope(any: Vec<ScopeTerm>) -> Scope {
        Scope { number: 0, any }
    }

    fn most(scopes: &[Scope]) -> u64 {
        heaviest(&groups(scopes), |_| 1)
    }

    #[test]
    fn values_of_one_label_exclude_each_other() {
        let app = |values: &[&str]| scope(vec![pods(None, vec![requirement("app", LabelOp::In, values)])]);
        let named = |namespace| scope(vec![pods(Some(namespace), vec![])]);
        let exempt = |key: &str| scope(vec![pods(None, vec![requirement(key, LabelOp::DoesNotExist, &[])])]);
        assert_eq!(most(&[]), 0);
        assert_eq!(most(&[app(&["a"]), app(&["b"]), app(&["c"])]), 1);
        assert_eq!(most(&[app(&["a", "b"]), app(&["b"]), app(&["c"])]), 2);
        assert_eq!(most(&[app(&["a"]), app(&["b"]), named("x"), named("y")]), 2);
        assert_eq!(most(&[exempt("a"), exempt("b"), app(&["x"]), app(&["y"])]), 3);
        let either = scope(vec![
            pods(None, vec![requirement("app", LabelOp::In, &["a"])]),
            pods(None, vec![requirement("tier", LabelOp::In, &["a"])]),
        ]);
        assert_eq!(most(&[either, app(&["b"])]), 2, "it lists no label in all its terms");
    }

    fn some_scope() -> impl Strategy<Value = Scope> {
        let op = prop_oneof![
            3 => Just(LabelOp::In), 1 => Just(LabelOp::NotIn), 1 => Just(LabelOp::Exists), 1 => Just(LabelOp::DoesNotExist)
        ];
        let values = prop::sample::subsequence(vec!["x", "y", "z"], 0..3);
        let one = (prop::sample::select(vec!["a", "b"]), op, values)
            .prop_map(|(key, op, values)| requirement(key, op, &values));
        let term = (prop::option::of(prop::sample::select(vec!["n", "m"])), prop::collection::vec(one, 0..3))
            .prop_map(|(namespace, pod)| pods(namespace, pod));
        let host = Just(ScopeTerm::Host(HostTerm { host: true }));
        prop::collection::vec(prop_oneof![1 => host, 5 => term], 0..3).prop_map(scope)
    }

    proptest! {
        #[test]
        fn no_container_is_in_more(scopes in prop::collection::vec(some_scope(), 0..8)) {
            let (groups, most) = (groups(&scopes), most(&scopes));
            let mut grouped: Vec<usize> = groups.iter().flat_map(|g| g.members.clone()).collect();
            let before = grouped.len();
            grouped.sort_unstable();
            grouped.dedup();
            prop_assert_eq!(grouped.len(), before);
            let label = |v: Option<&str>, key: &str| v.map(|v| (key.to_string(), v.to_string()));
            let values = [None, Some("x"), Some("y"), Some("z")];
            for (namespace, a, b) in ["n", "m", "o"].iter().flat_map(|n| values.map(|a| (n, a))).flat_map(|(n, a)| values.map(|b| (n, a, b))) {
                let labels = label(a, "a").into_iter().chain(label(b, "b")).collect();
                let pod = Workload::Container(Container { namespace: (*namespace).into(), labels, ..Container::default() });
                prop_assert!(scopes.iter().filter(|s| selects(s, &pod)).count() as u64 <= most);
            }
        }
    }
}
