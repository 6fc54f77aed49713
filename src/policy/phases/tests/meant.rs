//! What is probably not meant, each both ways.

use super::meaningless::said_all as said;

const NOTHING: [&str; 0] = [];

/// What is said, but of what is always said of an enforcing policy without workloads.
fn of(text: &str) -> Vec<String> {
    said(text).into_iter().filter(|found| !found.starts_with("TF0723")).collect()
}

fn file(op: &str, value: &str) -> Vec<String> {
    of(&format!(
        "lsmhooks: [{{hook: file_open, args: [{{index: 0, type: file}}], selectors: [{{matchArgs: [{{index: 0, operator: {op}, values: [\"{value}\"]}}]}}]}}]"
    ))
}

fn program(op: &str, value: &str) -> Vec<String> {
    of(&format!(
        "kprobes: [{{call: sys_a, selectors: [{{matchBinaries: [{{operator: {op}, values: [\"{value}\"]}}]}}]}}]"
    ))
}

#[test]
fn paths_that_the_kernel_never_shows() {
    for value in
        ["/etc//a", "/etc/./a", "/etc/../a", "/etc/.", "/etc/..", "/etc/", "/proc/self/fd", "/dev/fd/3"]
    {
        for op in ["Equal", "NotEqual"] {
            assert_eq!(file(op, value), [format!("TF0704 \"{value}\"")], "{op}");
        }
        assert_eq!(program("In", value), [format!("TF0704 \"{value}\"")]);
    }
    assert_eq!(file("Prefix", "/proc/thread-self/"), ["TF0704 \"/proc/thread-self/\""]);
    assert_eq!(file("Postfix", "a//b"), ["TF0704 \"a//b\""]);
    for (op, value) in [("Prefix", "/etc/"), ("Equal", "/"), ("Equal", "/etc/..a"), ("Prefix", "/etc/.")] {
        assert_eq!(file(op, value), NOTHING, "{op} {value}");
    }
    for (op, value) in
        [("Equal", "/proc/selfish"), ("Equal", "/dev/fdx"), ("Postfix", "/proc/self"), ("Prefix", "/")]
    {
        assert_eq!(file(op, value), NOTHING, "{op} {value}");
    }
    // A string is what the process wrote.
    let string = "kprobes: [{call: f, syscall: false, args: [{index: 0, type: string}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [/a//b]}]}]}]";
    assert_eq!(said(string), NOTHING);
}

#[test]
fn patterns_and_blanks_stand_for_themselves() {
    for value in ["/home/*/a", "/etc/pass?d", "/a/[bc]", "/a/{b,c}", "/a ", "/a\\t"] {
        assert_eq!(file("Equal", value), [format!("TF0716 \"{value}\"")]);
    }
    for value in ["/usr/bin/[", "/a b", "/a{"] {
        assert_eq!(file("Equal", value), NOTHING);
    }
}

#[test]
fn paths_through_links_are_noted_once_a_filter() {
    assert_eq!(file("Equal", "/bin/cat"), ["TF0717 \"/bin/cat\""]);
    assert_eq!(file("Prefix", "/var/run/"), ["TF0717 \"/var/run/\""]);
    assert_eq!(program("In", "/usr/bin/sh"), ["TF0717 \"/usr/bin/sh\""]);
    let two =
        "kprobes: [{call: sys_a, selectors: [{matchBinaries: [{operator: In, values: [/sbin/a, /lib/b]}]}]}]";
    assert_eq!(of(two), ["TF0717 /sbin/a"]);
    let both = two.replace("/lib/b", "/usr/sbin/a");
    assert_eq!(of(&both), NOTHING, "both are listed");
    let another = two.replace("/lib/b", "/usr/sbin/b");
    assert_eq!(of(&another), ["TF0717 /sbin/a"]);
    for (op, value) in
        [("Equal", "/binary"), ("Equal", "/usr/bin/cat"), ("Postfix", "/bin/cat"), ("Equal", "/var/running")]
    {
        assert_eq!(file(op, value), NOTHING, "{value}");
    }
}

#[test]
fn a_wrapper_has_the_registers_alone() {
    let at = |call: &str, syscall: bool, args: &str| {
        of(&format!("kprobes: [{{call: {call}, syscall: {syscall}, args: [{args}]}}]"))
    };
    assert_eq!(at("__x64_sys_openat", false, "{index: 1, type: string}"), ["TF0718 index"]);
    assert_eq!(at("__ia32_sys_openat", false, "{index: 0, type: int}"), ["TF0718 index"]);
    assert_eq!(at("__x64_sys_openat", true, "{index: 1, type: string}"), NOTHING);
    assert_eq!(at("__x64_sys_openat", false, ""), NOTHING);
    assert_eq!(at("__x64_sys_openat", false, "{index: 0, type: uint64, resolve: si}"), NOTHING);
    assert_eq!(at("do_sys_open", false, "{index: 1, type: string}"), NOTHING);
}

#[test]
fn addresses_of_one_family_leave_the_other_out() {
    let at = |op: &str, values: &str, more: &str| {
        of(&format!(
            "kprobes: [{{call: f, syscall: false, args: [{{index: 0, type: sock}}], selectors: [{{matchArgs: [{{index: 0, operator: {op}, values: [{values}]}}{more}]}}]}}]"
        ))
    };
    assert_eq!(at("NotDAddr", "10.0.0.0/8", ""), ["TF0719 NotDAddr"]);
    assert_eq!(at("NotSAddr", "\"::1\"", ""), ["TF0719 NotSAddr"]);
    assert_eq!(at("NotDAddr", "10.0.0.0/8, \"::1\"", ""), NOTHING);
    assert_eq!(at("DAddr", "10.0.0.0/8", ""), NOTHING);
    assert_eq!(at("NotDAddr", "10.0.0.0/8", ", {index: 0, operator: Family, values: [AF_INET]}"), NOTHING);
}

#[test]
fn programs_at_exec_are_the_callers() {
    let filter = "matchBinaries: [{operator: In, values: [/usr/bin/nc]}]";
    let lsm = |hook: &str, more: &str| {
        of(&format!(
            "lsmhooks: [{{hook: {hook}, args: [{{index: 0, type: linux_binprm}}], selectors: [{{{filter}{more}}}]}}]"
        ))
    };
    assert_eq!(lsm("bprm_check_security", ""), ["TF0740 In"]);
    assert_eq!(lsm("file_open", ""), NOTHING);
    let both = ", matchArgs: [{index: 0, operator: Postfix, values: [/nc]}]";
    assert_eq!(lsm("bprm_check_security", both), NOTHING);
    assert_eq!(of(&format!("kprobes: [{{call: sys_execve, selectors: [{{{filter}}}]}}]")), ["TF0740 In"]);
    assert_eq!(of(&format!("kprobes: [{{call: sys_openat, selectors: [{{{filter}}}]}}]")), NOTHING);
}

#[test]
fn one_dash_makes_two_selectors_of_one() {
    let at = |selectors: &str| {
        said(&format!(
            "kprobes: [{{call: f, syscall: false, args: [{{index: 0, type: int}}], selectors: [{selectors}]}}]"
        ))
    };
    let filter = "matchArgs: [{index: 0, operator: Equal, values: [\"1\"]}]";
    let split = at(&format!("{{{filter}}}, {{matchActions: [{{action: Sigkill}}]}}"));
    assert_eq!(split, ["TF0741 matchActions"]);
    let meant = at(&format!(
        "{{{filter}, matchActions: [{{action: Post}}]}}, {{matchActions: [{{action: Sigkill}}]}}"
    ));
    assert_eq!(meant, ["TF0723 Sigkill"]);
    assert_eq!(at(&format!("{{{filter}, matchActions: [{{action: Sigkill}}]}}")), NOTHING);
    assert_eq!(at(&format!("{{{filter}}}, {{matchActions: [{{action: NoPost}}]}}")), NOTHING);
}

#[test]
fn a_policy_for_everybody_that_enforces_always() {
    let at = |before: &str, selector: &str| {
        said(&format!("{before}lsmhooks: [{{hook: file_open, selectors: [{{{selector}}}]}}]"))
    };
    assert_eq!(at("", "matchActions: [{action: Sigkill}]"), ["TF0723 Sigkill"]);
    assert_eq!(at("podSelector: {matchLabels: {a: b}}, ", "matchActions: [{action: Sigkill}]"), NOTHING);
    assert_eq!(at("", "matchActions: [{action: Post}]"), NOTHING);
    let filter = "matchPIDs: [{operator: In, values: [1]}], matchActions: [{action: Sigkill}]";
    assert_eq!(at("", filter), NOTHING);
}

#[test]
fn a_limit_by_socket_never_limits() {
    let at = |ty: &str| {
        of(&format!(
            "kprobes: [{{call: f, syscall: false, args: [{{index: 0, type: {ty}}}], selectors: [{{matchActions: [{{action: Post, rateLimit: 1m}}]}}]}}]"
        ))
    };
    assert_eq!(at("sock"), ["TF0742 1m"]);
    assert_eq!(at("file"), NOTHING);
}

#[test]
fn a_list_is_used_or_named() {
    let list = |values: &str, call: &str| {
        of(&format!(
            "lists: [{{name: l, type: syscalls, values: [{values}]}}], kprobes: [{{call: \"{call}\"}}]"
        ))
    };
    assert_eq!(list("sys_dup, dup, x64/y/z", "sys_dup"), ["TF0142 l"]);
    assert_eq!(list("sys_dup", "list:l"), NOTHING);
    assert_eq!(list("dup", "list:l"), ["TF0117 dup"]);
    assert_eq!(list("", "list:l"), ["TF0707 \"list:l\""]);
    let in_map = "lists: [{name: l, type: syscalls, values: [sys_dup]}], tracepoints: [{subsystem: raw_syscalls, event: sys_enter, args: [{index: 4, type: syscall64}], selectors: [{matchArgs: [{index: 0, operator: InMap, values: [\"list:l\"]}]}]}]";
    assert!(!of(in_map).iter().any(|found| found.starts_with("TF0142")), "{:?}", of(in_map));
}

#[test]
fn what_the_api_server_settles_is_no_error() {
    use super::*;
    let policy = |text: &str| {
        let (_, diags) = run(text, &ResolveOptions::default());
        let found = diags.sorted().into_iter().filter(|d| d.severity > Severity::Note);
        found.map(|d| format!("{} {}", d.code, d.severity.name())).collect::<Vec<_>>()
    };
    let text =
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a, namespace: b}\nspec: {}\n";
    assert_eq!(policy(text), ["TF0112 warning"]);
    assert_eq!(policy(&text.replace(", namespace: b", "")), Vec::<String>::new());
    let text = text.replace(", namespace: b", "") + "status: {state: enabled}\n";
    assert_eq!(policy(&text), ["TF0706 warning"]);
}

/// What a release does not know, with the part of the policy.
fn of_release(release: crate::vocab::release::Release, spec: &str) -> Vec<String> {
    use super::*;
    let text = format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
    );
    let mut sources = Sources::default();
    sources.add("p.yaml", &*text);
    let mut diags = Diagnostics::default();
    let mut resolver = Resolver::new(ResolveOptions { release, ..ResolveOptions::default() });
    crate::syntax::documents::for_each(&sources, 1, &mut diags, &mut |tree, diags| {
        resolver.take(tree, diags)
    });
    let found =
        diags.iter().filter(|d| d.severity >= Severity::Warning && d.severity != Severity::NotCompiled);
    let shown = |d: &Diagnostic| {
        let span = d.labels[0].span;
        format!("{} {}", d.code, &text[span.start as usize..span.end as usize])
    };
    found.map(shown).filter(|found| !found.starts_with("TF0723")).collect()
}

#[test]
fn a_release_knows_what_it_has() {
    use crate::vocab::release::Release::{Main, V1_7, V1_8};
    let selector = |rest: &str| {
        format!(
            "kprobes: [{{call: f, syscall: false, args: [{{index: 0, type: int}}], selectors: [{{{rest}}}]}}]"
        )
    };
    let workloads = selector("matchWorkloads: {podSelector: {}}, matchActions: [{action: Sigkill}]");
    assert_eq!(of_release(V1_7, &workloads), ["TF0143 matchWorkloads"]);
    assert_eq!(of_release(V1_8, &workloads), NOTHING);
    let cel = selector("matchCEL: {expr: arg0 == int32(1)}");
    assert_eq!(of_release(V1_7, &cel), ["TF0143 matchCEL"]);
    assert_eq!(of_release(Main, &cel), NOTHING);
    let old = selector("matchArgs: [{operator: CelExpr, values: [arg0 == int32(1)]}]");
    assert_eq!(
        (of_release(V1_7, &old), of_release(V1_8, &old)),
        (vec![], vec!["TF0144 CelExpr".to_string()])
    );
    // A label may be called so.
    assert_eq!(of_release(V1_7, "podSelector: {matchLabels: {matchCEL: a}}"), NOTHING);
}

#[test]
fn the_newer_filters_are_checked() {
    use crate::vocab::release::Release::Main;
    let at = |rest: &str| {
        let at = "call: f, syscall: false, args: [{index: 0, type: int}]";
        of_release(Main, &format!("kprobes: [{{{at}, selectors: [{{{rest}}}]}}]"))
    };
    assert_eq!(at("matchCEL: {expr: arg7 == int32(1)}"), ["TF0212 arg7 == int32(1)"]);
    assert_eq!(at("matchCEL: {expr: data0 != int32(1)}"), NOTHING);
    assert_eq!(at("matchCEL: {}"), ["TF0103 {}"]);
    assert_eq!(at("matchCmdArgs: [{index: 0, operator: Postfix, values: [/a.py]}]"), NOTHING);
    assert_eq!(at("matchCmdArgs: [{index: 32, operator: Equal, values: [a]}]"), ["TF0704 32"]);
    assert_eq!(at("matchCmdArgs: [{index: 0, operator: GT, values: [a]}]"), ["TF0106 GT"]);
    assert_eq!(at("matchCmdArgs: [{index: 0, operator: Equal, values: []}]"), ["TF0208 []"]);
    let callers = "matchUserCallers: [{depth: any, path: /a, symbol: b}]";
    assert_eq!(at(callers).len(), 1, "{:?}", at(callers));
    let uprobe = |caller: &str| {
        of_release(
            Main,
            &format!(
                "uprobes: [{{path: /a, symbols: [b], selectors: [{{matchUserCallers: [{{{caller}}}]}}]}}]"
            ),
        )
    };
    assert_eq!(uprobe("depth: any, path: /a, symbol: b"), NOTHING);
    assert_eq!(uprobe("depth: \"15\", startRange: 1, endRange: 2"), NOTHING);
    assert_eq!(uprobe("depth: \"16\", symbol: b"), ["TF0206 \"16\""]);
    assert_eq!(uprobe("depth: any, symbol: b, startRange: 1, endRange: 2").len(), 1);
    // Tetragon loses it in silence.
    let of_macro = "selectorsMacros: {m: {matchCEL: {expr: arg0 == int32(1)}}}, kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{macros: [m]}]}]";
    assert_eq!(of_release(Main, of_macro), ["TF0120 expr"]);
}
