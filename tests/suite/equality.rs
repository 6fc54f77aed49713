//! Sets that mean the same give the same parts; near misses do not.

use tetrafold::platform::Target;

use crate::compile::{Compiled, compile};

fn policy(name: &str, selectors: &str) -> String {
    format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: {name}}}\nspec:\n  lsmhooks:\n  - hook: file_open\n    args: [{{index: 0, type: file}}]\n    selectors:\n{selectors}"
    )
}

fn selector(operator: &str, values: &str, action: &str) -> String {
    format!(
        "    - matchArgs: [{{index: 0, operator: {operator}, values: [{values}]}}]\n      matchActions: [{action}]\n"
    )
}

const DENY: &str = "{action: Override, argError: -1}";
const POST: &str = "{action: Post}";

fn parts(selectors: &str) -> Vec<(String, Vec<u8>)> {
    let compiled = compile(&[&policy("p", selectors)], &Target::default()).unwrap();
    files(&compiled)
}

fn files(compiled: &Compiled) -> Vec<(String, Vec<u8>)> {
    compiled.built.files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect()
}

#[track_caller]
fn same(a: &str, b: &str) {
    assert!(parts(a) == parts(b), "different parts for\n{a}\nand\n{b}");
}

#[track_caller]
fn different(a: &str, b: &str) {
    assert!(parts(a) != parts(b), "the same parts for\n{a}\nand\n{b}");
}

#[test]
fn a_selector_behind_an_equal_condition_is_dropped() {
    let first = selector("Equal", "\"/etc/a\"", POST);
    same(&first, &format!("{first}{}", selector("Equal", "\"/etc/a\"", DENY)));
}

#[test]
fn a_selector_behind_another_condition_is_kept() {
    let first = selector("Equal", "\"/etc/a\"", POST);
    different(&first, &format!("{first}{}", selector("Equal", "\"/etc/b\"", DENY)));
}

#[test]
fn a_selector_ahead_of_an_equal_condition_decides() {
    let (post, deny) = (selector("Equal", "\"/etc/a\"", POST), selector("Equal", "\"/etc/a\"", DENY));
    different(&format!("{post}{deny}"), &format!("{deny}{post}"));
}

/// Conditions on one argument, as one selector.
fn both(a: (&str, &str), b: (&str, &str)) -> String {
    let filter =
        |(operator, values): (&str, &str)| format!("{{index: 0, operator: {operator}, values: [{values}]}}");
    format!("    - matchArgs: [{}, {}]\n      matchActions: [{DENY}]\n", filter(a), filter(b))
}

#[test]
fn a_selector_whose_conditions_exclude_each_other_is_dropped() {
    let rest = selector("Equal", "\"/etc/z\"", POST);
    for (a, b) in [
        (("Equal", "/etc/a"), ("NotEqual", "/etc/b, /etc/a")),
        (("Equal", "/etc/a"), ("Equal", "/etc/b")),
        (("Equal", "/etc/a, /etc/b"), ("Prefix", "/usr/, /etc/c")),
        (("NotPrefix", "/etc"), ("Equal", "/etc/a")),
        (("Equal", "/etc/a"), ("Postfix", "b")),
        (("Prefix", "/etc/"), ("Prefix", "/usr/")),
        (("Prefix", "/etc/ssh"), ("NotPrefix", "/etc/")),
        (("Postfix", "a.so"), ("NotPostfix", ".so")),
        (("Postfix", ".so"), ("Postfix", ".c")),
    ] {
        same(&rest, &format!("{rest}{}", both(a, b)));
    }
}

#[test]
fn a_selector_whose_conditions_leave_room_is_kept() {
    let rest = selector("Equal", "\"/etc/z\"", POST);
    for (a, b) in [
        (("Equal", "/etc/a, /etc/c"), ("NotEqual", "/etc/b, /etc/a")),
        (("Equal", "/etc/a"), ("Equal", "/etc/b, /etc/a")),
        (("Equal", "/etc/a, /usr/b"), ("Prefix", "/usr/")),
        (("NotPrefix", "/etc/a/"), ("Equal", "/etc/a")),
        (("Prefix", "/etc/"), ("Prefix", "/etc/ssh")),
        (("Prefix", "/etc/"), ("NotPrefix", "/etc/ssh")),
        (("Prefix", "/etc"), ("Postfix", "/usr")),
        (("Postfix", ".so"), ("NotPostfix", "a.so")),
        (("NotEqual", "/etc/a"), ("NotPrefix", "/")),
    ] {
        different(&rest, &format!("{rest}{}", both(a, b)));
    }
}

/// What is left of the set needs no program.
#[test]
fn a_set_that_can_do_nothing_loads_nothing() {
    let compiled =
        compile(&[&policy("p", &both(("Equal", "/a"), ("NotEqual", "/a")))], &Target::default()).unwrap();
    assert!(compiled.built.manifest.programs.is_empty());
    assert!(compiled.built.manifest.operations.is_empty());
}

#[test]
fn a_quiet_tail_is_dropped() {
    let first = selector("Equal", "\"/etc/a\"", POST);
    same(&first, &format!("{first}{}", selector("Equal", "\"/etc/b\"", "{action: NoPost}")));
}

#[test]
fn a_quiet_selector_ahead_shields() {
    let deny = selector("NotEqual", "\"/etc/a\"", DENY);
    different(&deny, &format!("{}{deny}", selector("Equal", "\"/etc/b\"", "{action: NoPost}")));
}

#[test]
fn order_and_repetition_of_values_do_not_matter() {
    same(
        &selector("NotEqual", "\"/etc/a\", \"/etc/b\"", DENY),
        &selector("NotEqual", "\"/etc/b\", \"/etc/a\", \"/etc/b\"", DENY),
    );
}

#[test]
fn one_byte_of_one_value_matters() {
    different(
        &selector("NotEqual", "\"/etc/a\", \"/etc/b\"", DENY),
        &selector("NotEqual", "\"/etc/a\", \"/etc/c\"", DENY),
    );
}

#[test]
fn a_negation_is_not_its_opposite_and_a_prefix_is_not_the_whole() {
    different(&selector("NotEqual", "\"/etc/a\"", DENY), &selector("Equal", "\"/etc/a\"", DENY));
    different(&selector("Prefix", "\"/etc/a\"", DENY), &selector("Equal", "\"/etc/a\"", DENY));
    different(&selector("Prefix", "\"/etc/a\"", DENY), &selector("Postfix", "\"/etc/a\"", DENY));
}

/// A path that cannot be read makes a negated condition true only where something is enforced.
#[test]
fn enforcing_and_reporting_selectors_differ_in_what_cannot_be_read() {
    different(&selector("NotEqual", "\"/etc/a\"", DENY), &selector("NotEqual", "\"/etc/a\"", POST));
}

#[test]
fn a_kprobe_on_the_function_and_the_lsm_hook_are_one_operation() {
    let kprobe = policy("p", &selector("NotEqual", "\"/etc/a\"", DENY))
        .replace("lsmhooks", "kprobes")
        .replace("hook: file_open", "call: security_file_open\n    syscall: false");
    let moved = compile(&[&kprobe], &Target::default()).unwrap();
    let written =
        compile(&[&policy("p", &selector("NotEqual", "\"/etc/a\"", DENY))], &Target::default()).unwrap();
    assert!(files(&moved) == files(&written));
    // Without an override nothing has to move, and it does not.
    let posts = kprobe.replace(DENY, POST);
    let stays = compile(&[&posts], &Target::default()).unwrap();
    assert_eq!(stays.built.manifest.operations[0].name, "kprobe:security_file_open");
}

#[test]
fn the_same_list_in_two_policies_adds_no_value_to_the_tables() {
    let (a, b) = (
        policy("a", &selector("NotEqual", "\"/etc/a\", \"/etc/b\"", DENY)),
        policy("b", &selector("NotEqual", "\"/etc/a\", \"/etc/b\"", DENY)),
    );
    let one = compile(&[&a], &Target::default()).unwrap();
    let two = compile(&[&a, &b], &Target::default()).unwrap();
    let tables = |c: &Compiled| c.built.manifest.operations[0].tables.sha256;
    assert_eq!(tables(&one), tables(&two));
    assert_eq!(two.built.manifest.programs.len(), 2, "a stub and a body, however many policies");
}
