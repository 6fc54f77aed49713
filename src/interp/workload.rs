//! Which processes a scope applies to, written independently of the loader's evaluation.

use std::collections::BTreeMap;

use crate::policy::{Requirement, RequirementOp, Scope, ScopeTerm};

/// Where a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workload {
    Host,
    Container { namespace: String, labels: BTreeMap<String, String>, name: String, repo: String },
}

/// The label that a pod carries for its namespace unless it has it already.
const NAMESPACE_LABEL: &str = "k8s:io.kubernetes.pod.namespace";

/// Whether any term of `scope` describes `workload`.
pub fn applies(scope: &Scope, workload: &Workload) -> bool {
    scope.any.iter().any(|term| match (term, workload) {
        (ScopeTerm::Host, Workload::Host) => true,
        (ScopeTerm::Host, Workload::Container { .. }) | (ScopeTerm::Pods { .. }, Workload::Host) => false,
        (
            ScopeTerm::Pods { namespace, pod, container },
            Workload::Container { namespace: ns, labels, name, repo },
        ) => {
            let pod_label = |key: &str| match labels.get(key) {
                Some(v) => Some(v.as_str()),
                None if key == NAMESPACE_LABEL => Some(ns.as_str()),
                None => None,
            };
            let container_label = |key: &str| match key {
                "name" => Some(name.as_str()),
                "repo" => Some(repo.as_str()),
                _ => None,
            };
            namespace.as_ref().is_none_or(|n| n == ns)
                && pod.iter().all(|r| holds(r, pod_label(&r.key)))
                && container.iter().all(|r| holds(r, container_label(&r.key)))
        }
    })
}

fn holds(requirement: &Requirement, value: Option<&str>) -> bool {
    let listed = |v: &str| requirement.values.iter().any(|x| x == v);
    match requirement.op {
        RequirementOp::In => value.is_some_and(listed),
        RequirementOp::NotIn => !value.is_some_and(listed),
        RequirementOp::Exists => value.is_some(),
        RequirementOp::DoesNotExist => value.is_none(),
    }
}
