//! Which attach points are one operation: those that the same hooks cover, so that one program serves them all.
//!
//! A hook on a `list:` is on many functions, and its conditions are the same on all of them. Functions that exactly
//! the same hooks of all policies cover have the same lists and the same arguments: they are grouped, and the program
//! need not know which of them was called. Where lists overlap in part (`open, openat` and `openat, read`), each
//! part is an operation of its own. The other way, one program for all that asks which function it is in, would cost
//! every event a lookup and a test more; the parts cost nothing there, and are never more than the functions.

use indexmap::IndexMap;

use super::attach::{Attach, AttachKind, AttachSet, Choice, choose};
use crate::diag::Diagnostics;
use crate::platform::Target;
use crate::policy::{PolicySet, ScopeId};
use crate::vocab::attach::Param;

/// An operation to be.
pub struct Group {
    pub attach: AttachSet,
    /// In order of policy, then of the hooks in it.
    pub written: Vec<Written>,
}

/// A hook as written, on all targets of a group.
#[derive(Clone)]
pub struct Written {
    pub policy: usize,
    /// One for each target, in their order.
    pub hooks: Vec<usize>,
    pub choice: Choice,
}

/// One hook on one attach point.
struct Cover {
    policy: usize,
    hook: usize,
    choice: Choice,
}

/// What makes attach points one operation: how they are attached, and the hooks on them, each by its policy, its
/// entry there, and the workloads that it is for.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: AttachKind,
    syscall: bool,
    /// See [`Attach::layer_parameter`].
    layer: Option<Option<(u8, Param)>>,
    /// Where a program is for one target alone.
    target: Option<String>,
    covers: Vec<(usize, u32, Option<ScopeId>)>,
}

/// The groups in order of their first use by the policies.
pub fn groups(set: &PolicySet, target: &Target, diags: &mut Diagnostics) -> Vec<Group> {
    let mut points: IndexMap<Attach, Vec<Cover>> = IndexMap::new();
    for (p, policy) in set.policies.iter().enumerate() {
        for (h, hook) in policy.hooks.iter().enumerate() {
            let Some(choice) = choose(hook, target, diags) else { continue };
            points.entry(choice.attach.clone()).or_default().push(Cover { policy: p, hook: h, choice });
        }
    }
    let mut groups: IndexMap<Key, Vec<(Attach, Vec<Cover>)>> = IndexMap::new();
    for (attach, covers) in points {
        let entry = |cover: &Cover| {
            let hook = &set.policies[cover.policy].hooks[cover.hook];
            (cover.policy, hook.entry, hook.scope)
        };
        let key = Key {
            kind: attach.kind,
            syscall: attach.syscall,
            layer: attach.layer_parameter(),
            target: (!attach.kind.takes_several()).then(|| attach.target.clone()),
            covers: covers.iter().map(entry).collect(),
        };
        groups.entry(key).or_default().push((attach, covers));
    }
    groups.into_iter().map(|(key, points)| group(&key, points)).collect()
}

fn group(key: &Key, mut points: Vec<(Attach, Vec<Cover>)>) -> Group {
    points.sort_by(|(a, _), (b, _)| a.target.cmp(&b.target));
    let mut written: Vec<Written> = vec![];
    let mut targets = vec![];
    for (attach, covers) in points {
        targets.push(attach.target);
        for (k, Cover { policy, hook, choice }) in covers.into_iter().enumerate() {
            match written.get_mut(k) {
                Some(known) => known.hooks.push(hook),
                None => written.push(Written { policy, hooks: vec![hook], choice }),
            }
        }
    }
    Group { attach: AttachSet { kind: key.kind, targets, syscall: key.syscall }, written }
}
