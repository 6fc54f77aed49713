//! Constructors of TF0130 to TF0140: templates, their variables and their bindings.

use super::schema::shown;
use super::{Code, Diagnostic};
use crate::source::Span;
use crate::vocab::arg_type::ArgType;

fn did_you_mean(diagnostic: Diagnostic, nearest: Option<&str>, otherwise: &str, span: Span) -> Diagnostic {
    match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{}`?", shown(nearest))),
        None => diagnostic.label(span, otherwise),
    }
}

pub fn outside_template(field: &str, instead: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::OUTSIDE_TEMPLATE, format!("`{field}` is a field of templates alone"));
    let diagnostic = match instead {
        Some(instead) => diagnostic.label(span, format!("write `{instead}` here")),
        None => diagnostic.label(span, "refused in a policy"),
    };
    diagnostic.help("kind: TracingPolicyTemplate")
}

pub fn duplicate_variable(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_VARIABLE, format!("variable `{}` stands twice", shown(name)))
        .label(again, "again here")
        .label(first, "first here")
}

/// A filter names a variable that its template does not declare.
pub fn undeclared_variable(
    name: &str,
    nearest: Option<&str>,
    declared: Option<Span>,
    span: Span,
) -> Diagnostic {
    let message = format!("the template has no variable `{}`", shown(name));
    let diagnostic = Diagnostic::error(Code::UNKNOWN_VARIABLE, message);
    let diagnostic = did_you_mean(diagnostic, nearest, "`spec.variables` has no such name", span);
    match declared {
        Some(declared) => diagnostic.label(declared, "variables are declared here"),
        None => diagnostic.help(format!("variables: [{{name: \"{}\"}}]", shown(name))),
    }
}

/// A binding names a variable that its template does not declare.
pub fn unknown_variable(
    name: &str,
    template: &str,
    nearest: Option<&str>,
    template_span: Span,
    span: Span,
) -> Diagnostic {
    let message = format!("template `{}` has no variable `{}`", shown(template), shown(name));
    let diagnostic = Diagnostic::error(Code::UNKNOWN_VARIABLE, message);
    did_you_mean(diagnostic, nearest, "not a variable of the template", span)
        .label(template_span, "the template")
}

pub fn unused_variable(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::UNUSED_VARIABLE, format!("variable `{}` is not used", shown(name)))
        .label(span, "no filter of the template names it")
        .help(format!("valuesFromVariable: \"{}\"", shown(name)))
}

/// `further` are missing as well.
pub fn unbound_variable(name: &str, further: usize, declared: Span, binding: Span) -> Diagnostic {
    let and = match further {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    Diagnostic::error(Code::UNBOUND_VARIABLE, format!("variable `{}`{and} gets no values", shown(name)))
        .label(binding, "this binding does not name it")
        .label(declared, "the variable")
        .help(format!("- {{name: \"{}\", values: []}}", shown(name)))
}

pub fn bound_twice(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error(Code::BOUND_TWICE, format!("variable `{}` gets values twice", shown(name)))
        .label(again, "again here")
        .label(first, "first here")
}

pub fn variable_type(name: &str, ty: ArgType, declared: Span, arg: ArgType, use_span: Span) -> Diagnostic {
    let message = format!("variable `{}` is of type `{ty}`, and the argument of type `{arg}`", shown(name));
    Diagnostic::error(Code::VARIABLE_TYPE, message)
        .label(use_span, format!("compared with a `{arg}` here"))
        .label(declared, "its type")
        .help(format!("type: \"{arg}\""))
}

/// `filter` compares something that is no argument.
pub fn typed_variable(name: &str, ty: ArgType, declared: Span, use_span: Span) -> Diagnostic {
    let message = format!("variable `{}` is of type `{ty}`, and no argument is compared here", shown(name));
    Diagnostic::error(Code::VARIABLE_TYPE, message)
        .label(use_span, "used here")
        .label(declared, "its type")
        .help("leave `type` out")
}

pub fn unknown_template(name: &str, nearest: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::UNKNOWN_TEMPLATE, format!("there is no template `{}`", shown(name)));
    did_you_mean(diagnostic, nearest, "no document of the run declares it", span)
}

pub fn binding_name(name: &str, why: &str, template: Span, span: Span) -> Diagnostic {
    let message = format!("a binding without selectors cannot be named `{}`", shown(name));
    Diagnostic::error(Code::BINDING_NAME, message).label(span, why).label(template, "its template").note(
        "without selectors it applies to pods labelled `tetragon-<template>=<binding name>`, and is named \
         `<template>-<binding name>`",
    )
}

/// It would be for every process, or by its label, of which there is one at most.
pub fn override_without_selector(field: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BINDING_WITHOUT_WORKLOAD, format!("`{field}` in a binding without a selector"))
        .label(span, "nothing says which workloads others may take over")
        .help("podSelector: {}")
        .note("a binding that is known by its label alone has no override fields")
}

pub fn template_with_workload(field: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::TEMPLATE_WITH_WORKLOAD, format!("a template cannot have `{field}`"))
        .label(span, "its bindings select workloads")
        .help(format!("move `{field}` to the bindings"))
}

pub fn unused_template(name: &str, span: Span) -> Diagnostic {
    let message = format!("template `{}` has no binding", shown(name));
    Diagnostic::lint(Code::UNUSED_TEMPLATE, message).label(span, "checked, and nothing comes of it")
}
