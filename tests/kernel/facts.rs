//! What a node tells of itself is what policies are then checked against: `tetrafold target record` in the machine, and
//! the policies against what it wrote.
//!
//! Two-sided: what the kernel has is not said to be lacking, what it does not have is named. The answers come from
//! the kernels' configurations (`target/kernels/<series>/config`).

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::case;
use crate::guest::Port;
use crate::script::{Report, Task};
use crate::vm::{self, Boot};
use tetrafold::platform::builtin::BuiltIn;
use tetrafold::platform::description::{Description, Field};

/// With what every kernel here has, and with what none has.
const POLICIES: &str = r#"
kind: TracingPolicy
metadata: {name: "there"}
spec:
  lists: [{name: "tcp", type: "generated_ftrace", pattern: "^tcp_conn"}, {name: "all", type: "generated_syscalls"}]
  kprobes:
  - {call: "fd_install", syscall: false, args: [{index: 0, type: "int"}, {index: 1, type: "file"}]}
  - {call: "sys_openat", args: [{index: 1, type: "string"}, {index: 3, type: "int"}]}
---
kind: TracingPolicy
metadata: {name: "also-there"}
spec:
  lsmhooks:
  - hook: "bprm_check_security"
    args:
    - {index: 0, type: "linux_binprm"}
    - {index: 0, type: "string", resolve: "mm.owner.real_parent.comm"}
    - {index: 0, type: "file", resolve: "file"}
---
kind: TracingPolicy
metadata: {name: "events-there"}
spec:
  tracepoints:
  - {subsystem: "raw_syscalls", event: "sys_enter", args: [{index: 4}, {index: 5}]}
  - {subsystem: "sched", event: "sched_process_exec", raw: true, args: [{index: 2, type: "file", resolve: "file"}]}
---
kind: TracingPolicy
metadata: {name: "not-there"}
spec:
  lists: [{name: "none", type: "generated_ftrace", pattern: "^tcp_nothing"}]
  kprobes:
  - {call: "tcp_conect", syscall: false}
  - {call: "sys_nothing"}
  - {call: "sys_close", args: [{index: 4, type: "int"}]}
  - {call: "fd_install", syscall: false, args: [{index: 1, type: "path"}]}
  - {call: "sys_symlinkat", selectors: [{matchActions: [{action: Override, argError: -1}]}]}
---
kind: TracingPolicy
metadata: {name: "not-there-either"}
spec:
  lsmhooks:
  - {hook: "file_opened"}
  - {hook: "file_open", args: [{index: 0, type: "string", resolve: "f_nothing.x"}]}
---
kind: TracingPolicy
metadata: {name: "no-such-events"}
spec:
  tracepoints:
  - {subsystem: "raw_syscalls", event: "sys_entered"}
  - {subsystem: "raw_syscalls", event: "sys_enter", args: [{index: 6}]}
  - {subsystem: "sched", event: "sched_nothing", raw: true}
"#;

/// Code and beginning of the message of each finding, in the order of the text.
const FOUND: [(&str, &str); 13] = [
    ("TF0508", "list `none` has no members"),
    ("TF0502", "there is no function `tcp_conect`"),
    ("TF0502", "there is no syscall `sys_nothing`"),
    ("TF0506", "`sys_close` has 1 parameter"),
    ("TF0506", "argument 1 of `fd_install` is `struct file *`"),
    ("TF0507", "`sys_symlinkat` cannot be overridden"),
    ("TF0503", "there is no LSM hook `file_opened`"),
    ("TF0505", "`f_nothing.x` leads nowhere"),
    ("TF0504", "there is no tracepoint `raw_syscalls/sys_entered`"),
    ("TF0504", "`raw_syscalls/sys_enter` has no field 6"),
    ("TF0504", "there is no tracepoint `sched_nothing`"),
    ("fields", "as built in"),
    ("artifact", "5 policies"),
];

pub fn trial(series: &'static str) -> Trial {
    Trial::test(format!("kernel-{series}::facts-of-the-node"), move || facts(series).map_err(Failed::from))
}

fn facts(series: &'static str) -> Result<(), String> {
    let mut initramfs = case::base(series)?;
    initramfs.program("/bin/tetrafold", std::path::Path::new(env!("CARGO_BIN_EXE_tetrafold")))?;
    initramfs.file("/policies.yaml", POLICIES.as_bytes().to_vec());
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    initramfs.tree("/examples", &examples)?;
    initramfs.file("/task.json", serde_json::to_vec(&Task::Facts).map_err(|e| e.to_string())?);
    let mut found = vec![];
    let ended = vm::run(&Boot::new(series), &initramfs, |line| match serde_json::from_str(line) {
        Ok(Report::Data { value, .. }) => {
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            found.push((text("code"), text("message")));
        }
        _ => found.push(("guest".to_owned(), line.to_owned())),
    });
    ended.result?;
    let on = format!("on {series}.");
    let is_right = |((code, message), (wanted, text)): (&(String, String), &(&str, &str))| {
        let told = message.strip_prefix(&on).and_then(|rest| Some(rest.split_once(": ")?.1));
        code == wanted && told.unwrap_or(message).starts_with(text)
    };
    if found.len() == FOUND.len() && found.iter().zip(&FOUND).all(is_right) {
        return Ok(());
    }
    Err(found.iter().map(|(code, message)| format!("{code}: {message}\n")).collect())
}

pub fn guest(port: &Port) {
    if let Err(why) = look(port) {
        port.data("facts", json!({"code": "failed", "message": why}));
    }
}

/// The tracepoints that the node describes with those of the built-in kernel.
fn compare_fields() -> Result<String, String> {
    let text = std::fs::read_to_string("/tmp/node.json").map_err(|e| e.to_string())?;
    let node = Description::from_json(&text)?;
    let built_in = BuiltIn::for_chosen(node.version()).pop().ok_or("no built-in kernel")?;
    let (mut compared, mut wrong) = (0, vec![]);
    for tracepoint in node.tracepoints.iter().flatten() {
        let Some(fields) = built_in.fields(&tracepoint.name) else { continue };
        compared += 1;
        // A running kernel writes lengths of arrays as numbers.
        let told = |f: &Field| {
            let ty = f.ty.split('[').next().unwrap_or_default().to_owned();
            (f.name.clone(), ty, f.bytes, f.signed, f.offset)
        };
        if !fields.iter().map(told).eq(tracepoint.fields.iter().map(told)) {
            wrong.push(format!("{}: {fields:?} and not {:?}", tracepoint.name, tracepoint.fields));
        }
    }
    match (wrong.first(), compared) {
        (None, 1000..) => Ok("as built in".to_owned()),
        (first, _) => Ok(format!("{} of {compared} are others: {first:?}", wrong.len())),
    }
}

fn look(port: &Port) -> Result<(), String> {
    let run = |args: &[&str]| {
        let ran =
            Command::new("/bin/tetrafold").args(args).output().map_err(|e| format!("tetrafold: {e}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok::<_, String>((text(ran.stdout), text(ran.stderr)))
    };
    let (_, said) = run(&["target", "record", "-o", "/tmp/node.json"])?;
    if !said.is_empty() {
        port.data("facts", json!({"code": "record", "message": said}));
    }
    let (found, said) = run(&[
        "check",
        "--for",
        "tetragon",
        "/policies.yaml",
        "--target",
        "/tmp/node.json",
        "--diagnostics",
        "json",
    ])?;
    if !said.is_empty() {
        port.data("facts", json!({"code": "check", "message": said}));
    }
    for line in found.lines() {
        let found: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        // What is not compiled yet is no fact of a kernel.
        if found["code"].as_str().is_some_and(|code| code.starts_with("TF05")) {
            port.data("facts", json!({"code": found["code"], "message": found["message"]}));
        }
    }
    port.data("facts", json!({"code": "fields", "message": compare_fields()?}));
    let (done, said) = run(&["compile", "/examples", "-o", "/tmp/artifact", "--target", "/tmp/node.json"])?;
    let done = done.trim().trim_start_matches("/tmp/artifact: ");
    port.data("facts", json!({"code": "artifact", "message": if done.is_empty() { &said } else { done }}));
    Ok(())
}
