//! The order in which findings are shown, and how many there are.

use std::cmp::Ordering;

use super::{Diagnostic, Diagnostics, Label, Severity};
use crate::source::Span;

impl Diagnostics {
    /// By source, place and code, each once; those without a place come last.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.iter().collect();
        sorted.sort_by(|a, b| compare(a, b));
        sorted.dedup_by(|a, b| a == b);
        sorted
    }

    /// Whether input or output could not be read or written.
    pub fn has_io_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error && d.code.is_io())
    }
}

/// How many findings there are of each severity, for the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub errors: usize,
    pub not_compiled: usize,
    pub warnings: usize,
    pub notes: usize,
    /// Inputs with at least one finding that is more than a note.
    pub files: usize,
}

impl Counts {
    pub fn of(diagnostics: &[&Diagnostic]) -> Counts {
        let mut counts = Counts::default();
        let mut files = Vec::new();
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => counts.errors += 1,
                Severity::NotCompiled => counts.not_compiled += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
            if diagnostic.severity != Severity::Note {
                files.extend(diagnostic.labels.first().map(|label| label.span.source));
            }
        }
        files.sort_unstable();
        files.dedup();
        counts.files = files.len();
        counts
    }

    /// `2 errors and 1 warning in 2 files`; `None` if there is nothing but notes.
    pub fn summary(&self) -> Option<String> {
        let count = |n: usize, one: &str, many: &str| {
            (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
        };
        let parts = [
            count(self.errors, "error", "errors"),
            count(self.not_compiled, "feature not compiled yet", "features not compiled yet"),
            count(self.warnings, "warning", "warnings"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let listed = match parts.split_last()? {
            (last, []) => last.clone(),
            (last, rest) => format!("{} and {last}", rest.join(", ")),
        };
        Some(match self.files {
            0 => listed,
            1 => format!("{listed} in 1 file"),
            n => format!("{listed} in {n} files"),
        })
    }
}

/// A total order on what is shown, so that equal findings are neighbours.
fn compare(a: &Diagnostic, b: &Diagnostic) -> Ordering {
    let first = |d: &Diagnostic| -> (bool, Option<Span>) {
        let span = d.labels.first().map(|label| label.span);
        (span.is_none(), span)
    };
    let label = |label: &Label| (label.span, label.text.clone());
    (first(a), a.code, &a.message, a.severity)
        .cmp(&(first(b), b.code, &b.message, b.severity))
        .then_with(|| a.labels.iter().map(label).cmp(b.labels.iter().map(label)))
        .then_with(|| (&a.help, &a.notes).cmp(&(&b.help, &b.notes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use crate::source::SourceId;

    fn at(source: u32, start: usize, code: Code) -> Diagnostic {
        Diagnostic::error(code, "m").label(Span::new(SourceId(source), start, start + 1), "l")
    }

    #[test]
    fn findings_come_by_place_then_code_and_each_once() {
        let nowhere = Diagnostic::error(Code::NO_POLICY, "m");
        let wanted = [
            at(0, 1, Code::YAML_SYNTAX),
            at(0, 5, Code::UNKNOWN_TAG),
            at(0, 5, Code::BAD_KEY),
            at(1, 0, Code::YAML_SYNTAX),
            at(1, 0, Code::YAML_SYNTAX).help("another"),
            nowhere,
        ];
        let mut diags = Diagnostics::default();
        for diagnostic in wanted.iter().rev().chain(&wanted) {
            diags.push(diagnostic.clone());
        }
        assert_eq!(diags.sorted(), wanted.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_summary_counts_what_weighs() {
        let summary = |severities: &[(u32, Severity)]| {
            let found: Vec<Diagnostic> = severities
                .iter()
                .map(|&(source, severity)| Diagnostic { severity, ..at(source, 0, Code::BAD_KEY) })
                .collect();
            Counts::of(&found.iter().collect::<Vec<_>>()).summary()
        };
        use Severity::*;
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[(0, Note)]), None);
        assert_eq!(summary(&[(0, Error), (1, Note)]).as_deref(), Some("1 error in 1 file"));
        assert_eq!(
            summary(&[(0, Error), (0, Error), (1, Warning)]).as_deref(),
            Some("2 errors and 1 warning in 2 files")
        );
        assert_eq!(
            summary(&[(0, Error), (0, NotCompiled), (0, Warning), (0, Warning)]).as_deref(),
            Some("1 error, 1 feature not compiled yet and 2 warnings in 1 file")
        );
    }
}
