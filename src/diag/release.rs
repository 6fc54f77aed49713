//! Constructors of TF0143 and TF0144: what the release of Tetragon that was chosen does not know.

use super::{Code, Diagnostic};
use crate::source::Span;
use crate::vocab::release::{Added, Release};

/// `enforces`: it is a filter, and its selector has an action that enforces.
pub fn not_in_release(added: &Added, release: Release, enforces: bool, span: Span) -> Diagnostic {
    let Added { field, since, known_by } = added;
    let message = format!("`{field}` is not known before Tetragon {since} ({known_by})");
    let diagnostic = Diagnostic::error(Code::NOT_IN_RELEASE, message)
        .label(span, format!("{release} refuses the policy"))
        .help("do without it, or say what the agents are: `--tetragon 1.8`");
    match enforces {
        true => diagnostic.note("a cluster whose CRD is older may drop the field: the selector then enforces on all else that it lets through"),
        false => diagnostic.note("a cluster whose CRD is older may drop the field"),
    }
}

pub fn deprecated(operator: &str, instead: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::DEPRECATED, format!("`{operator}` is deprecated, and announced to be gone in 1.9"))
        .label(span, format!("`{instead}` is in its place since 1.8"))
        .help(format!("move the expression to `{instead}: {{expr: ...}}` of the selector; where agents of 1.7 are left, `--tetragon 1.7`"))
}
