//! Compares what the manifest says of scopes and policies with the policies.

use super::compare::Mismatch;
use crate::artifact::manifest::{self, Action, LabelOp, LabelRequirement, Manifest};
use crate::policy::{
    Mode, Policy, PolicyKind, PolicySet, Requirement, RequirementOp, ScopeTerm, ShownAction,
};

pub(super) fn compare(set: &PolicySet, manifest: &Manifest) -> Vec<Mismatch> {
    let mut found = vec![];
    if manifest.policies.len() != set.policies.len() || manifest.scopes.len() != set.scopes.len() {
        found.push(mismatch(
            "the manifest",
            format!("{} policies, {} scopes", set.policies.len(), set.scopes.len()),
            format!("{} policies, {} scopes", manifest.policies.len(), manifest.scopes.len()),
        ));
        return found;
    }
    for (number, (scope, said)) in set.scopes.iter().zip(&manifest.scopes).enumerate() {
        let same = said.number as usize == number
            && scope.any.len() == said.any.len()
            && scope.any.iter().zip(&said.any).all(|(a, b)| same_term(a, b));
        if !same {
            found.push(mismatch(
                &format!("scope {number}"),
                format!("{:?}", scope.any),
                format!("{:?}", said.any),
            ));
        }
    }
    for (policy, said) in set.policies.iter().zip(&manifest.policies) {
        if !same_policy(policy, said) {
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

fn same_term(term: &ScopeTerm, said: &manifest::ScopeTerm) -> bool {
    match (term, said) {
        (ScopeTerm::Host, manifest::ScopeTerm::Host(host)) => host.host,
        (ScopeTerm::Pods { namespace, pod, container }, manifest::ScopeTerm::Pods(said)) => {
            *namespace == said.namespace
                && same_requirements(pod, &said.pod)
                && same_requirements(container, &said.container)
        }
        (ScopeTerm::Host, manifest::ScopeTerm::Pods(_))
        | (ScopeTerm::Pods { .. }, manifest::ScopeTerm::Host(_)) => false,
    }
}

fn same_requirements(requirements: &[Requirement], said: &[LabelRequirement]) -> bool {
    requirements.len() == said.len()
        && requirements.iter().zip(said).all(|(r, s)| {
            let op = match s.op {
                LabelOp::In => RequirementOp::In,
                LabelOp::NotIn => RequirementOp::NotIn,
                LabelOp::Exists => RequirementOp::Exists,
                LabelOp::DoesNotExist => RequirementOp::DoesNotExist,
            };
            r.key == s.key && r.op == op && r.values == s.values
        })
}

fn same_policy(policy: &Policy, said: &manifest::Policy) -> bool {
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
        && policy.scope.0 == said.scope
        && policy.template.as_ref().map(|t| &t.name) == said.template.as_ref().map(|t| &t.name)
        && said.hooks.len() <= policy.hooks.len()
        && said.hooks.iter().all(|h| policy.hooks.iter().any(|p| same_selectors(p, h)))
}

fn same_selectors(hook: &crate::policy::Hook, said: &manifest::PolicyHook) -> bool {
    hook.scope.map(|scope| scope.0) == said.scope
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
