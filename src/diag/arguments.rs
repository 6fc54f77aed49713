//! Constructors of the TF02xx codes: arguments, operators and values.

use super::schema::shown;
use super::{Code, Diagnostic, Severity};
use crate::source::{Span, Spanned};
use crate::vocab::arg_type::ArgType;
use crate::vocab::condition::operators_for;
use crate::vocab::operator::Operator;

pub fn too_many_args(count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(Code::TOO_MANY_ARGS, format!("a hook reads {count} values, {max} at most are allowed"))
        .label(span, "this one is too many")
        .note("`args` and `data` count together")
}

pub fn arg_index_out_of_reach(index: u32, max: u32, span: Span) -> Diagnostic {
    Diagnostic::error(Code::ARG_INDEX, format!("argument {index} cannot be read"))
        .label(span, format!("0 to {max} is within reach"))
        .note("only the first arguments of a function are passed in registers")
}

pub fn size_arg_index(index: u32, max: u32, span: Span) -> Diagnostic {
    Diagnostic::error(Code::ARG_INDEX, format!("`sizeArgIndex` cannot be {index}"))
        .label(span, format!("1 to {max}, counted from 1, or 0 for none"))
}

/// `written` says whether the type stands in the policy, or is the default.
pub fn type_unusable(ty: ArgType, hook: &str, written: bool, why: &str, span: Span) -> Diagnostic {
    let message = match written {
        true => format!("type `{ty}` cannot be used for an argument of {hook}"),
        false => format!("an argument of {hook} needs a type"),
    };
    Diagnostic::error(Code::ARG_TYPE_UNUSABLE, message)
        .label(span, if written { why } else { "no `type` here, so it is `auto`" })
        .help("type: \"int\"")
}

pub fn operator_refuses_type(op: Spanned<Operator>, ty: ArgType, ty_span: Span) -> Diagnostic {
    let mut usable = String::new();
    for op in operators_for(ty.filter_class()) {
        usable.push_str(if usable.is_empty() { "`" } else { ", `" });
        usable.push_str(op.name());
        usable.push('`');
    }
    let diagnostic = Diagnostic::error(
        Code::OPERATOR_TYPE,
        format!("operator `{}` cannot compare an argument of type `{ty}`", op.value),
    )
    .label(op.span, format!("not defined for `{ty}`"))
    .label(ty_span, format!("the argument is declared `{ty}` here"));
    match usable.is_empty() {
        true => diagnostic.note(format!("no operator compares a `{ty}`")),
        false => diagnostic.help(format!("use one of: {usable}")),
    }
}

/// `list` is where the arguments stand, if there are any.
pub fn no_such_arg(what: &str, list: Option<Span>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        Code::NO_SUCH_ARG,
        format!("the filter names {what}, which the hook does not read"),
    )
    .label(span, "no such argument");
    match list {
        Some(list) => diagnostic.label(list, "these are read"),
        None => diagnostic.note("the hook reads no such arguments at all"),
    }
}

pub fn bad_value(value: &str, wanted: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_VALUE, format!("`{}` is not {wanted}", shown(value)))
        .label(span, format!("{wanted} is wanted"))
}

pub fn list_needs_syscall64(value: &str, ty: ArgType, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::BAD_VALUE,
        format!("`{}` cannot be compared with an argument of type `{ty}`", shown(value)),
    )
    .label(span, "a list of syscalls needs `syscall64`")
    .help("type: \"syscall64\"")
}

pub fn list_outside_tracepoints(value: &str, hook: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_VALUE, format!("`{}` cannot be used at {hook}", shown(value)))
        .label(span, "a list as a value works at tracepoints only")
}

pub fn value_out_of_range(value: &str, ty: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_VALUE, format!("`{}` is out of range for `{ty}`", shown(value)))
        .label(span, format!("does not fit `{ty}`"))
}

/// A number that only an unsigned type could hold, where Tetragon reads a signed one.
pub fn value_needs_sign(value: &str, signed: i64, ty: &str, span: Span) -> Diagnostic {
    value_out_of_range(value, ty, span).help(format!("\"{signed}\""))
}

pub fn too_many_values(op: &str, count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TOO_MANY_VALUES,
        format!("`{op}` has {count} values here, {max} at most are allowed"),
    )
    .label(span, "this one is too many")
    .note("numbers, ranges and file types stand in the selector itself, which has room for four")
}

pub fn too_many_substrings(op: &str, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(Code::TOO_MANY_VALUES, format!("the values of `{op}` at this hook are more than {max}"))
        .label(span, "this one is too many")
}

pub fn no_values(op: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::NO_VALUES, format!("`{op}` has no values to compare with"))
        .label(span, "values are wanted")
        .note("Tetragon loads this and then compares with whatever follows in its table")
}

pub fn empty_value(op: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::NO_VALUES, format!("`{op}` cannot compare with an empty text"))
        .label(span, "nothing is left of this value")
        .note("NUL bytes at the end do not count, so that a value of nothing else has no meaning")
}

pub fn value_too_long(op: &str, bytes: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::VALUE_TOO_LONG,
        format!("a value of `{op}` has {bytes} bytes, {max} at most are allowed"),
    )
    .label(span, "too long")
}

pub fn too_many_filters(what: &str, count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TOO_MANY_FILTERS,
        format!("a selector has {count} entries of {what}, {max} at most are allowed"),
    )
    .label(span, "this one is too many")
}

pub fn bad_source(message: String, label: &str, help: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::BAD_SOURCE, message).label(span, label);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

pub fn filter_unavailable(filter: &str, hook: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::FILTER_UNAVAILABLE, format!("`{filter}` cannot be used at {hook}"))
        .label(span, "refused here")
        .note(why)
}

pub fn bad_expression(message: String, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_EXPRESSION, format!("the CEL expression cannot be used: {message}"))
        .label(span, "in this expression")
}

pub fn follow_children(op: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::FOLLOW_CHILDREN, format!("`followChildren` does not work with `{op}`"))
        .label(span, "only `In` and `NotIn` follow children")
        .help("operator: In")
}

/// `${NAME}`, as `envsubst` fills it in before a policy is used.
pub fn unfilled_variable(value: &str, span: Span) -> Diagnostic {
    let message = format!("`{}` is not filled in", shown(value));
    Diagnostic::new(Code::UNFILLED_VARIABLE, Severity::NotCompiled, message)
        .label(span, "a value is wanted here")
        .help("envsubst < policy.yaml > filled.yaml")
}
