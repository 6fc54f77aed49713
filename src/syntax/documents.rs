//! The documents of all inputs, sorted into policies and the rest.
//!
//! Turns [`Sources`] into [`Document`]s, one for each policy: files of several documents and Kubernetes
//! `List`s are taken apart. What is no policy is skipped with a note or refused, so that a misspelt kind
//! never drops a policy in silence. Guarantees that the order is that of the inputs, whatever the number
//! of threads.
//! Knows only `apiVersion`, `kind` and `items`; all other fields are read by whoever takes the documents.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::yaml::scalars::Scalar;
use super::yaml::{Node, NodeKind, Reader};
use crate::diag::suggest::nearest_within;
use crate::diag::{Diagnostic, Diagnostics, Severity, documents as report};
use crate::source::{Origin, Source, SourceId, Sources, Span};

/// A policy as a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'s> {
    pub source: SourceId,
    pub kind: DocumentKind,
    /// Of the value of `kind`.
    pub kind_span: Span,
    /// Always a mapping.
    pub root: Node<'s>,
}

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    TracingPolicy,
    TracingPolicyNamespaced,
    TracingPolicyTemplate,
    TracingPolicyBinding,
}

impl DocumentKind {
    pub const ALL: &[DocumentKind] = &[
        DocumentKind::TracingPolicy,
        DocumentKind::TracingPolicyNamespaced,
        DocumentKind::TracingPolicyTemplate,
        DocumentKind::TracingPolicyBinding,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            DocumentKind::TracingPolicy => "TracingPolicy",
            DocumentKind::TracingPolicyNamespaced => "TracingPolicyNamespaced",
            DocumentKind::TracingPolicyTemplate => "TracingPolicyTemplate",
            DocumentKind::TracingPolicyBinding => "TracingPolicyBinding",
        }
    }

    fn from_name(name: &str) -> Option<DocumentKind> {
        DocumentKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// API group and version of all of them.
pub const API_VERSION: &str = "cilium.io/v1alpha1";
const API_GROUP: &str = "cilium.io/";

/// Other kinds of the group, which stand beside policies in many folders. Cilium's all begin alike.
const OTHER_KIND_PREFIX: &str = "Cilium";
const OTHER_KINDS: [&str; 1] = ["PodInfo"];

/// A kind of any group that is this near to one of ours is taken for it. (`TrafficPolicy` is 4 away.)
const KIND_MISSPELT_WITHIN: usize = 2;

/// Reads all inputs on up to `threads` threads, and hands each document to `each` on this one, in the order of
/// the inputs. A tree that `each` does not keep is freed before many more are read.
pub fn for_each<'s>(
    sources: &'s Sources,
    threads: usize,
    diags: &mut Diagnostics,
    each: &mut dyn FnMut(Document<'s>, &mut Diagnostics),
) {
    let inputs: Vec<(SourceId, &'s Source)> = sources.iter().collect();
    if threads <= 1 || inputs.len() <= GROUP {
        inputs.into_iter().for_each(|(id, source)| read_source(id, source, diags, each));
        return;
    }
    in_parallel(&inputs, threads, &mut |read| {
        diags.extend(read.diags);
        read.documents.into_iter().for_each(|document| each(document, diags));
    });
}

/// As [`for_each`], all trees kept.
pub fn read_all<'s>(sources: &'s Sources, threads: usize, diags: &mut Diagnostics) -> Vec<Document<'s>> {
    let mut all = Vec::new();
    for_each(sources, threads, diags, &mut |document, _| all.push(document));
    all
}

/// Inputs that a thread takes at a time: few, so that one large file does not leave the other threads idle.
const GROUP: usize = 16;

/// What one input gave.
struct Read<'s> {
    documents: Vec<Document<'s>>,
    diags: Diagnostics,
}

/// Reads every input and gives the results to `take` in order.
fn in_parallel<'s>(inputs: &[(SourceId, &'s Source)], threads: usize, take: &mut dyn FnMut(Read<'s>)) {
    let groups: Vec<_> = inputs.chunks(GROUP).collect();
    let threads = threads.min(groups.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        // Groups are taken in order and the channel is short, so that only few trees are alive at a time.
        let (send, receive) = mpsc::sync_channel(threads);
        for _ in 0..threads {
            let (send, groups, next) = (send.clone(), &groups, &next);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(group) = groups.get(i) else { break };
                    let results: Vec<Read<'s>> =
                        group.iter().map(|&(id, source)| read_one(id, source)).collect();
                    if send.send((i, results)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut early: BTreeMap<usize, Vec<Read<'s>>> = BTreeMap::new();
        let mut expected = 0;
        for (i, results) in receive {
            early.insert(i, results);
            while let Some(results) = early.remove(&expected) {
                results.into_iter().for_each(&mut *take);
                expected += 1;
            }
        }
    });
}

fn read_one<'s>(id: SourceId, source: &'s Source) -> Read<'s> {
    let mut read = Read { documents: Vec::new(), diags: Diagnostics::default() };
    read_source(id, source, &mut read.diags, &mut |document, _| read.documents.push(document));
    read
}

fn read_source<'s>(
    id: SourceId,
    source: &'s Source,
    diags: &mut Diagnostics,
    each: &mut dyn FnMut(Document<'s>, &mut Diagnostics),
) {
    let named = match source.origin {
        Origin::Named => true,
        Origin::Found => false,
        Origin::Refused => return,
    };
    if !named && let Some(skipped) = foreign(id, source) {
        return diags.push(skipped);
    }
    let errors_before = diags.len();
    let mut reader = Reader::new(id, &source.text);
    let mut seen_any = false;
    while let Some(root) = reader.next(diags) {
        // Generators leave empty documents between their separators.
        if !root.is_null() {
            seen_any = true;
            sort(Sorting { source: id, named, in_list: false }, root, diags, each);
        }
    }
    if !seen_any && diags.len() == errors_before {
        diags.push(report::no_kind(Span::new(id, 0, 0), "an empty file", named));
    }
}

/// What is to be said of a file in a folder that is no YAML and not meant to hold policies as it is.
fn foreign(id: SourceId, source: &Source) -> Option<Diagnostic> {
    let is_template = source.text.contains("{{");
    if !is_template && speaks_of_policies(&source.text) {
        return None;
    }
    let mut found = Diagnostics::default();
    let mut reader = Reader::new(id, &source.text);
    while reader.next(&mut found).is_some() {}
    let error = found.iter().find(|d| d.severity == Severity::Error)?;
    let at = error.labels.first()?.span;
    Some(if is_template {
        report::unrendered_template(at)
    } else {
        report::other_text(at, "text that is no YAML")
    })
}

/// The kind may be misspelt, or the group, but hardly both.
fn speaks_of_policies(text: &str) -> bool {
    let word = |word: &[u8]| text.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    word(b"cilium") || word(b"tracing") || word(b"kprobes") || word(b"lsmhooks")
}

#[derive(Clone, Copy)]
struct Sorting {
    source: SourceId,
    named: bool,
    in_list: bool,
}

fn sort<'s>(
    sorting: Sorting,
    root: Node<'s>,
    diags: &mut Diagnostics,
    each: &mut dyn FnMut(Document<'s>, &mut Diagnostics),
) {
    let kind = field(&root, "kind", false);
    let api_version = field(&root, "apiVersion", true);
    let Some(kind) = kind else {
        diags.push(match api_version.map(text) {
            Some(Some((version, span))) if version.starts_with(API_GROUP) => report::kind_missing(span),
            _ if sorting.in_list => report::list_item_without_kind(first_line(&root)),
            // Not a folder's stray file: half of what makes an object is there.
            Some(_) => report::no_kind(first_line(&root), "the document", true),
            None => report::no_kind(first_line(&root), &describe(&root), sorting.named),
        });
        return;
    };
    let Some((name, kind_span)) = text(kind) else {
        diags.push(report::kind_not_text(kind.span, kind.kind_name()));
        return;
    };
    let version = api_version.and_then(text);
    let ours = version.is_none_or(|(version, _)| version.starts_with(API_GROUP));
    if let Some(kind) = DocumentKind::from_name(name) {
        if let Some((version, span)) = version.filter(|&(version, _)| version != API_VERSION) {
            diags.push(report::unexpected_api_version(span, version, API_VERSION));
        }
        return each(Document { source: sorting.source, kind, kind_span, root }, diags);
    }
    if is_list(name, version.map(|(version, _)| version)) {
        return sort_list(sorting, root, kind_span, diags, each);
    }
    let known = DocumentKind::ALL.iter().map(|kind| kind.name());
    let other = name.starts_with(OTHER_KIND_PREFIX) || OTHER_KINDS.contains(&name);
    let misspelt =
        nearest_within(name, known.clone(), KIND_MISSPELT_WITHIN).is_some() || ours && version.is_some();
    if misspelt && !other {
        let known: Vec<&'static str> = known.collect();
        diags.push(report::unknown_kind(kind_span, name, &known));
    } else {
        diags.push(report::other_document(kind_span, name, version.map_or("", |(version, _)| version)));
    }
}

/// `kind: List` of `v1`, or the list of one of our kinds.
fn is_list(kind: &str, api_version: Option<&str>) -> bool {
    match kind.strip_suffix("List") {
        Some("") => api_version.is_none_or(|version| version == "v1"),
        Some(of) => DocumentKind::from_name(of).is_some(),
        None => false,
    }
}

/// The depth of the tree bounds the recursion through lists of lists.
fn sort_list<'s>(
    sorting: Sorting,
    root: Node<'s>,
    kind_span: Span,
    diags: &mut Diagnostics,
    each: &mut dyn FnMut(Document<'s>, &mut Diagnostics),
) {
    let NodeKind::Mapping(entries) = root.kind else { return };
    let mut items = entries.into_iter().filter(|(key, _)| key.key_text().as_deref() == Some("items"));
    let Some((_, items)) = items.next() else {
        diags.push(report::list_without_items(kind_span));
        return;
    };
    let what = items.kind_name();
    match items.kind {
        NodeKind::Sequence(items) => {
            for item in items {
                match item.kind {
                    NodeKind::Mapping(_) => sort(Sorting { in_list: true, ..sorting }, item, diags, each),
                    NodeKind::Scalar { .. } | NodeKind::Sequence(_) => {
                        diags.push(report::bad_list(item.span, "mappings", item.kind_name()));
                    }
                }
            }
        }
        NodeKind::Scalar { .. } | NodeKind::Mapping(_) => {
            diags.push(report::bad_list(items.span, "a list", what))
        }
    }
}

/// The value of a field of a mapping. Field names match in any case, as Go's JSON decoder matches them, but
/// `kind` is read from the generic tree.
fn field<'a, 's>(node: &'a Node<'s>, name: &str, any_case: bool) -> Option<&'a Node<'s>> {
    let same = |key: &str| key == name || any_case && key.eq_ignore_ascii_case(name);
    let found = node.as_mapping()?.iter().find(|(key, _)| key.key_text().is_some_and(|key| same(&key)));
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

fn text<'a>(node: &'a Node<'_>) -> Option<(&'a str, Span)> {
    match node.scalar()? {
        Scalar::Str(text) => Some((text, node.span)),
        Scalar::Null | Scalar::Bool(_) | Scalar::Int(_) | Scalar::Unsigned(_) | Scalar::Float(_) => None,
    }
}

fn describe(root: &Node<'_>) -> String {
    match &root.kind {
        NodeKind::Mapping(_) => "the document".to_string(),
        NodeKind::Scalar { .. } | NodeKind::Sequence(_) => format!("{} alone", root.kind_name()),
    }
}

/// A place for what is wrong with a whole document: its first key, or itself.
fn first_line(root: &Node<'_>) -> Span {
    match root.as_mapping().and_then(<[_]>::first) {
        Some((key, _)) if key.span.source == root.span.source => key.span,
        Some(_) | None => root.span,
    }
}

#[cfg(test)]
mod tests;
