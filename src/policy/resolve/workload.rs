//! Workload selectors to a [`Scope`].
//!
//! A null selector and an absent one mean the same. `podSelector` without `containerSelector` takes every
//! container and the other way round; if then everything is `{}`, nothing is filtered. What no pod can be is reported
//! and left out, so that a scope may have no terms: it selects nothing.
//! Source: Tetragon 4fbfe2d, `pkg/sensors/k8s.go`, `pkg/policyfilter` (semantics 8.2).

use super::identity::is_label_key;
use crate::diag::schema::shown;
use crate::diag::{lints, workload as codes};
use crate::policy::context::Cx;
use crate::policy::context::facts::FactKind;
use crate::policy::overlap::{self, NAMESPACE_LABEL};
use crate::policy::{Requirement, RequirementOp, Scope, ScopeTerm};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::{LabelSelector, Spec, WorkloadFilter};
use crate::vocab::limit::LABEL_VALUE_BYTES;
use crate::vocab::operator::LabelOperator;

/// The processes that the policy applies to. `namespace` is that of a namespaced policy.
pub fn resolve(spec: &Spec<'_>, namespace: Option<&str>, cx: &mut Cx<'_>) -> Scope {
    check_nodes(spec.node_selector.as_ref(), cx);
    let selectors = Selectors {
        pod: spec.pod_selector.as_ref(),
        container: spec.container_selector.as_ref(),
        host: spec.host_selector.as_ref(),
    };
    scope(selectors, namespace, cx)
}

/// The processes that a selector of a policy is for, among those of the policy; `None` if it is for all.
pub fn of_filter(filter: &WorkloadFilter<'_>, cx: &mut Cx<'_>) -> Option<Scope> {
    let selectors = Selectors {
        pod: filter.pod_selector.as_ref(),
        container: filter.container_selector.as_ref(),
        host: filter.host_selector.as_ref(),
    };
    let scope = scope(selectors, None, cx);
    (scope.any != [ScopeTerm::Host, every_container()]).then_some(scope)
}

pub fn check_nodes(selector: Option<&LabelSelector<'_>>, cx: &mut Cx<'_>) {
    if let Some(selector) = selector
        && !requirements(selector, cx).is_empty()
    {
        cx.not_compiled("`nodeSelector`", selector.span());
    }
}

/// What a policy, a binding and a selector can ask for.
#[derive(Clone, Copy)]
pub struct Selectors<'a, 'n> {
    pub pod: Option<&'a LabelSelector<'n>>,
    pub container: Option<&'a LabelSelector<'n>>,
    pub host: Option<&'a LabelSelector<'n>>,
}

pub fn scope(selectors: Selectors<'_, '_>, namespace: Option<&str>, cx: &mut Cx<'_>) -> Scope {
    let pod = selectors.pod.map(|selector| {
        check_labels(selector, cx);
        requirements(selector, cx)
    });
    let mut has_foreign_key = false;
    let container = selectors.container.map(|selector| {
        has_foreign_key = check_container_keys(selector, cx);
        requirements(selector, cx)
    });
    // Schema rules allow only `{}`, and only where there is no namespace.
    let host = selectors.host.is_some();
    let namespace = namespace.map(str::to_string);
    for selector in [selectors.pod, selectors.container, selectors.host].into_iter().flatten() {
        cx.unchecked(FactKind::PolicyFilter, "", selector.span());
    }
    let mut any = match (pod, container) {
        (None, None) if namespace.is_some() => {
            vec![ScopeTerm::Pods { namespace, pod: vec![], container: vec![] }]
        }
        (None, None) if host => vec![ScopeTerm::Host],
        (None, None) => vec![ScopeTerm::Host, every_container()],
        (pod, container) => {
            let pods = ScopeTerm::Pods {
                namespace,
                pod: pod.unwrap_or_default(),
                container: container.unwrap_or_default(),
            };
            if host { vec![ScopeTerm::Host, pods] } else { vec![pods] }
        }
    };
    if let (Some(why), Some(selector)) =
        (any.iter().find_map(impossible), selectors.pod.or(selectors.container))
    {
        // What is refused anyway is not also for nobody, and a label that no container has says so itself.
        if !cx.refused && !has_foreign_key {
            cx.report(codes::selects_no_pod("the selector", &why, selector.span()));
        }
        any.retain(|term| impossible(term).is_none());
    }
    Scope { any }
}

/// Why no pod can be what the term asks for.
fn impossible(term: &ScopeTerm) -> Option<String> {
    let ScopeTerm::Pods { pod, .. } = term else { return None };
    let cannot_be = |r: &&Requirement| match r.op {
        RequirementOp::In => !is_pod_key(&r.key) || !r.values.iter().any(|value| is_label_value(value)),
        RequirementOp::Exists => !is_pod_key(&r.key),
        RequirementOp::NotIn | RequirementOp::DoesNotExist => false,
    };
    match pod.iter().find(cannot_be) {
        Some(requirement) => Some(format!("no pod can have such a label `{}`", shown(&requirement.key))),
        None => overlap::impossible(term),
    }
}

/// Whether a pod can have such a label; the synthetic one has a name that Kubernetes allows nobody.
fn is_pod_key(key: &str) -> bool {
    key == NAMESPACE_LABEL || is_label_key(key)
}

/// What Kubernetes' own selectors refuse and Tetragon does not. Names and images of containers are no labels there.
fn check_labels(selector: &LabelSelector<'_>, cx: &mut Cx<'_>) {
    let bad_key = |key: &str, span: Span, cx: &mut Cx<'_>| {
        if !is_pod_key(key) {
            let what = format!("the key `{}`", shown(key));
            cx.report(codes::no_kubernetes_selector(&what, "no label can have this name", span));
        }
    };
    for (key, _) in selector.match_labels.iter().flat_map(|labels| &labels.entries) {
        bad_key(&key.value, key.span, cx);
    }
    for test in selector.match_expressions.iter().flat_map(|tests| &tests.items) {
        let (Some(key), Some(operator)) = (test.key, test.operator) else { continue };
        bad_key(key.value, key.span, cx);
        let values = || test.values.iter().flat_map(|values| &values.items);
        let name = operator.value.name();
        let (what, meaning) = match operator.value {
            LabelOperator::Exists | LabelOperator::DoesNotExist if values().next().is_some() => {
                (format!("values with `{name}`"), "Tetragon ignores them")
            }
            LabelOperator::In if values().next().is_none() && !test.poisoned => {
                ("`In` without values".to_string(), "no label has one of no values")
            }
            LabelOperator::NotIn if values().next().is_none() && !test.poisoned => {
                ("`NotIn` without values".to_string(), "holds for every pod")
            }
            LabelOperator::In | LabelOperator::NotIn => {
                for value in values().filter(|value| !is_label_value(value.value)) {
                    let what = format!("the value `{}`", shown(value.value));
                    cx.report(codes::no_kubernetes_selector(&what, "no label can have it", value.span));
                }
                continue;
            }
            LabelOperator::Exists | LabelOperator::DoesNotExist => continue,
        };
        cx.report(codes::no_kubernetes_selector(&what, meaning, operator.span));
    }
}

fn every_container() -> ScopeTerm {
    ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![] }
}

/// Every requirement once, in one order, whichever way it was written.
pub fn requirements(selector: &LabelSelector<'_>, cx: &mut Cx<'_>) -> Vec<Requirement> {
    let mut all = Vec::new();
    for (key, value) in selector.match_labels.iter().flat_map(|labels| &labels.entries) {
        check_value(*value, cx);
        all.push(Requirement {
            key: key.value.to_string(),
            op: RequirementOp::In,
            values: vec![value.value.to_string()],
        });
    }
    for test in selector.match_expressions.iter().flat_map(|tests| &tests.items) {
        let (Some(key), Some(operator)) = (test.key, test.operator) else { continue };
        let mut values: Vec<String> = Vec::new();
        for &value in test.values.iter().flat_map(|values| &values.items) {
            values.push(value.value.to_string());
        }
        values.sort_unstable();
        values.dedup();
        let op = match operator.value {
            LabelOperator::In => RequirementOp::In,
            LabelOperator::NotIn => RequirementOp::NotIn,
            LabelOperator::Exists => RequirementOp::Exists,
            LabelOperator::DoesNotExist => RequirementOp::DoesNotExist,
        };
        // Nobody looks at them.
        if matches!(op, RequirementOp::Exists | RequirementOp::DoesNotExist) {
            values.clear();
        }
        all.push(Requirement { key: key.value.to_string(), op, values });
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Tetragon's schema checks the values of `matchLabels` alone.
fn check_value(value: Spanned<&str>, cx: &mut Cx<'_>) {
    if !is_label_value(value.value) {
        cx.report(codes::bad_label_value(value.value, value.span));
    }
}

fn check_container_keys(selector: &LabelSelector<'_>, cx: &mut Cx<'_>) -> bool {
    let mut found = false;
    let labels = selector
        .match_labels
        .iter()
        .flat_map(|labels| labels.entries.iter().map(|(key, _)| (&*key.value, key.span)));
    let tests =
        selector.match_expressions.iter().flat_map(|tests| tests.items.iter().filter_map(|test| test.key));
    for (key, span) in labels.chain(tests.map(|key| (key.value, key.span))) {
        if !matches!(key, "name" | "repo") {
            cx.report(lints::container_key(key, span));
            found = true;
        }
    }
    found
}

/// `(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?`, 63 bytes at most.
pub fn is_label_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_VALUE_BYTES
        && bytes.first().is_none_or(u8::is_ascii_alphanumeric)
        && bytes.last().is_none_or(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
