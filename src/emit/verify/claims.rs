//! What the artifact has to say: a claim for each hook of each document.
//!
//! Starts from the documents as they were written and takes nothing from the folding but certificates. A hook whose
//! selectors are for workloads of their own has a claim for each region in which some of them apply; which scope of
//! the artifact that region is, the policy set says, and [`super::regions`] checks.

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Mismatch;
use super::regions::Region;
use crate::artifact::manifest::{self, LabelOp, Manifest};
use crate::fold::opt::{Certificate, Omission};
use crate::interp::document::{At, Call, Document, Hook, Selector};
use crate::policy::{self, HookCall, PolicySet, Requirement, RequirementOp, Scope, ScopeTerm};

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
    /// What events and decision lists add to the numbers of selectors.
    pub first: u32,
    /// Number of the scope.
    pub scope: u32,
    /// Numbers of selectors that were left out, and why that changes nothing.
    pub omitted: Vec<(u8, Omission)>,
}

impl Claim<'_> {
    /// That events name a selector by.
    pub fn number(&self, selector: &Selector<'_>) -> u32 {
        self.first + u32::from(selector.number)
    }

    /// Whether both say the same but for what they are attached to: two functions of one list.
    pub fn is_like(&self, other: &Claim<'_>) -> bool {
        let same_selectors =
            || self.selectors.iter().zip(&other.selectors).all(|(a, b)| std::ptr::eq(*a, *b));
        (self.rank, self.first, self.scope) == (other.rank, other.first, other.scope)
            && self.hook.span == other.hook.span
            && Rc::ptr_eq(&self.hook.args, &other.hook.args)
            && self.selectors.len() == other.selectors.len()
            && same_selectors()
            && self.at.is_read_like(&other.at)
            && self.omitted == other.omitted
    }
}

/// What is attached, by which operations of documents and artifact are matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub kind: &'static str,
    pub target: String,
    /// Its arguments are those of a syscall.
    pub syscall: bool,
}

impl Point {
    fn of(at: &At) -> Point {
        Point { kind: at.kind, target: at.target.clone(), syscall: at.syscall }
    }
}

pub type Claims<'a> = BTreeMap<Point, Vec<Claim<'a>>>;

/// Claims that contradict the policy set's scopes are differences.
pub fn of<'a>(
    set: &PolicySet,
    documents: &'a [Document<'a>],
    certificate: &Certificate,
    manifest: &Manifest,
    found: &mut Vec<Mismatch>,
) -> Claims<'a> {
    let mut omitted: FxHashMap<(usize, usize), Vec<(u8, Omission)>> = FxHashMap::default();
    for one in &certificate.omitted {
        omitted.entry((one.policy, one.hook)).or_default().push((one.selector, one.why));
    }
    let scopes: FxHashMap<Scope, u32> =
        manifest.scopes.iter().map(|said| (scope(said), said.number)).collect();
    let mut claims = Claims::new();
    for (rank, document) in documents.iter().enumerate() {
        let mut hints = Hints { set, scopes: &scopes, rank, used: 0 };
        // Selectors of a policy are counted over its hooks at one place.
        let mut counted: BTreeMap<Point, u32> = BTreeMap::new();
        for hook in &document.hooks {
            let mut ends: BTreeMap<Point, u32> = BTreeMap::new();
            for (selectors, region) in parts(document, hook) {
                let (at_set, scope) = match hints.part(hook, &selectors, &region) {
                    Ok(known) => known,
                    Err(says) => {
                        found.push(Mismatch {
                            place: format!("policy {}", document.policy.identity.name),
                            policies_say: format!("{:?} is for {:?}", hook.call, region.all),
                            artifact_says: says,
                        });
                        continue;
                    }
                };
                let at = hook.at(selectors.iter().copied());
                let key = Point::of(&at);
                let first = counted.get(&key).copied().unwrap_or(0);
                let end = selectors.last().map_or(first, |last| first + u32::from(last.number) + 1);
                ends.entry(key.clone()).and_modify(|known| *known = end.max(*known)).or_insert(end);
                let omitted = omitted.remove(&(rank, at_set)).unwrap_or_default();
                if let Some(returned) = &hook.returned {
                    let here = |s: &&Selector<'_>| selectors.iter().any(|known| known.number == s.number);
                    let (hook, at) = (&**returned, At::of_return(&at));
                    let selectors: Vec<&Selector<'_>> = returned.selectors.iter().filter(here).collect();
                    let omitted = vec![];
                    // Where there is no program at the call, the proof finds that nothing can be reported of it.
                    if !selectors.is_empty() && is_hooked(manifest, &at) {
                        let claim = Claim { rank, document, hook, at, selectors, first, scope, omitted };
                        claims.entry(Point::of(&claim.at)).or_default().push(claim);
                    }
                }
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
            counted.extend(ends);
        }
        hints.check_all_used(document, found);
    }
    claims
}

/// Whether calls of a function are.
fn is_hooked(manifest: &Manifest, at: &At) -> bool {
    let attached = manifest.operations.iter().map(|operation| &operation.attach);
    let mut kprobes = attached.filter(|attach| attach.kind == manifest::AttachKind::Kprobe);
    kprobes.any(|attach| attach.syscall == at.syscall && attach.targets.contains(&at.target))
}

/// Where the policy set has a hook: its position there and its scope are taken from it, and checked.
struct Hints<'s> {
    set: &'s PolicySet,
    /// Of the manifest, with their numbers.
    scopes: &'s FxHashMap<Scope, u32>,
    rank: usize,
    /// Hooks of the policy that parts were found for.
    used: usize,
}

impl Hints<'_> {
    /// Position in the set and number of the scope of the part of a hook that has these selectors.
    fn part(
        &mut self,
        hook: &Hook<'_>,
        selectors: &[&Selector<'_>],
        region: &Region<'_>,
    ) -> Result<(usize, u32), String> {
        let policy = self.set.policies.get(self.rank).ok_or("no such policy")?;
        let is_it = |known: &policy::Hook| {
            known.span == hook.span
                && same_call(&known.call, &hook.call)
                && known.selectors.iter().map(|s| s.number).eq(selectors.iter().map(|s| s.number))
        };
        // They are in order, so that the next one is it nearly always.
        let (before, rest) = policy.hooks.split_at(self.used.min(policy.hooks.len()));
        let found = rest.iter().position(is_it).map(|at| at + before.len());
        let at = found.or_else(|| before.iter().position(is_it)).ok_or("no such hook")?;
        self.used += 1;
        let known = policy.hooks[at].scope.unwrap_or(policy.scope);
        let scope = self.set.scopes.get_index(known.0 as usize).ok_or("no such scope")?;
        let number = *self.scopes.get(scope).ok_or_else(|| format!("no scope {:?}", scope.any))?;
        match region.is(scope) {
            Some(true) => Ok((at, number)),
            Some(false) => Err(format!("scope {number}: {:?}", scope.any)),
            None => Err(format!("scope {number}, which is too mixed to compare: {:?}", scope.any)),
        }
    }

    fn check_all_used(&self, document: &Document<'_>, found: &mut Vec<Mismatch>) {
        let known = self.set.policies.get(self.rank).map_or(0, |policy| policy.hooks.len());
        if self.used != known {
            found.push(Mismatch {
                place: format!("policy {}", document.policy.identity.name),
                policies_say: format!("{} hooks", self.used),
                artifact_says: format!("{known} hooks"),
            });
        }
    }
}

fn same_call(known: &HookCall, call: &Call) -> bool {
    match (known, call) {
        (HookCall::Kprobe { function: a, syscall: x }, Call::Kprobe { function: b, syscall: y }) => {
            a == b && x == y
        }
        (HookCall::Lsm { hook: a }, Call::Lsm { hook: b }) => a == b,
        (HookCall::Tracepoint { event: a }, Call::Tracepoint { event: b }) => a == b,
        (HookCall::RawTracepoint { event: a }, Call::RawTracepoint { event: b }) => a == b,
        (
            HookCall::Kprobe { .. }
            | HookCall::Lsm { .. }
            | HookCall::Tracepoint { .. }
            | HookCall::RawTracepoint { .. },
            Call::Kprobe { .. } | Call::Lsm { .. } | Call::Tracepoint { .. } | Call::RawTracepoint { .. },
        ) => false,
    }
}

/// The regions in which different selectors of a hook apply, with those.
fn parts<'a>(document: &'a Document<'a>, hook: &'a Hook<'a>) -> Vec<(Vec<&'a Selector<'a>>, Region<'a>)> {
    let policy = Region { all: vec![&document.scope], none: document.except.iter().collect() };
    let mut regions = vec![policy];
    let mut scopes: Vec<&'a Scope> = vec![];
    for scope in hook.selectors.iter().filter_map(|selector| selector.workloads.as_ref()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    regions.retain(|region| region.is_empty() != Some(true));
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
        let is_for = |s: &&Selector<'_>| s.workloads.as_ref().is_none_or(|scope| region.all.contains(&scope));
        (hook.selectors.iter().filter(is_for).collect::<Vec<_>>(), region)
    });
    with_selectors.filter(|(selectors, _)| !selectors.is_empty()).collect()
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
