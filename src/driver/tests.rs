use super::*;
use crate::diag::{Code, Severity, codes};
use crate::platform::sample;
use crate::vocab::release::Release;

/// Everything that is found in a text named on the command line, as far as folding goes.
fn findings(text: &str) -> Vec<(Code, Severity)> {
    found(text, &[], true)
}

/// Checked against kernels; as `check` finds it, if not `folded`.
fn found(text: &str, kernels: &[fn() -> Kernel], folded: bool) -> Vec<(Code, Severity)> {
    let kernels = kernels.iter().map(|kernel| kernel()).collect();
    // What one release lacks is asked of it; all else of the newest.
    let release = if text.contains("# --tetragon 1.7") { Release::V1_7 } else { Release::Main };
    let resolve = ResolveOptions { kernels, release, ..ResolveOptions::default() };
    let input = Input { paths: vec![], exclude: Default::default(), threads: 1, allow_empty: false, resolve };
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let mut diags = Diagnostics::default();
    if let Some(set) = policies(&sources, &input, &mut diags).set
        && folded
    {
        fold(&set, &Target::default(), &[], &mut diags);
    }
    diags.sorted().into_iter().map(|d| (d.code, d.severity)).collect()
}

/// Each code's page is true: its wrong example gives exactly that code, beside notes that weigh less, and its
/// right example nothing but what is valid and only not compiled yet.
#[test]
fn the_examples_of_every_page_give_what_the_page_says() {
    let mut untrue = Vec::new();
    for row in codes::ALL {
        // Those of the kernels' facts are about the kernel of the tests.
        let is_about_kernels = (Code::NO_FUNCTION..Code::BAD_TARGET_FILE).contains(&row.code);
        let kernels: &[fn() -> Kernel] = match row.code {
            Code::KERNEL_DEPENDENT => {
                &[|| kernel::built_in(None).remove(0), || kernel::built_in(None).remove(1)]
            }
            _ if is_about_kernels => &[sample::kernel],
            _ => &[],
        };
        let findings = |text| found(text, kernels, true);
        if let Some(wrong) = codes::example(row.page, "## Wrong") {
            let found = findings(wrong);
            // What is beyond the back end is so whether or not something else is wrong.
            let counts = |severity: Severity| !matches!(severity, Severity::Note | Severity::NotCompiled);
            // Examples are short, and many are for every process.
            let others = found.iter().filter(|(code, severity)| *code != row.code && counts(*severity));
            let others: Vec<_> = others.filter(|(code, _)| *code != Code::ENFORCES_EVERYWHERE).collect();
            // Folding takes back what the target decides.
            let is_found = |found: &[(Code, Severity)]| found.iter().any(|(code, _)| *code == row.code);
            let is_true = is_found(&found) || is_found(&self::found(wrong, kernels, false));
            if !is_true || !others.is_empty() {
                untrue.push(format!("{}, wrong: {found:?}", row.code));
            }
        }
        if let Some(right) = codes::example(row.page, "## Right") {
            let found = findings(right);
            let again = |code: Code| code == row.code && code != Code::UNCHECKED;
            if found.iter().any(|(code, severity)| *severity > Severity::NotCompiled || again(*code)) {
                untrue.push(format!("{}, right: {found:?}", row.code));
            }
        }
    }
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

#[test]
fn no_policy_is_an_error_unless_meant() {
    let only_other = "apiVersion: v1\nkind: ConfigMap\n";
    assert_eq!(
        findings(only_other),
        [(Code::OTHER_DOCUMENT, Severity::Note), (Code::NO_POLICY, Severity::Error)]
    );
    // One cause, one finding.
    assert_eq!(findings("a: ["), [(Code::YAML_SYNTAX, Severity::Error)]);

    let input = |allow_empty| Input {
        paths: vec![],
        exclude: Default::default(),
        threads: 1,
        allow_empty,
        resolve: ResolveOptions::default(),
    };
    let mut diags = Diagnostics::default();
    assert!(policies(&Sources::default(), &input(true), &mut diags).set.is_some() && diags.is_empty());
    policies(&Sources::default(), &input(false), &mut diags);
    assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::NO_POLICY]);
}

/// A policy that touches many fields, to be damaged.
const SAMPLE: &str = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: "a", namespace: shop, labels: {team: 'é'}}
spec:
  podSelector: {matchLabels: {app: "x"}, matchExpressions: [{key: k, operator: NotIn, values: [v]}]}
  containerSelector: &c
    matchExpressions: [{key: name, operator: In, values: [main]}]
  options: [{name: policy-mode, value: monitor}]
  lists: [{name: l, type: syscalls, values: [sys_openat]}]
  kprobes:
  - call: "security_bprm_creds_for_exec"
    syscall: false
    message: "m\n"
    tags: [ "a.b" ]
    return: true
    returnArg: {index: 0, type: int}
    args:
    - {index: 0, type: "linux_binprm", label: l}
    - {index: 1, type: uint64, resolve: "a.b[1]"}
    selectors:
    - matchPIDs: [{operator: NotIn, followForks: true, isNamespacePID: true, values: [0, 0x1f]}]
      matchBinaries: [{operator: Prefix, values: ["/usr/bin"]}]
      matchArgs:
      - {index: 0, operator: "NotEqual", values: ["/usr/bin/sleep", "10.0.0.0/8", "1:2"]}
      - {args: [1], operator: InRange, values: ["0x10:20"]}
      matchActions: [{action: Override, argError: -1}, {action: Post, rateLimit: "1m"}]
  - call: "list:l"
    syscall: true
---
kind: TracingPolicyBinding
metadata: {name: "t-b", namespace: shop}
spec:
  templateRef: {name: "t"}
  bindings:
  - {name: "v", values: ["/usr/bin/sleep", "a"]}
---
kind: TracingPolicyTemplate
metadata: {name: "t"}
spec:
  variables:
  - {name: "v", type: "linux_binprm"}
  lsmhooks:
  - hook: "bprm_creds_for_exec"
    args: [{index: 0, type: "linux_binprm"}]
    selectors:
    - matchArgs: [{index: 0, operator: "NotEqual", valuesFromVariable: "v"}]
      matchWorkloads: {containerSelector: {matchLabels: {name: main}}}
---
kind: TracingPolicyBinding
metadata: {name: "c"}
spec:
  templateRef: {name: "t"}
  overrideAllowed: true
  overridePriority: 3
  podSelector: {matchLabels: {app: x}}
  bindings: [{name: "v", values: ["/usr/bin/cat"]}]
"#;

/// Runs everything that a text can go through, and says so if a place lies outside it.
fn survives(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    std::fs::write(&path, bytes).unwrap();
    let input = Input {
        paths: vec![path],
        exclude: Default::default(),
        threads: 1,
        allow_empty: false,
        resolve: ResolveOptions::default(),
    };
    let mut diags = Diagnostics::default();
    let sources = read(&input, &mut std::io::empty(), &mut diags);
    policies(&sources, &input, &mut diags);
    for label in diags.iter().flat_map(|d| &d.labels) {
        let text = &sources.get(label.span.source).text;
        assert!(text.get(label.span.start as usize..label.span.end as usize).is_some(), "{label:?}");
    }
    let sorted = diags.sorted();
    let mut out = Vec::new();
    crate::diag::render::write(&mut out, &sorted, &sources, Default::default()).unwrap();
    crate::diag::json::write(&mut out, &sorted, &sources).unwrap();
    crate::diag::sarif::write(&mut out, &sorted, &sources).unwrap();
    crate::diag::github::write(&mut out, &sorted, &sources).unwrap();
    assert!(String::from_utf8(out).is_ok());
}

mod damage {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            survives(&bytes);
        }

        #[test]
        fn a_damaged_policy_does_no_harm(
            cuts in prop::collection::vec((0..SAMPLE.len(), 0usize..40), 1..4),
            put in "[-?:,\\[\\]{}#&*!|>'\"\\n\\t éa0~]{0,4}",
        ) {
            let mut text = SAMPLE.to_string();
            for (at, length) in cuts {
                let start = text.floor_char_boundary(at.min(text.len()));
                let end = text.floor_char_boundary((start + length).min(text.len()));
                text.replace_range(start..end.max(start), &put);
            }
            survives(text.as_bytes());
        }

        /// Pieces of one place put into another: right YAML more often than damage by characters is.
        #[test]
        fn a_policy_with_its_parts_mixed_does_no_harm(moves in prop::collection::vec((0usize..90, 0usize..90), 1..6)) {
            let mut lines: Vec<&str> = SAMPLE.lines().collect();
            for (from, to) in moves {
                let line = lines[from % lines.len()];
                let to = to % lines.len();
                if (from + to).is_multiple_of(2) { lines[to] = line } else { lines.insert(to, line) }
            }
            survives(lines.join("\n").as_bytes());
        }
    }
}
