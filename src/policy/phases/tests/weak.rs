//! What enforces less than it seems to.

use super::meaningless::said;

fn at(hook: &str, ty: &str, op: &str, action: &str) -> Vec<String> {
    said(&format!(
        "{hook}, args: [{{index: 1, type: {ty}}}], selectors: [{{matchArgs: [{{index: 1, operator: {op}, values: [/a]}}], matchActions: [{{action: {action}}}]}}]}}]"
    ))
    .into_iter()
    .filter(|found| !found.starts_with("TF0499"))
    .collect()
}

const SYSCALL: &str = "kprobes: [{call: sys_openat";
const FUNCTION: &str = "kprobes: [{call: security_file_open, syscall: false";
const LSM: &str = "lsmhooks: [{hook: file_open";
const NOTHING: [&str; 0] = [];

#[test]
fn memory_of_the_process_decides_nothing_for_sure() {
    for action in ["Override, argError: -1", "Sigkill", "Signal, argSig: 9"] {
        assert_eq!(at(SYSCALL, "string", "Equal", action), ["TF0720 index"], "{action}");
    }
    let sys_enter = "tracepoints: [{subsystem: syscalls, event: sys_enter_openat";
    assert_eq!(at(sys_enter, "string", "Prefix", "Sigkill"), ["TF0720 index"]);
    // Only what enforces, what is in user memory, and what is asked about.
    assert_eq!(at(SYSCALL, "string", "Equal", "Post"), NOTHING);
    assert_eq!(at(FUNCTION, "string", "Equal", "Sigkill"), NOTHING);
    assert_eq!(at(sys_enter, "string", "Prefix", "Override, argError: -1"), ["TF0707 Override"]);
    assert_eq!(
        said(
            "kprobes: [{call: sys_openat, args: [{index: 1, type: string}], selectors: [{matchActions: [{action: Sigkill}]}]}]"
        ),
        NOTHING
    );
}

#[test]
fn a_list_of_allowed_paths_holds_as_long_as_paths_are_what_they_seem() {
    for op in ["NotEqual", "NotPrefix", "NotPostfix"] {
        assert_eq!(at(LSM, "file", op, "Sigkill"), [format!("TF0721 {op}")]);
    }
    assert_eq!(at(LSM, "file", "Equal", "Sigkill"), NOTHING);
    assert_eq!(at(LSM, "file", "NotEqual", "Post"), NOTHING);
    assert_eq!(at(LSM, "string", "NotEqual", "Sigkill"), NOTHING);
    let program = |op: &str| {
        said(&format!(
            "{SYSCALL}, selectors: [{{matchBinaries: [{{operator: {op}, values: [/a]}}], matchActions: [{{action: Sigkill}}]}}]}}]"
        ))
    };
    assert_eq!(program("NotIn"), ["TF0721 NotIn"]);
    assert_eq!(program("In"), NOTHING);
}

#[test]
fn an_override_that_no_lsm_hook_can_serve_is_pointed_out() {
    let denied = |function: &str| {
        said(&format!(
            "kprobes: [{{call: {function}, syscall: false, selectors: [{{matchActions: [{{action: Override, argError: -1}}]}}]}}]"
        ))
    };
    assert_eq!(denied("security_task_setnice"), ["TF0722 security_task_setnice"]);
    assert_eq!(denied("security_file_open"), NOTHING);
}

#[test]
fn a_packet_may_be_handled_while_another_process_runs() {
    let at = |ty: &str, action: &str| {
        said(&format!(
            "kprobes: [{{call: ip_output, syscall: false, args: [{{index: 2, type: {ty}}}], selectors: [{{matchArgs: [{{index: 2, operator: DPort, values: [\"53\"]}}], matchActions: [{{action: {action}}}]}}]}}]"
        ))
    };
    assert_eq!(at("skb", "Sigkill"), ["TF0724 skb"]);
    assert_eq!(at("skb", "Signal, argSig: 9"), ["TF0724 skb"]);
    assert_eq!(at("skb", "Post"), NOTHING);
    assert_eq!(at("sock", "Sigkill"), NOTHING);
}
