//! Compares what the manifest says of policies, hooks and selectors with the documents.

use super::Mismatch;
use super::claims::{Claim, Claims, Point};
use super::read::kind_name;
use crate::artifact::manifest::{self, Action, Manifest, PolicyHook, RateLimit};
use crate::interp::document::{Document, Limit};
use crate::policy::{Mode, PolicyKind, ShownAction};
use crate::source::Sources;
use crate::vocab::action::RateLimitScope;

/// Who the policies are, in order.
pub(super) fn compare(documents: &[Document<'_>], manifest: &Manifest, found: &mut Vec<Mismatch>) {
    if manifest.policies.len() != documents.len() {
        found.push(Mismatch {
            place: "the manifest".to_string(),
            policies_say: format!("{} policies", documents.len()),
            artifact_says: format!("{} policies", manifest.policies.len()),
        });
    }
    for pair in manifest.scopes.windows(2).filter(|pair| pair[0].number >= pair[1].number) {
        found.push(Mismatch {
            place: "the manifest".to_string(),
            policies_say: "each scope has its own number, in order".to_string(),
            artifact_says: format!("scope {} before {}", pair[0].number, pair[1].number),
        });
    }
    for (document, said) in documents.iter().zip(&manifest.policies) {
        if !same_policy(document, said) {
            found.push(Mismatch {
                place: format!("policy {}", document.policy.identity.name),
                policies_say: format!("{:?}, {:?}", document.policy.identity, document.mode),
                artifact_says: format!("{said:?}"),
            });
        }
    }
}

fn same_policy(document: &Document<'_>, said: &manifest::Policy) -> bool {
    let kind = match said.kind {
        manifest::PolicyKind::TracingPolicy => PolicyKind::TracingPolicy,
        manifest::PolicyKind::TracingPolicyNamespaced => PolicyKind::TracingPolicyNamespaced,
        manifest::PolicyKind::TracingPolicyBinding => PolicyKind::TracingPolicyBinding,
    };
    let mode = match said.mode {
        manifest::Mode::Enforce => Mode::Enforce,
        manifest::Mode::Monitor => Mode::Monitor,
    };
    let policy = document.policy;
    policy.identity.kind == kind
        && policy.identity.namespace == said.namespace
        && policy.identity.name == said.name
        && document.mode == mode
        && policy.template.as_ref().map(|t| &t.name) == said.template.as_ref().map(|t| &t.name)
}

/// Every hook that is at an operation is described, and no other.
pub(super) fn compare_hooks(
    sources: &Sources,
    claims: &Claims<'_>,
    manifest: &Manifest,
    found: &mut Vec<Mismatch>,
) {
    let place = |rank: usize| format!("hooks of policy {}", manifest.policies[rank].name);
    let mut described: Vec<Vec<Option<&PolicyHook>>> =
        manifest.policies.iter().map(|policy| policy.hooks.iter().map(Some).collect()).collect();
    for operation in &manifest.operations {
        let (kind, syscall) = (kind_name(operation.attach.kind), operation.attach.syscall);
        for (t, target) in operation.attach.targets.iter().enumerate() {
            for claim in claims.get(&Point { kind, target: target.clone(), syscall }).into_iter().flatten() {
                let Some(policy) = manifest.policies.get(claim.rank) else { continue };
                let is_said = |hook: &&PolicyHook| {
                    hook.operation == operation.number
                        && hook.first_selector == claim.first
                        && hook.scope.unwrap_or(policy.scope) == claim.scope
                };
                // One description is for all targets, which the first uses up.
                let said = if t == 0 {
                    let mut left = described[claim.rank].iter_mut();
                    left.find(|hook| hook.is_some_and(|hook| is_said(&hook))).and_then(Option::take)
                } else {
                    policy.hooks.iter().find(is_said)
                };
                if !said.is_some_and(|said| same_hook(sources, claim, said)) {
                    found.push(Mismatch {
                        place: place(claim.rank),
                        policies_say: format!(
                            "{} from selector {}",
                            sources.place(claim.hook.span),
                            claim.first
                        ),
                        artifact_says: format!("{said:?}"),
                    });
                }
            }
        }
    }
    for (rank, left) in described.iter().enumerate() {
        for said in left.iter().flatten() {
            found.push(Mismatch {
                place: place(rank),
                policies_say: "no such hook".to_string(),
                artifact_says: format!("{said:?}"),
            });
        }
    }
}

fn same_limit(limit: Option<Limit>, said: Option<RateLimit>) -> bool {
    let said = said.map(|said| Limit {
        milliseconds: said.milliseconds.into(),
        scope: match said.scope {
            manifest::RateLimitScope::Thread => RateLimitScope::Thread,
            manifest::RateLimitScope::Process => RateLimitScope::Process,
            manifest::RateLimitScope::Global => RateLimitScope::Global,
        },
    });
    limit == said
}

fn same_hook(sources: &Sources, claim: &Claim<'_>, said: &PolicyHook) -> bool {
    said.source == sources.place(claim.hook.span).to_string()
        && said.selectors.len() == claim.selectors.len()
        && claim.selectors.iter().zip(&said.selectors).all(|(selector, said)| {
            let shown = match said.action {
                Action::Post => ShownAction::Post,
                Action::NoPost => ShownAction::NoPost,
                Action::Override => ShownAction::Override,
                Action::Sigkill => ShownAction::Sigkill,
            };
            u32::from(selector.number) == said.number
                && selector.acts.shown == shown
                && same_limit(selector.acts.limit, said.rate_limit)
                && said.source == sources.place(selector.span).to_string()
        })
        && said.args.len() == claim.hook.args.len()
        && claim.hook.args.iter().zip(&said.args).all(|(arg, said)| {
            said.index == u32::from(claim.at.param(arg.index))
                && said.ty == arg.ty.name()
                && said.label.as_deref() == arg.label
        })
}
