//! Whole policy sets on real kernels: what they take is what the report says, and what they decide is what the
//! interpreter says.
//!
//! The guest loads each [`Set`] once, measures it, plays its acts, each in a process of its own, and unloads it; what
//! is expected is known on the host before the machine boots.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use libtest_mimic::{Failed, Trial};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::generate::{self, Shape};
use crate::guest::{self, Loader, Port};
use crate::initramfs::Initramfs;
use crate::random;
use crate::script::{Act, Report, Step, Task};
use crate::{bytes, case, vm};

/// One artifact and what is done while it is in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Set {
    pub name: String,
    /// In the guest.
    pub artifact: String,
    pub workloads: String,
    pub acts: Vec<Step>,
}

/// Policy and selector of each event.
type Events = Vec<(String, u64)>;

/// What is known of a set before it runs.
pub struct Expected {
    pub set: Set,
    pub manifest: Value,
    pub report: Value,
    /// For each act the outcome, and the (policy, selector) of its events if those are compared.
    pub outcomes: Vec<(String, Option<Events>)>,
}

/// CPUs of the virtual machine, which are also its possible ones.
const CPUS: u32 = 2;
/// What is said of the machine beside its size.
pub const FLAGS: [&str; 2] = ["--preempt", "voluntary"];
/// Memory of the 1000 policies of the claim, and the maps that they may take.
const CLAIM_BYTES: u64 = 256 << 10;
const CLAIM_MAPS: usize = 10;

pub fn trials(series: &'static str) -> Vec<Trial> {
    let trial = |name: &str, run: fn(&'static str) -> Result<(), String>| {
        Trial::test(format!("kernel-{series}::{name}"), move || run(series).map_err(Failed::from))
    };
    vec![
        trial("memory-is-what-the-report-says", memory),
        trial("ten-thousand-policies", ten_thousand),
        trial("random-policies-and-events", random::on_a_kernel),
        trial("a-record-holds-its-event-alone", bytes::on_a_kernel),
    ]
}

/// Compiles `text` for the machine and packs it.
pub fn packed(
    series: &str,
    name: &str,
    text: &str,
    workloads: String,
    into: &mut Initramfs,
) -> Result<Expected, String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    std::fs::write(scratch.path().join("set.yaml"), text).map_err(|e| e.to_string())?;
    compiled(series, name, scratch.path(), "set.yaml", workloads, into)
}

fn compiled(
    series: &str,
    name: &str,
    directory: &std::path::Path,
    paths: &str,
    workloads: String,
    into: &mut Initramfs,
) -> Result<Expected, String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let out = scratch.path().join("out");
    let cpus = CPUS.to_string();
    let flags = ["--kernel", series, "--cpus", &cpus].into_iter().chain(FLAGS).map(str::to_owned);
    case::compile(directory, &[paths], &out, &flags.collect::<Vec<_>>())?;
    let artifact = format!("/artifacts/{name}");
    into.tree(&artifact, &out)?;
    let json = |file: &str| -> Result<Value, String> {
        let bytes = std::fs::read(out.join(file)).map_err(|e| format!("{file}: {e}"))?;
        serde_json::from_slice(&bytes).map_err(|e| format!("{file}: {e}"))
    };
    let set = Set { name: name.to_owned(), artifact, workloads, acts: Vec::new() };
    Ok(Expected { set, manifest: json("manifest.json")?, report: json("report.json")?, outcomes: Vec::new() })
}

pub fn workload(cgroup: &str, namespace: &str, label: &str, container: &str) -> String {
    format!(
        "- {{cgroup: {cgroup}, namespace: {namespace}, pod: p, labels: {{app: {label}}}, container: {container}, \
         repo: r}}\n"
    )
}

fn memory(series: &'static str) -> Result<(), String> {
    let mut initramfs = case::base(series)?;
    let workloads = format!("workloads:\n{}", workload("/pods/one", "prod", "workload-0000", "c"));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sets = Vec::new();
    for (name, lsm) in [("thousand-kprobe", false), ("thousand-lsm", true)] {
        let text = generate::documents(&Shape { lsm, ..Shape::default() });
        let set = packed(series, name, &text, workloads.clone(), &mut initramfs)?;
        let maps = set.report["maps"].as_array().map_or(0, Vec::len);
        if maps > CLAIM_MAPS {
            return Err(format!("{name}: {maps} maps"));
        }
        sets.push(set);
    }
    sets.push(compiled(series, "examples", root, "examples/policies", workloads, &mut initramfs)?);
    run(series, initramfs, &sets)
}

/// 100 000 distinct paths, ten in each policy; a sample of workloads is judged.
fn ten_thousand(series: &'static str) -> Result<(), String> {
    let shape = Shape { policies: 10_000, distinct: 100_000, cover: true, lsm: true, ..Shape::default() };
    let sample = [0, 1, 4_999, 9_999];
    let (pool, draws) = (generate::pool(&shape), generate::draws(&shape));
    let mut workloads = "workloads:\n".to_owned();
    for policy in sample {
        workloads += &workload(&format!("/pods/p{policy}"), "prod", &generate::name(policy), "c");
    }
    let mut initramfs = case::base(series)?;
    let mut set = packed(series, "ten-thousand", &generate::documents(&shape), workloads, &mut initramfs)?;
    for policy in sample {
        for listed_by in sample {
            for nth in [0, shape.per_policy - 1] {
                let path = pool[draws[listed_by][nth]].clone();
                let allowed = draws[policy].contains(&draws[listed_by][nth]);
                set.exec(&format!("/pods/p{policy}"), path, if allowed { "ENOEXEC" } else { "EPERM" }, None);
            }
        }
        let near = format!("{}x", pool[draws[policy][0]]);
        set.exec(&format!("/pods/p{policy}"), near, "EPERM", None);
    }
    run(series, initramfs, &[set])
}

impl Expected {
    fn exec(&mut self, cgroup: &str, path: String, outcome: &str, events: Option<Vec<(String, u64)>>) {
        let act = Act { cgroup: Some(cgroup.to_owned()), path, ..Act::default() };
        self.act(Step::Exec(act), outcome.to_owned(), events);
    }

    pub fn act(&mut self, step: Step, outcome: String, events: Option<Vec<(String, u64)>>) {
        self.set.acts.push(step);
        self.outcomes.push((outcome, events));
    }
}

/// What the guest said of one set.
#[derive(Default)]
struct Seen {
    kernel: Value,
    acted: BTreeMap<usize, (u32, String)>,
    events: BTreeMap<u32, Vec<(String, u64)>>,
    counters: Value,
}

pub fn run(series: &'static str, mut initramfs: Initramfs, sets: &[Expected]) -> Result<(), String> {
    let task = Task::Sets { sets: sets.iter().map(|expected| expected.set.clone()).collect() };
    initramfs.file("/task.json", serde_json::to_vec(&task).map_err(|e| e.to_string())?);
    let boot = vm::Boot { cpus: CPUS, timeout: std::time::Duration::from_secs(900), ..vm::Boot::new(series) };
    let (mut seen, mut wrong): (Vec<Seen>, Vec<String>) = (Vec::new(), Vec::new());
    let ended = vm::run(&boot, &initramfs, |line| match serde_json::from_str(line) {
        Ok(Report::Begin { .. }) => seen.push(Seen::default()),
        Ok(report) => match seen.last_mut() {
            Some(seen) => seen.take(report, &mut wrong),
            None => wrong.push(line.to_owned()),
        },
        Err(_) => wrong.push(line.to_owned()),
    });
    ended.result?;
    for (number, expected) in sets.iter().enumerate() {
        let name = &expected.set.name;
        let Some(seen) = seen.get(number) else {
            wrong.push(format!("{name}: was not loaded"));
            continue;
        };
        let mut of_this = Vec::new();
        compare_memory(series, expected, &seen.kernel, &mut of_this);
        compare_acts(expected, seen, &mut of_this);
        wrong.extend(of_this.into_iter().map(|what| format!("{name}: {what}")));
    }
    wrong.truncate(40);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

impl Seen {
    fn take(&mut self, report: Report, wrong: &mut Vec<String>) {
        match report {
            Report::Data { value, .. } => self.kernel = value,
            Report::Acted { step, pid, outcome } => drop(self.acted.insert(step, (pid, outcome))),
            Report::Loader { line } => {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                if let (Some(policy), Some(pid)) = (value["policy"].as_str(), value["pid"].as_u64()) {
                    let event = (policy.to_owned(), value["selector"].as_u64().unwrap_or(u64::MAX));
                    self.events.entry(pid as u32).or_default().push(event);
                } else if value.get("lost").is_some() {
                    self.counters = value;
                } else if line != "ready" {
                    wrong.push(format!("the loader says {line}"));
                }
            }
            Report::Failed { why, .. } => wrong.push(why),
            Report::LoaderError { line } => wrong.push(format!("loader: {line}")),
            Report::Begin { .. } | Report::Joined { .. } | Report::End { .. } => {}
        }
    }
}

fn compare_acts(expected: &Expected, seen: &Seen, wrong: &mut Vec<String>) {
    for (number, (outcome, events)) in expected.outcomes.iter().enumerate() {
        let act = || serde_json::to_string(&expected.set.acts[number]).unwrap_or_default();
        let Some((pid, got)) = seen.acted.get(&number) else {
            wrong.push(format!("act {number} was not taken: {}", act()));
            continue;
        };
        if got != outcome {
            wrong.push(format!("act {number}: expected {outcome}, got {got}: {}", act()));
        }
        let reported = seen.events.get(pid).cloned().unwrap_or_default();
        if events.as_ref().is_some_and(|events| *events != reported) {
            wrong.push(format!("act {number}: expected events {events:?}, got {reported:?}: {}", act()));
        }
    }
    for counter in ["lost", "failedTailCalls", "recursionMisses"] {
        if seen.counters[counter] != json!(0) {
            wrong.push(format!("the loader reports {}", seen.counters));
        }
    }
}

/// Every map's memory is exactly the report's, every program's in its range. Kernels cut names short, so maps are told
/// apart by their shape, and programs by the beginning of their names.
fn compare_memory(series: &str, expected: &Expected, kernel: &Value, wrong: &mut Vec<String>) {
    let rows = |of: &Value, key: &str| of[key].as_array().cloned().unwrap_or_default();
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap_or(u64::MAX);
    let shape =
        |row: &Value| ["keySize", "valueSize", "maxEntries", "memlockBytes"].map(|key| number(row, key));
    let mut told: Vec<_> = rows(&expected.report, "maps").iter().map(shape).collect();
    let mut found: Vec<_> = rows(kernel, "maps").iter().map(shape).collect();
    told.sort_unstable();
    found.sort_unstable();
    if told != found {
        wrong.push(format!(
            "maps [key, value, entries, memlock]: the report says {told:?}, the kernel {found:?}"
        ));
    }
    let symbols: BTreeMap<String, String> = rows(&expected.manifest, "programs")
        .iter()
        .filter_map(|row| Some((row["name"].as_str()?.into(), row["symbol"].as_str()?.into())))
        .collect();
    let mut ranges: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for row in rows(&expected.report, "programs") {
        let symbol = row["name"].as_str().and_then(|name| symbols.get(name)).cloned().unwrap_or_default();
        let short = symbol.chars().take(15).collect();
        ranges
            .entry(short)
            .or_default()
            .push((number(&row, "memlockLeastBytes"), number(&row, "memlockBytes")));
    }
    let mut sizes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in rows(kernel, "programs") {
        let name = row["name"].as_str().unwrap_or_default().to_owned();
        sizes.entry(name).or_default().push(number(&row, "memlockBytes"));
    }
    ranges.values_mut().for_each(|all| all.sort_unstable());
    sizes.values_mut().for_each(|all| all.sort_unstable());
    let holds = ranges.len() == sizes.len()
        && ranges.iter().zip(&sizes).all(|((name, told), (other, found))| {
            name == other
                && told.len() == found.len()
                && told.iter().zip(found).all(|((least, most), size)| (least..=most).contains(&size))
        });
    if !holds {
        wrong.push(format!("programs: the report says {ranges:?}, the kernel {sizes:?}"));
    }
    let total = |key: &str| rows(kernel, key).iter().map(|row| number(row, "memlockBytes")).sum::<u64>();
    let all = total("maps") + total("programs");
    println!("kernel {series}, {}: {} maps, {all} bytes of memlock", expected.set.name, found.len());
    if expected.set.name.starts_with("thousand") && series == "6.12" && all >= CLAIM_BYTES {
        wrong.push(format!("{all} bytes of memlock"));
    }
}

pub fn guest(port: &Port, sets: &[Set]) {
    for (number, set) in sets.iter().enumerate() {
        port.report(&Report::Begin { case: number });
        if let Err(why) = play(port, set) {
            port.report(&Report::Failed { step: 0, why: format!("{}: {why}", set.name) });
        }
        port.report(&Report::End { case: number });
    }
}

/// Loads the set where its workloads and files are.
pub fn stage(port: &Port, set: &Set) -> Result<Loader, String> {
    let workloads = "/tmp/workloads.yaml";
    std::fs::write(workloads, &set.workloads).map_err(|e| e.to_string())?;
    for line in set.workloads.lines() {
        if let Some((_, rest)) = line.split_once("cgroup: ") {
            guest::cgroup(rest.split(',').next().unwrap_or_default()).map_err(|e| e.to_string())?;
        }
    }
    for act in &set.acts {
        match act {
            Step::Exec(act) | Step::Open(act) => guest::executable(&act.path, b"not a program\n"),
            Step::Syscall(act) => match act.args.first() {
                Some(crate::script::Value::Text(path)) if is_a_file(act, path) => {
                    guest::executable(path, b"not a program\n")
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
        .map_err(|e| e.to_string())?;
    }
    let mut loader = Loader::start(port, &set.artifact, workloads, &[])?;
    if let Err(why) = loader.wait_for(|line| line == "ready") {
        return Err(format!("{why}: {:?}", loader.end()));
    }
    Ok(loader)
}

/// Whether the act truncates a file that is to be there.
fn is_a_file(act: &Act, path: &str) -> bool {
    act.name == "truncate" && path.starts_with('/') && path.len() < 4096
}

fn play(port: &Port, set: &Set) -> Result<(), String> {
    let loader = stage(port, set)?;
    port.data("memory", taken()?);
    for (step, act) in set.acts.iter().enumerate() {
        let (pid, outcome) = guest::act_alone(act)?;
        port.report(&Report::Acted { step, pid, outcome });
    }
    loader.signal(libc::SIGTERM);
    let (status, words) = loader.end()?;
    if status.success() { Ok(()) } else { Err(format!("the loader ended with {status}: {words}")) }
}

/// What the kernel says of everything that is loaded, from `fdinfo`.
fn taken() -> Result<Value, String> {
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    let memlock = |fd: std::os::fd::BorrowedFd<'_>| -> Result<u64, String> {
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))
            .map_err(|e| e.to_string())?;
        let found = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        found.and_then(|text| text.trim().parse().ok()).ok_or_else(|| format!("no memlock in {text}"))
    };
    let (mut maps, mut programs) = (Vec::new(), Vec::new());
    for info in libbpf_rs::query::MapInfoIter::default() {
        let map = libbpf_rs::MapHandle::from_map_id(info.id).map_err(|e| e.to_string())?;
        maps.push(json!({
            "name": info.name.to_string_lossy(),
            "keySize": info.key_size,
            "valueSize": info.value_size,
            "maxEntries": info.max_entries,
            "memlockBytes": memlock(map.as_fd())?,
        }));
    }
    for info in libbpf_rs::query::ProgInfoIter::default() {
        // SAFETY: the descriptor is checked before it is owned.
        let fd = unsafe {
            let fd = libbpf_rs::libbpf_sys::bpf_prog_get_fd_by_id(info.id);
            if fd < 0 {
                return Err(format!("program {} is gone", info.id));
            }
            OwnedFd::from_raw_fd(fd)
        };
        let name = info.name.to_string_lossy();
        programs.push(json!({"name": name, "memlockBytes": memlock(fd.as_fd())?}));
    }
    Ok(json!({"maps": maps, "programs": programs}))
}
