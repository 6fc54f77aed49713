//! Counts the instructions that an event costs, and prints the tables of `BENCHMARKS.md`.
//!
//! The emulator runs one CPU in step with its clock, one guest instruction a nanosecond, so that the kernel's own
//! statistics (`run_time_ns / run_cnt` of the attached stub, which include all that it calls) are instruction
//! counts. Figures are net: an empty program, measured the same way on the same hook, is taken off.
//! The policies are those of [`crate::generate`], half of their paths 15 bytes long and half 200.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use libbpf_rs::libbpf_sys;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::generate::{self, Shape};
use crate::guest::{self, Loader, Port};
use crate::script::{Act, Overlay, Report, Task};
use crate::{case, vm};

/// What is measured in one boot.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Kernel function whose program is empty in the reference run.
    pub hook: String,
    pub runs: Vec<Run>,
}

/// One artifact under one load.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    pub name: String,
    /// In the guest.
    pub artifact: String,
    pub workloads: String,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Event {
    pub name: String,
    pub cgroup: String,
    pub path: String,
    /// It is opened, not executed.
    pub opens: bool,
    /// From inside the container.
    pub inside: bool,
    /// ENOEXEC, ok or EPERM: a figure of an event that was judged wrongly means nothing.
    pub expect: String,
}

const SIZES: [usize; 3] = [1, 100, 1000];
/// Policies of one cgroup.
const STACKED: [usize; 5] = [1, 2, 4, 8, 16];
const WARM: u32 = 20;
const COUNTED: u32 = 200;

/// A path of 15 bytes in 3 components that the pool does not hold otherwise.
fn short(number: usize) -> String {
    format!("/usr/bin/x{number:05}")
}

/// The pool with its short half made exactly 15 bytes long.
fn pool(shape: &Shape) -> Vec<String> {
    let paths = generate::pool(shape).into_iter().enumerate();
    paths.map(|(number, path)| if number % 2 == 0 { short(number) } else { path }).collect()
}

/// Policies of `shape`, each with the given label instead of `app`, so that one pod can have many.
fn documents(shape: &Shape) -> String {
    let pool = pool(shape);
    let draws = generate::draws(shape);
    let mut text = String::new();
    for (number, mut paths) in draws.into_iter().enumerate() {
        // The first policies all allow one short and one long path; they are those that are stacked.
        if number < STACKED[STACKED.len() - 1] {
            paths.retain(|path| *path > 1);
            paths.truncate(shape.per_policy - 2);
            paths.extend([0, 1]);
        }
        // Nobody lists the last short path, so that it is known to the tables only through this policy.
        if number + 1 == shape.policies && number > 0 {
            paths[0] = KNOWN;
        } else {
            paths.retain(|path| *path != KNOWN);
        }
        let document = generate::policy(shape, number, paths.iter().map(|path| pool[*path].as_str()));
        let label = format!("app: \"{}\"", generate::name(number));
        text.push_str("---\n");
        text.push_str(&document.replace(&label, &format!("{}: \"yes\"", generate::name(number))));
    }
    text
}

const KNOWN: usize = 498;

/// Where a container has its root: an overlay whose image holds every path too.
const CONTAINER: &str = "/container";
const IMAGE: &str = "/image";

fn labels(policies: usize) -> String {
    (0..policies).map(|number| format!("{}: \"yes\"", generate::name(number))).collect::<Vec<_>>().join(", ")
}

fn run(shape: &Shape, artifact: &str) -> Run {
    let pool = pool(shape);
    let event = |name: &str, cgroup: &str, path: &str, expect: &str| Event {
        name: name.into(),
        cgroup: cgroup.into(),
        path: path.into(),
        opens: false,
        inside: false,
        expect: expect.into(),
    };
    let unknown_long = format!("{}z", &pool[1][..pool[1].len() - 1]);
    let mut events = vec![
        event("above all workloads", "/", &pool[0], "ENOEXEC"),
        event("unmatched, 15 bytes", "/pods/other", &pool[0], "ENOEXEC"),
        event("unmatched, 200 bytes", "/pods/other", &pool[1], "ENOEXEC"),
        event("allowed, 15 bytes", "/pods/stacked-1", &pool[0], "ENOEXEC"),
        event("allowed, 15 bytes, in a child cgroup", "/pods/stacked-1/child", &pool[0], "ENOEXEC"),
        event("allowed, 200 bytes", "/pods/stacked-1", &pool[1], "ENOEXEC"),
        event("denied, 15 bytes, known", "/pods/stacked-1", &pool[KNOWN], "EPERM"),
        event("denied, 15 bytes, unknown", "/pods/stacked-1", "/usr/bin/unknown", "EPERM"),
        event("denied, 200 bytes, unknown", "/pods/stacked-1", &unknown_long, "EPERM"),
    ];
    let stacked: Vec<usize> = STACKED.into_iter().filter(|k| *k <= shape.policies).collect();
    for k in &stacked {
        events.push(event(
            &format!("{k} policies, allowed"),
            &format!("/pods/stacked-{k}"),
            &pool[0],
            "ENOEXEC",
        ));
        events.push(event(
            &format!("{k} policies, denied by all"),
            &format!("/pods/stacked-{k}"),
            "/usr/bin/unknown",
            "EPERM",
        ));
    }
    let workload = |k: &usize| {
        format!(
            "- {{cgroup: /pods/stacked-{k}, namespace: n, pod: p{k}, labels: {{{}}}, container: c, repo: r}}\n",
            labels(*k)
        )
    };
    let workloads = format!("workloads:\n{}", stacked.iter().map(workload).collect::<String>());
    Run { name: format!("N = {}", shape.policies), artifact: artifact.into(), workloads, events }
}

/// The same policies at `file_open`, under opens. Figures are for all calls of the hook that one open makes.
fn opens(mut run: Run) -> Run {
    let event = |name: &str, path: &str, inside: bool, expect: &str| Event {
        name: name.into(),
        cgroup: if name.starts_with("unmatched") { "/pods/other" } else { "/pods/stacked-1" }.into(),
        path: path.into(),
        opens: true,
        inside,
        expect: expect.into(),
    };
    let listed = short(0);
    run.events = vec![
        event("unmatched, 15 bytes", &listed, false, "ok"),
        event("allowed, 15 bytes", &listed, false, "ok"),
        event("denied, 15 bytes, unknown", "/usr/bin/unknown", false, "EPERM"),
        event("unmatched, 15 bytes, in a container", &listed, true, "ok"),
        event("allowed, 15 bytes, in a container", &listed, true, "ok"),
        event("denied, 15 bytes, unknown, in a container", "/usr/bin/unknown", true, "EPERM"),
    ];
    run
}

/// What policies on `bprm_check_security` say of an exec, said of an open.
fn of_opens(documents: &str) -> String {
    documents.replace("\"bprm_check_security\"", "\"file_open\"").replace("\"linux_binprm\"", "\"file\"")
}

/// `only`: one of the hooks; all of them if it is empty.
pub fn host(only: &str) -> ExitCode {
    let mut failed = false;
    let hooks = [(false, "bprm_creds_for_exec"), (true, "bprm_check_security"), (true, "file_open")];
    for (lsm, hook) in hooks.into_iter().filter(|(_, hook)| only.is_empty() || *hook == only) {
        for series in vm::SERIES {
            if let Err(why) = measure(series, lsm, hook) {
                eprintln!("kernel {series}, {hook}: {why}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(series: &'static str, lsm: bool, hook: &str) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut initramfs = case::base(series)?;
    let mut runs = Vec::new();
    for policies in SIZES {
        let shape = Shape { policies, long: true, lsm, ..Shape::default() };
        let text = documents(&shape);
        let text = if hook == "file_open" { of_opens(&text) } else { text };
        std::fs::write(scratch.path().join("set.yaml"), text).map_err(|e| e.to_string())?;
        let out = scratch.path().join(policies.to_string());
        case::compile(scratch.path(), &["set.yaml"], &out, &[])?;
        let artifact = format!("/artifacts/{policies}");
        initramfs.tree(&artifact, &out)?;
        let run = run(&shape, &artifact);
        runs.push(if hook == "file_open" { opens(run) } else { run });
    }
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let plan = Plan { hook: hook.to_owned(), runs };
    initramfs.file("/task.json", serde_json::to_vec(&Task::Measure(plan)).map_err(|e| e.to_string())?);
    let boot = vm::Boot { icount: true, timeout: Duration::from_secs(1800), ..vm::Boot::new(series) };
    let mut rows: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut wrong = Vec::new();
    let ended = vm::run(&boot, &initramfs, |line| match serde_json::from_str(line) {
        Ok(Report::Data { value, .. }) => {
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let (run, event) = (text("run"), text("event"));
            if let Some(why) = value["error"].as_str() {
                wrong.push(format!("{run}: {event}: {why}"));
            }
            match rows.iter_mut().find(|(name, _)| *name == event) {
                Some((_, row)) => drop(row.insert(run, value["net"].to_string())),
                None => rows.push((event, BTreeMap::from([(run, value["net"].to_string())]))),
            }
        }
        Ok(Report::Loader { .. }) => {}
        Ok(Report::LoaderError { line }) => wrong.push(line),
        _ => wrong.push(line.to_owned()),
    });
    println!("\nkernel {series}, lsm {hook}: net instructions an event\n");
    println!("| event | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    for (event, row) in &rows {
        let cells: Vec<&str> = names.iter().map(|name| row.get(name).map_or("-", String::as_str)).collect();
        println!("| {event} | {} |", cells.join(" | "));
    }
    ended.result?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

pub fn guest(port: &Port, plan: &Plan) {
    if let Err(why) = measure_all(port, plan) {
        port.data("measure", json!({"run": "", "event": "", "net": null, "error": why}));
    }
}

fn measure_all(port: &Port, plan: &Plan) -> Result<(), String> {
    std::fs::write("/proc/sys/kernel/bpf_stats_enabled", "1")
        .map_err(|e| format!("bpf_stats_enabled: {e}"))?;
    for event in plan.runs.iter().flat_map(|run| &run.events) {
        for path in [event.path.clone(), format!("{IMAGE}{}", event.path)] {
            guest::executable(&path, b"not a program\n").map_err(|e| format!("{path}: {e}"))?;
        }
    }
    let mut mounts = guest::Mounts::default();
    let overlay = Overlay { lower: IMAGE.into(), at: CONTAINER.into(), options: None, read_only: false };
    mounts.overlay(&overlay).map_err(|e| format!("{CONTAINER}: {e}"))?;
    let empty = {
        let attached = attach_empty(&plan.hook)?;
        let opens = plan.runs.iter().flat_map(|run| &run.events).any(|event| event.opens);
        let event = Event {
            name: String::new(),
            cgroup: "/".into(),
            path: "/usr/bin/x00000".into(),
            opens,
            inside: false,
            expect: if opens { "ok" } else { "ENOEXEC" }.into(),
        };
        cost(&[attached.program], &event)?.0
    };
    for run in &plan.runs {
        let workloads = "/tmp/workloads.yaml";
        std::fs::write(workloads, &run.workloads).map_err(|e| e.to_string())?;
        for line in run.workloads.lines() {
            if let Some((_, rest)) = line.split_once("cgroup: ") {
                guest::cgroup(rest.split(',').next().unwrap_or_default()).map_err(|e| e.to_string())?;
            }
        }
        let mut loader = Loader::start(port, &run.artifact, workloads, &[])?;
        if let Err(why) = loader.wait_for(|line| line == "ready") {
            return Err(format!("{}: {why}: {:?}", run.name, loader.end()));
        }
        let stubs = attached_programs()?;
        for event in &run.events {
            let measured = cost(&stubs, event).map(|(gross, calls)| (gross - empty * calls).round() as i64);
            let (net, error) = measured.map_or_else(|why| (None, Some(why)), |net| (Some(net), None));
            port.data("measure", json!({"run": run.name, "event": event.name, "net": net, "error": error}));
        }
        loader.signal(libc::SIGTERM);
        loader.end()?;
    }
    port.data(
        "measure",
        json!({"run": plan.runs[0].name, "event": "(an empty program)", "net": empty.round() as i64}),
    );
    Ok(())
}

/// Nanoseconds, hence instructions, of these programs together in one event, and how often one of them runs in it.
fn cost(programs: &[u32], event: &Event) -> Result<(f64, f64), String> {
    let exec = |times: u32| -> Result<(), String> {
        let pid = guest::fork(|| {
            let act = Act { path: event.path.clone(), ..Act::default() };
            if guest::join_cgroup(&event.cgroup, 0).is_err() {
                return 1;
            }
            if event.inside && std::os::unix::fs::chroot(CONTAINER).is_err() {
                return 1;
            }
            let take = if event.opens { guest::open } else { guest::exec };
            let right = (0..times).map(|_| take(&act)).all(|got| got.as_ref() == Ok(&event.expect));
            if right { 0 } else { 2 }
        })
        .map_err(|e| e.to_string())?;
        match guest::wait(pid) {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(2)) => Err(format!("{} was not answered by {}", event.path, event.expect)),
            other => Err(format!("{other:?}")),
        }
    };
    let total = || -> Result<(u64, u64), String> {
        programs.iter().try_fold((0, 0), |(time, count), id| {
            let (t, c) = statistics(*id)?;
            Ok((time + t, count + c))
        })
    };
    exec(WARM)?;
    let before = total()?;
    exec(COUNTED)?;
    let after = total()?;
    let runs = after.1 - before.1;
    if runs < u64::from(COUNTED) {
        return Err(format!("{COUNTED} events ran the program {runs} times"));
    }
    Ok(((after.0 - before.0) as f64 / f64::from(COUNTED), runs as f64 / f64::from(COUNTED)))
}

/// `run_time_ns` and `run_cnt` of a program.
fn statistics(id: u32) -> Result<(u64, u64), String> {
    for program in libbpf_rs::query::ProgInfoIter::default() {
        if program.id == id {
            return Ok((program.run_time_ns, program.run_cnt));
        }
    }
    Err(format!("program {id} is gone"))
}

/// Programs that links hold.
fn attached_programs() -> Result<Vec<u32>, String> {
    let programs: Vec<u32> = libbpf_rs::query::LinkInfoIter::default().map(|link| link.prog_id).collect();
    if programs.is_empty() { Err("nothing is attached".to_owned()) } else { Ok(programs) }
}

struct Attached {
    program: u32,
    _link: std::os::fd::OwnedFd,
}

/// Attaches a program to an LSM hook that allows everything and does nothing.
fn attach_empty(hook: &str) -> Result<Attached, String> {
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
    let btf = libbpf_rs::btf::Btf::from_vmlinux().map_err(|e| e.to_string())?;
    let name = format!("bpf_lsm_{hook}");
    let function = btf.type_by_name::<libbpf_rs::btf::types::Func<'_>>(&name).ok_or(format!("no {name}"))?;
    let code = |code: u8, register: u8| {
        // SAFETY: an all-zero instruction is a valid value of this plain type.
        let mut instruction: libbpf_sys::bpf_insn = unsafe { std::mem::zeroed() };
        instruction.code = code;
        instruction.set_dst_reg(register);
        instruction
    };
    let program = [code(0xb7, 0), code(0x95, 0)]; // r0 = 0; exit
    // SAFETY: options of the size that they state; strings and instructions outlive the call; descriptors are
    // checked before they are owned.
    unsafe {
        let mut options: libbpf_sys::bpf_prog_load_opts = std::mem::zeroed();
        options.sz = size_of::<libbpf_sys::bpf_prog_load_opts>() as _;
        options.expected_attach_type = libbpf_sys::BPF_LSM_MAC;
        options.attach_btf_id = u32::from((*function).type_id()) as _;
        let (kind, length) = (libbpf_sys::BPF_PROG_TYPE_LSM, program.len() as _);
        let fd = libbpf_sys::bpf_prog_load(
            kind,
            c"empty".as_ptr(),
            c"GPL".as_ptr(),
            program.as_ptr(),
            length,
            &mut options,
        );
        if fd < 0 {
            return Err(format!("the empty program does not load: {}", std::io::Error::last_os_error()));
        }
        let loaded = OwnedFd::from_raw_fd(fd);
        let link = libbpf_sys::bpf_raw_tracepoint_open(std::ptr::null(), loaded.as_raw_fd());
        if link < 0 {
            return Err(format!("the empty program cannot be attached: {}", std::io::Error::last_os_error()));
        }
        let program = libbpf_rs::Program::id_from_fd(loaded.as_fd()).map_err(|e| e.to_string())?;
        Ok(Attached { program, _link: OwnedFd::from_raw_fd(link) })
    }
}
