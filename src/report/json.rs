//! Canonical JSON: one value, one spelling, the same as that of manifests.
//!
//! Members of the outermost object, and elements of arrays directly below it, stand on a line of their own; everything
//! deeper is compact.

use std::fmt::Write;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

/// # Panics
/// If a value has map keys that are not strings; the report's types have none.
pub(super) fn canonical<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("the report's types are plain JSON");
    let Value::Object(members) = value else { return format!("{value}\n") };
    let mut text = String::from("{");
    for (i, (key, member)) in members.iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        write!(text, "{}:", Value::from(key.as_str())).expect("writing to a string cannot fail");
        match member {
            Value::Array(elements) => {
                text.push('[');
                for (i, element) in elements.iter().enumerate() {
                    text.push_str(if i == 0 { "\n" } else { ",\n" });
                    write!(text, "{element}").expect("writing to a string cannot fail");
                }
                text.push(']');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                write!(text, "{member}").expect("writing to a string cannot fail");
            }
        }
    }
    text.push_str("\n}\n");
    text
}

/// The JSON Schema (2020-12) of `T`, indented, with a newline at the end.
pub(super) fn schema<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}
