//! Names, messages and tags of hooks.

use crate::diag::{lints, schema as codes};
use crate::policy::context::Cx;
use crate::syntax::ast::read::{List, Text};
use crate::vocab::limit;

/// Letters of a symbol; a name with others is in no kernel.
pub fn is_symbol(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

/// As events show it. Empty is none.
pub fn message(written: Option<Text<'_>>, cx: &mut Cx<'_>) -> Option<String> {
    let message = written.filter(|message| !message.value.is_empty())?;
    if message.value.len() < limit::MESSAGE_MIN_BYTES {
        cx.report(codes::message_too_short("message", limit::MESSAGE_MIN_BYTES, message.span));
        return None;
    }
    if message.value.len() > limit::MESSAGE_BYTES {
        cx.report(lints::text_truncated("message", message.value.len(), limit::MESSAGE_BYTES, message.span));
    }
    Some(quoted(message.value, limit::MESSAGE_BYTES))
}

pub fn tags(written: Option<&List<Text<'_>>>, cx: &mut Cx<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for tag in written.iter().flat_map(|tags| &tags.items) {
        if tag.value.len() < limit::TAG_MIN_BYTES {
            cx.report(codes::message_too_short("tags", limit::TAG_MIN_BYTES, tag.span));
            continue;
        }
        if tag.value.len() > limit::TAG_BYTES {
            cx.report(lints::text_truncated("tags", tag.value.len(), limit::TAG_BYTES, tag.span));
        }
        tags.push(quoted(tag.value, limit::TAG_BYTES));
    }
    tags
}

/// The first `max` bytes as Go's `%q` writes them, without the quotes around: `"`, `\\` and what cannot be
/// printed are escaped, a character that was cut in two byte by byte.
fn quoted(text: &str, max: usize) -> String {
    let bytes = &text.as_bytes()[..text.len().min(max)];
    let mut quoted = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\x07' => quoted.push_str("\\a"),
                '\x08' => quoted.push_str("\\b"),
                '\x0b' => quoted.push_str("\\v"),
                '\x0c' => quoted.push_str("\\f"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '"' | '\\' => quoted.extend(['\\', c]),
                c if (c as u32) < 0x20 || c == '\x7f' => quoted.push_str(&format!("\\x{:02x}", c as u32)),
                c if !is_printed(c) && (c as u32) < 0x1_0000 => {
                    quoted.push_str(&format!("\\u{:04x}", c as u32))
                }
                c if !is_printed(c) => quoted.push_str(&format!("\\U{:08x}", c as u32)),
                c => quoted.push(c),
            }
        }
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted
}

/// Spaces other than the common one, control and format characters are not.
fn is_printed(c: char) -> bool {
    let is_format = matches!(
        c as u32,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
            | 0xfeff | 0xfff0..=0xfffb | 0xe000..=0xf8ff | 0xe0000..=0x10ffff
    );
    c == ' ' || !c.is_whitespace() && !c.is_control() && !is_format
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_message_is_quoted_as_go_does() {
        assert_eq!(quoted("a \"b\" \\ \n\t\x07\x01\x7f", 256), r#"a \"b\" \\ \n\t\a\x01\x7f"#);
        assert_eq!(quoted("grün 日本 é", 256), "grün 日本 é");
        assert_eq!(quoted("a\u{a0}b\u{200b}\u{feff}", 256), r"a\u00a0b\u200b\ufeff");
        assert_eq!(quoted("aü", 2), r"a\xc3", "cut inside a character");
        assert_eq!(quoted("abc", 2), "ab");
    }
}
