//! A binding as read to what is kept of it until all templates are known.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::diag::Diagnostics;
use crate::diag::bindings as codes;
use crate::policy::context::Cx;
use crate::policy::context::given::Declared;
use crate::policy::expand::copy;
use crate::policy::phases::{Resolver, check_identity};
use crate::policy::resolve::identity;
use crate::policy::resolve::workload::{self, Selectors};
use crate::policy::written::{Label, Select};
use crate::policy::{Identity, PolicyKind, Requirement, RequirementOp, Scope, ScopeTerm};
use crate::source::{Span, Spanned};
use crate::syntax::ast::BindingDocument;
use crate::syntax::ast::bindings::BindingSpec;
use crate::syntax::ast::read::{List, Text};
use crate::syntax::ast::rules::key_span;
use crate::vocab::limit::LABEL_VALUE_BYTES;
use crate::vocab::operator::LabelOperator;

/// A binding without its tree.
pub struct Binding {
    /// With the place of the name.
    pub name: Option<(Identity, Span)>,
    pub document: Span,
    /// `templateRef.name`.
    pub template: Option<Spanned<Box<str>>>,
    pub workload: Workload,
    pub override_allowed: bool,
    /// Where it says so, or the binding's name.
    pub override_span: Span,
    pub priority: i32,
    entries: Vec<Entry>,
    /// Some entry may be missing.
    incomplete: bool,
    pub refused: bool,
    pub blocked: bool,
}

pub enum Workload {
    Selected(Scope, Arc<Select>),
    /// Pods with the label that follows from the names of template and binding.
    ByLabel,
}

/// The values of one variable.
struct Entry {
    name: Spanned<Box<str>>,
    values: Vec<Spanned<Box<str>>>,
    /// Of the list of values.
    span: Span,
    /// A value was refused.
    poisoned: bool,
}

pub fn resolve(
    document: &BindingDocument<'_>,
    resolver: &mut Resolver<'_>,
    diags: &mut Diagnostics,
) -> Binding {
    let mut cx = Cx::new(diags, &mut resolver.set.strings, &mut resolver.facts);
    let written = &document.binding;
    cx.refused = written.poisoned;
    let kind = PolicyKind::TracingPolicyBinding;
    let metadata = written.metadata.as_ref();
    let name = metadata.and_then(|m| identity::resolve(kind, m, &resolver.options.namespace, &mut cx));
    if let Some((identity, span)) = &name {
        check_identity(&mut resolver.identities, identity, *span, &mut cx);
    }
    let name_span = name.as_ref().map_or(document.span, |(_, span)| *span);
    let namespace = name.as_ref().and_then(|(identity, _)| identity.namespace.as_deref());
    let spec = written.spec.as_ref();
    let workload = spec.map_or(Workload::ByLabel, |spec| workload_of(spec, namespace, &mut cx));
    let allowed = spec.and_then(|spec| spec.override_allowed);
    let reference = spec.and_then(|spec| spec.template_ref.as_ref()).and_then(|reference| reference.name);
    let list = spec.and_then(|spec| spec.bindings.as_ref());
    let items = list.map_or(&[][..], |list| &list.items);
    let binding = Binding {
        document: document.span,
        template: reference.map(owned),
        workload,
        override_allowed: allowed.is_some_and(|allowed| allowed.value),
        override_span: allowed.map_or(name_span, |allowed| allowed.span),
        priority: spec.and_then(|spec| spec.override_priority).map_or(0, |priority| priority.value),
        entries: items
            .iter()
            .filter_map(|item| {
                let values = item.values.as_ref()?;
                let (span, poisoned) = (values.span, values.poisoned);
                let values = values.items.iter().map(|value| owned(*value)).collect();
                Some(Entry { name: owned(item.name?), values, span, poisoned })
            })
            .collect(),
        incomplete: spec.is_none_or(|spec| spec.incomplete)
            || items.iter().any(|item| item.incomplete)
            || list.is_some_and(|list| list.poisoned),
        refused: cx.refused,
        blocked: cx.blocked,
        name,
    };
    resolver.has_errors |= binding.refused;
    binding
}

fn owned(text: Text<'_>) -> Spanned<Box<str>> {
    text.map(Box::from)
}

fn workload_of(spec: &BindingSpec<'_>, namespace: Option<&str>, cx: &mut Cx<'_>) -> Workload {
    workload::check_nodes(spec.node_selector.as_ref(), cx);
    let selectors = Selectors {
        pod: spec.pod_selector.as_ref(),
        container: spec.container_selector.as_ref(),
        host: spec.host_selector.as_ref(),
    };
    let has_selector = [selectors.pod, selectors.container, selectors.host].iter().any(Option::is_some);
    if has_selector || spec.node_selector.is_some() {
        let select = copy::select(selectors.pod, selectors.container, selectors.host, namespace);
        return Workload::Selected(workload::scope(selectors, namespace, cx), select);
    }
    for field in ["overrideAllowed", "overridePriority"] {
        if let (Some(span), false) = (key_span(spec.node, field), spec.incomplete) {
            cx.report(codes::override_without_selector(field, span));
            break;
        }
    }
    Workload::ByLabel
}

/// The pods of a binding that is known by its name; otherwise why the name does not do.
pub fn labelled(identity: &Identity, template: &str) -> Result<(Scope, Arc<Select>), String> {
    let name = identity.name.strip_prefix(template).and_then(|rest| rest.strip_prefix('-'));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(format!("`{}-` and a name of its own are wanted", crate::diag::schema::shown(template)));
    };
    let key = format!("tetragon-{template}");
    if !workload::is_label_value(name) {
        return Err(format!(
            "what follows `{template}-` is no label's value ({LABEL_VALUE_BYTES} bytes at most)"
        ));
    }
    if !identity::is_label_key(&key) {
        return Err("the template's name is too long for a label".to_string());
    }
    let namespace = identity.namespace.clone();
    let values = vec![name.to_string()];
    let label = Label { key: key.clone(), operator: LabelOperator::In, values: values.clone() };
    let select =
        Select { namespace: namespace.clone(), pod: Some(vec![label]), container: None, host: false };
    let requirement = Requirement { key, op: RequirementOp::In, values };
    let scope = Scope { any: vec![ScopeTerm::Pods { namespace, pod: vec![requirement], container: vec![] }] };
    Ok((scope, Arc::new(select)))
}

/// The values of each variable of the template, in its order; no list where a value was refused. `None` if
/// a variable has none.
pub fn values<'a>(
    binding: &'a Binding,
    declared: &Declared<'_>,
    (template, template_span): (&str, Span),
    cx: &mut Cx<'_>,
) -> Option<Vec<Option<List<Text<'a>>>>> {
    let mut first: FxHashMap<&str, Span> = FxHashMap::default();
    let mut found: FxHashMap<usize, &Entry> = FxHashMap::default();
    let mut has_unknown = false;
    for entry in &binding.entries {
        let name = &*entry.name.value;
        if let Some(first) = first.insert(name, entry.name.span) {
            cx.report(codes::bound_twice(name, first, entry.name.span));
            continue;
        }
        match declared.position(name) {
            Some(at) => _ = found.insert(at, entry),
            None if declared.is_incomplete() => has_unknown = true,
            None => {
                has_unknown = true;
                let nearest = declared.nearest(name);
                let span = entry.name.span;
                cx.report(codes::unknown_variable(name, template, nearest, template_span, span));
            }
        }
    }
    if found.len() < declared.all().len() {
        let mut missing = declared.all().iter().enumerate().filter(|(at, _)| !found.contains_key(at));
        // A variable of another name may be the one that is missing.
        if let (Some((_, variable)), false) = (missing.next(), binding.incomplete || has_unknown) {
            let span = binding.name.as_ref().map_or(binding.document, |(_, span)| *span);
            let further = declared.all().len() - found.len() - 1;
            let name = variable.name;
            cx.report(codes::unbound_variable(name.value, further, name.span, span));
        }
        return None;
    }
    let lists = (0..declared.all().len()).map(|at| {
        let entry = found.get(&at).filter(|entry| !entry.poisoned)?;
        let items = entry.values.iter().map(|value| Spanned::new(&*value.value, value.span)).collect();
        Some(List { items, span: entry.span, poisoned: false })
    });
    Some(lists.collect())
}
