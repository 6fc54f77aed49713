//! Canonical JSON: one value, one spelling.
//!
//! Keys come in the order in which the types declare them. Members of the outermost object, and elements of
//! arrays directly below it, stand on a line of their own, everything deeper is compact: large manifests stay
//! small, and a line-wise comparison of two of them shows what changed. Ends with a newline.

use std::io;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::ser::Formatter;

/// # Panics
/// If a map has keys that are not strings; the types of this crate have none.
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, Lines { depth: 0 });
    value.serialize(&mut writer).expect("writing JSON to memory cannot fail");
    bytes.push(b'\n');
    bytes
}

/// The JSON Schema (2020-12) of `T`, indented, with a newline at the end.
pub fn schema<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// Breaks lines in the two outermost levels only.
struct Lines {
    depth: usize,
}

const BROKEN_LEVELS: usize = 2;

impl Lines {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(bracket)
    }

    fn separate<W: ?Sized + io::Write>(&self, writer: &mut W, first: bool, broken: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if broken { writer.write_all(b"\n") } else { Ok(()) }
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first, self.depth <= BROKEN_LEVELS)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.depth == 1 {
            writer.write_all(b"\n")?;
        }
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first, self.depth < BROKEN_LEVELS)
    }
}

/// Compares a generated schema with the committed one; with `TETRAFOLD_BLESS=1` set, writes it.
#[cfg(any(test, feature = "sample"))]
pub fn assert_committed(file: &str, generated: &str) {
    if std::env::var_os("TETRAFOLD_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(file, generated).expect("the source tree can be written");
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(committed == generated, "{file} is out of date; run the test again with TETRAFOLD_BLESS=1");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_the_two_outermost_levels() {
        let value = serde_json::json!({"a": 1, "b": [{"c": [1, 2]}, {"c": []}], "d": {"e": "x\"y"}});
        let text = String::from_utf8(canonical(&value)).unwrap();
        assert_eq!(text, "{\n\"a\":1,\n\"b\":[\n{\"c\":[1,2]},\n{\"c\":[]}],\n\"d\":{\"e\":\"x\\\"y\"}\n}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
