//! What is wrong with an input, as plain data. [`render`] turns it into text for people, [`json`], [`sarif`]
//! and [`github`] into text for tools.
//!
//! One cause gives one diagnostic; phases go on past it. A diagnostic is built by one constructor per
//! [`Code`]; nothing outside this module writes prose for the user.

pub mod actions;
pub mod arguments;
pub mod bindings;
pub mod codes;
pub mod config;
pub mod documents;
pub mod files;
pub mod github;
pub mod json;
pub mod junit;
pub mod kernels;
pub mod levels;
pub mod lints;
pub mod meant;
mod order;
pub mod overlap;
pub mod release;
pub mod render;
pub mod sarif;
pub mod schema;
pub mod suggest;
pub mod target;
pub mod weak;
pub mod words;
pub mod workload;
pub mod yaml;

pub use self::order::Counts;

use crate::source::Span;

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For information; never changes an exit code.
    Note,
    /// A lint: accepted, but probably not what was meant. [`levels`] make more or less of it.
    Warning,
    /// Valid for Tetragon, but this back end cannot compile it yet: an error unless Tetragon alone is asked.
    NotCompiled,
    Error,
}

impl Severity {
    /// As it stands in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::NotCompiled => "not-compiled",
            Severity::Error => "error",
        }
    }
}

/// A stable diagnostic code, such as `TF0204`. Its page is `diag/codes/TF0204.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TF{:04}", self.0)
    }
}

/// A place and what it has to do with the problem. The first label of a diagnostic is where it happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One finding. `message` is lowercase, without a full stop, and stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    /// What to write instead, or what can be written there.
    pub help: Option<String>,
    /// The facts behind it: a kernel version, what Tetragon does.
    pub notes: Vec<String>,
}

impl Diagnostic {
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, severity, message: message.into(), labels: vec![], help: None, notes: vec![] }
    }

    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, Severity::Error, message)
    }

    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }
}

/// Collects findings. Phases take it as `&mut` and go on past an error where they can.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    /// What an anchor names, and an alias that stands for it.
    aliases: Vec<(Span, Span)>,
}

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Takes back what was found at `span` under `code`: a later phase knows better.
    pub fn take_back(&mut self, code: Code, span: Span) {
        self.found.retain(|d| d.code != code || d.labels.first().is_none_or(|label| label.span != span));
    }

    pub fn extend(&mut self, other: Diagnostics) {
        self.found.extend(other.found);
        self.aliases.extend(other.aliases);
    }

    /// Notes that the alias at `used` stands for what is at `named`.
    pub fn note_alias(&mut self, named: Span, used: Span) {
        self.aliases.push((named, used));
    }

    /// Gives findings in what an anchor names the places of the aliases too: a name can be right at one and wrong at
    /// the other.
    pub fn place_aliases(&mut self) {
        const SHOWN: usize = 3;
        let mut aliases = std::mem::take(&mut self.aliases);
        if aliases.is_empty() {
            return;
        }
        aliases.sort_unstable_by_key(|(named, used)| (named.source, named.start, used.start));
        aliases.dedup();
        // Enough for every document that people write.
        aliases.truncate(1000);
        for diagnostic in &mut self.found {
            let Some(at) = diagnostic.labels.first().map(|label| label.span) else { continue };
            let is_in =
                |named: &Span| named.source == at.source && named.start <= at.start && at.end <= named.end;
            let used = aliases.iter().filter(|(named, _)| is_in(named)).map(|(_, used)| *used);
            for span in used.take(SHOWN) {
                diagnostic.labels.push(Label { span, text: "stands here too, through this alias".into() });
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter()
    }

    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    pub fn error_count(&self) -> usize {
        self.found.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Errors, or valid input that this back end cannot compile.
    pub fn blocks_compile(&self) -> bool {
        self.found.iter().any(|d| d.severity >= Severity::NotCompiled)
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }
}
