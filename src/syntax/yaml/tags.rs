//! What an explicit tag does to a value, as in go-yaml v2 (`resolve.go`, `decode.go`).
//!
//! On scalars the tags of YAML's own types decide or demand the kind of value; every other tag makes it
//! text. On lists and mappings tags do nothing. `!!binary` and `!!timestamp` are refused: no field wants them.

use granit_parser::Tag;

use super::Style;
use super::scalars::{Scalar, resolve_plain};

/// The effect of a tag on a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read on as it is written.
    None,
    /// Read as if it were not quoted.
    Plain,
    /// Read as if it were quoted.
    Text,
    /// As `Text`, but surely not meant so.
    Unknown,
    /// The text is not what the tag says; holds what it should be.
    Mismatch(&'static str),
    Unsupported,
}

const YAML: &str = "tag:yaml.org,2002:";

pub fn effect(tag: &Tag, text: &str, style: Style) -> Effect {
    if is_non_specific(tag) {
        // libyaml: `! "5"` is resolved like a plain scalar.
        return Effect::Plain;
    }
    let Some(name) = tag.suffix_in_namespace(YAML) else { return Effect::Unknown };
    let value = resolve_plain(text);
    let (fits, expected) = match &*name {
        "str" => return Effect::Text,
        "merge" if style == Style::Plain && text == "<<" => return Effect::None,
        "binary" | "timestamp" => return Effect::Unsupported,
        "null" => (value == Scalar::Null, "null"),
        "bool" => (matches!(value, Scalar::Bool(_)), "a boolean"),
        "int" => (matches!(value, Scalar::Int(_) | Scalar::Unsigned(_)), "an integer"),
        "float" => match value {
            Scalar::Float(_) => (true, "a number"),
            // It becomes a floating point number; the two must stay the same for us to read on.
            Scalar::Int(value) if value.unsigned_abs() > 1 << 53 => return Effect::Unsupported,
            Scalar::Int(_) => (true, "a number"),
            Scalar::Null | Scalar::Bool(_) | Scalar::Unsigned(_) | Scalar::Str(_) => (false, "a number"),
        },
        _ => return Effect::Unknown,
    };
    if fits { Effect::Plain } else { Effect::Mismatch(expected) }
}

/// A tag that says nothing new about a list or mapping.
pub fn is_collection_tag(tag: &Tag) -> bool {
    is_non_specific(tag)
        || tag
            .suffix_in_namespace(YAML)
            .is_some_and(|name| matches!(&*name, "map" | "seq" | "set" | "omap" | "pairs"))
}

/// Whether a plain `<<` with this tag still merges.
pub fn allows_merge(tag: &Tag) -> bool {
    is_non_specific(tag) || tag.suffix_in_namespace(YAML).is_some_and(|name| name == "merge")
}

fn is_non_specific(tag: &Tag) -> bool {
    tag.handle().is_empty() && tag.suffix() == "!"
}
