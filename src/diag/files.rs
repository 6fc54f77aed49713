//! Constructors of TF0001 to TF0029: input and output that cannot be read or written, and text that is none.

use std::io;

use super::{Code, Diagnostic};
use crate::source::Span;

/// `at` is the start of the file, which has no text.
pub fn unreadable_file(at: Span, path: &str, cause: &str) -> Diagnostic {
    Diagnostic::error(Code::UNREADABLE_FILE, format!("cannot read `{path}`: {cause}")).label(at, cause)
}

pub fn unreadable_folder(at: Span, path: &str, cause: &str) -> Diagnostic {
    Diagnostic::error(Code::UNREADABLE_FOLDER, format!("cannot read folder `{path}`: {cause}"))
        .label(at, cause)
}

/// `size` is not known of standard input.
pub fn file_too_large(at: Span, path: &str, size: Option<u64>, limit: u64) -> Diagnostic {
    let size = size.map_or(format!("more than {limit}"), |size| size.to_string());
    Diagnostic::error(Code::FILE_TOO_LARGE, format!("`{path}` is too large"))
        .label(at, format!("{size} bytes, and at most {limit} are read"))
        .help("split the policies into several files")
}

pub fn output_not_written(path: &str, cause: &str) -> Diagnostic {
    Diagnostic::error(Code::OUTPUT_NOT_WRITTEN, format!("cannot write `{path}`: {cause}"))
}

/// Names that are shown of those in the way.
const NAMES_SHOWN: usize = 10;

/// `names` are those of what no compile has written.
pub fn foreign_content(path: &str, names: &[String]) -> Diagnostic {
    let shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    output_not_written(path, &format!("it holds what no compile has written: {}{more}", shown.join(", ")))
        .help("name a folder of its own for the artifact; whatever else is in one is neither removed nor mixed with it")
}

/// On a file system without locks the two cannot be told apart.
pub fn output_in_use(path: &str, staging: &str) -> Diagnostic {
    output_not_written(path, "another compile writes there, or one was killed")
        .help(format!("if none is running, remove `{path}/{staging}`"))
}

/// `at` is behind the last character that is UTF-8.
pub fn not_utf8(at: Span, path: &str, byte: u8) -> Diagnostic {
    Diagnostic::error(Code::NOT_UTF8, format!("`{path}` is not UTF-8"))
        .label(at, format!("byte {} is 0x{byte:02x}, which starts no character", at.start))
        .help("convert the file: iconv -f ENCODING -t UTF-8")
}

pub fn control_character(at: Span, character: char) -> Diagnostic {
    Diagnostic::error(Code::CONTROL_CHARACTER, "control character in the text")
        .label(at, format!("byte {} is U+{:04X}", at.start, character as u32))
        .help("remove it; in a value, write it as an escape in double quotes, such as \"\\0\"")
}

/// What the system says of an error, without the number that its text ends in.
pub fn io_cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().collect::<String>() + chars.as_str())
}
