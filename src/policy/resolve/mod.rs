//! Documents as written to a [`PolicySet`]: defaults, spellings and references are settled here, one file
//! per concern.
//!
//! Turns [`ast::Document`]s, one by one, so that a caller can let go of each, into policies.
//! Assumes that [`crate::syntax::ast::read`] reported what the schema refuses, and stays silent about what
//! follows from it.
//! Guarantees that every finding of every document is reported; that a policy enters the set only if
//! nothing of it was refused and everything of it can be compiled; that whatever Tetragon accepts and this
//! back end cannot compile is named ([`Severity::NotCompiled`]).
//! Does not ask the host: what only a node knows is reported as unchecked, once for each fact.
//!
//! To add a hook, filter, operator or action: its vocabulary row first (`vocab/`), then follow the compiler.

mod actions;
mod arg_filters;
mod args;
mod facts;
mod hooks;
mod identity;
mod lists;
mod macros;
mod options;
mod process;
mod selectors;
mod values;
mod workload;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use self::facts::Facts;
use super::{Identity, Policy, PolicySet, Strings};
use crate::diag::{Diagnostic, Diagnostics, Severity, schema};
use crate::source::Span;
use crate::syntax::ast::Document;

/// What the user says about the run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveOptions {
    /// The namespace of a namespaced policy that names none, as kubectl would fill it in.
    pub namespace: String,
    /// Every policy only reports what it would do.
    pub monitor: bool,
}

impl Default for ResolveOptions {
    fn default() -> ResolveOptions {
        ResolveOptions { namespace: "default".into(), monitor: false }
    }
}

/// `None` if any document has an error. A document that cannot be compiled is reported as such and not in the set.
pub fn resolve(
    documents: &[Document<'_>],
    options: &ResolveOptions,
    diags: &mut Diagnostics,
) -> Option<PolicySet> {
    let mut resolver = Resolver::new(options.clone());
    for document in documents {
        resolver.add(document, diags);
    }
    resolver.finish()
}

/// Takes documents one by one.
pub struct Resolver {
    options: ResolveOptions,
    set: PolicySet,
    identities: FxHashMap<Identity, Span>,
    facts: Facts,
    has_errors: bool,
}

impl Resolver {
    pub fn new(options: ResolveOptions) -> Resolver {
        Resolver {
            options,
            set: PolicySet::default(),
            identities: FxHashMap::default(),
            facts: Facts::default(),
            has_errors: false,
        }
    }

    pub fn add(&mut self, document: &Document<'_>, diags: &mut Diagnostics) {
        let mut cx = Cx {
            diags,
            strings: &mut self.set.strings,
            facts: &mut self.facts,
            refused: document.policy.poisoned,
            blocked: false,
        };
        let identity = identity::resolve(document, &self.options, &mut cx);
        if let Some((identity, span)) = &identity {
            match self.identities.get(identity) {
                Some(&first) => {
                    let kind = document.policy.kind.map_or("policy", |kind| kind.value);
                    cx.report(schema::duplicate_policy(kind, &identity.name, first, *span));
                }
                None => _ = self.identities.insert(identity.clone(), *span),
            }
        }
        let mut body = None;
        if let Some(spec) = &document.policy.spec {
            let mode = options::resolve(spec, self.options.monitor, &mut cx);
            let namespace = identity.as_ref().and_then(|(identity, _)| identity.namespace.as_deref());
            let scope = workload::resolve(spec, namespace, &mut cx);
            let hooks = hooks::resolve(document.kind, spec, &mut cx);
            body = Some((mode, scope, hooks));
        }
        self.has_errors |= cx.refused;
        let is_whole = !cx.refused && !cx.blocked;
        if let (true, Some((identity, span)), Some((mode, scope, hooks))) = (is_whole, identity, body) {
            let scope = super::ScopeId(self.set.scopes.insert_full(scope).0 as u32);
            self.set.policies.push(Policy {
                identity,
                file: span.source,
                span,
                document: document.span,
                mode,
                scope,
                hooks,
            });
        }
    }

    /// The policies in order of identity; `None` if any document had an error.
    pub fn finish(mut self) -> Option<PolicySet> {
        if self.has_errors {
            return None;
        }
        self.set.policies.sort_by(|a, b| a.identity.cmp(&b.identity));
        // Numbers of scopes must not depend on the order in which files were read.
        let read = std::mem::take(&mut self.set.scopes);
        for policy in &mut self.set.policies {
            let scope = read[policy.scope.0 as usize].clone();
            policy.scope = super::ScopeId(self.set.scopes.insert_full(scope).0 as u32);
        }
        Some(self.set)
    }
}

/// What the concerns share while one document is resolved.
struct Cx<'a> {
    diags: &'a mut Diagnostics,
    strings: &'a mut Strings,
    facts: &'a mut Facts,
    /// Something is wrong with the document.
    refused: bool,
    /// Something of it cannot be compiled.
    blocked: bool,
}

impl Cx<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.refused = true,
            Severity::NotCompiled => self.blocked = true,
            Severity::Warning | Severity::Note => {}
        }
        self.diags.push(diagnostic);
    }

    fn not_compiled(&mut self, what: &str, span: Span) {
        self.report(schema::not_compiled(what, span));
    }

    /// Says once for each `name` that a fact of its kind was not checked.
    fn unchecked(&mut self, kind: facts::FactKind, name: &str, span: Span) {
        if let Some(fact) = self.facts.first(kind, name) {
            self.diags.push(crate::diag::lints::unchecked(fact, span));
        }
    }
}
