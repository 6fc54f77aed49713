//! Constructors of TF0050 to TF0069: documents that are not the objects they should be.

use super::suggest::nearest;
use super::{Code, Diagnostic, Severity};
use crate::source::Span;

/// `named`: the file was given on the command line, so it was meant to hold policies.
pub fn no_kind(at: Span, what: &str, named: bool) -> Diagnostic {
    let severity = if named { Severity::Error } else { Severity::Note };
    let diagnostic = Diagnostic::new(Code::NO_KIND, severity, format!("{what} is not a Kubernetes object"));
    if named {
        diagnostic
            .label(at, "has no `kind`")
            .help("start it with `apiVersion: cilium.io/v1alpha1` and `kind: TracingPolicy`")
    } else {
        diagnostic.label(at, "skipped: neither `apiVersion` nor `kind`")
    }
}

/// Has an `apiVersion` of ours and no kind, so nothing says which policy it is.
pub fn kind_missing(api_version: Span) -> Diagnostic {
    Diagnostic::error(Code::NO_KIND, "document of `cilium.io` has no `kind`")
        .label(api_version, "this is the API group of policies")
        .help("add `kind: TracingPolicy`")
}

/// A list holds something that is no object.
pub fn list_item_without_kind(at: Span) -> Diagnostic {
    Diagnostic::error(Code::NO_KIND, "item of a list is not a Kubernetes object").label(at, "has no `kind`")
}

pub fn kind_not_text(at: Span, what: &str) -> Diagnostic {
    Diagnostic::error(Code::UNKNOWN_KIND, format!("`kind` is {what}, not a string"))
        .label(at, "must be a string")
}

pub fn other_document(kind: Span, name: &str, api_version: &str) -> Diagnostic {
    let of = if api_version.is_empty() { String::new() } else { format!(" of `{api_version}`") };
    Diagnostic::lint(Code::OTHER_DOCUMENT, format!("`{name}`{of} is not a policy"))
        .label(kind, "document skipped")
}

/// A file that was found in a folder and is no YAML: `what` it is instead, as far as can be told.
pub fn other_text(at: Span, what: &str) -> Diagnostic {
    Diagnostic::lint(Code::OTHER_DOCUMENT, format!("{what} is not a policy")).label(at, "file skipped")
}

/// Made of policies, but not by us.
pub fn unrendered_template(at: Span) -> Diagnostic {
    Diagnostic::lint(Code::OTHER_DOCUMENT, "a template of Helm or the like is not a policy")
        .label(at, "file skipped; render it first, as with `helm template`")
}

pub fn unknown_kind(at: Span, kind: &str, known: &[&'static str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::UNKNOWN_KIND, format!("unknown kind `{kind}`"))
        .label(at, "no policy has this kind");
    match nearest(kind, known.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("use one of: `{}`", known.join("`, `"))),
    }
}

pub fn no_policy(inputs: usize) -> Diagnostic {
    let place = match inputs {
        0 => "no file was found".to_string(),
        1 => "the only file holds none".to_string(),
        n => format!("none of {n} files holds one"),
    };
    Diagnostic::error(Code::NO_POLICY, format!("no policy found: {place}"))
        .help("check the paths, or give `--allow-empty` if an empty set is meant")
}

/// All files stay with Tetragon.
pub fn all_left_out(files: usize) -> Diagnostic {
    let which =
        if files == 1 { "the only file stays".to_string() } else { format!("all {files} files stay") };
    Diagnostic::error(Code::NO_POLICY, format!("no policy is left to compile: {which} with Tetragon")).help(
        "a file is compiled whole or not at all: put policies that can be compiled into files of their own",
    )
}

/// `at` is `items` or the item, `what` what it is instead.
pub fn bad_list(at: Span, expected: &str, what: &str) -> Diagnostic {
    Diagnostic::error(Code::BAD_LIST, format!("`items` of a list must be {expected}, not {what}"))
        .label(at, format!("this is {what}"))
}

pub fn list_without_items(kind: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_LIST, "list has no `items`")
        .label(kind, "a list keeps its objects in `items`")
}

pub fn unexpected_api_version(at: Span, found: &str, expected: &str) -> Diagnostic {
    Diagnostic::lint(Code::UNEXPECTED_API_VERSION, format!("policy of API version `{found}`"))
        .label(at, format!("policies are `{expected}`"))
        .help(format!("write `apiVersion: {expected}`"))
        .note("Tetragon's file loader does not look at it; an API server refuses it")
}
