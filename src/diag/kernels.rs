//! What the kernels that were given do not have: TF0502 to TF0510, TF0513 and TF0514. `on` lists the kernels:
//! `6.1.0 and 6.12.9`.
//!
//! An error if the policy can work there in no way; a warning if only Tetragon refuses it, or takes it and reads
//! something else than is meant.

use std::fmt::Display;

use super::schema::shown;
use super::{Code, Diagnostic, Severity};
use crate::source::Span;
use crate::vocab::arg_type::ArgType;

fn refused(code: Code, on: impl Display, what: String) -> Diagnostic {
    Diagnostic::error(code, format!("on {on}: {what}"))
}

fn warned(code: Code, on: impl Display, what: String) -> Diagnostic {
    Diagnostic::lint(code, format!("on {on}: {what}"))
}

/// What some built-in kernels lack and others have, or what the one that was chosen may have.
pub fn on_some_kernels(said: Diagnostic) -> Diagnostic {
    if said.severity < Severity::Error {
        return said;
    }
    let lint = Diagnostic::lint(Code::KERNEL_DEPENDENT, said.message.clone());
    let mut said = Diagnostic { code: lint.code, severity: lint.severity, ..said };
    // What is there on another kernel is not misspelt.
    if let Some(label) = said.labels.first_mut().filter(|label| label.text.starts_with("did you mean")) {
        (label.text, said.help) = ("not in this kernel".to_string(), None);
    }
    said.note("other kernels may have it: `--kernel VERSION`, `--btf FILE` or `--target FILE` says which the nodes have")
}

fn with_nearest(diagnostic: Diagnostic, nearest: Option<&str>, span: Span, label: &str) -> Diagnostic {
    match nearest {
        Some(nearest) => diagnostic.label(span, format!("did you mean `{nearest}`?")).help(nearest),
        None => diagnostic.label(span, label),
    }
}

/// `what` is `function` or `syscall`.
pub fn no_function(
    what: &str,
    name: &str,
    on: impl Display,
    nearest: Option<&str>,
    span: Span,
) -> Diagnostic {
    let message = format!("there is no {what} `{}`", shown(name));
    with_nearest(refused(Code::NO_FUNCTION, on, message), nearest, span, "not in the kernel")
}

/// The entry says that it may be missing.
pub fn skipped_function(what: &str, name: &str, on: impl Display, span: Span) -> Diagnostic {
    let message = format!("there is no {what} `{}`, and the hook is left out", shown(name));
    warned(Code::NO_FUNCTION, on, message).label(span, "not in the kernel")
}

/// It exists, and only Tetragon cannot find it. `body` is the name that the types have for the same code.
pub fn untyped_function(
    what: &str,
    name: &str,
    body: Option<&str>,
    may_be_missing: bool,
    on: impl Display,
    span: Span,
) -> Diagnostic {
    let does = if may_be_missing { "leaves out" } else { "refuses" };
    let message = format!(
        "Tetragon {does} the {what} `{}`, which exists and is not in the kernel's types",
        shown(name)
    );
    let diagnostic = warned(Code::NO_FUNCTION, on, message).label(span, "exists without types");
    let diagnostic = match body {
        Some(body) => diagnostic
            .help(format!("for Tetragon, write `call: {body}` with `syscall: false`"))
            .note("a system call without arguments is an alias of its body, and aliases have no types"),
        None => diagnostic,
    };
    diagnostic.note("an artifact needs no types to attach there")
}

pub fn no_lsm_hook(hook: &str, on: impl Display, nearest: Option<&str>, span: Span) -> Diagnostic {
    let message = format!("there is no LSM hook `{}`", shown(hook));
    with_nearest(refused(Code::NO_LSM_HOOK, on, message), nearest, span, "not in the kernel")
}

pub fn no_bpf_lsm(on: impl Display, span: Span) -> Diagnostic {
    refused(Code::NO_LSM_HOOK, on, "no BPF programs run at LSM hooks".to_string())
        .label(span, "would never run")
        .help("boot the nodes with `bpf` in `lsm=`")
        .note("`bpf` is not in /sys/kernel/security/lsm")
}

pub fn no_tracepoint(name: &str, on: impl Display, nearest: Option<&str>, span: Span) -> Diagnostic {
    let message = format!("there is no tracepoint `{}`", shown(name));
    with_nearest(refused(Code::NO_TRACEPOINT, on, message), nearest, span, "not in the kernel")
}

pub fn bad_field(why: &str, on: impl Display, span: Span) -> Diagnostic {
    refused(Code::NO_TRACEPOINT, on, why.to_string()).label(span, "cannot be read")
}

const RECORD: &str = "run `tetrafold target record` on a node, and give what it writes with `--target`";

fn no_field(message: String, label: &str, span: Span) -> Diagnostic {
    Diagnostic::new(Code::FIELD_PLACE, Severity::NotCompiled, message).label(span, label)
}

/// `on`: the kernels of which nothing tells; none are named where nothing else tells either.
pub fn no_place(event: &str, index: u32, on: &str, span: Span) -> Diagnostic {
    let on = if on.is_empty() { String::new() } else { format!("on {on}: ") };
    let message = format!("{on}it is not known where field {index} of `{}` lies", shown(event));
    no_field(message, "its place is in the format of the node's event", span).help(RECORD)
}

pub fn places_differ(
    event: &str,
    index: u32,
    first: impl Display,
    second: impl Display,
    span: Span,
) -> Diagnostic {
    let message = format!("field {index} of `{}` lies elsewhere on {first} than on {second}", shown(event));
    no_field(message, "one program reads one place", span)
        .help("compile for each kernel by itself: `--kernel` names a built-in one, `--target` a node's")
}

pub fn common_field(field: &str, span: Span) -> Diagnostic {
    no_field(format!("`{field}` of a tracepoint cannot be read"), "a field that all events share", span)
        .note("the kernel puts an address of its own there before it calls programs")
}

pub fn field_too_small(field: &str, has: u32, wants: u32, span: Span) -> Diagnostic {
    let message = format!("field `{field}` has {has} bytes, of which no {wants} can be read at once");
    no_field(message, "reads what is behind the field", span).help("give a type of the field's size")
}

pub fn bad_path(path: &str, why: &str, on: impl Display, nearest: Option<&str>, span: Span) -> Diagnostic {
    let message = format!("`{}` leads nowhere: {why}", shown(path));
    with_nearest(refused(Code::BAD_RESOLVE, on, message), nearest, span, "not in the kernel's types")
}

/// `whose` is what is read, `argument 1 of x` for example; `is` its C type. `is_wrong`: it is an object of another kind,
/// which cannot be meant as a number of another width can.
pub fn type_mismatch(
    ty: ArgType,
    (is_wrong, whose): (bool, &str),
    is: &str,
    on: impl Display,
    span: Span,
) -> Diagnostic {
    let message = format!("{whose} is `{is}`, which type `{ty}` does not fit");
    let diagnostic = match is_wrong {
        true => refused(Code::TYPE_MISMATCH, on, message),
        false => warned(Code::TYPE_MISMATCH, on, message),
    };
    let diagnostic = diagnostic.label(span, "reads something else");
    match type_of(is) {
        Some(meant) if is_wrong => diagnostic.help(format!("type: {meant}")),
        _ => diagnostic,
    }
    .note("Tetragon warns in its log and loads the policy")
}

/// The argument type that reads a C type, as far as its text tells.
fn type_of(is: &str) -> Option<&'static str> {
    let is = is.trim_start_matches("const ");
    let pointed = is.strip_suffix(" *")?;
    let pointed = pointed.trim_start_matches("const ");
    if pointed == "char" {
        return Some("string");
    }
    let name = pointed.strip_prefix("struct ")?;
    let known = ["file", "path", "dentry", "linux_binprm", "sock", "socket", "sockaddr", "cred", "filename"];
    let others = [("sk_buff", "skb"), ("kiocb", "kiocb"), ("iov_iter", "iov_iter"), ("module", "module")];
    known
        .into_iter()
        .find(|known| *known == name)
        .or_else(|| others.into_iter().find(|(structure, _)| *structure == name).map(|(_, ty)| ty))
}

pub fn no_parameter(function: impl Display, params: usize, on: impl Display, span: Span) -> Diagnostic {
    let params = match params {
        0 => "no parameters".to_string(),
        1 => "1 parameter".to_string(),
        n => format!("{n} parameters"),
    };
    refused(Code::TYPE_MISMATCH, on, format!("`{function}` has {params}"))
        .label(span, "counted from 0, there is none at this place")
        .note("Tetragon warns in its log and loads the policy")
}

pub fn no_override(function: &str, why: &str, on: impl Display, span: Span) -> Diagnostic {
    refused(Code::NO_OVERRIDE, on, format!("`{}` cannot be overridden", shown(function))).label(span, why)
}

/// Tetragon refuses it and an artifact would not need what is lacking.
pub fn override_refused(
    function: &str,
    why: &str,
    help: Option<&str>,
    on: impl Display,
    span: Span,
) -> Diagnostic {
    let message = format!("Tetragon refuses `Override` on `{}`", shown(function));
    let diagnostic = warned(Code::NO_OVERRIDE, on, message).label(span, why);
    help.map_or(diagnostic.clone(), |help| diagnostic.help(help))
}

pub fn empty_list(list: &str, why: &str, on: impl Display, span: Span) -> Diagnostic {
    refused(Code::EMPTY_LIST, on, format!("list `{}` has no members", shown(list))).label(span, why)
}

/// `what` is a sentence without a full stop.
pub fn lacking(what: String, label: &str, on: impl Display, span: Span) -> Diagnostic {
    refused(Code::LACKING_KERNEL, on, what).label(span, label)
}

/// An artifact does without what is lacking, Tetragon does not.
pub fn tetragon_refuses(what: String, label: &str, on: impl Display, span: Span) -> Diagnostic {
    warned(Code::LACKING_KERNEL, on, what).label(span, label)
}

/// What the programs of an operation read and a kernel does not have.
pub fn missing_members(
    operation: &str,
    members: &[String],
    on: impl Display,
    span: Option<Span>,
) -> Diagnostic {
    let message = format!("the kernel lacks what the program of `{operation}` reads");
    let diagnostic = refused(Code::LACKING_KERNEL, on, message);
    let members: Vec<String> = members.iter().map(|member| format!("`{member}`")).collect();
    let diagnostic = diagnostic.note(format!("not in its types: {}", members.join(", ")));
    match span {
        Some(span) => diagnostic.label(span, "could not be loaded there"),
        None => diagnostic,
    }
}

/// `why` is what the reader of objects says.
pub fn unfit_programs(why: &str, on: impl Display) -> Diagnostic {
    let message = format!("the programs cannot be fitted to the kernel's types: {why}");
    refused(Code::LACKING_KERNEL, on, message)
}

/// A file named with `--btf` or `--target`.
pub fn bad_target_file(name: &str, why: &str) -> Diagnostic {
    Diagnostic::error(Code::BAD_TARGET_FILE, format!("cannot use `{name}`: {why}"))
        .help("`--btf` takes /sys/kernel/btf/vmlinux or a copy of it, `--target` what `tetrafold target record` writes")
}

/// Policies are checked for it all the same.
pub fn other_machine(kernel: &str, machine: &str) -> Diagnostic {
    let message = format!("on {kernel}: the kernel is for {machine}, and artifacts are for x86_64 alone");
    Diagnostic::new(Code::OTHER_MACHINE, Severity::NotCompiled, message)
        .help("compile without this kernel, and load the artifact on x86_64 nodes only")
        .note("elsewhere a program would find the arguments of calls in other registers")
}
