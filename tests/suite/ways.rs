//! Policies, selectors with workloads of their own, and bindings are ways to write one thing.

use std::fmt::Write as _;

use tetrafold::platform::Target;

use crate::compile::{Compiled, compile};

/// Name, pod selector and values of each workload.
const WORKLOADS: [(&str, &str, &str); 3] = [
    ("cache", "{matchLabels: {app: cache}}", r#""/usr/bin/redis", "/bin/sh""#),
    ("db", "{matchLabels: {app: db}}", r#""/usr/bin/postgres""#),
    (
        "shop",
        "{matchExpressions: [{key: app, operator: In, values: [shop, till]}]}",
        r#""/app/a", "/bin/sh""#,
    ),
];

fn head(kind: &str, name: &str) -> String {
    format!("---\napiVersion: cilium.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n")
}

fn hook(selectors: &str) -> String {
    format!(
        "  lsmhooks:\n  - hook: bprm_creds_for_exec\n    args: [{{index: 0, type: linux_binprm}}]\n    selectors:\n{selectors}"
    )
}

fn selector(values: &str, workload: &str) -> String {
    format!(
        "    - matchArgs: [{{index: 0, operator: NotEqual, {values}}}]\n      matchActions: [{{action: Override, argError: -1}}]\n{workload}"
    )
}

fn values(values: &str) -> String {
    format!("values: [{values}]")
}

fn plain() -> String {
    let one = |(name, pods, listed): (&str, &str, &str)| {
        head("TracingPolicy", name)
            + &format!("  podSelector: {pods}\n")
            + &hook(&selector(&values(listed), ""))
    };
    WORKLOADS.map(one).concat()
}

fn match_workloads(pods: &str) -> String {
    format!("      matchWorkloads: {{podSelector: {pods}}}\n")
}

fn of_selectors() -> String {
    let one = |(name, pods, listed): (&str, &str, &str)| {
        head("TracingPolicy", name) + &hook(&selector(&values(listed), &match_workloads(pods)))
    };
    WORKLOADS.map(one).concat()
}

const TEMPLATE: &str = "exec-allowlist";

fn template() -> String {
    head("TracingPolicyTemplate", TEMPLATE)
        + "  variables: [{name: allowed, type: linux_binprm}]\n"
        + &hook(&selector("valuesFromVariable: allowed", ""))
}

fn binding(name: &str, selectors: &str, listed: &str) -> String {
    head("TracingPolicyBinding", name)
        + &format!("  templateRef: {{name: {TEMPLATE}}}\n{selectors}")
        + &format!("  bindings: [{{name: allowed, values: [{listed}]}}]\n")
}

fn bindings() -> String {
    let one =
        |(name, pods, listed): (&str, &str, &str)| binding(name, &format!("  podSelector: {pods}\n"), listed);
    WORKLOADS.map(one).concat() + &template()
}

/// Every file, and what the manifest says of scopes and operations.
fn parts(text: &str) -> (Vec<(String, Vec<u8>)>, String) {
    let compiled = compile(&[text], &Target::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut said = String::new();
    let manifest = &compiled.built.manifest;
    let _ = write!(said, "{:?} {:?} {:?}", manifest.scopes, manifest.operations, manifest.load_order);
    (files(&compiled), said)
}

fn files(compiled: &Compiled) -> Vec<(String, Vec<u8>)> {
    compiled.built.files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect()
}

#[test]
fn the_three_ways_to_write_a_set_give_the_same_bytes() {
    let wanted = parts(&plain());
    assert!(wanted == parts(&of_selectors()), "matchWorkloads");
    assert!(wanted == parts(&bindings()), "bindings");
    // A near miss: one value less.
    assert!(wanted != parts(&bindings().replace("redis", "red")));
}

/// Only the numbers of selectors in events tell one policy of three selectors from three policies of one.
#[test]
fn one_policy_for_all_workloads_has_the_tables_and_scopes_of_one_for_each() {
    let all = WORKLOADS.map(|(_, pods, listed)| selector(&values(listed), &match_workloads(pods)));
    let one = head("TracingPolicy", "all") + &hook(&all.concat());
    let one = compile(&[&one], &Target::default()).unwrap();
    let three = compile(&[&plain()], &Target::default()).unwrap();
    let (one, three) = (&one.built.manifest, &three.built.manifest);
    assert_eq!(one.scopes, three.scopes);
    assert_eq!(one.operations[0].tables, three.operations[0].tables);
    assert_eq!(one.operations[0].dimensions, three.operations[0].dimensions);
    assert_eq!(one.policies[0].hooks.len(), 3);
}

#[test]
fn a_binding_by_label_is_one_with_that_label_as_selector() {
    let text = |by_label: bool| {
        let one = |name: &str| {
            let selector = format!("  podSelector: {{matchLabels: {{tetragon-{TEMPLATE}: {name}}}}}\n");
            binding(&format!("{TEMPLATE}-{name}"), if by_label { "" } else { &selector }, r#""/bin/sh""#)
        };
        one("db") + &one("shop") + &template()
    };
    assert!(parts(&text(true)) == parts(&text(false)));
}

#[test]
fn a_binding_with_a_namespace_is_a_namespaced_policy() {
    let namespaced = plain()
        .replace("kind: TracingPolicy\n", "kind: TracingPolicyNamespaced\n")
        .replace("metadata: {name", "metadata: {namespace: prod, name");
    let bound = bindings().replace("Binding\nmetadata: {name", "Binding\nmetadata: {namespace: prod, name");
    assert!(parts(&namespaced) == parts(&bound));
    assert!(parts(&plain()) != parts(&bound));
}

#[test]
fn the_order_of_documents_and_files_does_not_matter() {
    let text = bindings();
    let mut documents: Vec<&str> = text.split("---\n").filter(|d| !d.is_empty()).collect();
    let forward = files(&compile(&documents, &Target::default()).unwrap());
    documents.reverse();
    assert!(forward == files(&compile(&documents, &Target::default()).unwrap()));
    assert!(forward == files(&compile(&[&text], &Target::default()).unwrap()));
}

/// The one of higher priority takes a workload over, as if the other one had left it out.
#[test]
fn priorities_are_differences_of_scopes() {
    let with = |priority: i32, pods: &str| {
        format!("  overrideAllowed: true\n  overridePriority: {priority}\n  podSelector: {pods}\n")
    };
    let all = binding("all", &with(0, "{}"), r#""/bin/sh""#);
    let db = binding("db", &with(1, "{matchLabels: {app: db}}"), r#""/bin/cat""#);
    let left = "{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}";
    let written_out = binding("all", &format!("  podSelector: {left}\n"), r#""/bin/sh""#)
        + &binding("db", "  podSelector: {matchLabels: {app: db}}\n", r#""/bin/cat""#);
    assert!(parts(&(all + &db + &template())) == parts(&(written_out + &template())));
}
