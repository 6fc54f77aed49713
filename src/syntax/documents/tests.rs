use super::*;
use crate::diag::{Code, Severity};

fn run(texts: &[(&str, Origin)], threads: usize) -> (Vec<String>, Vec<(Code, Severity)>) {
    let mut sources = Sources::default();
    for (i, (text, origin)) in texts.iter().enumerate() {
        sources.add_file(format!("{i}.yaml"), format!("{i}.yaml"), *origin, text.to_string());
    }
    let mut diags = Diagnostics::default();
    let read = read_all(&sources, threads, &mut diags);
    let name = |document: &Document<'_>| {
        let metadata = field(&document.root, "metadata", false);
        let name = metadata.and_then(|m| field(m, "name", false)).and_then(text).map_or("", |(name, _)| name);
        format!("{}/{name}", document.kind.name())
    };
    (read.iter().map(name).collect(), diags.iter().map(|d| (d.code, d.severity)).collect())
}

fn named(text: &str) -> (Vec<String>, Vec<(Code, Severity)>) {
    run(&[(text, Origin::Named)], 1)
}

fn found(text: &str) -> (Vec<String>, Vec<(Code, Severity)>) {
    run(&[(text, Origin::Found)], 1)
}

const POLICY: &str = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a}\n";

#[test]
fn every_kind_is_read_and_documents_keep_their_order() {
    let text = DocumentKind::ALL.iter().enumerate().map(|(i, kind)| {
        format!("apiVersion: cilium.io/v1alpha1\nkind: {}\nmetadata: {{name: p{i}}}\n", kind.name())
    });
    let text = text.collect::<Vec<_>>().join("---\n# between\n---\n");
    let expected = [
        "TracingPolicy/p0",
        "TracingPolicyNamespaced/p1",
        "TracingPolicyTemplate/p2",
        "TracingPolicyBinding/p3",
    ];
    assert_eq!(named(&text), (expected.map(String::from).to_vec(), vec![]));
}

#[test]
fn lists_are_taken_apart_also_inside_each_other() {
    let item = "{apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: {name: a}}";
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {item}\n- {{apiVersion: v1, kind: List, items: [{item}]}}\n\
         - {{apiVersion: v1, kind: Pod}}\n"
    );
    let (names, codes) = named(&text);
    assert_eq!(names, ["TracingPolicy/a", "TracingPolicy/a"]);
    assert_eq!(codes, [(Code::OTHER_DOCUMENT, Severity::Note)]);
    let text = format!("apiVersion: cilium.io/v1alpha1\nkind: TracingPolicyList\nitems: [{item}]\n");
    assert_eq!(named(&text), (vec!["TracingPolicy/a".to_string()], vec![]));
}

#[test]
fn a_damaged_list_is_an_error() {
    let list = "apiVersion: v1\nkind: List\n";
    for (rest, code) in [
        ("", Code::BAD_LIST),
        ("Items: []\n", Code::BAD_LIST),
        ("items:\n", Code::BAD_LIST),
        ("items: {a: b}\n", Code::BAD_LIST),
        ("items: [a]\n", Code::BAD_LIST),
        ("items: [{a: b}]\n", Code::NO_KIND),
        ("items: [{apiVersion: cilium.io/v1alpha1}]\n", Code::NO_KIND),
    ] {
        assert_eq!(found(&format!("{list}{rest}")), (vec![], vec![(code, Severity::Error)]), "{rest}");
    }
    assert_eq!(named(&format!("{list}items: []\n")), (vec![], vec![]));
}

#[test]
fn what_says_nothing_of_itself_is_an_error_only_where_it_was_named() {
    for text in ["replicas: 3\n", "", "# nothing\n", "- a\n", "just text\n", "---\n---\n", "kind:\n"] {
        assert_eq!(named(text), (vec![], vec![(Code::NO_KIND, Severity::Error)]), "{text:?}");
        assert_eq!(found(text), (vec![], vec![(Code::NO_KIND, Severity::Note)]), "{text:?}");
    }
    // Half an object is a mistake anywhere.
    for text in ["apiVersion: cilium.io/v1alpha1\n", "apiVersion: v1\n", "kind: 5\napiVersion: v1\n"] {
        assert_eq!(
            found(text).1.iter().map(|&(_, severity)| severity).collect::<Vec<_>>(),
            [Severity::Error],
            "{text}"
        );
    }
}

#[test]
fn other_objects_are_skipped_with_a_note() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("cilium.io/v2", "CiliumNetworkPolicy"),
        ("cilium.io/v1alpha1", "PodInfo"),
        ("example.com/v1", "List"),
        ("kyverno.io/v1", "Policy"),
        ("gateway.example.com/v1", "TrafficPolicy"),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\n");
        assert_eq!(named(&text), (vec![], vec![(Code::OTHER_DOCUMENT, Severity::Note)]), "{text}");
    }
    assert_eq!(found("kind: Cluster\nnodes: []\n").1, [(Code::OTHER_DOCUMENT, Severity::Note)]);
}

#[test]
fn a_misspelt_kind_is_an_error_whatever_its_group() {
    for (api_version, kind) in [
        ("cilium.io/v1alpha1", "TracingPolcy"),
        ("cilium.io/v1alpha1", "tracingpolicy"),
        ("cilium.io/v1alpha1", "TracingPolicyNamespace"),
        ("cilium.io/v1alpha1", "Policy"),
        ("cilum.io/v1alpha1", "TracingPolicyNamspaced"),
        ("v1", "TracingPolicys"),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\n");
        assert_eq!(found(&text), (vec![], vec![(Code::UNKNOWN_KIND, Severity::Error)]), "{text}");
    }
    assert_eq!(found("kind: [TracingPolicy]\n").1, [(Code::UNKNOWN_KIND, Severity::Error)]);
}

#[test]
fn api_version_does_not_decide_but_is_warned_about() {
    assert_eq!(named("kind: TracingPolicy\n").1, []);
    assert_eq!(named(&POLICY.replace("apiVersion", "apiversion")).1, []);
    for version in ["cilium.io/v1", "cilum.io/v1alpha1", "v1"] {
        let (names, codes) = named(&POLICY.replace("cilium.io/v1alpha1", version));
        assert_eq!(
            (names.len(), codes),
            (1, vec![(Code::UNEXPECTED_API_VERSION, Severity::Warning)]),
            "{version}"
        );
    }
}

#[test]
fn refused_inputs_are_not_read_and_errors_do_not_hide_other_files() {
    let texts = [("a: [", Origin::Refused), ("a: [", Origin::Named), (POLICY, Origin::Found)];
    assert_eq!(
        run(&texts, 1),
        (vec!["TracingPolicy/a".to_string()], vec![(Code::YAML_SYNTAX, Severity::Error)])
    );
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let texts: Vec<String> = (0..200)
        .map(|i| match i % 5 {
            0 => format!("a: [{i}\n"),
            1 => format!("kind: Kind{i}\n---\n{POLICY}"),
            _ => POLICY.replace("name: a", &format!("name: p{i}")),
        })
        .collect();
    let texts: Vec<_> = texts.iter().map(|text| (text.as_str(), Origin::Found)).collect();
    let one = run(&texts, 1);
    assert_eq!(one.0.len(), 160);
    for threads in [2, 3, 16, 1000] {
        assert_eq!(run(&texts, threads), one);
    }
}

#[test]
fn what_is_no_yaml_in_a_folder_is_skipped_unless_it_may_be_a_policy() {
    let helm =
        format!("{POLICY}spec:\n  kprobes:\n{{{{- if .Values.exec }}}}\n  - call: x\n{{{{- end }}}}\n");
    for text in [helm.as_str(), "a: b: c\n", "key: [1\n", "\tx: 1\n", "{{ .Values.all }}: {{ x }}\nq: [\n"] {
        assert_eq!(found(text), (vec![], vec![(Code::OTHER_DOCUMENT, Severity::Note)]), "{text}");
        assert!(named(text).1.iter().any(|(_, severity)| *severity == Severity::Error), "{text}");
    }
    for text in
        ["kind: TracingPolicy\nspec: [\n", "apiVersion: cilium.io/v1alpha1\na: b: c\n", "LsmHooks: [\n"]
    {
        assert!(found(text).1.iter().any(|(_, severity)| *severity == Severity::Error), "{text}");
    }
    // Braces alone make no template.
    assert_eq!(found(&format!("{POLICY}spec: {{message: \"{{{{x}}}}\"}}\n")).0, ["TracingPolicy/a"]);
}
