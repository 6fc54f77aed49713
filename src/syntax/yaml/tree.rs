//! Builds the tree of one document from events, without recursion.
//!
//! Guarantees: at most [`MAX_NODES`] nodes a document; aliases expand as far as go-yaml v2 lets them and no
//! further; every span lies inside the text. An error in a document does not end its reading, so that
//! further errors are found, but then no tree comes of it.

use std::borrow::Cow;

use granit_parser::{Event, ScalarStyle, StructureStyle, Tag};
use rustc_hash::FxHashMap;

use super::tags::{self, Effect};
use super::{MAX_ALIASED_NODES, MAX_NODES, Node, NodeKind, Style};
use crate::diag::{Diagnostics, yaml as report};
use crate::source::{SourceId, Span};

/// This document is not to be read any further than `at`; the reason has been reported.
pub struct Stop {
    pub at: usize,
}

/// Byte ranges of an event and of its tag, inside the text and on character boundaries.
#[derive(Clone, Copy)]
pub struct Located {
    pub start: usize,
    pub end: usize,
    pub tag: Option<(usize, usize)>,
}

/// A document and what the tab check needs of it.
pub struct Document<'s> {
    pub root: Node<'s>,
    /// Byte ranges in which tabs are free: multi-line scalars, and lists and mappings in flow style, ascending.
    pub tab_free: Vec<(u32, u32)>,
    pub range: (usize, usize),
}

pub struct Builder<'s> {
    source: SourceId,
    text: &'s str,
    /// Whether ranges without tabs are worth noting.
    has_tabs: bool,
    open: Vec<Frame<'s>>,
    anchors: FxHashMap<usize, Anchored<'s>>,
    counts: Counts,
    /// Values that came from aliases, in this text so far.
    aliased_in_text: usize,
    failed: bool,
    /// Where the last bad key of this text starts.
    bad_key: Option<usize>,
    /// Where the current document starts: behind the one before, with what stands between.
    start: usize,
    tab_free: Vec<(u32, u32)>,
    root: Option<Node<'s>>,
}

/// What go-yaml v2 counts (`decode.go`): a step for every value, and of those the steps below an alias.
#[derive(Clone, Copy, Default)]
struct Counts {
    steps: usize,
    alias_steps: usize,
    /// Nodes copied because they have an anchor.
    copied: usize,
}

struct Anchored<'s> {
    node: Node<'s>,
    steps: usize,
}

/// A list or mapping whose end has not been seen.
struct Frame<'s> {
    content: Content<'s>,
    /// Of what has been seen so far, with the brackets of flow style.
    start: usize,
    end: usize,
    bracketed: bool,
    anchor: usize,
    /// Steps before it was opened.
    steps_before: usize,
}

enum Content<'s> {
    Sequence(Vec<Node<'s>>),
    Mapping { entries: Vec<(Node<'s>, Node<'s>)>, key: Option<Key<'s>> },
}

enum Key<'s> {
    Plain(Node<'s>),
    /// `<<`, and where it stands.
    Merge(Span),
}

impl<'s> Builder<'s> {
    pub fn new(source: SourceId, text: &'s str) -> Builder<'s> {
        Builder {
            source,
            text,
            has_tabs: text.contains('\t'),
            open: Vec::new(),
            anchors: FxHashMap::default(),
            counts: Counts::default(),
            aliased_in_text: 0,
            failed: false,
            bad_key: None,
            start: 0,
            tab_free: Vec::new(),
            root: None,
        }
    }

    /// Takes one event; returns the document that it completes, if it was free of errors.
    pub fn take(
        &mut self,
        event: Event<'s>,
        span: &Located,
        diags: &mut Diagnostics,
    ) -> Result<Option<Document<'s>>, Stop> {
        let (start, end) = (span.start, span.end);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), span, diags)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), span, diags);
                self.open(Content::Sequence(Vec::new()), style, anchor, (start, end));
            }
            Event::MappingStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), span, diags);
                self.open(Content::Mapping { entries: Vec::new(), key: None }, style, anchor, (start, end));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end, diags)?,
            Event::Alias(id) => self.alias(id, Span::new(self.source, start, end), diags)?,
            Event::UnresolvedAlias(name) => {
                let span = Span::new(self.source, start, end);
                diags.push(report::unknown_anchor(span, &name));
                self.failed = true;
                self.place(null(span), (start, end), diags)?;
            }
            Event::DocumentStart(..) => self.forget(),
            Event::DocumentEnd => return Ok(self.finish(end)),
            Event::StreamStart | Event::StreamEnd => {}
            // Anchors and comments are not asked for, and the parser's list may grow only by such extras.
            _ => {}
        }
        Ok(None)
    }

    /// Gives the current document up; reading goes on at the next.
    pub fn abandon(&mut self, at: usize) {
        self.start = at;
        self.forget();
    }

    fn forget(&mut self) {
        self.open.clear();
        self.anchors.clear();
        self.counts = Counts::default();
        self.failed = false;
        self.tab_free.clear();
        self.root = None;
    }

    fn finish(&mut self, end: usize) -> Option<Document<'s>> {
        let start = std::mem::replace(&mut self.start, end);
        let root = self.root.take().filter(|_| !self.failed)?;
        Some(Document { root, tab_free: std::mem::take(&mut self.tab_free), range: (start, end) })
    }

    fn scalar(
        &mut self,
        text: Cow<'s, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        event_span: &Located,
        diags: &mut Diagnostics,
    ) -> Result<(), Stop> {
        let (start, end) = (event_span.start, event_span.end);
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        // The parser writes `~` for a value that is not there, and puts it in front of the colon.
        let missing = style == Style::Plain && start == end;
        let text = if missing { Cow::Borrowed("") } else { text };
        let behind_colon = missing && !self.expects_key() && self.text[start..].starts_with(':');
        let (start, end) = if behind_colon { (start + 1, end + 1) } else { (start, end) };
        if self.has_tabs && start < end {
            self.tab_free.push((start as u32, end as u32));
        }
        let end = if style == Style::Block { trim_line_breaks(self.text, start, end) } else { end };
        let span = Span::new(self.source, start, end);
        if style == Style::DoubleQuoted
            && let Some((at, written)) = surrogates(&self.text[start..end])
        {
            let place = Span::new(self.source, start + at, start + at + written.len());
            diags.push(report::surrogate_escapes(place, written));
            self.failed = true;
        }
        let style = match tag.map(|tag| tags::effect(tag, &text, style)) {
            None | Some(Effect::None) => style,
            Some(Effect::Plain) => Style::Plain,
            Some(Effect::Text) => {
                if style == Style::Plain {
                    Style::DoubleQuoted
                } else {
                    style
                }
            }
            Some(Effect::Unknown) => {
                diags.push(report::unknown_tag(self.tag_span(event_span), self.text));
                if style == Style::Plain { Style::DoubleQuoted } else { style }
            }
            Some(Effect::Mismatch(expected)) => {
                diags.push(report::tag_mismatch(span, self.tag_span(event_span), expected));
                self.failed = true;
                style
            }
            Some(Effect::Unsupported) => {
                diags.push(report::unsupported_tag(self.tag_span(event_span), self.text));
                self.failed = true;
                style
            }
        };
        self.step(1, (start, end), diags)?;
        let untagged = tag.is_none_or(tags::allows_merge);
        if untagged && style == Style::Plain && text == "<<" && self.expects_key() {
            self.counts.steps -= 1;
            self.set_merge_key(span);
            return Ok(());
        }
        let node = Node { span, kind: NodeKind::Scalar { text, style } };
        self.remember(anchor, &node, 1, diags)?;
        self.place(node, (start, end), diags)
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, span: &Located, diags: &mut Diagnostics) {
        if tag.is_some_and(|tag| !tags::is_collection_tag(tag)) {
            diags.push(report::unknown_tag(self.tag_span(span), self.text));
        }
    }

    fn tag_span(&self, span: &Located) -> Span {
        let (start, end) = span.tag.unwrap_or((span.start, span.end));
        Span::new(self.source, start, end)
    }

    fn open(&mut self, content: Content<'s>, style: StructureStyle, anchor: usize, range: (usize, usize)) {
        let bracketed = style == StructureStyle::Flow && range.0 < range.1;
        let steps_before = self.counts.steps;
        self.open.push(Frame { content, start: range.0, end: range.1, bracketed, anchor, steps_before });
        self.counts.steps += 1;
    }

    fn close(&mut self, end: usize, diags: &mut Diagnostics) -> Result<(), Stop> {
        // The parser pairs starts and ends.
        let Some(frame) = self.open.pop() else { return Err(Stop { at: end }) };
        let end = if frame.bracketed { end } else { frame.end };
        let kind = match frame.content {
            Content::Sequence(items) => NodeKind::Sequence(items),
            Content::Mapping { entries, .. } => NodeKind::Mapping(entries),
        };
        if self.has_tabs && frame.bracketed {
            self.tab_free.push((frame.start as u32, end as u32));
        }
        let node = Node { span: Span::new(self.source, frame.start, end), kind };
        self.step(0, (frame.start, end), diags)?;
        let steps = self.counts.steps - frame.steps_before;
        self.remember(frame.anchor, &node, steps, diags)?;
        self.place(node, (frame.start, end), diags)
    }

    fn alias(&mut self, id: usize, span: Span, diags: &mut Diagnostics) -> Result<(), Stop> {
        let range = (span.start as usize, span.end as usize);
        let Some(anchored) = self.anchors.get(&id) else {
            // Not complete yet, so the alias stands inside it.
            let of =
                self.open.iter().find(|frame| frame.anchor == id).map_or(span.start as usize, |f| f.start);
            diags.push(report::recursive_alias(span, Span::new(self.source, of, of)));
            self.failed = true;
            return self.place(null(span), range, diags);
        };
        let steps = anchored.steps;
        self.counts.steps += 1 + steps;
        self.counts.alias_steps += steps;
        self.aliased_in_text += steps;
        if self.counts.excessive_aliasing() || self.aliased_in_text > MAX_ALIASED_NODES {
            diags.push(report::excessive_aliasing(span));
            return Err(Stop { at: range.1 });
        }
        self.step(0, range, diags)?;
        let node = self.anchors.get(&id).map_or_else(|| null(span), |anchored| anchored.node.clone());
        diags.note_alias(node.span, span);
        self.place(node, range, diags)
    }

    /// Keeps a copy of a node that has an anchor.
    fn remember(
        &mut self,
        anchor: usize,
        node: &Node<'s>,
        steps: usize,
        diags: &mut Diagnostics,
    ) -> Result<(), Stop> {
        if anchor != 0 {
            self.counts.copied += steps;
            self.step(0, (node.span.start as usize, node.span.end as usize), diags)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), steps });
        }
        Ok(())
    }

    fn step(&mut self, steps: usize, at: (usize, usize), diags: &mut Diagnostics) -> Result<(), Stop> {
        self.counts.steps += steps;
        if self.counts.steps.max(self.counts.copied) > MAX_NODES {
            let end = at.1.min(self.text.ceil_char_boundary((at.0 + 1).min(self.text.len())));
            diags.push(report::document_too_large(Span::new(self.source, at.0, end.max(at.0)), MAX_NODES));
            return Err(Stop { at: at.0 });
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn set_merge_key(&mut self, span: Span) {
        if let Some(frame) = self.open.last_mut() {
            frame.cover(span.start as usize, span.end as usize);
            if let Content::Mapping { key, .. } = &mut frame.content {
                *key = Some(Key::Merge(span));
            }
        }
    }

    /// Puts a complete node where it belongs. `range` is where it is written, which is the alias for a
    /// node that came through one.
    fn place(&mut self, node: Node<'s>, range: (usize, usize), diags: &mut Diagnostics) -> Result<(), Stop> {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.cover(range.0, range.1);
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key } => match key.take() {
                None => {
                    // A key that holds a bad key has been reported with it.
                    if node.key_text().is_none()
                        && !self.bad_key.is_some_and(|at| range.0 <= at && at < range.1)
                    {
                        let span = Span::new(self.source, range.0, range.1);
                        diags.push(report::bad_key(span, node.kind_name(), self.text));
                        self.failed = true;
                        self.bad_key = Some(range.0);
                    }
                    *key = Some(Key::Plain(node));
                }
                Some(Key::Plain(key)) => entries.push((key, node)),
                Some(Key::Merge(span)) => {
                    if let Err(wrong) = merge(entries, node) {
                        diags.push(report::bad_merge(span, wrong.span, wrong.kind_name()));
                        self.failed = true;
                    }
                }
            },
        }
        Ok(())
    }
}

impl Frame<'_> {
    /// A block list starts behind its first dash and a block mapping is announced by an empty range, so the
    /// range of both is that of their elements.
    fn cover(&mut self, start: usize, end: usize) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }
}

impl Counts {
    /// go-yaml v2, `decode.go`: beyond 100 steps below aliases and 1000 in all, 99 % may come from aliases
    /// up to 400 000 steps, falling to 10 % at 4 000 000.
    fn excessive_aliasing(self) -> bool {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        if self.alias_steps <= 100 || self.steps <= 1000 {
            return false;
        }
        let steps = self.steps as f64;
        let allowed = 0.99 - 0.89 * ((steps - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        self.alias_steps as f64 / steps > allowed
    }
}

/// Copies the entries of the mapping, or of each mapping of the list, behind `entries`. Keys that stand
/// twice then are duplicates, as they are for go-yaml v2 in strict mode.
fn merge<'s>(entries: &mut Vec<(Node<'s>, Node<'s>)>, value: Node<'s>) -> Result<(), Node<'s>> {
    match value.kind {
        NodeKind::Mapping(merged) => entries.extend(merged),
        NodeKind::Sequence(items) => {
            for item in items {
                match item.kind {
                    NodeKind::Mapping(merged) => entries.extend(merged),
                    NodeKind::Scalar { .. } | NodeKind::Sequence(_) => return Err(item),
                }
            }
        }
        NodeKind::Scalar { .. } => return Err(value),
    }
    Ok(())
}

fn null<'s>(span: Span) -> Node<'s> {
    Node { span, kind: NodeKind::Scalar { text: Cow::Borrowed(""), style: Style::Plain } }
}

/// The first character that a double-quoted scalar escapes by its two UTF-16 halves, as JSON does.
// Tetragon: libyaml, and so go-yaml v2, takes no escape of a half (`yaml_parser_scan_flow_scalar`).
fn surrogates(raw: &str) -> Option<(usize, &str)> {
    const ESCAPE: usize = r"\ud83d".len();
    let mut rest = raw;
    while let Some(backslash) = rest.find('\\') {
        let at = raw.len() - rest.len() + backslash;
        let mut behind = raw[at + 1..].chars();
        let is_half = |digits: &str| matches!(u32::from_str_radix(digits, 16), Ok(0xd800..0xe000));
        if behind.next() == Some('u') && raw.get(at + 2..at + ESCAPE).is_some_and(is_half) {
            return Some((at, raw.get(at..at + 2 * ESCAPE)?));
        }
        rest = behind.as_str();
    }
    None
}

fn trim_line_breaks(text: &str, start: usize, end: usize) -> usize {
    start + text[start..end].trim_end_matches(['\n', '\r']).len()
}
