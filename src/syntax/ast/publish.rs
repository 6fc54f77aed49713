//! The JSON Schema of the four kinds, for editors and validators that know no tetrafold.
//!
//! Made from the tables that the reader goes by ([`super::schema`]), so it cannot say anything else: a document
//! that this schema takes passes the reader, rules that need meaning aside. Draft 7, which editors know best;
//! a document is looked at by its `kind`, so that what is wrong is said of that kind alone.
//! Stricter than the reader where Tetragon's own two readers disagree: keys in their exact case, no nulls
//! where there is no default, no numbers in quotes' stead.

use serde_json::{Map, Value, json};

use super::bindings::Binding;
use super::objects::Policy;
use super::read::Read;
use super::schema::{FieldSchema, ObjectSchema, Rule, TypeSchema};
use crate::syntax::documents::{API_VERSION, DocumentKind};

/// The schema as text, indented, with a newline at the end.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// The root: what the kinds have in common, and which of them is asked for.
fn document() -> Value {
    let mut definitions = Definitions::default();
    let mut kinds = Vec::new();
    for &kind in DocumentKind::ALL {
        let (object, in_template) = match kind {
            DocumentKind::TracingPolicy | DocumentKind::TracingPolicyNamespaced => (Policy::SCHEMA, false),
            DocumentKind::TracingPolicyTemplate => (Policy::SCHEMA, true),
            DocumentKind::TracingPolicyBinding => (Binding::SCHEMA, false),
        };
        let mut then = definitions.value(object, in_template);
        if kind == DocumentKind::TracingPolicyNamespaced {
            let no_host = json!({"properties": {"spec": {"properties": {"hostSelector": false}}}});
            then = json!({"allOf": [then, no_host]});
        }
        kinds.push(json!({"if": is_kind(&[kind.name().to_string()]), "then": then}));
    }
    let names: Vec<String> = DocumentKind::ALL.iter().map(|kind| kind.name().to_string()).collect();
    let lists: Vec<String> =
        names.iter().map(String::as_str).chain([""]).map(|name| format!("{name}List")).collect();
    // Kubernetes' way to put many objects into one document.
    kinds.push(json!({
        "if": is_kind(&lists),
        "then": {"required": ["items"], "properties": {"items": {"type": "array", "items": {"$ref": "#"}}}},
    }));
    let kind_words = [names, lists].concat();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tetragon tracing policies, with templates and bindings",
        "type": "object",
        "required": ["kind"],
        "properties": {
            "apiVersion": {"type": "string", "default": API_VERSION},
            "kind": {"enum": kind_words, "description": "What the document is."},
        },
        "allOf": kinds,
        "definitions": definitions.all,
    })
}

fn is_kind(names: &[String]) -> Value {
    json!({"properties": {"kind": {"enum": names}}, "required": ["kind"]})
}

/// Each object once, by its name; those that templates write differently a second time.
#[derive(Default)]
struct Definitions {
    all: Map<String, Value>,
}

impl Definitions {
    fn value(&mut self, ty: TypeSchema, in_template: bool) -> Value {
        match ty {
            TypeSchema::Bool => json!({"type": "boolean"}),
            TypeSchema::Int { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            TypeSchema::Text => json!({"type": "string"}),
            TypeSchema::Coerced => json!({"type": ["string", "number", "boolean"]}),
            TypeSchema::Words { words, .. } => {
                let (names, docs): (Vec<_>, Vec<_>) =
                    words().iter().map(|word| (word.name, word.doc)).unzip();
                json!({"enum": names, "enumDescriptions": docs})
            }
            TypeSchema::List(item) => json!({"type": "array", "items": self.value(*item, in_template)}),
            TypeSchema::Map(value) => {
                json!({"type": "object", "additionalProperties": self.value(*value, in_template)})
            }
            TypeSchema::Object(object) => self.reference(object, in_template),
            TypeSchema::Any => json!({}),
        }
    }

    fn reference(&mut self, object: &ObjectSchema, in_template: bool) -> Value {
        let in_template = in_template && has_template_fields(object);
        let name = format!("{}{}", if in_template { "Template" } else { "" }, object.name);
        if !self.all.contains_key(&name) {
            // Keeps its place in front of what it is made of.
            self.all.insert(name.clone(), Value::Null);
            let definition = self.object(object, in_template);
            self.all.insert(name.clone(), definition);
        }
        json!({"$ref": format!("#/definitions/{name}")})
    }

    fn object(&mut self, object: &ObjectSchema, in_template: bool) -> Value {
        let written = || object.fields.iter().filter(|field| in_template || !field.template_only);
        let replacement = |field: &FieldSchema| written().find(|other| other.replaces == Some(field.name));
        let properties: Map<String, Value> =
            written().map(|field| (field.name.to_string(), self.field(field, in_template))).collect();
        let required: Vec<&str> = written()
            .filter(|field| field.required && replacement(field).is_none())
            .map(|field| field.name)
            .collect();
        let mut rules: Vec<Value> = object.rules.iter().map(rule).collect();
        for field in written() {
            let Some(other) = replacement(field) else { continue };
            let names = [field.name, other.name];
            if field.required {
                rules.push(json!({"oneOf": names.map(|name| json!({"required": [name]}))}));
            } else {
                rules.push(at_most_one(&names));
            }
        }
        let mut schema = json!({
            "type": "object",
            "description": object.doc.trim(),
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !rules.is_empty() {
            schema["allOf"] = json!(rules);
        }
        schema
    }

    fn field(&mut self, field: &FieldSchema, in_template: bool) -> Value {
        let mut schema = self.value(field.ty, in_template);
        schema["description"] = json!(field.doc.trim());
        if let Some(max) = field.max_items {
            schema["maxItems"] = json!(max);
        }
        if let Some(default) = field.default {
            // Defaults are booleans, numbers, words and quoted text: all but words are JSON as they stand.
            let default = serde_json::from_str(default).unwrap_or_else(|_| json!(default));
            // Null is the default, and nobody minds.
            if let Some(Value::Array(words)) = schema.get_mut("enum") {
                words.push(Value::Null);
            } else if let Some(ty) = schema.get_mut("type") {
                *ty = json!([ty.take(), "null"]);
            }
            schema["default"] = default;
        }
        schema
    }
}

fn has_template_fields(object: &ObjectSchema) -> bool {
    fn inside(ty: TypeSchema) -> bool {
        match ty {
            TypeSchema::Object(object) => has_template_fields(object),
            TypeSchema::List(item) | TypeSchema::Map(item) => inside(*item),
            TypeSchema::Bool
            | TypeSchema::Int { .. }
            | TypeSchema::Text
            | TypeSchema::Coerced
            | TypeSchema::Words { .. }
            | TypeSchema::Any => false,
        }
    }
    object.fields.iter().any(|field| field.template_only || inside(field.ty))
}

fn rule(rule: &Rule) -> Value {
    match rule {
        Rule::AtMostOne(names) => at_most_one(names),
        Rule::ReturnNeedsArg => json!({
            "if": {"properties": {"return": {"const": true}}, "required": ["return"]},
            "then": {"required": ["returnArg"]},
        }),
        Rule::HostHasNoLabels => json!({"properties": {"hostSelector": {"maxProperties": 0}}}),
    }
}

/// No two of them.
fn at_most_one(names: &[&str]) -> Value {
    let pairs = names.iter().enumerate().flat_map(|(i, a)| names[i + 1..].iter().map(move |b| [a, b]));
    let pairs: Vec<Value> = pairs.map(|pair| json!({"required": pair})).collect();
    json!({"not": {"anyOf": pairs}})
}

#[cfg(test)]
mod tests;
