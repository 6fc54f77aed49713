//! Constructors of the TF01xx codes: the shape of documents.

use super::words::{self, Meant};
use super::{Code, Diagnostic, Severity};
use crate::source::Span;

fn backticked<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push('`');
        text.push_str(name);
        text.push('`');
    }
    text
}

/// Names of the user can be of any length; a message shows a line's worth.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(|c| c.escape_debug()).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// What could stand there: all of it, unless one was guessed and the list is long.
fn with_known<'a>(
    diagnostic: Diagnostic,
    what: &str,
    nearest: Option<&str>,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    const MANY: usize = 24;
    let known: Vec<&str> = known.into_iter().collect();
    match nearest {
        Some(_) if known.len() > MANY => diagnostic,
        Some(_) | None => diagnostic.help(format!("{what} {}", backticked(known))),
    }
}

pub fn unknown_field<'a>(
    name: &str,
    object: &str,
    nearest: Option<&str>,
    known: impl IntoIterator<Item = &'a str>,
    span: Span,
) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::UNKNOWN_FIELD, format!("unknown field `{}` in {object}", shown(name)));
    if let Some(meant) = words::field(object, name) {
        return with_meaning(diagnostic, meant, span);
    }
    let diagnostic = match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{nearest}`?")),
        None => diagnostic.label(span, "not a field here"),
    };
    with_known(diagnostic, "fields here are", nearest, known)
}

fn with_meaning(diagnostic: Diagnostic, meant: Meant, span: Span) -> Diagnostic {
    match meant {
        Meant::Write(instead) => diagnostic.label(span, format!("did you mean `{instead}`?")).help(instead),
        Meant::Do(advice) => diagnostic.label(span, "no such word").help(advice),
    }
}

pub fn key_not_scalar(span: Span) -> Diagnostic {
    Diagnostic::error(Code::UNKNOWN_FIELD, "a field's name must be a word")
        .label(span, "this is a list or a mapping")
}

pub fn duplicate_field(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_FIELD, format!("field `{}` stands twice", shown(name)))
        .label(again, "again here")
        .label(first, "first here")
}

pub fn missing_field(name: &str, object: &str, doc: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::MISSING_FIELD, format!("field `{name}` is missing in {object}"))
        .label(span, format!("`{name}` is required here"))
        .note(format!("`{name}`: {}", doc.trim()))
}

pub fn required_is_null(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::MISSING_FIELD, format!("field `{name}` has no value"))
        .label(span, "a value is required here")
}

pub fn wrong_type(field: &str, wanted: &str, found: &str, text: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::WRONG_TYPE, format!("`{field}` takes {wanted}, not {found}"))
        .label(span, format!("{wanted} is wanted here"));
    match (wanted, text) {
        ("a string", Some(text)) => diagnostic
            .help(format!("\"{}\"", shown(text)))
            .note("without quotes YAML reads a number, a boolean or null, and Tetragon refuses it"),
        _ => diagnostic,
    }
}

pub fn integer_out_of_range(field: &str, text: &str, min: i64, max: i64, span: Span) -> Diagnostic {
    Diagnostic::error(Code::INTEGER_OUT_OF_RANGE, format!("`{}` is out of range for `{field}`", shown(text)))
        .label(span, format!("{min} to {max} is allowed here"))
}

pub fn unknown_word<'a>(
    what: &str,
    text: &str,
    nearest: Option<&str>,
    known: impl IntoIterator<Item = &'a str>,
    span: Span,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::UNKNOWN_WORD, format!("unknown {what} `{}`", shown(text)));
    if let Some(meant) = words::word(what, text) {
        return with_meaning(diagnostic, meant, span);
    }
    let nearest = nearest.filter(|nearest| !words::is_opposite(text, nearest));
    let diagnostic = match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{nearest}`?")),
        None => diagnostic.label(span, format!("not a known {what}")),
    };
    with_known(diagnostic, "known:", nearest, known)
}

pub fn too_many_items(field: &str, count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(Code::TOO_MANY_ITEMS, format!("`{field}` has {count} items, {max} at most are allowed"))
        .label(span, "this one is too many")
}

pub fn return_without_arg(span: Span) -> Diagnostic {
    Diagnostic::error(Code::RETURN_WITHOUT_ARG, "`return: true` needs `returnArg`")
        .label(span, "asks for the returned value")
        .help("returnArg: {index: 0, type: \"int\"}")
}

pub fn exclusive_fields(first: &str, first_span: Span, second: &str, span: Span, all: &[&str]) -> Diagnostic {
    Diagnostic::error(Code::EXCLUSIVE_FIELDS, format!("`{first}` and `{second}` exclude each other"))
        .label(span, "second one here")
        .label(first_span, "first one here")
        .note(format!("at most one of {} may be present, even if empty", backticked(all.iter().copied())))
}

pub fn miscased_exact_field(text: &str, name: &str, required: bool, span: Span) -> Diagnostic {
    let why =
        if required { "the schema requires the exact name" } else { "defaults apply to the exact name only" };
    Diagnostic::error(Code::MISCASED_FIELD, format!("field `{}` must be spelt `{name}`", shown(text)))
        .label(span, format!("did you mean `{name}`?"))
        .note(format!("Tetragon takes other fields in any case, but {why}"))
}

pub fn miscased_field(text: &str, name: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::MISCASED_NAME, format!("field `{}` is spelt `{name}`", shown(text)))
        .label(span, "taken in this spelling too")
        .help(name)
        .note("below a field in another spelling Tetragon checks nothing against its schema")
}

pub fn explicit_null(name: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::EXPLICIT_NULL, format!("`{name}` is null, which counts as absent"))
        .label(span, "no value here")
        .help(format!("leave `{name}` out"))
        .note("the API server drops nulls; Tetragon's file loader refuses them")
}

/// Valid, and beyond this back end. `what` names it as the policy does.
pub fn not_compiled(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::NOT_COMPILED,
        Severity::NotCompiled,
        format!("{what} is valid, but not compiled yet"),
    )
    .label(span, "the policy cannot be compiled because of this")
}

pub fn bad_name(field: &str, name: &str, rule: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_NAME, format!("`{}` is not allowed as `{field}`", shown(name)))
        .label(span, rule.to_string())
}

pub fn name_missing(span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_NAME, "the policy has no name")
        .label(span, "`name` is required here")
        .help("name: \"my-policy\"")
}

pub fn generated_name(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::NOT_COMPILED,
        Severity::NotCompiled,
        "a policy with `generateName` has no name of its own yet",
    )
    .label(span, "the API server makes the name up")
    .help("name: \"my-policy\"")
}

pub fn namespace_on_cluster_kind(namespace: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::UNEXPECTED_NAMESPACE, "a `TracingPolicy` acts on the whole cluster")
        .label(span, format!("does not limit it to `{}`", shown(namespace)))
        .help("write `kind: TracingPolicyNamespaced` for one namespace, else leave `namespace` out")
        .note("the API server clears the field; Tetragon's file loader refuses the policy")
}

/// `status` beside `spec`.
pub fn status(span: Span) -> Diagnostic {
    super::lints::ignored("`status`", "set by controllers, and pruned by the API server", span)
        .note("Tetragon's file loader refuses the policy")
}

pub fn namespace_on_template(namespace: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::UNEXPECTED_NAMESPACE, "a `TracingPolicyTemplate` has no namespace")
        .label(span, format!("`{}` is refused here", shown(namespace)))
        .note("bindings of any namespace may refer to it")
}

pub fn duplicate_policy(kind: &str, name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_POLICY, format!("{kind} `{}` stands twice", shown(name)))
        .label(again, "again here")
        .label(first, "first here")
        .note("kind, namespace and name together must be different for each policy")
}

pub fn several_hook_kinds(first: &str, first_span: Span, second: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::SEVERAL_HOOK_KINDS, format!("a policy cannot have both `{first}` and `{second}`"))
        .label(span, "second kind of hook here")
        .label(first_span, "first one here")
        .help("write one policy for each")
}

pub fn empty_hook_name(field: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_CALL, format!("`{field}` is empty")).label(span, "a name is needed here")
}

pub fn not_a_symbol(field: &str, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_CALL, format!("`{}` cannot be the name of a function", shown(name)))
        .label(span, format!("`{field}` takes letters, digits, `_`, `.` and `$`"))
}

pub fn not_a_syscall(name: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::BAD_CALL, format!("there is no syscall `{}`", shown(name)))
        .note("`syscall` is true unless it is written; a syscall is named `sys_…`");
    match name.starts_with("security_") || name.contains('_') {
        true => diagnostic.label(span, "a kernel function needs `syscall: false`").help("syscall: false"),
        false => {
            diagnostic.label(span, "a syscall's name starts with `sys_`").help(format!("sys_{}", shown(name)))
        }
    }
}

pub fn prefixed_lsm_hook(name: &str, bare: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_CALL, format!("there is no LSM hook `{}`", shown(name)))
        .label(span, "an LSM hook is named without its prefix")
        .help(shown(bare))
}

pub fn unknown_list(name: &str, nearest: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::UNKNOWN_LIST, format!("there is no list `{}`", shown(name)));
    match nearest {
        Some(nearest) => {
            diagnostic.label(span, format!("did you mean `{nearest}`?")).help(format!("list:{nearest}"))
        }
        None => diagnostic.label(span, "`spec.lists` has no such name"),
    }
}

pub fn bad_list(name: &str, what: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_LIST_CONTENT, format!("list `{}` cannot be used", shown(name)))
        .label(span, what.to_string())
}

pub fn bad_option_value(option: &str, wanted: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_OPTION, format!("option `{option}` has a bad value"))
        .label(span, format!("{wanted} is wanted"))
}

pub fn message_too_short(field: &str, min: usize, span: Span) -> Diagnostic {
    Diagnostic::error(Code::TEXT_TOO_SHORT, format!("`{field}` is too short"))
        .label(span, format!("at least {min} bytes are wanted"))
}

pub fn too_many_selectors(count: usize, max: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TOO_MANY_SELECTORS,
        format!("a hook has {count} selectors, {max} at most are allowed"),
    )
    .label(span, "this one is too many")
    .help("join selectors with the same actions: the values of one filter are alternatives; or split the policy where no selector keeps events from another")
    .note("a second hook on the function is no way out: the first selector that matches decides within a hook only, so that what is shielded here is not shielded there")
}

pub fn host_only_hook(section: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::HOST_ONLY_HOOK, format!("a namespaced policy cannot have `{section}`"))
        .label(span, "refused here")
        .note("Tetragon looks programs up in the host's mount namespace")
        .help("kind: TracingPolicy")
}

pub fn bad_macro(message: String, label: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_MACRO, message).label(span, label)
}

pub fn bad_enforcer(message: String, label: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_ENFORCER, message).label(span, label)
}

pub fn bad_userspace(message: String, label: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_USER_PROBE, message).label(span, label)
}

pub fn loader_with_workload(span: Span, selector: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::LOADER_WITH_WORKLOAD, "`loader` cannot be limited to workloads")
        .label(span, "refused in a policy that selects workloads");
    match selector {
        Some(selector) => diagnostic.label(selector, "selects workloads"),
        None => diagnostic.note("a namespaced policy selects the pods of its namespace"),
    }
}

/// Valid, and about Tetragon itself: it changes no verdict and no event. `label` says what it does there.
pub fn left_out(what: &str, label: &str, span: Span) -> Diagnostic {
    Diagnostic::lint(Code::LEFT_OUT, format!("{what} is left out of the artifact")).label(span, label)
}
