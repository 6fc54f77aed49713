//! Whole documents through reading and resolving.

use super::*;
use crate::diag::{Code, Diagnostic, Severity};
use crate::platform::kernel::{File, join};
use crate::platform::sample;
use crate::policy::*;
use crate::source::{SourceId, Sources};
use crate::syntax::ast;
use crate::syntax::yaml::Reader;

/// Resolves every document of one text.
pub fn run(text: &str, options: &ResolveOptions) -> (Option<PolicySet>, Diagnostics) {
    let mut diags = Diagnostics::default();
    let mut reader = Reader::new(SourceId(0), text);
    let mut resolver = Resolver::new(options.clone());
    while let Some(root) = reader.next(&mut diags) {
        let Some((text, span)) = ast::kind_node(&root).and_then(|node| Some((node.key_text()?, node.span)))
        else {
            continue;
        };
        let kind = DocumentKind::ALL.iter().copied().find(|kind| kind.name() == text);
        if let Some(kind) = kind {
            resolver.take(Tree { source: SourceId(0), kind, kind_span: span, root }, &mut diags);
        }
    }
    (resolver.finish(&mut diags), diags)
}

/// `code severity line:column text` for each finding but notes, in the order reported.
pub fn findings(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let (_, diags) = run(text, &ResolveOptions::default());
    diags
        .iter()
        .filter(|d| d.severity != Severity::Note)
        .map(|d| {
            let span = d.labels[0].span;
            let (line, column) = sources.line_column(span);
            let severity = match d.severity {
                Severity::Error => "error",
                Severity::NotCompiled => "not-compiled",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            format!("{} {severity} {line}:{column} {}", d.code, &text[span.start as usize..span.end as usize])
        })
        .collect()
}

const EXEC: &str = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: "shop"
spec:
  podSelector:
    matchLabels:
      app: "shop"
  lsmhooks:
  - hook: "bprm_check_security"
    args:
    - index: 0
      type: "linux_binprm"
    selectors:
    - matchArgs:
      - index: 0
        operator: "NotEqual"
        values:
        - "/usr/bin/b"
        - "/usr/bin/a"
        - "/usr/bin/b"
      matchActions:
      - action: Override
        argError: -1
"#;

/// `EXEC` with one text in place of another.
fn edited(from: &str, to: &str) -> String {
    assert!(EXEC.contains(from), "{from:?}");
    EXEC.replacen(from, to, 1)
}

fn set(text: &str) -> PolicySet {
    let (set, diags) = run(text, &ResolveOptions::default());
    assert!(!diags.blocks_compile(), "{:#?}", diags.iter().collect::<Vec<_>>());
    set.unwrap()
}

fn only_finding(text: &str) -> String {
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn an_allowlist_becomes_one_policy() {
    let set = set(EXEC);
    assert_eq!(findings(EXEC), Vec::<String>::new());
    let [policy] = &set.policies[..] else { panic!() };
    assert_eq!(policy.identity.name, "shop");
    assert_eq!(policy.mode, Mode::Enforce);
    let requirement = Requirement { key: "app".into(), op: RequirementOp::In, values: vec!["shop".into()] };
    let pods = ScopeTerm::Pods { namespace: None, pod: vec![requirement], container: vec![] };
    assert_eq!(set.scopes[policy.scope.0 as usize].any, [pods]);
    let [hook] = &policy.hooks[..] else { panic!() };
    assert_eq!(hook.call, HookCall::Lsm { hook: "bprm_check_security".into() });
    assert_eq!((hook.args[0].index, hook.args[0].ty), (0, ArgType::LinuxBinprm));
    let [selector] = &hook.selectors[..] else { panic!() };
    assert_eq!(selector.actions.override_value, Some(-1));
    assert!(selector.actions.post);
    assert_eq!(selector.actions.shown, ShownAction::Override);
    let [filter] = &selector.conditions[..] else { panic!() };
    assert!(filter.negated);
    let Values::Path(ids) = &filter.values else { panic!() };
    let values: Vec<&[u8]> = ids.iter().map(|&id| set.strings.get(id)).collect();
    assert_eq!(values, [b"/usr/bin/b", b"/usr/bin/a"], "sorted by number, each once");
    assert_eq!(&EXEC[selector.span.start as usize..selector.span.end as usize], "matchArgs");
}

#[test]
fn policies_stand_in_order_of_identity() {
    let text = format!("{}---\n{}", edited("\"shop\"", "\"b\""), edited("\"shop\"", "\"a\""));
    let set = set(&text);
    assert_eq!(set.policies.iter().map(|p| &*p.identity.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(set.scopes.len(), 1);
    assert_eq!(set.strings.len(), 2);
}

#[test]
fn one_identity_twice_is_refused_with_both_places() {
    let text = format!("{EXEC}---\n{EXEC}");
    let (set, diags) = run(&text, &ResolveOptions::default());
    assert!(set.is_none());
    let found: Vec<_> = diags.iter().filter(|d| d.severity == Severity::Error).collect();
    let [duplicate] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(duplicate.code.to_string(), "TF0113");
    let starts: Vec<u32> = duplicate.labels.iter().map(|label| label.span.start).collect();
    let first = EXEC.find("\"shop\"").unwrap() as u32;
    assert_eq!(starts, [first + EXEC.len() as u32 + 4, first]);
    // Near miss: another kind, hence another identity.
    let namespaced = edited("TracingPolicy", "TracingPolicyNamespaced");
    assert_eq!(findings(&format!("{EXEC}---\n{namespaced}")), Vec::<String>::new());
}

#[test]
fn a_namespaced_policy_takes_the_default_namespace() {
    let text = edited("TracingPolicy", "TracingPolicyNamespaced");
    let (set, _) =
        run(&text, &ResolveOptions { namespace: "prod".into(), monitor: true, ..ResolveOptions::default() });
    let set = set.unwrap();
    assert_eq!(set.policies[0].identity.namespace.as_deref(), Some("prod"));
    assert_eq!(set.policies[0].mode, Mode::Monitor);
    assert!(matches!(&set.scopes[0].any[..], [ScopeTerm::Pods { namespace: Some(n), .. }] if n == "prod"));
}

#[test]
fn scopes_follow_the_table() {
    let scope = |selectors: &str| {
        let text = edited("  podSelector:\n    matchLabels:\n      app: \"shop\"\n", selectors);
        set(&text).scopes[0].any.clone()
    };
    let all = ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![] };
    assert_eq!(scope(""), [ScopeTerm::Host, all.clone()]);
    assert_eq!(scope("  hostSelector: {}\n"), [ScopeTerm::Host]);
    assert_eq!(scope("  podSelector: {}\n"), std::slice::from_ref(&all));
    assert_eq!(scope("  podSelector: {}\n  hostSelector: {}\n"), [ScopeTerm::Host, all.clone()]);
    assert_eq!(scope("  nodeSelector: {}\n"), [ScopeTerm::Host, all]);
    let main =
        Requirement { key: "name".into(), op: RequirementOp::NotIn, values: vec!["a".into(), "b".into()] };
    assert_eq!(
        scope(
            "  containerSelector:\n    matchExpressions:\n    - {key: name, operator: NotIn, values: [b, a, b]}\n"
        ),
        [ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![main] }]
    );
}

#[test]
fn what_the_schema_refuses_is_named_with_its_place() {
    let cases = [
        ("operator: \"NotEqual\"", "operator: \"NotEqul\"", "TF0106 error 17:19 \"NotEqul\""),
        ("linux_binprm", "linux_binpr", "TF0106 error 13:13 \"linux_binpr\""),
        ("action: Override", "action: Overide", "TF0106 error 23:17 Overide"),
        ("    args:", "    arg:", "TF0101 error 11:5 arg"),
        ("- index: 0\n      type", "- index: \"0\"\n      type", "TF0104 error 12:14 \"0\""),
        ("\"/usr/bin/a\"", "1", "TF0104 error 20:11 1"),
        ("\"/usr/bin/a\"", "~", "TF0104 error 20:11 ~"),
        ("argError: -1", "argError: 2147483648", "TF0105 error 24:19 2147483648"),
        ("argError: -1", "argUrl: ~\n        argError: -1", "TF0701 warning 24:17 ~"),
        ("argError: -1", "argerror: -1", "TF0702 warning 24:9 argerror"),
        ("type: \"linux", "Type: \"linux", "TF0108 error 13:7 Type"),
        ("argError: -1", "argError: -1\n        argError: -1", "TF0102 error 25:9 argError"),
        ("  name: \"shop\"", "  name: \"Shop\"", "TF0111 error 4:9 \"Shop\""),
        ("  name: \"shop\"", "  name: shop\n  namespace: x", "TF0112 warning 5:14 x"),
        ("spec:", "status: {}\nspec:", "TF0706 warning 5:1 status"),
        (
            "  podSelector:",
            "  hostSelector: {matchLabels: {}}\n  podSelector:",
            "TF0301 error 6:18 matchLabels",
        ),
        ("app: \"shop\"", "app: \"-\"", "TF0303 error 8:12 \"-\""),
    ];
    for (from, to, finding) in cases {
        let found = findings(&edited(from, to));
        assert_eq!(found.first().map(String::as_str), Some(finding), "{to}: {found:?}");
        let errors = found.iter().filter(|f| f.contains(" error ")).count();
        assert_eq!(errors, usize::from(finding.contains(" error ")), "{to}: {found:?}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_its_place() {
    let cases = [
        ("- index: 0\n      type", "- index: 5\n      type", "TF0202 error 12:14 5"),
        ("- index: 0\n        operator", "- index: 1\n        operator", "TF0205 error 16:16 1"),
        ("- index: 0\n        operator", "- args: [1]\n        operator", "TF0205 error 16:16 1"),
        ("type: \"linux_binprm\"", "label: x", "TF0203 error 12:7 index"),
        ("\"bprm_check_security\"", "\"security_bprm_check\"", "TF0115 error 10:11 \"security_bprm_check\""),
        ("\"bprm_check_security\"", "\"\"", "TF0115 error 10:11 \"\""),
        ("operator: \"NotEqual\"", "operator: \"GT\"", "TF0204 error 17:19 \"GT\""),
        ("action: Override", "action: GetUrl", "TF0401 error 23:17 GetUrl"),
        ("spec:", "spec:\n  options: [{name: policy-mode, value: enforced}]", "TF0118 error 6:40 enforced"),
        ("    args:", "    message: \"x\"\n    args:", "TF0119 error 11:14 \"x\""),
        ("    args:", "    tags: [\"ok\", \"x\"]\n    args:", "TF0119 error 11:18 \"x\""),
        ("argError: -1", "rateLimit: \"1m\"", "TF0404 error 24:20 \"1m\""),
        ("  lsmhooks:", "  kprobes: [{call: sys_read}]\n  lsmhooks:", "TF0114 error 10:3 lsmhooks"),
    ];
    for (from, to, finding) in cases {
        let errors: Vec<String> =
            findings(&edited(from, to)).into_iter().filter(|f| f.contains(" error ")).collect();
        assert_eq!(errors, [finding], "{to}");
    }
}

#[test]
fn what_is_beyond_the_back_end_is_named_and_does_not_hide_errors() {
    let cases = [
        ("operator: \"NotEqual\"", "operator: \"SubString\"", "TF0199 not-compiled 17:19 \"SubString\""),
        ("type: \"linux_binprm\"", "type: dentry", "TF0199 not-compiled 13:13 dentry"),
        ("action: Override", "action: Signal", "TF0199 not-compiled 23:17 Signal"),
        (
            "type: \"linux_binprm\"",
            "type: file\n      resolve: \"file\"",
            "TF0199 not-compiled 14:16 \"file\"",
        ),
        (
            "    - matchArgs:",
            "    - matchPIDs: [{operator: In, followForks: true, values: [1]}]\n      matchArgs:",
            "TF0199 not-compiled 15:47 true",
        ),
        ("spec:", "spec:\n  nodeSelector: {matchLabels: {a: b}}", "TF0199 not-compiled 6:18 matchLabels"),
    ];
    for (from, to, finding) in cases {
        let text = edited(from, to);
        let found = findings(&text);
        assert!(found.iter().any(|f| f == finding), "{to}: {found:?}");
        let (set, diags) = run(&text, &ResolveOptions::default());
        assert!(diags.blocks_compile() && !diags.has_errors(), "{to}");
        assert!(set.unwrap().policies.is_empty(), "{to}");
    }
}

/// One thing that is wrong with a filter on the process hides no other.
#[test]
fn all_that_is_wrong_with_a_filter_on_the_process_is_said() {
    let cases = [
        ("matchNamespaces: [{namespace: Net, operator: In, values: [\"1\", \"2\", \"3\", \"4\", x]}]", 2),
        ("matchBinaries: [{operator: Prefix, followChildren: true, values: [\"PLACE\"]}]", 2),
        ("matchCapabilities: [{operator: In, values: [CAP_X, CAP_Y]}]", 2),
    ];
    for (filter, errors) in cases {
        let filter = filter.replace("PLACE", &format!("/{}", "a".repeat(300)));
        let text = edited("    - matchArgs:", &format!("    - {filter}\n      matchArgs:"));
        let (_, diags) = run(&text, &ResolveOptions::default());
        let found = diags.iter().filter(|d| d.severity == Severity::Error).count();
        assert_eq!(found, errors, "{filter}");
    }
}

#[test]
fn a_kprobe_is_named_as_the_kernel_does() {
    let call = |call: &str| {
        let text = edited("lsmhooks:\n  - hook: \"bprm_check_security\"", &format!("kprobes:\n  - {call}"))
            .replace("argError: -1", "argError: 0")
            .replace("Override", "Post");
        let (set, diags) = run(&text, &ResolveOptions::default());
        if diags.blocks_compile() {
            return Err(diags.iter().find(|d| d.severity >= Severity::NotCompiled).unwrap().code.to_string());
        }
        match &set.unwrap().policies[0].hooks[0].call {
            HookCall::Kprobe { function, .. } => Ok(function.clone()),
            HookCall::Lsm { .. } | HookCall::Tracepoint { .. } | HookCall::RawTracepoint { .. } => panic!(),
        }
    };
    assert_eq!(call("call: sys_read"), Ok("__x64_sys_read".into()));
    assert_eq!(call("call: __x64_sys_read"), Ok("__x64_sys_read".into()));
    assert_eq!(call("call: fd_install\n    syscall: false"), Ok("fd_install".into()));
    assert_eq!(call("call: fd_install"), Err("TF0115".into()));
    assert_eq!(call("call: \"\"\n    syscall: false"), Err("TF0115".into()));
    assert_eq!(call("call: \"a b\"\n    syscall: false"), Err("TF0115".into()));
    assert_eq!(call("call: __arm64_sys_read"), Err("TF0199".into()));
}

#[test]
fn a_system_call_without_types_is_not_said_to_be_missing() {
    let types = sample::btf_with("long __do_sys_getppid(const struct pt_regs *unused);");
    let file = File { name: "x.btf".into(), bytes: types };
    let (kernels, _) = join(&[], &[file]);
    let options = ResolveOptions { kernels: kernels.into(), ..ResolveOptions::default() };
    let text = |call: &str| {
        format!(
            "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: a}}\nspec:\n  kprobes:\n  - {call}\n"
        )
    };
    let about = |call: &str| {
        let (set, diags) = run(&text(call), &options);
        let found = diags.iter().find(|d| d.code == Code::NO_FUNCTION).expect(call);
        (set.is_some(), found.message.clone(), found.help.clone())
    };
    let help = Some("for Tetragon, write `call: __do_sys_getppid` with `syscall: false`".to_string());
    let refuses = |what, name| {
        format!(
            "on x.btf: Tetragon refuses the {what} `{name}`, which exists and is not in the kernel's types"
        )
    };
    assert_eq!(about("call: sys_getppid"), (true, refuses("syscall", "sys_getppid"), help.clone()));
    let function = "__x64_sys_getppid";
    assert_eq!(
        about("{call: __x64_sys_getppid, syscall: false}"),
        (true, refuses("function", function), help.clone())
    );
    let (_, message, _) = about("call: sys_getpppid");
    assert_eq!(message, "on x.btf: there is no syscall `sys_getpppid`");
    let (_, diags) = run(&text("{call: __do_sys_getppid, syscall: false}"), &options);
    assert!(diags.iter().all(|d| d.code != Code::NO_FUNCTION));
}

#[test]
fn override_on_a_kprobe_needs_a_security_function() {
    let found = |call: &str| {
        let text = edited("lsmhooks:\n  - hook: \"bprm_check_security\"", &format!("kprobes:\n  - {call}"));
        findings(&text)
    };
    assert_eq!(found("call: security_bprm_check\n    syscall: false"), Vec::<String>::new());
    assert_eq!(found("call: do_exit\n    syscall: false"), ["TF0402 error 24:17 Override"]);
    assert_eq!(found("call: sys_read"), ["TF0499 not-compiled 23:17 Override"]);
}

/// The test that `values` of an argument of this type become.
fn test_of(ty: &str, operator: &str, values: &str) -> Result<(bool, Values, PolicySet), Vec<String>> {
    let text = edited("linux_binprm", ty)
        .replace("\"NotEqual\"", operator)
        .replace("        - \"/usr/bin/b\"\n        - \"/usr/bin/a\"\n        - \"/usr/bin/b\"\n", "")
        .replace("        values:\n", &format!("        values: [{values}]\n"));
    let (set, diags) = run(&text, &ResolveOptions::default());
    if diags.blocks_compile() {
        return Err(findings(&text));
    }
    let set = set.unwrap();
    let filter = &set.policies[0].hooks[0].selectors[0].conditions[0];
    Ok((filter.negated, filter.values.clone(), set))
}

#[test]
fn integers_are_brought_to_their_width() {
    let int = |ty: &str, values: &str| match test_of(ty, "Equal", values) {
        Ok((false, Values::Intervals(values), _)) => Ok(values.iter().map(|v| v.first).collect::<Vec<u64>>()),
        Ok(other) => panic!("{:?}", other.1),
        Err(found) => Err(found[0].split(' ').next().unwrap().to_string()),
    };
    assert_eq!(int("int", "\"-1\", \"0x10\", \"16\", \"010\""), Ok(vec![8, 16, u64::MAX]));
    assert_eq!(int("int", "\"4294967295\""), Err("TF0206".into()));
    assert_eq!(int("int", "\"x\""), Err("TF0206".into()));
    assert_eq!(int("uint32", "\"4294967295\""), Ok(vec![0xffff_ffff]));
    assert_eq!(int("uint32", "\"-1\""), Err("TF0206".into()));
    assert_eq!(int("size_t", "\"-1\""), Ok(vec![0xffff_ffff]));
    assert_eq!(int("int64", "\"-9223372036854775808\""), Ok(vec![1 << 63]));
    assert_eq!(int("uint64", "\"18446744073709551615\""), Ok(vec![u64::MAX]));
    assert_eq!(int("uint64", "\"18446744073709551616\""), Err("TF0206".into()));
    assert_eq!(int("int8", "\"-56\""), Ok(vec![(-56i64) as u64]));
    // Tetragon compares without sign there, so 200 finds these bits.
    assert_eq!(int("int8", "\"200\""), Ok(vec![(-56i64) as u64]));
    assert_eq!(int("int8", "\"256\""), Ok(vec![]));
    assert_eq!(int("uint16", "\"65536\", \"1\""), Ok(vec![1]));
    assert_eq!(int("int", "\"1\", \"2\", \"3\", \"4\", \"5\""), Err("TF0207".into()));
    assert_eq!(int("int", ""), Err("TF0208".into()));
}

#[test]
fn texts_follow_the_rules_of_their_operator() {
    let text = |ty: &str, operator: &str, values: &str| match test_of(ty, operator, values) {
        Ok((_, Values::Path(ids) | Values::Text(ids) | Values::Prefix(ids) | Values::Postfix(ids), set)) => {
            Ok(ids
                .iter()
                .map(|&id| String::from_utf8_lossy(set.strings.get(id)).into_owned())
                .collect::<Vec<_>>())
        }
        Ok(other) => panic!("{:?}", other.1),
        Err(found) => Err(found[0].split(' ').next().unwrap().to_string()),
    };
    let long = |n: usize| format!("\"/{}\"", "x".repeat(n - 1));
    assert_eq!(text("string", "Equal", "\"a\\0\\0\""), Ok(vec!["a".into()]));
    assert_eq!(text("string", "Equal", "\"\\0\""), Err("TF0208".into()));
    assert_eq!(text("file", "Equal", "\"/a\\0\""), Ok(vec![]), "a path has no NUL");
    assert_eq!(text("file", "Equal", "\"\""), Ok(vec![]), "conditions on an empty path are false");
    assert_eq!(text("string", "Prefix", "\"\""), Ok(vec!["".into()]));
    assert_eq!(text("string", "Prefix", "\"a\\0\""), Ok(vec![]), "not trimmed, hence never equal");
    assert_eq!(text("file", "Prefix", &long(255)).unwrap().len(), 1);
    assert_eq!(text("file", "Prefix", &long(256)), Ok(vec![]), "only 255 bytes are compared");
    assert_eq!(text("file", "Prefix", &long(257)), Err("TF0209".into()));
    assert_eq!(text("file", "Postfix", &long(127)).unwrap().len(), 1);
    assert_eq!(text("file", "NotPostfix", &long(128)), Err("TF0209".into()));
    assert_eq!(text("file", "Postfix", "\".so\\0\""), Ok(vec![".so".into()]));
    assert_eq!(text("file", "Postfix", "\"\""), Err("TF0208".into()));
    assert_eq!(text("path", "Equal", &long(4096)).unwrap().len(), 1);
    assert_eq!(text("path", "NotEqual", &long(4097)), Err("TF0209".into()));
}

#[test]
fn an_unhandled_pair_never_matches_negated_or_not() {
    for operator in ["Prefix", "NotPrefix", "Postfix"] {
        let (negated, test, _) = test_of("int", operator, "\"1\"").unwrap();
        assert_eq!((negated, test), (false, Values::Intervals(vec![])));
    }
}

#[test]
fn a_hook_without_selectors_posts() {
    let start = EXEC.find("    selectors:").unwrap();
    let set = set(&EXEC[..start]);
    let [selector] = &set.policies[0].hooks[0].selectors[..] else { panic!() };
    assert!(selector.conditions.is_empty() && selector.actions.post && !selector.actions.enforces());
}

#[test]
fn actions_run_in_order_and_no_post_stays() {
    let actions = |list: &str| {
        let text = edited("      - action: Override\n        argError: -1\n", list);
        set(&text).policies[0].hooks[0].selectors[0].actions.clone()
    };
    let both = actions("      - {action: NoPost}\n      - {action: Post}\n      - {action: Sigkill}\n");
    assert_eq!((both.post, both.signal, both.shown), (false, Some(9), ShownAction::Sigkill));
    let clamped = actions("      - {action: Override, argError: 7}\n");
    assert_eq!(clamped.override_value, Some(-1));
    let text = edited(
        "- action: Override\n        argError: -1\n",
        "- {action: Post}\n      - {action: Post}\n      - {action: Post}\n      - {action: Post}\n",
    );
    assert_eq!(only_finding(&text), "TF0403 error 26:10 action");
}

#[test]
fn options_are_checked_and_unknown_ones_warned_of() {
    let text = edited(
        "spec:",
        "spec:\n  options:\n  - {name: policy-mode, value: monitor}\n  - {name: policy-mod, value: x}",
    );
    assert_eq!(only_finding(&text), "TF0703 warning 8:12 policy-mod");
    assert_eq!(set(&text).policies[0].mode, Mode::Monitor);
}

#[test]
fn an_unreachable_selector_is_pointed_out() {
    let text = edited("    - matchArgs:", "    - matchActions: [{action: Post}]\n    - matchArgs:");
    assert_eq!(only_finding(&text), "TF0711 warning 16:7 matchArgs");
}

#[test]
fn nothing_panics_on_odd_shapes() {
    for text in [
        "kind: TracingPolicy",
        "kind: TracingPolicy\nmetadata: []\nspec: 1",
        "kind: TracingPolicy\nmetadata: {name: a}\nspec: {kprobes: {}, lsmhooks: [1, [], ~], options: [{}]}",
        "kind: TracingPolicy\nmetadata: {name: a}\nspec: {lsmhooks: [{hook: file_open, selectors: [{matchArgs: [{}]}]}]}",
        "kind: TracingPolicyNamespaced\nmetadata: {name: 1, namespace: ü}\nspec: {}",
        "[kind]",
    ] {
        findings(text);
    }
}

/// What Tetragon refuses, and what it loads and does not do (semantics 10).
mod meaningless;
mod meant;
mod reach;
mod rejections;
mod weak;

/// Parity with Tetragon on a corpus of policies, in the folder that `TETRAFOLD_CORPUS` names: `accept/`
/// loads there, `reject/` (with `REJECT.tsv`) does not, `templated/` holds placeholders.
mod corpus;

/// The largest documents that the reader lets through, wrong or repetitive in every line.
#[test]
fn work_grows_with_the_document_and_no_faster() {
    let many = |n: usize, head: &str, item: &dyn Fn(usize) -> String| {
        let mut text = format!("kind: TracingPolicy\nmetadata: {{name: a}}\nspec:\n{head}\n");
        (0..n).for_each(|i| text.push_str(&item(i)));
        text
    };
    let n = 20_000;
    let texts = [
        many(n, "  kprobes:", &|i| format!("  - {{call: sys_a{i}, sycall: {i}}}\n")),
        many(n, "  kprobes:", &|_| "  - {call: sys_a}\n".to_string()),
        many(n, "  lists:", &|i| format!("  - {{name: l{i}}}\n")),
        many(n, "  selectorsMacros:", &|i| format!("    m{i}: {{macros: [m]}}\n")),
        many(n, "  kprobes: [{call: sys_a, selectors: [{macros: [", &|i| format!("m{i}, ")) + "]}]}]",
        many(n, "", &|i| format!("  unknown{i}: 1\n")),
        many(n, "", &|_| "  loader: true\n".to_string()),
        many(n, "  podSelector: {matchLabels: {", &|i| format!("a{}: b, ", i % 2)) + "}}",
    ];
    for text in texts {
        let start = std::time::Instant::now();
        run(&text, &ResolveOptions::default());
        // Seconds even unoptimised and on a busy machine; a quadratic step would take minutes.
        assert!(start.elapsed().as_secs() < 20, "{}", &text[..80]);
    }
}
