//! Constructors of TF0030 to TF0049: text that is not the YAML it should be.

use super::{Code, Diagnostic};
use crate::source::Span;

pub fn syntax(span: Span, what: &str, label: &str, help: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::YAML_SYNTAX, format!("invalid YAML: {what}")).label(span, label);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// `written` is two escapes.
pub fn surrogate_escapes(span: Span, written: &str) -> Diagnostic {
    let halves = written.split("\\u").filter_map(|digits| u16::from_str_radix(digits, 16).ok());
    let help = match char::decode_utf16(halves).next() {
        Some(Ok(c)) => format!("write `{c}`, or `\\U{:08X}`", c as u32),
        Some(Err(_)) | None => SURROGATES_HELP.to_string(),
    };
    let what = format!("`{written}` escapes the two halves of a character");
    syntax(span, &what, "as JSON does", Some(&help)).note("Tetragon's YAML reader refuses it")
}

pub const SURROGATES_HELP: &str = "write the character itself, or `\\U` and eight hexadecimal digits";

/// A comma in brackets with nothing in front of it.
pub fn nothing_before_comma(span: Span) -> Diagnostic {
    syntax(span, "nothing comes before this comma", "a value is missing, or this is too much", None)
}

pub fn nested_too_deeply(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error(Code::NESTED_TOO_DEEPLY, "lists and mappings are nested too deeply")
        .label(span, format!("this is level {}", limit + 1))
        .note(format!("at most {limit} levels are read; a policy needs fewer than 20"))
}

pub fn document_too_large(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error(Code::DOCUMENT_TOO_LARGE, "document has too many values")
        .label(span, format!("more than {limit} up to here"))
        .help("split the document into several policies")
}

pub fn excessive_aliasing(span: Span) -> Diagnostic {
    Diagnostic::error(Code::EXCESSIVE_ALIASING, "aliases expand to too many values")
        .label(span, "too many with this alias")
        .help("write the values out, or use fewer aliases of aliases")
        .note("Tetragon's YAML reader has the same limit")
}

pub fn unknown_anchor(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error(Code::UNKNOWN_ANCHOR, format!("alias `*{name}` has no anchor"))
        .label(span, format!("no `&{name}` before this in the document"))
        .help("quote a value that starts with `*`")
}

pub fn recursive_alias(span: Span, anchor: Span) -> Diagnostic {
    Diagnostic::error(Code::RECURSIVE_ALIAS, "an anchor contains an alias of itself")
        .label(span, "inside the value that it names")
        .label(anchor, "which starts here")
}

/// `kind` is what the value is instead of a mapping: `a list`.
pub fn bad_merge(key: Span, value: Span, kind: &str) -> Diagnostic {
    Diagnostic::error(Code::BAD_MERGE, format!("`<<` merges mappings, not {kind}"))
        .label(key, "merged here")
        .label(value, format!("this is {kind}"))
        .help("quote the key, `\"<<\"`, if it is meant literally")
}

pub fn tag_mismatch(value: Span, tag: Span, expected: &str) -> Diagnostic {
    Diagnostic::error(Code::TAG_MISMATCH, format!("value is not {expected}"))
        .label(value, format!("not {expected}"))
        .label(tag, "as this tag demands")
}

pub fn unsupported_tag(tag: Span, text: &str) -> Diagnostic {
    let name = &text[tag.start as usize..tag.end as usize];
    Diagnostic::error(Code::UNSUPPORTED_TAG, format!("tag `{name}` is not supported"))
        .label(tag, "no field of a policy wants such a value")
        .help("write a quoted string")
}

pub fn unknown_tag(tag: Span, text: &str) -> Diagnostic {
    let name = &text[tag.start as usize..tag.end as usize];
    Diagnostic::lint(Code::UNKNOWN_TAG, format!("tag `{name}` has no meaning here"))
        .label(tag, "dropped")
        .help("remove the tag")
        .note("Tetragon reads a tagged scalar as text, and ignores tags on lists and mappings")
}

/// `at` is where the key is written, also if it is an alias; `kind` is what it is: `a list`.
pub fn bad_key(at: Span, kind: &str, text: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::BAD_KEY, format!("{kind} cannot be a key"))
        .label(at, "this is the key of a mapping");
    if text[..at.start as usize].ends_with('{') && text[at.start as usize..].starts_with('{') {
        return diagnostic.help("fill in templates (`{{ ... }}`) before giving the text to tetrafold");
    }
    diagnostic.help("keys are text; quote it if that is what it is")
}
