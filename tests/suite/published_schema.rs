//! The published schema of policies against the reader: what one takes the other takes, as far as a schema can say.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tetrafold::diag::codes::{self, example};
use tetrafold::diag::{Code, Diagnostics};
use tetrafold::driver::{self, Input};
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::source::{Origin, Sources};
use tetrafold::syntax::ast::publish;
use tetrafold::syntax::documents;
use tetrafold::syntax::yaml::Node;
use tetrafold::syntax::yaml::scalars::Scalar;

/// Accepted with a warning that the schema takes seriously: an editor should say so, too.
const WARNED: [Code; 2] = [Code::EXPLICIT_NULL, Code::MISCASED_NAME];

/// What a schema can say.
const SAID: [Code; 14] = [
    Code::UNKNOWN_FIELD,
    Code::MISSING_FIELD,
    Code::WRONG_TYPE,
    Code::INTEGER_OUT_OF_RANGE,
    Code::UNKNOWN_WORD,
    Code::TOO_MANY_ITEMS,
    Code::MISCASED_FIELD,
    Code::RETURN_WITHOUT_ARG,
    Code::EXCLUSIVE_FIELDS,
    Code::HOST_SELECTOR_LABELS,
    Code::HOST_SELECTOR_NAMESPACED,
    Code::OUTSIDE_TEMPLATE,
    Code::EXPLICIT_NULL,
    Code::MISCASED_NAME,
];

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&publish::schema()).unwrap();
    jsonschema::draft7::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// What an API server gets to see.
fn json_of(node: &Node<'_>) -> Value {
    if let Some(items) = node.as_sequence() {
        return items.iter().map(json_of).collect();
    }
    if let Some(entries) = node.as_mapping() {
        let members = entries.iter().filter_map(|(k, v)| Some((k.key_text()?.into_owned(), json_of(v))));
        return Value::Object(members.collect());
    }
    match node.scalar().unwrap() {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => json!(value),
        Scalar::Int(value) => json!(value),
        Scalar::Unsigned(value) => json!(value),
        Scalar::Float(value) => json!(value),
        Scalar::Str(value) => json!(value),
    }
}

/// Every policy of the texts, and what is found in them.
fn read(sources: &Sources) -> (Vec<Value>, Diagnostics) {
    let input = Input {
        paths: vec![],
        exclude: Default::default(),
        threads: 1,
        allow_empty: true,
        resolve: ResolveOptions::default(),
    };
    let mut diags = Diagnostics::default();
    driver::policies(sources, &input, &mut diags);
    let documents = documents::read_all(sources, 1, &mut Diagnostics::default());
    (documents.iter().map(|document| json_of(&document.root)).collect(), diags)
}

fn of_text(text: &str) -> (Vec<Value>, Diagnostics) {
    let mut sources = Sources::default();
    sources.add("policy.yaml", text);
    read(&sources)
}

fn of_paths(paths: &[PathBuf]) -> (Vec<Value>, Diagnostics) {
    let mut sources = Sources::default();
    for path in paths {
        if let Ok(text) = std::fs::read_to_string(path) {
            let name = path.display().to_string();
            sources.add_file(name.clone(), name, Origin::Found, text);
        }
    }
    read(&sources)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let is_policy = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|e| ending == *e))
    };
    entries
        .into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(is_policy)
        .collect()
}

fn is_accepted(diags: &Diagnostics) -> bool {
    !diags.has_errors() && !diags.iter().any(|d| WARNED.contains(&d.code))
}

#[track_caller]
fn fits(validator: &jsonschema::Validator, document: &Value, name: &str) {
    let errors: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[test]
fn every_valid_policy_of_examples_and_cases_fits() {
    let (validator, mut seen) = (validator(), 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sets = vec![root.join("examples/policies"), root.join("examples/templates")];
    for folder in ["tests/cases", "tests/kernel/cases"] {
        sets.extend(std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    for set in sets {
        let (documents, diags) = of_paths(&files(&set));
        if is_accepted(&diags) {
            seen += documents.len();
            documents.iter().for_each(|document| fits(&validator, document, &set.display().to_string()));
        }
    }
    assert!(seen > 80, "only {seen} policies");
}

#[test]
fn policies_of_the_corpus_fit_if_they_are_right() {
    let Some(corpus) = std::env::var_os("TETRAFOLD_CORPUS").map(PathBuf::from) else {
        return eprintln!("skipped: TETRAFOLD_CORPUS names no folder");
    };
    let (validator, mut accepted, mut refused) = (validator(), 0, 0);
    for path in files(&corpus.join("accept")) {
        let (documents, diags) = of_paths(std::slice::from_ref(&path));
        if is_accepted(&diags) {
            accepted += documents.len();
            documents.iter().for_each(|document| fits(&validator, document, &path.display().to_string()));
        }
    }
    for path in files(&corpus.join("reject")) {
        let (documents, diags) = of_paths(std::slice::from_ref(&path));
        if diags.iter().any(|d| SAID.contains(&d.code)) {
            refused += 1;
            assert!(!documents.iter().all(|document| validator.is_valid(document)), "{}", path.display());
        }
    }
    assert!(accepted > 100 && refused > 10, "only {accepted} and {refused} policies");
}

/// The pages' examples: right ones fit; wrong ones of what a schema can say do not.
#[test]
fn examples_of_the_codes_fit_or_do_not() {
    let validator = validator();
    for row in codes::ALL {
        if let Some(text) = example(row.page, "## Right") {
            let (documents, _) = of_text(text);
            documents.iter().for_each(|document| fits(&validator, document, &row.code.to_string()));
        }
        if let (true, Some(text)) = (SAID.contains(&row.code), example(row.page, "## Wrong")) {
            let (documents, _) = of_text(text);
            assert!(documents.iter().any(|document| !validator.is_valid(document)), "{}", row.code);
        }
    }
}

/// One policy that is right, and what makes it wrong.
#[test]
fn wrong_documents_do_not_fit() {
    let validator = validator();
    let policy = json!({
        "apiVersion": "cilium.io/v1alpha1",
        "kind": "TracingPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "hostSelector": {},
            "kprobes": [{
                "call": "fd_install",
                "syscall": false,
                "args": [{"index": 0, "type": "int"}],
                "selectors": [{
                    "matchArgs": [{"index": 0, "operator": "Equal", "values": ["1"]}],
                    "matchActions": [{"action": "Post", "rateLimit": "1m"}],
                }],
            }],
        },
    });
    fits(&validator, &policy, "the policy");
    let selector = "/spec/kprobes/0/selectors/0";
    let wrong = [
        ("/kind".to_string(), json!("TracingPolcy")),
        ("/kind".to_string(), json!("tracingpolicy")),
        ("/kind".to_string(), json!("TracingPolicyBinding")),
        ("/kind".to_string(), json!("TracingPolicyNamespaced")),
        ("/kind".to_string(), json!(null)),
        ("/metadata".to_string(), json!("p")),
        ("/spec".to_string(), json!(null)),
        ("/spec/hostSelector".to_string(), json!({"matchLabels": {"a": "b"}})),
        ("/spec/kprobes".to_string(), json!({"call": "fd_install"})),
        ("/spec/kprobes/0/call".to_string(), json!(1)),
        ("/spec/kprobes/0/syscall".to_string(), json!("false")),
        ("/spec/kprobes/0/args/0".to_string(), json!({"type": "int"})),
        ("/spec/kprobes/0/args/0/index".to_string(), json!(-1)),
        ("/spec/kprobes/0/args/0/index".to_string(), json!(1u64 << 32)),
        ("/spec/kprobes/0/args/0/type".to_string(), json!("integer")),
        (format!("{selector}/matchArgs/0/operator"), json!("equal")),
        (format!("{selector}/matchArgs/0/values"), json!([1])),
        (format!("{selector}/matchArgs/0"), json!({"operator": "Equal", "valuesFromVariable": "v"})),
        (format!("{selector}/matchActions/0/action"), json!("Kill")),
        (format!("{selector}/matchActions/0"), json!({"action": "Override", "argErr": -1})),
        (
            format!("{selector}/matchActions/0"),
            json!({"action": "Override", "argNewAddr": 1, "argNewOffset": 1}),
        ),
    ];
    for (at, value) in wrong {
        let mut document = policy.clone();
        *document.pointer_mut(&at).unwrap() = value.clone();
        assert!(!validator.is_valid(&document), "{at}: {value}");
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [policy]});
    fits(&validator, &list, "a list");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "TracingPolicy"}]});
    assert!(!validator.is_valid(&list));
}

#[test]
fn a_template_takes_values_or_a_variable() {
    let validator = validator();
    let with = |kind: &str, filter: Value| {
        validator.is_valid(&json!({
            "kind": kind,
            "metadata": {"name": "t"},
            "spec": {"kprobes": [{"call": "f", "selectors": [{"matchBinaries": [filter]}]}]},
        }))
    };
    let kind = "TracingPolicyTemplate";
    assert!(with(kind, json!({"operator": "In", "values": ["/a"]})));
    assert!(with(kind, json!({"operator": "In", "valuesFromVariable": "v"})));
    assert!(!with(kind, json!({"operator": "In"})));
    assert!(!with(kind, json!({"operator": "In", "values": ["/a"], "valuesFromVariable": "v"})));
    assert!(!with("TracingPolicy", json!({"operator": "In", "valuesFromVariable": "v"})));
}
