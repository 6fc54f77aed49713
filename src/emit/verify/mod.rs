//! Every compile proves its own output: the bytes just made are decoded and compared with the documents.
//!
//! Turns an artifact's manifest and files back into decision lists over the values that the tables spell
//! ([`decode`], [`read`]) and compares them ([`compare`]) with what every hook of every document says as it was
//! written ([`claims`]): the function, the parameters, the workloads, the conditions, the actions, the numbers.
//! Reads operators and values by itself ([`crate::interp::document`]) and shares nothing with resolving, folding
//! and the builders but the layout of bytes; what a pass left out it says in a certificate, which is checked too.
//! The cost is linear in the policies' values.
//! It proves tables, lists, scopes and what the manifest says of policies, under the documented contract of
//! each stencil; the stencils themselves, and that a body has those which the manifest implies, are proved by
//! kernel tests.

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

use std::fmt;

use self::claims::Claim;
use crate::artifact::digest::Files;
use crate::artifact::manifest::Manifest;
use crate::fold::opt::Certificate;
use crate::interp::document::{self, Unread};
use crate::policy::PolicySet;
use crate::source::Sources;

/// The artifact does not say what the policies say: a fault of the compiler.
#[derive(Clone, Debug)]
pub struct Disproof(pub Vec<Mismatch>);

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
    manifest: &Manifest,
    files: &Files,
) -> Result<(), Disproof> {
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
