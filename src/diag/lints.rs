//! Constructors of the TF07xx codes: what Tetragon accepts and does not do as it reads, and of TF0501.

use super::schema::shown;
use super::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::vocab::arg_type::ArgType;
use crate::vocab::condition::compare;
use crate::vocab::operator::Operator;

type Text<'a> = Spanned<&'a str>;

/// What can be written instead of an operator that no program handles.
fn operators_for(ty: ArgType) -> String {
    let works = |op: &&Operator| compare(**op, ty.filter_class()).works();
    let names: Vec<&str> = Operator::ALL.iter().filter(works).map(|op| op.name()).collect();
    match names.is_empty() {
        true => format!("a `{ty}` cannot be compared; remove the filter"),
        false => format!("operators for a `{ty}`: `{}`", names.join("`, `")),
    }
}

pub fn unknown_option(name: &str, nearest: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::lint(Code::UNKNOWN_OPTION, format!("unknown option `{}`", shown(name)))
        .note("Tetragon ignores options that it does not know");
    match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{nearest}`?")),
        None => diagnostic.label(span, "has no effect"),
    }
}

pub fn never_matches_type(op: Spanned<Operator>, ty: ArgType, ty_span: Span) -> Diagnostic {
    Diagnostic::lint(
        Code::NEVER_MATCHES,
        format!("operator `{}` never matches an argument of type `{ty}`", op.value),
    )
    .label(op.span, format!("no program compares a `{ty}` so"))
    .label(ty_span, format!("the argument is declared `{ty}` here"))
    .help(operators_for(ty))
    .note("Tetragon loads this, and the filter is false for every event")
}

pub fn always_matches_type(op: Spanned<Operator>, ty: ArgType, ty_span: Span) -> Diagnostic {
    Diagnostic::lint(
        Code::ALWAYS_MATCHES,
        format!("operator `{}` always matches an argument of type `{ty}`", op.value),
    )
    .label(op.span, format!("no program compares a `{ty}`"))
    .label(ty_span, format!("the argument is declared `{ty}` here"))
    .help(operators_for(ty))
    .note("Tetragon loads this, and the filter is true for every event")
}

pub fn value_never_matches(value: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::NEVER_MATCHES, format!("no argument is ever equal to `{}`", shown(value)))
        .label(span, why)
        .help("correct it, or remove it")
}

pub fn filter_never_matches(what: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::NEVER_MATCHES, format!("{what} never matches")).label(span, why)
}

pub fn filter_always_matches(what: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::ALWAYS_MATCHES, format!("{what} always matches")).label(span, why)
}

pub fn value_read_as(value: &str, meaning: i64, ty: ArgType, span: Span) -> Diagnostic {
    Diagnostic::lint(
        Code::VALUE_READ_AS,
        format!("`{}` does not fit `{ty}` and is read as {meaning}", shown(value)),
    )
    .label(span, "the same bits")
    .help(format!("\"{meaning}\""))
}

pub fn text_truncated(field: &str, bytes: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::TEXT_TRUNCATED, format!("`{field}` has {bytes} bytes and is cut to {max}"))
        .label(span, "too long")
}

pub fn container_key(key: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::UNKNOWN_CONTAINER_KEY, format!("no container has a label `{}`", shown(key)))
        .label(span, "`name` and `repo` are known of a container")
}

pub fn ignored(what: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::IGNORED, format!("{what} is ignored")).label(span, why).help("remove it")
}

pub fn no_effect(what: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::NO_EFFECT, format!("{what} has no effect")).label(span, why).help("remove it")
}

pub fn unused_list(name: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::UNUSED_LIST, format!("nothing uses list `{}`", shown(name)))
        .label(span, "no hook, enforcer or filter names it")
        .help(format!("write `list:{}` where it is meant, or remove it", shown(name)))
}

/// A hook on a list that has nothing in it.
pub fn empty_list(list: &str, call: Span, of: Span) -> Diagnostic {
    Diagnostic::lint(Code::NO_EFFECT, format!("the hook is on no function: list `{}` is empty", shown(list)))
        .label(call, "hooks every member of the list")
        .label(of, "has no values")
        .help("give the list values, or remove the hook")
}

/// `takes_all`: the earlier selector matches every event, whatever the later one asks for.
pub fn unreachable_selector(span: Span, earlier: Span, takes_all: bool) -> Diagnostic {
    let what = if takes_all { "every event" } else { "whatever the other one does" };
    Diagnostic::lint(Code::UNREACHABLE_SELECTOR, "the selector is never reached")
        .label(span, "cannot match any more")
        .label(earlier, format!("this one matches {what}, and the first that matches decides"))
        .help("put the narrower selector first, or remove it")
}

pub fn taken_value(value: Text<'_>, earlier: Span) -> Diagnostic {
    Diagnostic::lint(Code::UNREACHABLE_VALUE, format!("`{}` is never reached here", shown(value.value)))
        .label(value.span, "an earlier selector has matched by then")
        .label(earlier, "this one matches it, and the first that matches decides")
        .help("remove it here, or put this selector first")
}

pub fn covered_value(value: Text<'_>, by: Text<'_>) -> Diagnostic {
    let message = format!("`{}` makes no difference", shown(value.value));
    let diagnostic = Diagnostic::lint(Code::REDUNDANT_VALUE, message).help("remove it");
    if value.value == by.value {
        diagnostic.label(value.span, "stands twice").label(by.span, "first here")
    } else {
        let label = format!("`{}` matches whatever it does", shown(by.value));
        diagnostic.label(value.span, label).label(by.span, "this one")
    }
}

/// A number that is a field's and, of another argument, a position.
pub fn ambiguous_index(index: u32, field: Span, position: Span, span: Span) -> Diagnostic {
    Diagnostic::lint(
        Code::AMBIGUOUS_INDEX,
        format!("index {index} is that of a field and the position of another"),
    )
    .label(span, "taken as the field's")
    .label(field, format!("the argument that reads field {index}"))
    .label(position, format!("the argument at position {index}, counted from 0"))
    .help("name the position with `args: [N]`")
}

pub fn tetragon_differs(message: &str, label: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::TETRAGON_DIFFERS, message).label(span, label)
}

/// Something only a node knows. `question` is a sentence without its mark; `on` lists the kernels that do not tell,
/// and is empty if none was given.
pub fn unchecked(on: &str, question: &str, told_by: &str, span: Span) -> Diagnostic {
    let on = if on.is_empty() { String::new() } else { format!(" on {on}") };
    Diagnostic::lint(Code::UNCHECKED, format!("not checked{on}: {question}")).label(span, told_by)
}
