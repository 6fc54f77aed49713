//! Sets that Tetragon loads are taken by a node that was compiled for: many scopes on the host, many on one pod.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tetrafold::artifact::node::{Host, Node, NodeError, Workload};
use tetrafold::artifact::scope::{self, Container};
use tetrafold::platform::Target;

use crate::compile::{Compiled, compile};

/// A policy that posts every open of its own file.
fn policy(name: &str, selector: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: {name}}}\nspec:\n  {selector}\n  \
         lsmhooks:\n  - hook: file_open\n    args: [{{index: 0, type: file}}]\n    selectors:\n    \
         - matchArgs: [{{index: 0, operator: Equal, values: [\"/etc/{name}\"]}}]\n"
    )
}

fn exempt(n: u32, host: bool) -> String {
    let host = if host { "hostSelector: {}\n  " } else { "" };
    let selector =
        format!("{host}podSelector: {{matchExpressions: [{{key: exempt-{n}, operator: DoesNotExist}}]}}");
    policy(&format!("p{n}"), &selector)
}

fn pod(compiled: &Compiled, n: u64, labels: &[(&str, &str)]) -> Workload {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
    let container = Container { namespace: "default".into(), labels, ..Container::default() };
    let scopes = scope::scopes_of(&compiled.built.manifest, &scope::Workload::Container(container));
    Workload { name: format!("pod {n}"), path: vec![7, 1000 + 40 * n], scopes }
}

fn set_words(compiled: &Compiled) -> (u64, u64) {
    let limits = &compiled.built.manifest.limits;
    let limit = limits.iter().find(|limit| limit.name == "decision words of a set").unwrap();
    (limit.used, limit.max)
}

#[test]
fn a_full_node_of_pods_under_many_scopes_is_taken() {
    for (n, host) in [(33, true), (40, false), (127, false), (300, true)] {
        let text = (0..n).fold(String::new(), |mut text, i| {
            let _ = write!(text, "{}", exempt(i, host));
            text
        });
        let compiled = compile(&[&text], &Target::default()).unwrap();
        let workloads: Vec<Workload> = (0..110).map(|i| pod(&compiled, i, &[])).collect();
        assert_eq!(workloads[0].scopes.len(), n as usize);
        let node =
            Node::new(&compiled.built.manifest, compiled.blocks(), 1, &workloads, Host::default()).unwrap();
        assert_eq!(node.refused(), []);
        let (used, max) = set_words(&compiled);
        // A test, an action with its count, for each; and the end.
        assert_eq!((used, max), (3 * u64::from(n) + 1, 1 << 20));
    }
}

/// What pods can be under at once is known from labels; how near the limit they come is not the sum of all.
#[test]
fn policies_that_exclude_each_other_come_no_nearer_the_limit() {
    let text: String = (0..200)
        .map(|i| policy(&format!("p{i}"), &format!("podSelector: {{matchLabels: {{app: a{i}}}}}")))
        .collect();
    let compiled = compile(&[&text], &Target::default()).unwrap();
    assert_eq!(set_words(&compiled).0, 4);
}

/// The loader's way: the objects are those of the smaller region, with other numbers in them.
#[test]
fn a_grown_artifact_is_what_would_be_compiled_for_that_region() {
    let text: String = (0..30).map(|i| exempt(i, false)).collect();
    let small = Target { pods: 1, scopes_per_pod: 1, ..Target::default() };
    let compiled = compile(&[&text], &small).unwrap();
    let mut artifact = compiled.artifact();
    let pods: Vec<Workload> = (0..60)
        .map(|i| {
            pod(&compiled, i, &[(&format!("exempt-{}", i % 30), "x"), (&format!("exempt-{}", i % 7), "y")])
        })
        .collect();
    let node = loop {
        let manifest = &artifact.manifest;
        match Node::new(manifest, artifact.scope_blocks.clone(), 1, &pods, Host::default()) {
            Ok(node) => break node,
            Err(NodeError::Full { part, .. }) => artifact = artifact.grown(part).unwrap(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(node.refused(), []);
    assert!(artifact.manifest.node.bytes > compiled.built.manifest.node.bytes);
    let map = artifact.manifest.map("node").unwrap();
    assert_eq!(map.value_size, artifact.manifest.node.bytes);
    // Every number is where the manifest says, and nothing else of an object has changed.
    for program in &artifact.manifest.programs {
        let (before, after) =
            (compiled.built.files.get(&program.object).unwrap(), artifact.content(&program.object));
        let places: Vec<(usize, [u8; 4])> = artifact.manifest.constants(program).collect();
        for (at, bytes) in &places {
            assert_eq!(after[*at..*at + 4], *bytes);
        }
        let is_place = |at: usize| places.iter().any(|(first, _)| (*first..first + 4).contains(&at));
        assert!((0..before.len()).all(|at| before[at] == after[at] || is_place(at)), "{}", program.name);
    }
}

#[test]
fn bindings_that_select_nothing_cost_nothing() {
    let text = |dead: usize| -> String {
        let dead = (0..dead).map(|i| {
            let selector = format!(
                "podSelector: {{matchExpressions: [{{key: app, operator: In, values: [a{i}]}}, {{key: app, operator: NotIn, values: [a{i}]}}]}}"
            );
            policy(&format!("dead{i}"), &selector)
        });
        let live = (0..20)
            .map(|i| policy(&format!("live{i}"), &format!("podSelector: {{matchLabels: {{app: b{i}}}}}")));
        live.chain(dead).collect()
    };
    let (alone, with_dead) = (text(0), text(480));
    let compiled = compile(&[&with_dead], &Target::default()).unwrap();
    let without = compile(&[&alone], &Target::default()).unwrap();
    let manifest = &compiled.built.manifest;
    assert_eq!(manifest.node, without.built.manifest.node);
    assert_eq!(manifest.operations[0].tables, without.built.manifest.operations[0].tables);
    assert_eq!(manifest.scopes.iter().filter(|scope| scope.any.is_empty()).count(), 1);
    assert_eq!(manifest.policies.len(), 500);
}
