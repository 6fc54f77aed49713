//! Whether a scope selects a workload: the rules that every loader has to follow.
//!
//! Turns a [`Scope`] of the manifest and what a node knows of a process's place ([`Workload`]) into yes or no.
//! `scope_vectors.json` beside this file holds the rules as examples; loaders in other languages can read it.
//!
//! - A scope selects what any of its terms selects. Without terms it selects nothing.
//! - `{"host": true}` selects exactly the processes that are in no known container of a pod.
//! - A pod term selects a container if its namespace, if given, is the pod's, and every requirement holds:
//!   those of `pod` for the pod's labels, those of `container` for `name` and `repo` of the container, which
//!   are both always there, `repo` possibly empty. An empty list holds.
//! - The pod has one label more, `k8s:io.kubernetes.pod.namespace` with its namespace, unless it has a label
//!   of that name itself.
//! - `In` holds if the key is there and its value is listed, so without values never; `NotIn` holds if `In`
//!   does not, so also where the key is absent; `Exists` and `DoesNotExist` look at the key alone. Keys and
//!   values are compared byte by byte.
//!
//! What a policy's null and `{}` selectors mean is settled by the compiler: null contributes no term, `{}` an
//! empty list. Source: Tetragon 4fbfe2d, pkg/policyfilter and pkg/labels; Kubernetes label selectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{LabelOp, LabelRequirement, Manifest, PodTerm, Scope, ScopeTerm};

/// The label that every pod has.
pub const NAMESPACE_LABEL: &str = "k8s:io.kubernetes.pod.namespace";

/// Where a process runs, as far as a node can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workload {
    /// In no known container of a pod.
    Host,
    Container(Container),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Of the pod.
    pub namespace: String,
    /// Of the pod.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Name of the container.
    #[serde(default)]
    pub container: String,
    /// Repository of its image.
    #[serde(default)]
    pub repo: String,
}

/// Numbers of the scopes that select the workload, ascending.
pub fn scopes_of(manifest: &Manifest, workload: &Workload) -> Vec<u32> {
    manifest.scopes.iter().filter(|scope| selects(scope, workload)).map(|scope| scope.number).collect()
}

pub fn selects(scope: &Scope, workload: &Workload) -> bool {
    scope.any.iter().any(|term| match (term, workload) {
        (ScopeTerm::Host(term), Workload::Host) => term.host,
        (ScopeTerm::Pods(term), Workload::Container(container)) => selects_container(term, container),
        (ScopeTerm::Host(_), Workload::Container(_)) | (ScopeTerm::Pods(_), Workload::Host) => false,
    })
}

fn selects_container(term: &PodTerm, container: &Container) -> bool {
    let pod_label = |key: &str| {
        let synthetic = (key == NAMESPACE_LABEL).then_some(container.namespace.as_str());
        container.labels.get(key).map(String::as_str).or(synthetic)
    };
    let container_label = |key: &str| match key {
        "name" => Some(container.container.as_str()),
        "repo" => Some(container.repo.as_str()),
        _ => None,
    };
    term.namespace.as_ref().is_none_or(|namespace| *namespace == container.namespace)
        && term.pod.iter().all(|r| holds(r, pod_label(&r.key)))
        && term.container.iter().all(|r| holds(r, container_label(&r.key)))
}

fn holds(requirement: &LabelRequirement, value: Option<&str>) -> bool {
    let listed = || value.is_some_and(|value| requirement.values.iter().any(|v| v == value));
    match requirement.op {
        LabelOp::In => listed(),
        LabelOp::NotIn => !listed(),
        LabelOp::Exists => value.is_some(),
        LabelOp::DoesNotExist => value.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        name: String,
        any: Vec<ScopeTerm>,
        workload: VectorWorkload,
        selects: bool,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum VectorWorkload {
        Host(crate::manifest::HostTerm),
        Container(Container),
    }

    #[test]
    fn vectors_hold() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("scope_vectors.json")).unwrap();
        for op in [LabelOp::In, LabelOp::NotIn, LabelOp::Exists, LabelOp::DoesNotExist] {
            for expected in [true, false] {
                let tests = |v: &Vector| {
                    v.any.iter().any(|term| match term {
                        ScopeTerm::Pods(term) => term.pod.iter().any(|r| r.op == op),
                        ScopeTerm::Host(_) => false,
                    })
                };
                assert!(vectors.iter().any(|v| v.selects == expected && tests(v)), "{op:?} {expected}");
            }
        }
        for vector in vectors {
            let scope = Scope { number: 0, any: vector.any };
            let workload = match vector.workload {
                VectorWorkload::Host(term) => {
                    assert!(term.host, "{}", vector.name);
                    Workload::Host
                }
                VectorWorkload::Container(container) => Workload::Container(container),
            };
            assert_eq!(selects(&scope, &workload), vector.selects, "{}", vector.name);
        }
    }
}
