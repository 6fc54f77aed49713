//! Every compile proves its own output: the bytes just made are decoded and compared with the policies.
//!
//! Turns an artifact's manifest and files back into decision lists over the values that the tables spell
//! ([`decode`], [`read`]) and compares them, policy by policy and hook by hook, with the [`PolicySet`] that
//! went in ([`compare`]). Shares nothing with the folding and the builders but the layout of bytes; what a
//! pass left out it says in a certificate, which is checked too. The cost is linear in the policies' values.
//! It proves tables, lists, scopes and what the manifest says of policies, under the documented contract of
//! each stencil; the stencils themselves are proved by kernel tests.

pub mod compare;
pub mod decode;
mod identity;
pub mod read;

use std::collections::BTreeMap;
use std::fmt;

use crate::artifact::digest::Files;
use crate::artifact::manifest::Manifest;
use crate::fold::ir::Program;
use crate::fold::opt::Certificate;
use crate::policy::PolicySet;
use compare::{Claim, Mismatch};

/// The artifact does not say what the policies say: a fault of the compiler.
#[derive(Clone, Debug)]
pub struct Disproof(pub Vec<Mismatch>);

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

/// # Errors
/// Every difference found.
pub fn prove(
    set: &PolicySet,
    program: &Program,
    certificate: &Certificate,
    manifest: &Manifest,
    files: &Files,
) -> Result<(), Disproof> {
    let scopes = identity::scopes(set, manifest);
    let mut found = identity::compare(set, manifest, &scopes);
    let mut claims = claims(set, program, certificate);
    for operation in &manifest.operations {
        match read::operation(manifest, operation, files) {
            Ok(mut decoded) => {
                for scope in &mut decoded.scopes {
                    scope.scope = scopes.get(&scope.scope).map_or(u32::MAX, |id| id.0);
                }
                // Nothing is taken from the grouping: each attach point is compared as if it were the only one.
                for target in &operation.attach.targets {
                    decoded.target.clone_from(target);
                    let key = (decoded.kind.clone(), target.clone());
                    let claims = claims.remove(&key).unwrap_or_default();
                    found.extend(compare::compare(set, &decoded, &claims));
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
    for ((kind, target), claims) in claims {
        let nothing = read::DecodedOperation { kind, target, dimensions: vec![], scopes: vec![] };
        found.extend(compare::compare(set, &nothing, &claims));
    }
    if found.is_empty() { Ok(()) } else { Err(Disproof(found)) }
}

/// What each operation has to hold.
fn claims<'a>(
    set: &'a PolicySet,
    program: &Program,
    certificate: &Certificate,
) -> BTreeMap<(String, String), Vec<Claim<'a>>> {
    let mut omitted: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for &(list, selector, why) in &certificate.omitted {
        omitted.entry(list).or_default().push((selector, why));
    }
    let mut out: BTreeMap<(String, String), Vec<Claim<'a>>> = BTreeMap::new();
    for (l, list) in program.lists.iter().enumerate() {
        let attach = &program.operations[list.operation.0 as usize].attach;
        let omitted = omitted.remove(&l).unwrap_or_default();
        for (target, &hook) in attach.targets.iter().zip(&list.hooks) {
            out.entry((attach.kind.name().to_string(), target.clone())).or_default().push(Claim {
                policy: list.policy,
                hook: &set.policies[list.policy].hooks[hook],
                first_selector: list.first_selector,
                params: list.params.clone(),
                omitted: omitted.clone(),
            });
        }
    }
    out
}
