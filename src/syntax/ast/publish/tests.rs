use super::*;

/// With `TETRAFOLD_BLESS=1` set, writes it.
#[test]
fn schema_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/syntax/ast/policies.schema.json");
    let generated = schema();
    if std::env::var_os("TETRAFOLD_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "out of date; run the test again with TETRAFOLD_BLESS=1");
}

/// What an editor shows beside a word or a field.
#[test]
fn everything_that_can_be_written_is_explained() {
    fn look(value: &Value, at: &str) {
        if let Some(words) = value.get("enumDescriptions").and_then(Value::as_array) {
            assert!(words.iter().all(|word| word.as_str() != Some("")), "{at}: a word without a meaning");
        }
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let is_rule = at.contains("/allOf/");
                let described = property["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(is_rule || described, "{at}: {name}");
            }
        }
        match value {
            Value::Object(members) => members.iter().for_each(|(name, v)| look(v, &format!("{at}/{name}"))),
            Value::Array(items) => items.iter().for_each(|v| look(v, &format!("{at}/-"))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    look(&document()["definitions"], "definitions");
}
