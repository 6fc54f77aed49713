//! Whole sets of templates and bindings through resolving.

use std::fmt::Write as _;

use crate::policy::phases::ResolveOptions;
use crate::policy::phases::tests::{findings, run};
use crate::policy::{PolicyKind, PolicySet, Scope, Values};

const TEMPLATE: &str = r#"---
kind: TracingPolicyTemplate
metadata: {name: t}
spec:
  variables: [{name: allowed}]
  lsmhooks:
  - hook: bprm_creds_for_exec
    args: [{index: 0, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 0, operator: NotEqual, valuesFromVariable: allowed}]
      matchActions: [{action: Override, argError: -1}]
"#;

fn binding(name: &str, spec: &str) -> String {
    format!(
        "---\nkind: TracingPolicyBinding\nmetadata: {{name: {name}}}\nspec:\n  templateRef: {{name: t}}\n  {spec}\n  bindings: [{{name: allowed, values: [\"/bin/{name}\"]}}]\n"
    )
}

fn of_app(name: &str, app: &str, more: &str) -> String {
    binding(name, &format!("{more}podSelector: {{matchLabels: {{app: {app}}}}}"))
}

fn set(text: &str) -> PolicySet {
    let (set, diags) = run(text, &ResolveOptions::default());
    assert!(!diags.blocks_compile(), "{:#?}", diags.iter().collect::<Vec<_>>());
    set.unwrap()
}

fn scope_of<'a>(set: &'a PolicySet, name: &str) -> &'a Scope {
    let policy = set.policies.iter().find(|policy| policy.identity.name == name).unwrap();
    &set.scopes[policy.scope.0 as usize]
}

#[test]
fn a_binding_is_a_policy_with_its_places() {
    let text = of_app("a", "x", "") + TEMPLATE;
    let set = set(&text);
    let [policy] = &set.policies[..] else { panic!() };
    assert_eq!(policy.identity.kind, PolicyKind::TracingPolicyBinding);
    let written = |span: crate::source::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(written(policy.span), "a");
    assert!(written(policy.document).contains("templateRef"));
    let template = policy.template.as_ref().unwrap();
    assert!(template.name == "t" && written(template.document).contains("variables"));
    assert_eq!(written(policy.hooks[0].span), "bprm_creds_for_exec");
    let Values::Path(ids) = &policy.hooks[0].selectors[0].conditions[0].values else { panic!() };
    assert_eq!(set.strings.get(ids[0]), b"/bin/a");
}

/// Values of the template alone are no policy's.
#[test]
fn a_template_without_bindings_leaves_nothing_behind() {
    let set = set(&TEMPLATE
        .replace("valuesFromVariable: allowed", "values: [/bin/x]")
        .replace("[{name: allowed}]", "[]"));
    assert!(set.policies.is_empty() && set.scopes.is_empty() && set.strings.is_empty());
}

#[test]
fn a_variable_may_stand_in_any_filter_with_texts() {
    let filters = "matchBinaries: [{operator: In, valuesFromVariable: allowed}]\n      matchNamespaces: [{namespace: Pid, operator: In, valuesFromVariable: ns}]\n      matchCapabilities: [{operator: In, valuesFromVariable: c}]";
    let template = TEMPLATE
        .replace("[{name: allowed}]", "[{name: allowed}, {name: ns}, {name: c}]")
        .replace("matchActions", &format!("{filters}\n      matchActions"));
    let text = template
        + "---\nkind: TracingPolicyBinding\nmetadata: {name: a}\nspec:\n  templateRef: {name: t}\n  podSelector: {}\n  bindings:\n  - {name: allowed, values: [/bin/a]}\n  - {name: ns, values: [host_ns, x]}\n  - {name: c, values: [CAP_SYS_ADMINS]}\n";
    let found: Vec<String> = findings(&text).into_iter().filter(|f| f.contains(" error ")).collect();
    assert_eq!(found, ["TF0206 error 23:34 x", "TF0106 error 24:24 CAP_SYS_ADMINS"]);
    // The PIDs of a filter are numbers, and so is its schema.
    let pids = TEMPLATE.replace(
        "matchActions",
        "matchPIDs: [{operator: In, valuesFromVariable: allowed}]\n      matchActions",
    );
    assert!(findings(&pids).iter().any(|f| f.starts_with("TF0101")), "{:?}", findings(&pids));
}

/// What is wrong with a template is not said again for each binding.
#[test]
fn findings_of_a_template_come_once() {
    let template = TEMPLATE.replace(
        "matchActions",
        "matchBinaries: [{operator: In, followChildren: true, values: [\"sh\"]}]\n      matchActions",
    );
    let text = (0..5).fold(template, |text, i| text + &of_app(&format!("b{i}"), &format!("a{i}"), ""));
    let (_, diags) = run(&text, &ResolveOptions::default());
    let found: Vec<String> = diags
        .iter()
        .map(|d| d.code.to_string())
        .filter(|c| !["TF0501", "TF0717"].contains(&c.as_str()))
        .collect();
    assert_eq!(found, ["TF0704", "TF0199", "TF0721"]);
}

/// A namespace forbids what it forbids in a namespaced policy, and only then.
#[test]
fn a_namespace_is_checked_against_the_hooks_of_the_template() {
    let template = TEMPLATE
        .replace("lsmhooks", "uprobes")
        .replace("hook: bprm_creds_for_exec", "path: /bin/sh\n    symbols: [main]")
        .replace("linux_binprm", "string")
        .replace("      matchActions: [{action: Override, argError: -1}]\n", "");
    let cluster = of_app("a", "x", "");
    let namespaced = of_app("b", "z", "").replace("name: b}", "name: b, namespace: prod}");
    let (_, diags) = run(&(template + &cluster + &namespaced), &ResolveOptions::default());
    let errors: Vec<_> = diags.iter().filter(|d| d.severity == crate::diag::Severity::Error).collect();
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((error.code.to_string(), error.labels.len()), ("TF0123".to_string(), 2));
}

#[test]
fn bindings_in_different_namespaces_meet_only_in_one_without() {
    let named = |name: &str, namespace: &str| {
        binding(name, "podSelector: {}")
            .replace(&format!("name: {name}}}"), &format!("name: {name}, namespace: {namespace}}}"))
    };
    set(&(named("a", "x") + &named("a", "y") + TEMPLATE));
    let text = named("a", "x") + &named("b", "x") + TEMPLATE;
    assert_eq!(findings(&text).iter().filter(|f| f.starts_with("TF0311")).count(), 1);
    let text = named("a", "x") + &binding("b", "podSelector: {}") + TEMPLATE;
    assert_eq!(findings(&text).iter().filter(|f| f.starts_with("TF0311")).count(), 1);
}

#[test]
fn bindings_of_different_templates_do_not_conflict() {
    let other = TEMPLATE.replace("name: t", "name: u");
    let text = of_app("a", "x", "") + &of_app("b", "x", "").replace("name: t", "name: u") + TEMPLATE + &other;
    assert_eq!(set(&text).policies.len(), 2);
}

/// Three priorities: each takes from all that are lower.
#[test]
fn each_priority_takes_from_all_lower_ones() {
    let with = |name: &str, priority: i32, selector: &str| {
        binding(
            name,
            &format!("overrideAllowed: true\n  overridePriority: {priority}\n  podSelector: {selector}"),
        )
    };
    let text = with("low", -1, "{}")
        + &with("mid", 0, "{matchLabels: {app: x}}")
        + &with("top", 5, "{matchLabels: {team: b}}")
        + TEMPLATE;
    let set = set(&text);
    use crate::policy::RequirementOp::{In, NotIn};
    use crate::policy::overlap::tests::pods;
    assert_eq!(*scope_of(&set, "low"), pods(&[("app", NotIn, &["x"]), ("team", NotIn, &["b"])]));
    assert_eq!(*scope_of(&set, "mid"), pods(&[("app", In, &["x"]), ("team", NotIn, &["b"])]));
    assert_eq!(*scope_of(&set, "top"), pods(&[("team", In, &["b"])]));
}

#[test]
fn what_takes_too_many_selectors_is_refused_by_name() {
    let mut text = binding("low", "overrideAllowed: true\n  podSelector: {}") + TEMPLATE;
    for (i, (a, b)) in [("k", "l"), ("m", "h"), ("o", "p"), ("q", "r")].into_iter().enumerate() {
        for v in ["x", "w", "z"] {
            let more = format!(
                "overrideAllowed: true\n  overridePriority: {}\n  ",
                1 + i * 3 + v.as_bytes()[0] as usize
            );
            text += &binding(
                &format!("b{i}{v}"),
                &format!("{more}podSelector: {{matchLabels: {{{a}: {v}, {b}: {v}, only: \"{i}{v}\"}}}}"),
            );
        }
    }
    let found = findings(&text);
    assert_eq!(found.iter().map(|f| &f[..20]).collect::<Vec<_>>(), ["TF0199 not-compiled "], "{found:?}");
}

#[test]
fn many_conflicts_are_cut() {
    let mut text = TEMPLATE.to_string();
    for i in 0..500 {
        text += &binding(&format!("b{i}"), "podSelector: {}");
    }
    let (_, diags) = run(&text, &ResolveOptions::default());
    assert_eq!(diags.error_count(), 21);
}

/// Nothing grows with the square of the bindings: a minute would not be enough for that here.
#[test]
fn ten_thousand_bindings_of_one_template() {
    let mut text = TEMPLATE.to_string();
    for i in 0..10_000 {
        let _ = write!(
            text,
            "{}",
            of_app(&format!("b{i}"), &format!("a{i}"), "overrideAllowed: true\n  overridePriority: 1\n  ")
        );
    }
    text += &binding("all", "overrideAllowed: true\n  podSelector: {}");
    let set = set(&text);
    assert_eq!(set.policies.len(), 10_001);
    let crate::policy::ScopeTerm::Pods { pod, .. } = &scope_of(&set, "all").any[0] else { panic!() };
    assert_eq!((pod.len(), pod[0].values.len()), (1, 10_000));
}

#[test]
fn nothing_panics_on_odd_shapes() {
    for text in [
        "kind: TracingPolicyTemplate",
        "kind: TracingPolicyTemplate\nmetadata: []\nspec: 1",
        "kind: TracingPolicyTemplate\nmetadata: {name: t}\nspec: {variables: [~, 1, {}, {name: a, type: b}]}",
        "kind: TracingPolicyBinding\nmetadata: {name: a}\nspec: {templateRef: 1, bindings: [{}, ~, {name: a}]}",
        "kind: TracingPolicyBinding\nmetadata: {}\nspec: {templateRef: {name: ''}, bindings: {}}",
        "kind: TracingPolicyBinding\nspec: {templateRef: {name: t}, overridePriority: 99999999999}",
    ] {
        findings(text);
        findings(&format!("{text}\n{TEMPLATE}"));
    }
}
