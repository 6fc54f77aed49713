//! Constructors of the TF07xx codes: what Tetragon accepts and does not do as it reads, and of TF0501.

use super::schema::shown;
use super::{Code, Diagnostic, Severity};
use crate::source::{Span, Spanned};
use crate::vocab::arg_type::ArgType;
use crate::vocab::operator::Operator;

fn lint(code: Code, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(code, Severity::Warning, message)
}

pub fn unknown_option(name: &str, nearest: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = lint(Code::UNKNOWN_OPTION, format!("unknown option `{}`", shown(name)))
        .note("Tetragon ignores options that it does not know");
    match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{nearest}`?")).help(nearest),
        None => diagnostic.label(span, "has no effect"),
    }
}

pub fn never_matches_type(op: Spanned<Operator>, ty: ArgType, ty_span: Span) -> Diagnostic {
    lint(Code::NEVER_MATCHES, format!("operator `{}` never matches an argument of type `{ty}`", op.value))
        .label(op.span, format!("no program compares a `{ty}` so"))
        .label(ty_span, format!("the argument is declared `{ty}` here"))
        .note("Tetragon loads this, and the filter is false for every event")
}

pub fn always_matches_type(op: Spanned<Operator>, ty: ArgType, ty_span: Span) -> Diagnostic {
    lint(Code::ALWAYS_MATCHES, format!("operator `{}` always matches an argument of type `{ty}`", op.value))
        .label(op.span, format!("no program compares a `{ty}`"))
        .label(ty_span, format!("the argument is declared `{ty}` here"))
        .note("Tetragon loads this, and the filter is true for every event")
}

pub fn value_never_matches(value: &str, why: &str, span: Span) -> Diagnostic {
    lint(Code::NEVER_MATCHES, format!("no argument is ever equal to `{}`", shown(value))).label(span, why)
}

pub fn filter_never_matches(what: &str, why: &str, span: Span) -> Diagnostic {
    lint(Code::NEVER_MATCHES, format!("{what} never matches")).label(span, why)
}

pub fn value_read_as(value: &str, meaning: i64, ty: ArgType, span: Span) -> Diagnostic {
    lint(Code::VALUE_READ_AS, format!("`{}` does not fit `{ty}` and is read as {meaning}", shown(value)))
        .label(span, "the same bits")
        .help(format!("\"{meaning}\""))
}

pub fn text_truncated(field: &str, bytes: usize, max: usize, span: Span) -> Diagnostic {
    lint(Code::TEXT_TRUNCATED, format!("`{field}` has {bytes} bytes and is cut to {max}"))
        .label(span, "too long")
}

pub fn container_key(key: &str, span: Span) -> Diagnostic {
    lint(Code::UNKNOWN_CONTAINER_KEY, format!("no container has a label `{}`", shown(key)))
        .label(span, "`name` and `repo` are known of a container")
}

pub fn ignored(what: &str, why: &str, span: Span) -> Diagnostic {
    lint(Code::IGNORED, format!("{what} is ignored")).label(span, why)
}

pub fn no_effect(what: &str, why: &str, span: Span) -> Diagnostic {
    lint(Code::NO_EFFECT, format!("{what} has no effect")).label(span, why)
}

pub fn unreachable_selector(span: Span, earlier: Span) -> Diagnostic {
    lint(Code::UNREACHABLE_SELECTOR, "the selector is never reached")
        .label(span, "cannot match any more")
        .label(earlier, "this one matches every event, and the first that matches decides")
}

/// Something only a node knows. `question` is a sentence without its mark; `on` lists the kernels that do not tell,
/// and is empty if none was given.
pub fn unchecked(on: &str, question: &str, told_by: &str, span: Span) -> Diagnostic {
    let on = if on.is_empty() { String::new() } else { format!(" on {on}") };
    Diagnostic::new(Code::UNCHECKED, Severity::Note, format!("not checked{on}: {question}"))
        .label(span, told_by)
}
