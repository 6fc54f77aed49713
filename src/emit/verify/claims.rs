//! What the artifact has to say: a claim for each hook of each document.
//!
//! Starts from the documents as they were written and takes nothing from the folding but certificates. A hook whose
//! selectors are for workloads of their own has a claim for each region in which some of them apply; which scope of
//! the artifact that region is, the policy set says, and [`super::regions`] checks.

use std::collections::BTreeMap;

use super::Mismatch;
use super::regions::Region;
use crate::artifact::manifest::{self, LabelOp, Manifest};
use crate::fold::opt::{Certificate, Omission};
use crate::interp::document::{At, Document, Hook, Selector};
use crate::policy::{PolicySet, Requirement, RequirementOp, Scope, ScopeTerm};

/// One hook of one document, for some of its policy's workloads.
#[derive(Clone)]
pub struct Claim<'a> {
    /// Position of the policy.
    pub rank: usize,
    pub document: &'a Document<'a>,
    pub hook: &'a Hook<'a>,
    pub at: At,
    /// Those that are for these workloads, in order.
    pub selectors: Vec<&'a Selector<'a>>,
    /// Number of the first of them in events and decision lists; the others follow.
    pub first: u32,
    /// Number of the scope.
    pub scope: u32,
    /// Positions in `selectors` of those that were left out, and why that changes nothing.
    pub omitted: Vec<(u8, Omission)>,
}

/// By kind and target of what is attached.
pub type Claims<'a> = BTreeMap<(&'static str, String), Vec<Claim<'a>>>;

/// Claims that contradict the policy set's scopes are differences.
pub fn of<'a>(
    set: &PolicySet,
    documents: &'a [Document<'a>],
    certificate: &Certificate,
    manifest: &Manifest,
    found: &mut Vec<Mismatch>,
) -> Claims<'a> {
    let mut omitted: BTreeMap<(usize, usize), Vec<(u8, Omission)>> = BTreeMap::new();
    for one in &certificate.omitted {
        omitted.entry((one.policy, one.hook)).or_default().push((one.selector, one.why));
    }
    let scopes: Vec<Scope> = manifest.scopes.iter().map(scope).collect();
    let mut claims = Claims::new();
    for (rank, document) in documents.iter().enumerate() {
        let mut maker = Maker { document, scopes: &scopes, hints: &hints(set, rank), parts: 0 };
        // Selectors of a policy are counted over its hooks at one place.
        let mut counted: BTreeMap<(&'static str, String), u32> = BTreeMap::new();
        for hook in &document.hooks {
            for (selectors, region) in maker.parts(hook) {
                let part = maker.parts;
                maker.parts += 1;
                let scope = match maker.scope_of(part, &region) {
                    Ok(scope) => scope,
                    Err(says) => {
                        found.push(Mismatch {
                            place: format!("policy {}", document.policy.identity.name),
                            policies_say: format!("hook {part} is for {:?}", region.all),
                            artifact_says: says,
                        });
                        continue;
                    }
                };
                let at = hook.at(selectors.iter().copied());
                let key = (at.kind, at.target.clone());
                let count = counted.entry(key.clone()).or_default();
                let first = *count;
                *count += selectors.len() as u32;
                let omitted = omitted.remove(&(rank, part)).unwrap_or_default();
                claims.entry(key).or_default().push(Claim {
                    rank,
                    document,
                    hook,
                    at,
                    selectors,
                    first,
                    scope,
                    omitted,
                });
            }
        }
        if maker.parts != maker.hints.len() {
            found.push(Mismatch {
                place: format!("policy {}", document.policy.identity.name),
                policies_say: format!("{} hooks", maker.parts),
                artifact_says: format!("{} hooks", maker.hints.len()),
            });
        }
    }
    claims
}

/// The scope that each hook of a policy is said to be for.
fn hints(set: &PolicySet, rank: usize) -> Vec<u32> {
    let Some(policy) = set.policies.get(rank) else { return vec![] };
    policy.hooks.iter().map(|hook| hook.scope.unwrap_or(policy.scope).0).collect()
}

struct Maker<'a, 's> {
    document: &'a Document<'a>,
    scopes: &'s [Scope],
    hints: &'s [u32],
    /// Seen so far.
    parts: usize,
}

impl<'a> Maker<'a, '_> {
    /// The regions in which different selectors of a hook apply, with those.
    fn parts(&self, hook: &'a Hook<'a>) -> Vec<(Vec<&'a Selector<'a>>, Region<'a>)> {
        let policy = Region { all: vec![&self.document.scope], none: self.document.except.iter().collect() };
        let mut scopes: Vec<&'a Scope> = vec![];
        for scope in hook.selectors.iter().filter_map(|selector| selector.workloads.as_ref()) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if scopes.is_empty() {
            return vec![(hook.selectors.iter().collect(), policy)];
        }
        let mut regions = vec![policy];
        for scope in scopes {
            let cut = |region: &Region<'a>| {
                let (mut inside, mut outside) = (region.clone(), region.clone());
                inside.all.push(scope);
                outside.none.push(scope);
                [inside, outside]
            };
            regions = regions.iter().flat_map(cut).filter(|r| r.is_empty() != Some(true)).collect();
        }
        let with_selectors = regions.into_iter().map(|region| {
            let is_for =
                |s: &&Selector<'_>| s.workloads.as_ref().is_none_or(|scope| region.all.contains(&scope));
            (hook.selectors.iter().filter(is_for).collect::<Vec<_>>(), region)
        });
        with_selectors.filter(|(selectors, _)| !selectors.is_empty()).collect()
    }

    fn scope_of(&self, part: usize, region: &Region<'_>) -> Result<u32, String> {
        let number = *self.hints.get(part).ok_or("no such hook")?;
        let scope = self.scopes.get(number as usize).ok_or_else(|| format!("no scope {number}"))?;
        match region.is(scope) {
            Some(true) => Ok(number),
            Some(false) => Err(format!("scope {number}: {:?}", scope.any)),
            None => Err(format!("scope {number}, which is too mixed to compare: {:?}", scope.any)),
        }
    }
}

fn scope(said: &manifest::Scope) -> Scope {
    let requirements = |labels: &[manifest::LabelRequirement]| {
        let requirement = |label: &manifest::LabelRequirement| Requirement {
            key: label.key.clone(),
            op: match label.op {
                LabelOp::In => RequirementOp::In,
                LabelOp::NotIn => RequirementOp::NotIn,
                LabelOp::Exists => RequirementOp::Exists,
                LabelOp::DoesNotExist => RequirementOp::DoesNotExist,
            },
            values: label.values.clone(),
        };
        labels.iter().map(requirement).collect()
    };
    let term = |term: &manifest::ScopeTerm| match term {
        manifest::ScopeTerm::Host(_) => ScopeTerm::Host,
        manifest::ScopeTerm::Pods(pods) => ScopeTerm::Pods {
            namespace: pods.namespace.clone(),
            pod: requirements(&pods.pod),
            container: requirements(&pods.container),
        },
    };
    Scope { any: said.any.iter().map(term).collect() }
}
