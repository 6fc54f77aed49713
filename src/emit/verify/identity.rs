//! Compares what the manifest says of scopes and policies with the policies.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Mismatch;
use crate::artifact::manifest::{self, Action, LabelOp, LabelRequirement, Manifest};
use crate::policy::{
    Mode, Policy, PolicyKind, PolicySet, Requirement, RequirementOp, Scope, ScopeId, ScopeTerm, ShownAction,
};

/// Which scope of the set each of the manifest's numbers stands for: numbers need not be in order.
pub(super) fn scopes(set: &PolicySet, manifest: &Manifest) -> BTreeMap<u32, ScopeId> {
    let id = |said: &manifest::Scope| {
        let scope = Scope { any: said.any.iter().map(term).collect() };
        set.scopes.get_index_of(&scope).map(|id| (said.number, ScopeId(id as u32)))
    };
    manifest.scopes.iter().filter_map(id).collect()
}

pub(super) fn compare(
    set: &PolicySet,
    manifest: &Manifest,
    scopes: &BTreeMap<u32, ScopeId>,
) -> Vec<Mismatch> {
    let mut found = vec![];
    if manifest.policies.len() != set.policies.len() || manifest.scopes.len() != set.scopes.len() {
        found.push(mismatch(
            "the manifest",
            format!("{} policies, {} scopes", set.policies.len(), set.scopes.len()),
            format!("{} policies, {} scopes", manifest.policies.len(), manifest.scopes.len()),
        ));
        return found;
    }
    // As many as there are in the set, and each of them once: then none of the set's is missing.
    let each_once: BTreeSet<ScopeId> = scopes.values().copied().collect();
    if each_once.len() != set.scopes.len() {
        let missing = (0..set.scopes.len()).find(|&id| !each_once.contains(&ScopeId(id as u32)));
        let scope = missing.and_then(|id| set.scopes.get_index(id));
        found.push(mismatch("scopes", format!("{scope:?}"), "no such scope".to_string()));
    }
    for (policy, said) in set.policies.iter().zip(&manifest.policies) {
        if !same_policy(policy, said, scopes) {
            let name = &policy.identity.name;
            found.push(mismatch(
                &format!("policy {name}"),
                format!("{:?}", policy.identity),
                format!("{said:?}"),
            ));
        }
    }
    found
}

fn mismatch(place: &str, policies_say: String, artifact_says: String) -> Mismatch {
    Mismatch { place: place.to_string(), policies_say, artifact_says }
}

fn term(said: &manifest::ScopeTerm) -> ScopeTerm {
    match said {
        // That it can only be true has been checked.
        manifest::ScopeTerm::Host(_) => ScopeTerm::Host,
        manifest::ScopeTerm::Pods(said) => ScopeTerm::Pods {
            namespace: said.namespace.clone(),
            pod: said.pod.iter().map(requirement).collect(),
            container: said.container.iter().map(requirement).collect(),
        },
    }
}

fn requirement(said: &LabelRequirement) -> Requirement {
    let op = match said.op {
        LabelOp::In => RequirementOp::In,
        LabelOp::NotIn => RequirementOp::NotIn,
        LabelOp::Exists => RequirementOp::Exists,
        LabelOp::DoesNotExist => RequirementOp::DoesNotExist,
    };
    Requirement { key: said.key.clone(), op, values: said.values.clone() }
}

fn same_policy(policy: &Policy, said: &manifest::Policy, scopes: &BTreeMap<u32, ScopeId>) -> bool {
    let kind = match said.kind {
        manifest::PolicyKind::TracingPolicy => PolicyKind::TracingPolicy,
        manifest::PolicyKind::TracingPolicyNamespaced => PolicyKind::TracingPolicyNamespaced,
        manifest::PolicyKind::TracingPolicyBinding => PolicyKind::TracingPolicyBinding,
    };
    let mode = match said.mode {
        manifest::Mode::Enforce => Mode::Enforce,
        manifest::Mode::Monitor => Mode::Monitor,
    };
    policy.identity.kind == kind
        && policy.identity.namespace == said.namespace
        && policy.identity.name == said.name
        && policy.mode == mode
        && scopes.get(&said.scope) == Some(&policy.scope)
        && policy.template.as_ref().map(|t| &t.name) == said.template.as_ref().map(|t| &t.name)
        && said.hooks.len() <= policy.hooks.len()
        && said.hooks.iter().all(|h| policy.hooks.iter().any(|p| same_selectors(p, h, scopes)))
}

fn same_selectors(
    hook: &crate::policy::Hook,
    said: &manifest::PolicyHook,
    scopes: &BTreeMap<u32, ScopeId>,
) -> bool {
    hook.scope.as_ref() == said.scope.and_then(|number| scopes.get(&number))
        && hook.scope.is_some() == said.scope.is_some()
        && hook.selectors.len() == said.selectors.len()
        && hook.selectors.iter().zip(&said.selectors).all(|(s, said)| {
            u32::from(s.number) == said.number
                && s.actions.shown
                    == match said.action {
                        Action::Post => ShownAction::Post,
                        Action::NoPost => ShownAction::NoPost,
                        Action::Override => ShownAction::Override,
                        Action::Sigkill => ShownAction::Sigkill,
                    }
        })
}
