//! What of a set can be compiled, and what stays with Tetragon.
//!
//! A file is the unit: it is compiled whole or stays whole, since a file is what Tetragon is given, and a policy that
//! both enforce would act twice. What remains is resolved anew without the others, so that the artifact is that of the
//! remaining files alone. An error in any file is still an error: nobody knows what was meant there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Folded, Input, fold, policies_of};
use crate::artifact::manifest::{LeftOut, LeftOutReason};
use crate::diag::{Diagnostic, Diagnostics, Severity, documents};
use crate::platform::Target;
use crate::policy::PolicySet;
use crate::source::{SourceId, Sources};

/// Files that stay, and what of each cannot be compiled.
#[derive(Clone, Debug, Default)]
pub struct Left(BTreeMap<SourceId, BTreeSet<(usize, String, String)>>);

impl Left {
    /// Each file by the path that the user gave.
    pub fn paths<'s>(&self, sources: &'s Sources) -> impl Iterator<Item = &'s str> {
        self.0.keys().map(|&id| sources.get(id).path.as_str())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the manifest has it.
    pub fn described(&self, sources: &Sources) -> Vec<LeftOut> {
        let file = |(&id, reasons): (&SourceId, &BTreeSet<_>)| {
            let file = sources.get(id).name.clone();
            let reason = |(line, code, message): &(usize, String, String)| LeftOutReason {
                source: format!("{file}:{line}"),
                code: code.clone(),
                message: message.clone(),
            };
            LeftOut { reasons: reasons.iter().map(reason).collect(), file: file.clone() }
        };
        self.0.iter().map(file).collect()
    }

    fn contains(&self, id: SourceId) -> bool {
        self.0.contains_key(&id)
    }

    /// The files of those findings of `severity`, each with what is said of it. Whether a file is new.
    fn add(&mut self, found: &Diagnostics, severity: Severity, sources: &Sources) -> bool {
        let before = self.0.len();
        for diagnostic in found.iter().filter(|d| d.severity == severity) {
            let Some(span) = diagnostic.labels.first().map(|label| label.span) else { continue };
            let line = sources.line_column(span).0;
            let reason = (line, diagnostic.code.to_string(), diagnostic.message.clone());
            self.0.entry(span.source).or_default().insert(reason);
        }
        self.0.len() > before
    }
}

/// The files of `set` that can be compiled for `target`, folded, and those that stay. `None`, with an error, if nothing
/// is left or a limit of the whole is exceeded.
pub fn choose(
    sources: &Sources,
    input: &Input,
    mut set: PolicySet,
    target: &Target,
    diags: &mut Diagnostics,
) -> (Option<(PolicySet, Folded)>, Left) {
    let mut left = Left::default();
    left.add(diags, Severity::NotCompiled, sources);
    loop {
        if !left.is_empty() {
            match without(sources, input, &mut left) {
                Some(rest) if input.allow_empty || !rest.policies.is_empty() => set = rest,
                Some(_) | None => {
                    diags.push(documents::all_left_out(left.len()));
                    return (None, left);
                }
            }
        }
        let mut found = Diagnostics::default();
        if let Some(folded) = fold(&set, target, &[], &mut found) {
            diags.extend(found);
            return (Some((set, folded)), left);
        }
        let is_new = !found.has_errors() && left.add(&found, Severity::NotCompiled, sources);
        let blocks = |d: &&Diagnostic| d.severity >= Severity::NotCompiled;
        found.iter().filter(blocks).cloned().for_each(|diagnostic| diags.push(diagnostic));
        if !is_new {
            return (None, left);
        }
    }
}

/// The set of the other files. One that needs what stays stays, too: a binding whose template does. `None` if an error
/// is nowhere.
fn without(sources: &Sources, input: &Input, left: &mut Left) -> Option<PolicySet> {
    loop {
        let mut found = Diagnostics::default();
        let is_taken = |id: SourceId| !left.contains(id);
        let set = policies_of(sources, input, &is_taken, &mut found).set;
        match set {
            Some(set) if !found.has_errors() => return Some(set),
            Some(_) | None if left.add(&found, Severity::Error, sources) => {}
            Some(_) | None => return None,
        }
    }
}
