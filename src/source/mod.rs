//! The text of every input, and places in it.
//!
//! Everything later refers to text by [`Span`]: a source's number and a byte range. Nothing here knows YAML.

pub mod discover;
pub mod ignore;
mod lines;

use std::fmt;
use std::sync::OnceLock;

use self::lines::LineIndex;

/// Names one input of a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A byte range of one source. Ranges never leave the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        Span { source, start: start as u32, end: end as u32 }
    }

    /// The smallest span that holds both; both must be of one source.
    pub fn to(self, other: Span) -> Span {
        debug_assert_eq!(self.source, other.source);
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A value and the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

/// How an input came into the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Given on the command line; it is meant to hold policies.
    Named,
    /// Found in a folder, where other files may stand too.
    Found,
    /// It could not be read, or is no text. It has been reported, and stands here only to be named.
    Refused,
}

/// One input as the user named it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What outputs call it: below the folder given on the command line, the file's own name if it was given
    /// itself, `<stdin>` for `-`. The same from any working directory.
    pub name: String,
    /// What people and their tools find it by: as given on the command line, or joined to the folder given.
    pub path: String,
    pub origin: Origin,
    pub text: String,
    lines: OnceLock<LineIndex>,
}

/// All inputs of a run, in the order in which they are read and reported.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// Adds a text that needs no file, as if it had been named on the command line.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let name = name.into();
        self.add_file(name.clone(), name, Origin::Named, text.into())
    }

    pub fn add_file(&mut self, name: String, path: String, origin: Origin, text: String) -> SourceId {
        self.all.push(Source { name, path, origin, text, lines: OnceLock::new() });
        SourceId(self.all.len() as u32 - 1)
    }

    pub fn get(&self, id: SourceId) -> &Source {
        &self.all[id.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.all.iter().enumerate().map(|(i, s)| (SourceId(i as u32), s))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// 1-based line and column (in characters) of the first byte of `span`. The first call for a source
    /// costs one pass over it.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        self.get(span.source).line_column(span.start as usize)
    }

    /// `name:line`, as manifests and events show a place.
    pub fn place(&self, span: Span) -> impl fmt::Display + '_ {
        let line = self.line_column(span).0;
        format!("{}:{line}", self.get(span.source).name)
    }
}

impl Source {
    fn lines(&self) -> &LineIndex {
        self.lines.get_or_init(|| LineIndex::new(&self.text))
    }

    /// 1-based line and column (in characters) of a byte.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        self.lines().line_column(&self.text, at)
    }

    /// Byte range of a 1-based line, without its line break.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        self.lines().range(&self.text, line)
    }

    pub fn line_count(&self) -> usize {
        self.lines().count()
    }
}
