//! Documents as written to a [`PolicySet`], in phases: what stands for something else is spelled out
//! ([`super::expand`]), then resolved and checked ([`super::resolve`]), and what is whole enters the set.
//!
//! Turns documents, one by one, into policies. Trees are let go of one by one; only those of templates are
//! kept, and of bindings what they say ([`templates`]), so that documents may come in any order.
//! Assumes that [`crate::syntax::ast::read`] reported what the schema refuses, and stays silent about what
//! follows from it.
//! Guarantees that every finding of every document is reported; that a policy enters the set only if
//! nothing of it was refused and everything of it can be compiled; that whatever Tetragon accepts and this
//! back end cannot compile is named ([`crate::diag::Severity::NotCompiled`]).
//! Does not ask the host: what only a node knows is asked of the kernels that were given ([`super::context::facts`]), and what none
//! of them tells is reported as unchecked, once for each fact.

mod templates;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::templates::binding::Binding;
use super::context::Cx;
use super::context::facts::Facts;
use super::expand::{self, copy};
use super::overlap::overrides::{self, Side};
use super::resolve::check::release;
use super::resolve::hook::Resolved;
use super::resolve::{hooks, identity, options, pieces, workload};
use super::written::{self, Workloads};
use super::{Hook, Identity, Mode, Policy, PolicySet, Scope, ScopeId};
use crate::diag::{Diagnostics, overlap as report, schema};
use crate::platform::kernel::Kernel;
use crate::source::Span;
use crate::syntax::ast::rules::key_span;
use crate::syntax::ast::{self, Document};
use crate::syntax::documents::{Document as Tree, DocumentKind};
use crate::vocab::release::Release;

/// What the user says about the run as a whole.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The namespace of a namespaced policy that names none, as kubectl would fill it in.
    pub namespace: String,
    /// Every policy only reports what it would do.
    pub monitor: bool,
    /// Of Tetragon, for which policies are checked.
    pub release: Release,
    /// The kernels that policies are checked against.
    pub kernels: Arc<[Kernel]>,
}

impl Default for ResolveOptions {
    fn default() -> ResolveOptions {
        let release = Release::default();
        ResolveOptions { namespace: "default".into(), monitor: false, release, kernels: Arc::default() }
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
    resolver.finish(diags)
}

/// Takes documents one by one.
pub struct Resolver<'s> {
    options: ResolveOptions,
    set: PolicySet,
    identities: FxHashMap<Identity, Span>,
    facts: Facts,
    has_errors: bool,
    /// Kept until all bindings are known.
    templates: Vec<Tree<'s>>,
    bindings: Vec<Binding>,
}

impl<'s> Resolver<'s> {
    pub fn new(options: ResolveOptions) -> Resolver<'s> {
        let facts = Facts::new(options.kernels.clone());
        Resolver {
            options,
            set: PolicySet::default(),
            identities: FxHashMap::default(),
            facts,
            has_errors: false,
            templates: vec![],
            bindings: vec![],
        }
    }

    /// Takes a document of any kind.
    pub fn take(&mut self, tree: Tree<'s>, diags: &mut Diagnostics) {
        release::check(&tree.root, self.options.release, diags);
        match tree.kind {
            DocumentKind::TracingPolicy | DocumentKind::TracingPolicyNamespaced => {
                if let Some(document) = ast::read(&tree.root, diags) {
                    self.add(&document, diags);
                }
            }
            DocumentKind::TracingPolicyTemplate => self.templates.push(tree),
            DocumentKind::TracingPolicyBinding => {
                if let Some(document) = ast::read_binding(&tree.root, diags) {
                    let binding = templates::binding::resolve(&document, self, diags);
                    self.bindings.push(binding);
                }
            }
        }
    }

    /// Takes a policy.
    pub fn add(&mut self, document: &Document<'_>, diags: &mut Diagnostics) {
        let mut cx = Cx::new(diags, &mut self.set.strings, &mut self.facts);
        cx.refused = document.policy.poisoned;
        if let Some(status) = document.policy.status {
            cx.report(schema::status(key_span(document.policy.node, "status").unwrap_or(status.span)));
        }
        let metadata = document.policy.metadata.as_ref();
        let identity = metadata.and_then(|metadata| {
            identity::resolve(document.kind, metadata, &self.options.namespace, &mut cx)
        });
        if let Some((identity, span)) = &identity {
            check_identity(&mut self.identities, identity, *span, &mut cx);
        }
        let mut body = None;
        if let Some(spec) = &document.policy.spec {
            let mode = options::resolve(spec, self.options.monitor, &mut cx);
            let namespace = identity.as_ref().and_then(|(identity, _)| identity.namespace.as_deref());
            let scope = workload::resolve(spec, namespace, &mut cx);
            let expanded = expand::spec(spec, &mut cx);
            let hooks = hooks::resolve(document.kind, &expanded, &mut cx);
            body = Some((mode, scope, hooks, expanded));
        }
        let is_whole = !cx.refused && !cx.blocked;
        self.has_errors |= cx.refused;
        if let (true, Some((identity, span)), Some((mode, scope, Ok(hooks), expanded))) =
            (is_whole, identity, body)
        {
            let into = &mut self.set.written;
            let (written, unread) = copy::hooks(&expanded, cx.variables, into);
            let spec = expanded.spec;
            let (pod, container) = (spec.pod_selector.as_ref(), spec.container_selector.as_ref());
            let namespace = identity.namespace.as_deref();
            let of = copy::select(pod, container, spec.host_selector.as_ref(), namespace);
            let written = written::Policy {
                identity: identity.clone(),
                template: None,
                options: copy::options(spec, into),
                monitor: self.options.monitor,
                workloads: Workloads { of, except: vec![] },
                hooks: written,
                unread,
            };
            let whole = Whole { written, span, document: document.span, mode };
            self.push(whole, scope, hooks, diags);
        }
    }

    /// A policy that can be compiled enters the set.
    fn push(&mut self, whole: Whole, scope: Scope, hooks: Vec<Resolved>, diags: &mut Diagnostics) {
        let Whole { written, span, document, mode } = whole;
        let mut pieces: Vec<(Option<Scope>, Hook)> = Vec::with_capacity(hooks.len());
        // What selects nothing was reported where it says so, and costs nothing.
        let hooks = if scope.any.is_empty() { vec![] } else { hooks };
        for resolved in hooks {
            let place = resolved.hook.span;
            pieces::report_disjoint(&scope, &resolved, diags);
            match pieces::of(&scope, resolved) {
                Some(of_hook) => pieces.extend(of_hook),
                None => {
                    diags.push(schema::not_compiled("so mixed a set of `matchWorkloads`", place));
                    return;
                }
            }
        }
        // A scope that no hook has would only be evaluated for nothing.
        let first = pieces.first().and_then(|(scope, _)| scope.as_ref());
        let mut intern = |scope: &Scope| match self.set.scopes.get_index_of(scope) {
            Some(known) => ScopeId(known as u32),
            None => ScopeId(self.set.scopes.insert_full(scope.clone()).0 as u32),
        };
        let of_policy = intern(first.unwrap_or(&scope));
        let is_split = first.is_some();
        let mut hooks = Vec::with_capacity(pieces.len());
        for (piece, hook) in pieces {
            let of_hook = match &piece {
                None if !is_split => of_policy,
                None => intern(&scope),
                Some(piece) => intern(piece),
            };
            hooks.push(Hook { scope: (of_hook != of_policy).then_some(of_hook), ..hook });
        }
        let (file, scope) = (span.source, of_policy);
        let (identity, template) = (written.identity.clone(), written.template.clone());
        self.set.written.policies.push(written);
        self.set.policies.push(Policy { identity, file, span, document, template, mode, scope, hooks });
    }

    /// The policies in order of identity; `None` if any document had an error.
    pub fn finish(mut self, diags: &mut Diagnostics) -> Option<PolicySet> {
        templates::expand(&mut self, diags);
        if self.has_errors {
            return None;
        }
        self.set.policies.sort_by(|a, b| a.identity.cmp(&b.identity));
        self.set.written.policies.sort_by(|a, b| a.identity.cmp(&b.identity));
        // Numbers of scopes must not depend on the order in which files were read.
        let read = std::mem::take(&mut self.set.scopes);
        let mut renumber =
            |id: ScopeId| ScopeId(self.set.scopes.insert_full(read[id.0 as usize].clone()).0 as u32);
        for policy in &mut self.set.policies {
            policy.scope = renumber(policy.scope);
            for hook in &mut policy.hooks {
                hook.scope = hook.scope.map(&mut renumber);
            }
        }
        self.set.contradictions = overrides::find(&self.set);
        report_contradictions(&self.set, diags);
        Some(self.set)
    }
}

/// A policy but for its workloads and hooks.
struct Whole {
    /// Whose identity is the policy's.
    written: written::Policy,
    /// Of its name.
    span: Span,
    document: Span,
    mode: Mode,
}

fn check_identity(
    identities: &mut FxHashMap<Identity, Span>,
    identity: &Identity,
    span: Span,
    cx: &mut Cx<'_>,
) {
    match identities.get(identity) {
        Some(&first) => {
            cx.report(schema::duplicate_policy(identity.kind.name(), &identity.name, first, span));
        }
        None => _ = identities.insert(identity.clone(), span),
    }
}

fn report_contradictions(set: &PolicySet, diags: &mut Diagnostics) {
    let shown = |side: Side| {
        let policy = &set.policies[side.policy];
        report::Override {
            policy: &policy.identity.name,
            value: side.value,
            span: policy.hooks[side.hook].selectors[side.selector].span,
            binding: policy.template.as_ref().map(|_| policy.span),
        }
    };
    for found in &set.contradictions {
        let operation = &found.operation;
        for one in &found.described {
            let (winner, loser) = (shown(one.winner), shown(one.loser));
            diags.push(report::contradictory_overrides(operation, winner, loser, &one.witness, one.alike));
        }
        if let (true, Some(first)) = (found.further > 0 || found.stopped, found.described.first()) {
            let span = shown(first.loser).span;
            diags.push(report::further_contradictions(operation, found.further, found.stopped, span));
        }
    }
}
