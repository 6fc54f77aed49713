//! Constructors of TF0060 to TF0069: the configuration file.

use super::schema::shown;
use super::suggest::nearest;
use super::{Code, Diagnostic};
use crate::source::Span;

pub fn unknown_setting(name: &str, known: &[&'static str], at: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::UNKNOWN_SETTING, format!("there is no setting `{}`", shown(name)));
    match nearest(name, known.iter().copied()) {
        Some(meant) => diagnostic.label(at, format!("did you mean `{meant}`?")),
        None => diagnostic.label(at, "unknown").help(format!("settings here are `{}`", known.join("`, `"))),
    }
}

/// `wanted` is what stands there otherwise, with an article.
pub fn bad_setting(name: &str, wanted: &str, found: &str, at: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_SETTING, format!("`{name}` takes {wanted}, not {found}"))
        .label(at, format!("this is {found}"))
}

/// The option of the same name refuses the value; `why` are its words.
pub fn refused_setting(name: &str, value: &str, why: &str, at: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_SETTING, format!("`{}` cannot be used for `{name}`", shown(value)))
        .label(at, why)
        .note(format!("it is read as `--{name}` is"))
}

pub fn second_document(at: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_SETTING, "a configuration is one document").label(at, "this is a second one")
}

/// `why` says what was probably meant.
pub fn unknown_lint(why: String, at: Span) -> Diagnostic {
    Diagnostic::error(Code::UNKNOWN_LINT, why)
        .label(at, "the name of a lint, its code or `warnings` is wanted")
}

pub fn two_levels(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error(Code::TWO_LEVELS, format!("lint `{}` has two levels", shown(name)))
        .label(again, "named here")
        .label(first, "and here")
        .note("the lists have no order, so that none of them is the last one")
}
