//! `TracingPolicyTemplate` and `TracingPolicyBinding` to policies like any other.
//!
//! Turns the templates and bindings of a run into a policy for each binding: the template's spec with the
//! binding's values in place of its variables, for the binding's workloads. The rules, where Cilium CFP-4191
//! leaves them open:
//!
//! - A template is known by its name in the whole run: it has no namespace, and selects no workloads itself. It is
//!   checked once on its own, whether or not a binding uses it; a template without bindings is a note.
//! - `valuesFromVariable` stands in place of `values` in the filters on arguments, programs, namespaces and
//!   capabilities. Every variable is used by some filter and gets values, possibly several times, from every
//!   binding. Its `type`, if given, is the type of each argument that it is compared with.
//! - A binding may have a namespace. It then selects pods of that namespace alone, as a namespaced policy does, and
//!   may have what such a policy may have. Without one it is cluster-wide; none is filled in.
//! - A binding with a selector selects what a policy with that selector selects. One with neither selector nor
//!   override field is named `<template>-<name>` and selects the pods labelled `tetragon-<template>=<name>`.
//!   Override fields without a selector are refused: such a binding would be for everything.
//! - Two bindings of one template that may select one workload are in conflict, whatever their namespaces. It is
//!   an error unless both allow it (`overrideAllowed`, false by default) and their `overridePriority` (0 by
//!   default) differs. Then the higher one applies there, and the lower one is for its other workloads.
//! - The policy's identity is (`TracingPolicyBinding`, namespace, name). Policies of the other kinds come first
//!   where one override has to win. Hooks and selectors have their places in the template, the policy in the
//!   binding.
//!
//! Assumes that nothing of plain policies depends on this. Guarantees that the order of documents does not
//! matter, and that what is wrong with a template is said once, not once for each binding.

pub mod binding;
mod conflicts;

use std::cell::Cell;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use self::binding::{Binding, Workload};
use super::{Resolver, Whole};
use crate::diag::suggest::nearest;
use crate::diag::{Diagnostic, Diagnostics, Severity, bindings as codes, schema};
use crate::policy::context::Cx;
use crate::policy::context::given::{Bound, Declared, Variables};
use crate::policy::expand::{self, copy, variables};
use crate::policy::resolve::{hooks, identity, options};
use crate::policy::written::{self, Select, Workloads};
use crate::policy::{PolicyKind, Scope, Strings, Template as Origin};
use crate::source::Span;
use crate::syntax::ast::objects::Spec;
use crate::syntax::ast::rules::key_span;
use crate::syntax::ast::{self, Document};

/// A template that was checked on its own.
struct Template<'a> {
    name: String,
    name_span: Span,
    document: Span,
    spec: Option<&'a Spec<'a>>,
    declared: Declared<'a>,
    refused: bool,
    /// What was said of it.
    known: FxHashSet<Diagnostic>,
    is_used: bool,
}

/// Every binding becomes a policy of the resolver's set.
pub fn expand(resolver: &mut Resolver<'_>, diags: &mut Diagnostics) {
    let trees = std::mem::take(&mut resolver.templates);
    let documents: Vec<Document<'_>> =
        trees.iter().filter_map(|tree| ast::read_template(&tree.root, diags)).collect();
    // A template that has no name, or is no mapping, may be the one that is looked for.
    let mut all_known = documents.len() == trees.len() && !could_not_be_read(diags);
    let mut templates: Vec<Template<'_>> = vec![];
    let mut by_name: FxHashMap<String, usize> = FxHashMap::default();
    for document in &documents {
        match check(document, resolver, diags) {
            Some(template) => match by_name.get(&template.name) {
                Some(&first) => {
                    let first = templates[first].name_span;
                    let kind = crate::syntax::documents::DocumentKind::TracingPolicyTemplate.name();
                    diags.push(schema::duplicate_policy(kind, &template.name, first, template.name_span));
                    resolver.has_errors = true;
                }
                None => {
                    by_name.insert(template.name.clone(), templates.len());
                    templates.push(template);
                }
            },
            None => all_known = false,
        }
    }
    expand_bindings(resolver, &mut templates, &by_name, all_known, diags);
    for template in templates.iter().filter(|template| !template.is_used) {
        diags.push(codes::unused_template(&template.name, template.name_span));
    }
}

/// Text or YAML of some input was refused, and with it perhaps a template.
fn could_not_be_read(diags: &Diagnostics) -> bool {
    const FIRST_OF_DOCUMENTS: u16 = 50;
    diags.iter().any(|d| d.severity == Severity::Error && d.code.0 < FIRST_OF_DOCUMENTS)
}

/// Checks a template on its own, its values left open. `None` if it has no name.
fn check<'a>(
    document: &'a Document<'a>,
    resolver: &mut Resolver<'_>,
    diags: &mut Diagnostics,
) -> Option<Template<'a>> {
    let mut found = Diagnostics::default();
    // Values of the template alone are of no policy.
    let mut strings = Strings::default();
    let mut cx = Cx::new(&mut found, &mut strings, &mut resolver.facts);
    cx.refused = document.policy.poisoned;
    let name = document.policy.metadata.as_ref().and_then(|m| identity::of_template(m, &mut cx));
    let spec = document.policy.spec.as_ref();
    let declared = spec.map_or_else(Declared::default, |spec| variables::declared(spec, &mut cx));
    let refused = match spec {
        Some(spec) => {
            let mut cx = Cx { variables: Variables::Declared(&declared), ..cx };
            check_selects_nothing(spec, &mut cx);
            options::resolve(spec, resolver.options.monitor, &mut cx);
            let expanded = expand::spec(spec, &mut cx);
            _ = hooks::resolve(PolicyKind::TracingPolicy, &expanded, &mut cx);
            // What was refused may have used them.
            if !cx.refused {
                variables::report_unused(&declared, &mut cx);
            }
            cx.refused
        }
        None => cx.refused,
    };
    resolver.has_errors |= refused;
    let known = found.iter().cloned().collect();
    diags.extend(found);
    let (name, name_span) = name?;
    Some(Template {
        name,
        name_span,
        document: document.span,
        spec,
        declared,
        refused,
        known,
        is_used: false,
    })
}

fn check_selects_nothing(spec: &Spec<'_>, cx: &mut Cx<'_>) {
    for field in ["podSelector", "containerSelector", "hostSelector", "nodeSelector"] {
        if let Some(span) = key_span(spec.node, field) {
            cx.report(codes::template_with_workload(field, span));
        }
    }
}

fn expand_bindings(
    resolver: &mut Resolver<'_>,
    templates: &mut [Template<'_>],
    by_name: &FxHashMap<String, usize>,
    all_known: bool,
    diags: &mut Diagnostics,
) {
    let bindings = std::mem::take(&mut resolver.bindings);
    let mut of_template: Vec<Vec<usize>> = vec![vec![]; templates.len()];
    let mut scopes: Vec<Option<Scope>> = vec![None; bindings.len()];
    let mut selects: Vec<Option<Arc<Select>>> = vec![None; bindings.len()];
    for (b, binding) in bindings.iter().enumerate() {
        let Some(reference) = &binding.template else { continue };
        let mut cx = Cx::new(diags, &mut resolver.set.strings, &mut resolver.facts);
        match by_name.get(&*reference.value) {
            Some(&t) => {
                templates[t].is_used = true;
                of_template[t].push(b);
                (scopes[b], selects[b]) = selected(binding, &templates[t], &mut cx).unzip();
            }
            None if all_known => {
                let names = templates.iter().map(|template| template.name.as_str());
                let nearest = nearest(&reference.value, names);
                cx.report(codes::unknown_template(&reference.value, nearest, reference.span));
            }
            // Something else is wrong that may be the reason.
            None => cx.refused = true,
        }
        resolver.has_errors |= cx.refused;
    }
    for (template, of_template) in templates.iter().zip(&of_template) {
        let place = (&*template.name, template.name_span);
        let settled = conflicts::settle(&bindings, of_template, &mut scopes, place, diags);
        let taken_over = settled.unwrap_or_else(|conflicts::Refused| {
            resolver.has_errors = true;
            vec![]
        });
        for &b in of_template {
            let from = taken_over.partition_point(|(loser, _)| *loser < b);
            let of_loser = taken_over[from..].iter().take_while(|(loser, _)| *loser == b);
            let except = of_loser.filter_map(|(_, winner)| selects[*winner].clone()).collect();
            let selected = scopes[b].take().zip(selects[b].clone());
            let selected = selected.map(|(scope, of)| (scope, Workloads { of, except }));
            expand_one(resolver, &bindings[b], template, selected, diags);
        }
    }
}

/// What a binding selects. `None` if it is not known, which was reported.
fn selected(binding: &Binding, template: &Template<'_>, cx: &mut Cx<'_>) -> Option<(Scope, Arc<Select>)> {
    match (&binding.workload, &binding.name) {
        _ if binding.refused => None,
        (Workload::Selected(scope, select), _) => Some((scope.clone(), select.clone())),
        (Workload::ByLabel, Some((identity, span))) => match binding::labelled(identity, &template.name) {
            Ok(selected) => Some(selected),
            Err(why) => {
                cx.report(codes::binding_name(&identity.name, &why, template.name_span, *span));
                None
            }
        },
        (Workload::ByLabel, None) => None,
    }
}

/// Checks a binding's values and makes its policy, for what it selects if that is known.
fn expand_one(
    resolver: &mut Resolver<'_>,
    binding: &Binding,
    template: &Template<'_>,
    selected: Option<(Scope, Workloads)>,
    diags: &mut Diagnostics,
) {
    let mut cx = Cx::new(diags, &mut resolver.set.strings, &mut resolver.facts);
    cx.refused = binding.refused;
    let lists = binding::values(binding, &template.declared, (&template.name, template.name_span), &mut cx);
    let mut body = None;
    if let (Some(lists), Some(spec), Some((identity, name)), false) =
        (lists, template.spec, &binding.name, template.refused)
    {
        let bound = Bound {
            declared: &template.declared,
            lists,
            known: &template.known,
            document: binding.document,
            name: *name,
            place: Cell::new(None),
        };
        let mut cx =
            Cx { variables: Variables::Bound(&bound), refused: cx.refused, blocked: binding.blocked, ..cx };
        let mode = options::resolve(spec, resolver.options.monitor, &mut cx);
        // A namespace forbids what it forbids in a namespaced policy.
        let kind = match identity.namespace {
            Some(_) => PolicyKind::TracingPolicyNamespaced,
            None => PolicyKind::TracingPolicy,
        };
        let expanded = expand::spec(spec, &mut cx);
        let hooks = hooks::resolve(kind, &expanded, &mut cx);
        resolver.has_errors |= cx.refused;
        if let (false, false, Ok(hooks), Some((scope, workloads))) = (cx.refused, cx.blocked, hooks, selected)
        {
            let into = &mut resolver.set.written;
            let (written, unread) = copy::hooks(&expanded, cx.variables, into);
            let written = written::Policy {
                identity: identity.clone(),
                template: Some(Origin { name: template.name.clone(), document: template.document }),
                options: copy::options(spec, into),
                monitor: resolver.options.monitor,
                workloads,
                hooks: written,
                unread,
            };
            let whole = Whole { written, span: *name, document: binding.document, mode };
            body = Some((whole, scope, hooks));
        }
    } else {
        resolver.has_errors |= cx.refused;
    }
    if let Some((whole, scope, hooks)) = body {
        resolver.push(whole, scope, hooks, diags);
    }
}

#[cfg(test)]
mod tests;
