//! Every compile proves its own output: the bytes just made are decoded and compared with the documents.
//!
//! Turns an artifact's manifest and files back into decision lists over the values that the tables spell
//! ([`decode`], [`read`]) and compares them ([`compare`]) with what every hook of every document says as it was
//! written ([`claims`]): the function, the parameters, the workloads, the conditions, the actions, the numbers.
//! Reads operators and values by itself ([`crate::interp::document`]) and shares nothing with resolving, folding
//! and the builders but the layout of bytes; what a pass left out it says in a certificate, which is checked too.
//! The cost is linear in the policies' values.
//! It proves tables, lists, scopes, what the manifest says of policies, and the steps of every body ([`body`]), under
//! the documented contract of each stencil. That stencils keep it, and that linked code does what its steps say, is
//! shown by kernel tests.

mod body;
mod claims;
pub mod compare;
pub mod decode;
mod fields;
mod omissions;
mod policies;
pub mod read;
mod regions;
pub mod runs;
mod spelling;

use std::collections::BTreeMap;
use std::fmt;

use self::claims::Claim;
use crate::artifact::digest::Files;
use crate::artifact::manifest::{Manifest, Operation};
use crate::bpf::Step;
use crate::fold::opt::Certificate;
use crate::interp::document::{self, Unread};
use crate::policy::PolicySet;
use crate::source::Sources;

/// The artifact does not say what the policies say: a fault of the compiler.
#[derive(Clone, Debug)]
pub struct Disproof(pub Vec<Mismatch>);

/// What is proved.
#[derive(Clone, Copy)]
pub struct Emitted<'a> {
    pub manifest: &'a Manifest,
    pub files: &'a Files,
    /// What each body was linked from, by the number of its operation.
    pub bodies: &'a BTreeMap<u32, Vec<Step>>,
}

/// A difference between policies and artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub place: String,
    pub policies_say: String,
    pub artifact_says: String,
}

/// What the policies say, and what the artifact says.
type Difference = (String, String);

impl fmt::Display for Disproof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for m in &self.0 {
            writeln!(
                f,
                "{}\n  policies say: {}\n  artifact says: {}",
                m.place, m.policies_say, m.artifact_says
            )?;
        }
        Ok(())
    }
}

/// Of the set only the documents count, and which scope each hook is said to have.
///
/// # Errors
/// Every difference found.
pub fn prove(
    sources: &Sources,
    set: &PolicySet,
    certificate: &Certificate,
    emitted: Emitted<'_>,
) -> Result<(), Disproof> {
    let Emitted { manifest, files, bodies } = emitted;
    let mut found = vec![];
    let mut documents = vec![];
    for policy in &set.written.policies {
        match document::read(&set.written, policy) {
            Ok(document) => documents.push(document),
            Err(Unread(what)) => found.push(Mismatch {
                place: format!("policy {}", policy.identity.name),
                policies_say: what,
                artifact_says: "nothing that the proof reads".to_string(),
            }),
        }
    }
    if !found.is_empty() {
        return Err(Disproof(found));
    }
    policies::compare(&documents, manifest, &mut found);
    let mut claims = claims::of(set, &documents, certificate, manifest, &mut found);
    policies::compare_hooks(sources, &claims, manifest, &mut found);
    for operation in &manifest.operations {
        match read::operation(manifest, operation, files) {
            Ok(decoded) => {
                let facts = body_of(manifest, operation, &decoded);
                let steps = bodies.get(&operation.number).map_or(&[][..], Vec::as_slice);
                if let Err(why) = body::check(facts, steps) {
                    found.push(Mismatch {
                        place: operation.name.clone(),
                        policies_say: "a program that reads and writes what its dimensions and values name"
                            .to_string(),
                        artifact_says: why,
                    });
                }
                let mut compared: Option<Vec<Claim<'_>>> = None;
                for target in &decoded.targets {
                    let claims = claims.remove(&decoded.point(target)).unwrap_or_default();
                    // The functions of a list are asked for the same: that is compared once.
                    let is_known = compared.as_ref().is_some_and(|known| {
                        known.len() == claims.len() && known.iter().zip(&claims).all(|(a, b)| a.is_like(b))
                    });
                    if !is_known {
                        compare::compare(&decoded, target, &claims, &mut found);
                        compared = Some(claims);
                    }
                }
            }
            Err(reason) => found.push(Mismatch {
                place: operation.name.clone(),
                policies_say: "tables that can be read".to_string(),
                artifact_says: reason,
            }),
        }
    }
    // Hooks of which nothing is left need no operation; all others do.
    for (point, claims) in claims {
        let target = point.target.clone();
        compare::compare(&read::DecodedOperation::nothing(point), &target, &claims, &mut found);
    }
    if found.is_empty() { Ok(()) } else { Err(Disproof(found)) }
}

/// What [`body`] has to know of the program of an operation.
fn body_of<'a>(
    manifest: &Manifest,
    operation: &'a Operation,
    decoded: &'a read::DecodedOperation,
) -> body::Body<'a> {
    let lists = decoded.scopes.iter().flat_map(|scope| &scope.lists);
    let mut acts = lists.flat_map(|list| &list.rules).filter_map(|rule| rule.act);
    let map = |name: &str| manifest.maps.iter().find(|map| map.declared == name);
    body::Body {
        operation,
        dimensions: &decoded.dimensions,
        is_awaited: manifest.operations.iter().any(|other| other.calls == Some(operation.number)),
        enforces: acts.any(|act| act.sigkill || act.override_value.is_some()),
        scratch_slots: map("scratch").map_or(0, |map| map.max_entries),
        limit_key_bytes: map("limits").map_or(0, |map| map.key_size),
    }
}
