//! Hooks on lists of functions: what is one operation, what is not, and that the proof looks at every attach point.

use std::collections::BTreeSet;
use std::fmt::Write;

use tetrafold::artifact::manifest::{LinkKind, Manifest};
use tetrafold::emit::assemble::Built;
use tetrafold::emit::verify;
use tetrafold::platform::Target;
use tetrafold::report::measure;

use crate::compile::{Compiled, compile};

/// A policy with hooks on lists of system calls, each with the value that its only selector posts.
fn policy(name: &str, hooks: &[(&[&str], u32)]) -> String {
    let mut text = format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: {name}}}\nspec:\n  lists:\n"
    );
    for (n, (calls, _)) in hooks.iter().enumerate() {
        let calls: Vec<String> = calls.iter().map(|call| format!("sys_{call}")).collect();
        let _ = writeln!(text, "  - {{name: l{n}, type: syscalls, values: [{}]}}", calls.join(", "));
    }
    text.push_str("  kprobes:\n");
    for (n, (_, value)) in hooks.iter().enumerate() {
        let _ = write!(
            text,
            "  - call: \"list:l{n}\"\n    args: [{{index: 0, type: int}}]\n    selectors:\n    - matchArgs: [{{index: 0, operator: Equal, values: [\"{value}\"]}}]\n      matchActions: [{{action: Post}}]\n"
        );
    }
    text
}

fn compiled(texts: &[String]) -> Compiled {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    compile(&texts, &Target::default()).unwrap()
}

/// The targets of each operation without their prefix, and the policies on it.
fn shown(manifest: &Manifest) -> Vec<(String, String)> {
    let policies_of = |number: u32| {
        let hooks = |p: &tetrafold::artifact::manifest::Policy| {
            p.hooks.iter().filter(|h| h.operation == number).count()
        };
        let mut names = vec![];
        for policy in &manifest.policies {
            names.extend(std::iter::repeat_n(policy.name.clone(), hooks(policy)));
        }
        names.join(" ")
    };
    let targets =
        |all: &[String]| all.iter().map(|t| t.trim_start_matches("__x64_sys_")).collect::<Vec<_>>().join(" ");
    manifest.operations.iter().map(|o| (targets(&o.attach.targets), policies_of(o.number))).collect()
}

#[track_caller]
fn check(texts: &[String], operations: &[(&str, &str)]) {
    let found = shown(&compiled(texts).built.manifest);
    let found: Vec<(&str, &str)> = found.iter().map(|(t, p)| (t.as_str(), p.as_str())).collect();
    assert_eq!(found, operations);
}

#[test]
fn fifty_system_calls_are_two_programs() {
    let calls: Vec<String> = (0..50).map(|n| format!("call{n:02}")).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    let compiled = compiled(&[policy("p", &[(&calls, 1)])]);
    let manifest = &compiled.built.manifest;
    assert_eq!(manifest.operations[0].attach.targets.len(), 50);
    let ways: Vec<(LinkKind, u32)> =
        manifest.operations[0].attach.ways.iter().map(|way| (way.link, way.links)).collect();
    assert_eq!(ways, [(LinkKind::KprobeMulti, 1), (LinkKind::Kprobe, 50)]);
    let report = measure::report(&compiled.set, &compiled.built, &Target::default()).unwrap();
    assert_eq!((report.totals.operations, report.totals.programs, report.totals.maps), (1, 2, 6));
}

#[test]
fn functions_of_the_same_policies_are_one_operation() {
    let (a, b) = (policy("a", &[(&["dup", "close"], 1)]), policy("b", &[(&["close", "dup"], 2)]));
    check(&[a, b], &[("close dup", "a b")]);
}

#[test]
fn lists_that_overlap_are_parted() {
    let (a, b) = (policy("a", &[(&["open", "openat"], 1)]), policy("b", &[(&["openat", "read"], 2)]));
    check(&[a, b], &[("open", "a"), ("openat", "a b"), ("read", "b")]);
    let one = policy("a", &[(&["open", "openat"], 1), (&["openat", "read"], 2)]);
    check(&[one], &[("open", "a"), ("openat", "a a"), ("read", "a")]);
}

#[test]
fn hooks_that_are_written_apart_stay_apart() {
    let text = policy("a", &[(&["open"], 1), (&["read"], 1)]);
    check(&[text], &[("open", "a"), ("read", "a")]);
}

#[test]
fn a_function_named_twice_in_a_list_is_judged_twice() {
    check(&[policy("a", &[(&["open", "open", "read"], 1)])], &[("open", "a a"), ("read", "a")]);
}

#[test]
fn another_set_of_functions_has_another_name() {
    let name =
        |calls: &[&str]| compiled(&[policy("a", &[(calls, 1)])]).built.manifest.operations[0].name.clone();
    assert_eq!(name(&["open", "read"]), name(&["read", "open"]));
    let names = [&["open", "read"][..], &["open", "write"], &["open", "read", "write"], &["open"]].map(name);
    assert_eq!(BTreeSet::from_iter(&names).len(), 4, "{names:?}");
    assert_eq!(names[3], "kprobe:__x64_sys_open");
}

/// Changes the targets of the operations.
type Fault = dyn Fn(&mut Vec<Vec<String>>);

/// Each of these faults of a manifest has to be found by the proof.
#[test]
fn the_proof_compares_every_attach_point() {
    let (a, b) = (policy("a", &[(&["open", "openat"], 1)]), policy("b", &[(&["openat", "read"], 2)]));
    let Compiled { sources, set, folded, built, .. } = compiled(&[a, b]);
    let prove = |change: &Fault| {
        let mut manifest = built.manifest.clone();
        let mut targets: Vec<Vec<String>> =
            manifest.operations.iter().map(|o| o.attach.targets.clone()).collect();
        change(&mut targets);
        for (operation, targets) in manifest.operations.iter_mut().zip(targets) {
            operation.attach.targets = targets;
        }
        let built = Built { manifest, ..built.clone() };
        verify::prove(&sources, &set, &folded.certificate, built.emitted()).is_ok()
    };
    assert!(prove(&|_| {}));
    let faults: [&Fault; 5] = [
        &|targets| targets[1].clear(),
        &|targets| targets[0].push("__x64_sys_read".into()),
        &|targets| targets[0].push("__x64_sys_write".into()),
        &|targets| targets[2][0] = "__x64_sys_readv".into(),
        &|targets| targets.swap(0, 2),
    ];
    for (n, fault) in faults.iter().enumerate() {
        assert!(!prove(fault), "fault {n} was not found");
    }
}

/// Its parameter is not the syscall's argument, so that no program can be asked for both.
#[test]
fn a_syscall_and_the_function_at_its_entry_are_two_operations() {
    let policy = |name: &str, call: &str, rest: &str| {
        format!(
            "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: {name}}}\nspec:\n  kprobes:\n  - {{call: {call}, {rest}}}\n"
        )
    };
    let syscall = policy("a", "sys_openat", "args: [{index: 1, type: string}]");
    let function = policy("b", "__x64_sys_openat", "syscall: false");
    check(&[syscall.clone(), function.clone()], &[("openat", "a"), ("openat", "b")]);
    let both = compiled(&[syscall, function]).built.manifest;
    let names: Vec<(&str, bool)> =
        both.operations.iter().map(|o| (o.name.as_str(), o.attach.syscall)).collect();
    assert_eq!(names, [("kprobe:__x64_sys_openat", true), ("kprobe:__x64_sys_openat-as-function", false)]);
}
