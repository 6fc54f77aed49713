//! Held against the rules of `artifact::scope`, over every workload of a small universe.

use proptest::prelude::*;

use super::algebra::{intersect, subtract};
use super::index::pairs;
use super::*;
use crate::artifact::manifest::{self, LabelOp, LabelRequirement, PodTerm};
use crate::artifact::scope::{Container, Workload, selects};
use crate::policy::{Requirement, RequirementOp};

/// A fresh value stands for all that no requirement names.
const VALUES: [&str; 3] = ["a", "b", "fresh"];

fn said(scope: &Scope) -> manifest::Scope {
    let requirement = |r: &Requirement| LabelRequirement {
        key: r.key.clone(),
        op: match r.op {
            RequirementOp::In => LabelOp::In,
            RequirementOp::NotIn => LabelOp::NotIn,
            RequirementOp::Exists => LabelOp::Exists,
            RequirementOp::DoesNotExist => LabelOp::DoesNotExist,
        },
        values: r.values.clone(),
    };
    let term = |term: &ScopeTerm| match term {
        ScopeTerm::Host => manifest::ScopeTerm::Host(manifest::HostTerm { host: true }),
        ScopeTerm::Pods { namespace, pod, container } => manifest::ScopeTerm::Pods(PodTerm {
            namespace: namespace.clone(),
            pod: pod.iter().map(requirement).collect(),
            container: container.iter().map(requirement).collect(),
        }),
    };
    manifest::Scope { number: 0, any: scope.any.iter().map(term).collect() }
}

/// Every workload with these values, and the host. Repositories may be empty.
pub fn universe() -> Vec<Workload> {
    let optional = || std::iter::once(None).chain(VALUES.map(Some));
    let mut all = vec![Workload::Host];
    for namespace in VALUES {
        for k in optional() {
            for l in optional() {
                for container in VALUES {
                    for repo in ["", "a", "b", "fresh"] {
                        let labels = [("k", k), ("l", l)].into_iter();
                        let labels = labels.filter_map(|(key, v)| Some((key.to_string(), v?.to_string())));
                        all.push(Workload::Container(Container {
                            namespace: namespace.into(),
                            labels: labels.collect(),
                            container: container.into(),
                            repo: repo.into(),
                        }));
                    }
                }
            }
        }
    }
    all
}

pub fn selected(scope: &Scope, universe: &[Workload]) -> Vec<bool> {
    let scope = said(scope);
    universe.iter().map(|workload| selects(&scope, workload)).collect()
}

/// A workload in which all that the witness leaves open has a value that nobody names.
fn filled(witness: &Witness) -> Workload {
    match witness.clone() {
        Witness::Host => Workload::Host,
        Witness::Container { namespace, labels, name, repo } => {
            let open = || "nobody-names-this".to_string();
            Workload::Container(Container {
                namespace: namespace.unwrap_or_else(open),
                labels,
                container: name.unwrap_or_else(open),
                repo: repo.unwrap_or_else(open),
            })
        }
    }
}

fn requirement(keys: &'static [&'static str]) -> impl Strategy<Value = Requirement> {
    let values = prop::collection::btree_set(prop::sample::select(&["a", "b"][..]), 0..3);
    (prop::sample::select(keys), 0..4u8, values).prop_map(|(key, op, values)| {
        let values = values.into_iter().map(str::to_string).collect();
        let (op, values) = match op {
            0 => (RequirementOp::In, values),
            1 => (RequirementOp::NotIn, values),
            2 => (RequirementOp::Exists, vec![]),
            _ => (RequirementOp::DoesNotExist, vec![]),
        };
        Requirement { key: key.to_string(), op, values }
    })
}

fn term() -> impl Strategy<Value = ScopeTerm> {
    const POD: &[&str] = &["k", "k", "l", "l", term::NAMESPACE_LABEL];
    const CONTAINER: &[&str] = &["name", "repo", "other"];
    let pods = (
        prop::option::weighted(0.3, prop::sample::select(&["a", "b"][..])),
        prop::collection::vec(requirement(POD), 0..4),
        prop::collection::vec(requirement(CONTAINER), 0..2),
    );
    let pods = pods.prop_map(|(namespace, mut pod, mut container)| {
        pod.sort_unstable();
        container.sort_unstable();
        ScopeTerm::Pods { namespace: namespace.map(str::to_string), pod, container }
    });
    prop_oneof![1 => Just(ScopeTerm::Host), 6 => pods]
}

pub fn scope() -> impl Strategy<Value = Scope> {
    prop::collection::btree_set(term(), 0..3).prop_map(|terms| Scope { any: terms.into_iter().collect() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// "Disjoint" is what trying everything says, and a witness is selected by both.
    #[test]
    fn relations_are_those_of_the_evaluator((a, b) in (scope(), scope())) {
        let universe = universe();
        let (in_a, in_b) = (selected(&a, &universe), selected(&b, &universe));
        let meet = in_a.iter().zip(&in_b).any(|(a, b)| *a && *b);
        let within = |x: &[bool], y: &[bool]| x.iter().zip(y).all(|(x, y)| !x || *y);
        match relation(&a, &b) {
            Relation::Disjoint => prop_assert!(!meet),
            Relation::Possible(witness) => {
                prop_assert!(meet);
                prop_assert!(selects(&said(&a), &filled(&witness)) && selects(&said(&b), &filled(&witness)));
            }
            Relation::Certain(witness) => {
                prop_assert!(meet && (within(&in_a, &in_b) || within(&in_b, &in_a)));
                prop_assert!(selects(&said(&a), &filled(&witness)) && selects(&said(&b), &filled(&witness)));
            }
        }
    }

    #[test]
    fn intersection_and_difference_are_exact((a, b, c) in (scope(), scope(), scope())) {
        let universe = universe();
        let (in_a, in_b, in_c) = (selected(&a, &universe), selected(&b, &universe), selected(&c, &universe));
        let both = selected(&intersect(&a, &b).unwrap(), &universe);
        let rest = selected(&subtract(&a, [&b, &c]).unwrap(), &universe);
        for i in 0..universe.len() {
            prop_assert_eq!(both[i], in_a[i] && in_b[i], "{:?} and {:?} at {:?}", a, b, universe[i]);
            prop_assert_eq!(rest[i], in_a[i] && !in_b[i] && !in_c[i], "{:?} at {:?}", a, universe[i]);
        }
    }

    /// The index leaves out no pair that meets, and gives each once.
    #[test]
    fn the_index_finds_what_comparing_all_with_all_finds(scopes in prop::collection::vec(scope(), 0..40), asks: u64) {
        let all: Vec<&Scope> = scopes.iter().collect();
        let asks = |i: usize| asks & (1 << (i % 64)) != 0;
        let mut found = vec![];
        let mut visit = |a: usize, b: usize| {
            found.push((a.min(b), a.max(b)));
            std::ops::ControlFlow::Continue(())
        };
        pairs(&all, &asks, &|_, _| true, &mut visit, u64::MAX);
        found.sort_unstable();
        let mut wanted = vec![];
        for a in 0..all.len() {
            for b in a + 1..all.len() {
                if (asks(a) || asks(b)) && witness(all[a], all[b]).is_some() {
                    wanted.push((a, b));
                }
            }
        }
        prop_assert_eq!(found, wanted);
    }
}

pub fn pods(pod: &[(&str, RequirementOp, &[&str])]) -> Scope {
    let mut pod: Vec<Requirement> = pod
        .iter()
        .map(|(key, op, values)| Requirement {
            key: (*key).to_string(),
            op: *op,
            values: values.iter().map(|v| (*v).to_string()).collect(),
        })
        .collect();
    pod.sort_unstable();
    Scope { any: vec![ScopeTerm::Pods { namespace: None, pod, container: vec![] }] }
}

use RequirementOp::{DoesNotExist, Exists, In, NotIn};

#[test]
fn what_is_left_is_written_in_the_usual_way() {
    let everything = Scope {
        any: vec![ScopeTerm::Host, ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![] }],
    };
    let app = pods(&[("app", In, &["a"])]);
    assert_eq!(intersect(&everything, &app), Some(app.clone()));
    let rest = subtract(&everything, [&app]).unwrap();
    assert_eq!(rest.any, [vec![ScopeTerm::Host], pods(&[("app", NotIn, &["a"])]).any].concat());
    let several = pods(&[("app", In, &["a", "b", "c"])]);
    assert_eq!(subtract(&several, [&app]), Some(pods(&[("app", In, &["b", "c"])])));
    assert_eq!(subtract(&app, [&several]), Some(Scope { any: vec![] }));
    assert_eq!(subtract(&app, [&pods(&[("app", In, &["b"])])]), Some(app), "nothing is taken");
    let left = subtract(&pods(&[("app", Exists, &[])]), [&pods(&[("app", NotIn, &["a"])])]);
    assert_eq!(left, Some(pods(&[("app", In, &["a"])])));
    // "Has an `app` that is not `a`": what is beyond it takes two terms.
    let odd = pods(&[("app", Exists, &[]), ("app", NotIn, &["a"])]);
    let left = subtract(&pods(&[]), [&odd]).unwrap();
    assert_eq!(
        left.any,
        [pods(&[("app", In, &["a"])]).any, pods(&[("app", DoesNotExist, &[])]).any].concat()
    );
}

#[test]
fn too_many_terms_are_refused() {
    let keys: Vec<String> = (0..8).map(|i| format!("k{i}")).collect();
    let others: Vec<Scope> = keys
        .chunks(2)
        .flat_map(|two| ["x", "y", "z"].map(|v| pods(&[(&two[0], In, &[v]), (&two[1], In, &[v])])))
        .collect();
    assert_eq!(subtract(&pods(&[]), &others), None);
}

#[test]
fn a_witness_is_said_in_words() {
    let a = pods(&[("app", In, &["shop"]), ("tier", Exists, &[])]);
    let b = Scope {
        any: vec![ScopeTerm::Pods {
            namespace: Some("prod".into()),
            pod: vec![],
            container: vec![Requirement { key: "name".into(), op: NotIn, values: vec!["main".into()] }],
        }],
    };
    let said = witness(&a, &b).unwrap().to_string();
    assert_eq!(said, "a pod with `app=shop`, `tier=x` in namespace `prod`, container `main-2`");
    assert_eq!(witness(&pods(&[]), &pods(&[("a", NotIn, &["x"])])).unwrap().to_string(), "a pod");
}
