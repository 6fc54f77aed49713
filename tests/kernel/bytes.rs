//! No byte of a record comes from anywhere but its event.
//!
//! Scratch memory is shared by all workloads of a CPU. The guest fills it with a pattern and lets an event happen, then
//! the same event with another pattern: the raw records, read from the ring while the loader is stopped, must be equal
//! but for time and process, as long as their parts, and hold exactly the texts and integers that the host expects, in
//! the order that the manifest says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use libbpf_rs::query::MapInfoIter;
use libbpf_rs::{MapCore, MapFlags, MapHandle, RingBufferBuilder};
use serde_json::{Value, json};
use tetrafold::artifact::abi::{self, u32_at};
use tetrafold::artifact::event::{Content, Record};

use crate::guest::{self, Port};
use crate::script::{self, Act, Origin, Report, Step, Task};
use crate::sets::{self, Set};
use crate::{case, vm};

/// At least one operation with typed paths, probed paths, strings, integers, and several policies for one event.
const POLICIES: &str = r#"
kind: TracingPolicy
metadata: {name: "opens"}
spec:
  podSelector: {matchLabels: {app: "shop"}}
  lsmhooks:
  - {hook: "file_open", args: [{index: 0, type: "file"}]}
---
kind: TracingPolicy
metadata: {name: "opens-too"}
spec:
  podSelector: {matchLabels: {app: "shop"}}
  lsmhooks:
  - {hook: "file_open", args: [{index: 0, type: "file"}]}
---
kind: TracingPolicy
metadata: {name: "calls"}
spec:
  podSelector: {matchLabels: {app: "shop"}}
  kprobes:
  - {call: "sys_lseek", syscall: true, args: [{index: 0, type: "int"}, {index: 1, type: "int64"}, {index: 2, type: "uint8"}]}
  - {call: "sys_truncate", syscall: true, args: [{index: 0, type: "string"}, {index: 1, type: "int16"}]}
  - {call: "sys_rename", syscall: true, args: [{index: 0, type: "string"}, {index: 1, type: "string"}]}
  - {call: "security_path_truncate", syscall: false, args: [{index: 0, type: "path"}]}
  - {call: "sys_getpid", syscall: true}
"#;

/// What the records of one event hold together.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    /// By argument. None: cannot be read.
    texts: BTreeMap<u8, Option<Vec<u8>>>,
    integers: BTreeMap<u8, u64>,
    entries: usize,
}

/// A path of exactly `length` bytes.
fn path(length: usize) -> String {
    let mut path = "/r".to_owned();
    while length - path.len() > 201 {
        path.push('/');
        path.extend(std::iter::repeat_n('d', 199));
    }
    path.push('/');
    let rest = length - path.len();
    path.extend(std::iter::repeat_n('f', rest));
    path
}

fn act(name: &str, args: Vec<script::Value>) -> Act {
    Act { cgroup: Some("/r/shop".into()), name: name.into(), args, ..Act::default() }
}

/// Each act with the events that come of it, in order.
fn acts() -> Vec<(Step, Vec<Wanted>)> {
    let (number, text) = (script::Value::Number, |t: &str| script::Value::Text(t.into()));
    let texts = |texts: &[(u8, Option<&str>)]| -> BTreeMap<u8, Option<Vec<u8>>> {
        texts.iter().map(|(arg, text)| (*arg, text.map(|t| t.as_bytes().to_vec()))).collect()
    };
    let opened = |path: Option<&str>| Wanted { texts: texts(&[(0, path)]), entries: 2, ..Wanted::default() };
    let called = |t: &[(u8, Option<&str>)], integers: &[(u8, u64)]| Wanted {
        texts: texts(t),
        integers: integers.iter().copied().collect(),
        entries: 1,
    };
    let mut all = vec![];
    for length in [4, 11, 66, 70, 257, 1030, 2100, 3300, 4090] {
        let path = path(length);
        let step = Step::Open(Act { path: path.clone(), ..act("", vec![]) });
        all.push((step, vec![opened(Some(&path))]));
        let step = Step::Syscall(act("truncate", vec![text(&path), number(7 | 5 << 16)]));
        let probed = called(&[(0, Some(&path))], &[]);
        all.push((step, vec![called(&[(0, Some(&path))], &[(1, 7)]), probed]));
    }
    let step = Step::Open(Act { path: "secret".into(), file: Origin::Memfd, ..act("", vec![]) });
    all.push((step, vec![opened(None)]));
    let (long, other) = ("l".repeat(4095), "o".repeat(300));
    for (from, to) in [
        ("/r/no", "/r/new"),
        ("", "/r/new"),
        ("/r/no", ""),
        ("/r/n", &*other),
        (&*other, "/r/n"),
        (&*long, &*long),
    ] {
        let step = Step::Syscall(act("rename", vec![text(from), text(to)]));
        all.push((step, vec![called(&[(0, Some(from)), (1, Some(to))], &[])]));
    }
    let step = Step::Syscall(act("rename", vec![number(8), text("/r/new")]));
    all.push((step, vec![called(&[(0, None), (1, Some("/r/new"))], &[])]));
    let unterminated = script::Value::Unterminated { unterminated: "/r/mine".into() };
    let step = Step::Syscall(act("rename", vec![unterminated, text("/r/new")]));
    all.push((step, vec![called(&[(0, None), (1, Some("/r/new"))], &[])]));
    let step = Step::Syscall(act("rename", vec![text("/r/no"), number(8)]));
    all.push((step, vec![called(&[(0, Some("/r/no")), (1, None)], &[])]));
    // Above the types' bytes the registers hold something else.
    let step = Step::Syscall(act("lseek", vec![number(5 << 32 | 77), number(7 << 40), number(3 << 8 | 200)]));
    all.push((step, vec![called(&[], &[(0, 77), (1, 7 << 40), (2, 200)])]));
    let step = Step::Syscall(act("lseek", vec![number(5 << 32 | 0xffff_fff0), number(-1), number(200)]));
    all.push((step, vec![called(&[], &[(0, -16_i64 as u64), (1, u64::MAX), (2, 200)])]));
    all.push((Step::Syscall(act("getpid", vec![])), vec![called(&[], &[])]));
    all
}

pub fn on_a_kernel(series: &'static str) -> Result<(), String> {
    let mut initramfs = case::base(series)?;
    let workloads = format!("workloads:\n{}", sets::workload("/r/shop", "prod", "shop", "c"));
    let mut expected = sets::packed(series, "bytes", POLICIES, workloads, &mut initramfs)?;
    let acts = acts();
    for (step, _) in &acts {
        expected.act(step.clone(), String::new(), None);
    }
    let described = described(&expected.manifest).ok_or("the manifest describes no values")?;
    initramfs.file("/task.json", serde_json::to_vec(&Task::Bytes(expected.set)).map_err(|e| e.to_string())?);
    let mut records: BTreeMap<usize, Vec<Vec<Vec<u8>>>> = BTreeMap::new();
    let mut wrong: Vec<String> = vec![];
    let ended = vm::run(&vm::Boot::new(series), &initramfs, |line| match serde_json::from_str(line) {
        Ok(Report::Data { name, value }) => {
            let of_act = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(unhex);
            records.entry(name.parse().unwrap_or(usize::MAX)).or_default().push(of_act.collect());
        }
        Ok(Report::Failed { step, why }) => wrong.push(format!("{step}: {why}")),
        Ok(Report::LoaderError { line }) => wrong.push(format!("loader: {line}")),
        Ok(_) => {}
        Err(_) => wrong.push(line.to_owned()),
    });
    ended.result?;
    for (number, (step, wanted)) in acts.iter().enumerate() {
        let mut why = vec![];
        match records.get(&number).map(Vec::as_slice) {
            Some([one, other]) => {
                compare(one, other, &mut why);
                check(one, wanted, &described, &mut why);
            }
            other => why.push(format!("{} runs", other.map_or(0, <[_]>::len))),
        }
        let mut step = format!("{step:?}");
        step.truncate(100);
        wrong.extend(why.into_iter().map(|why| format!("act {number}, {why}: {step}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Records of one act over two patterns. Time and process differ.
fn compare(one: &[Vec<u8>], other: &[Vec<u8>], wrong: &mut Vec<String>) {
    if one.len() != other.len() {
        return wrong.push(format!("{} and {} records", one.len(), other.len()));
    }
    for (number, (a, b)) in one.iter().zip(other).enumerate() {
        if a.len() != b.len() {
            wrong.push(format!("record {number} has {} and {} bytes", a.len(), b.len()));
        }
        let own = abi::event::KEY..abi::event::KEY + 8;
        let process = abi::event::PID..abi::event::PID + 8;
        let foreign: Vec<usize> = (0..a.len().min(b.len()))
            .filter(|at| a[*at] != b[*at] && !own.contains(at) && !process.contains(at))
            .collect();
        if let (Some(first), Some(last)) = (foreign.first(), foreign.last()) {
            let count = foreign.len();
            wrong
                .push(format!("record {number} holds {count} bytes of other events, from {first} to {last}"));
        }
    }
}

/// Argument and form of each value of an operation's events, as the manifest lists them.
fn described(manifest: &Value) -> Option<BTreeMap<u32, Vec<(u8, u32)>>> {
    let named = |name: &Value| {
        let form = manifest["events"]["forms"].as_array()?.iter().find(|form| form["name"] == *name)?;
        u32::try_from(form["number"].as_u64()?).ok()
    };
    let value = |v: &Value| Some((u8::try_from(v["source"]["argument"].as_u64()?).ok()?, named(&v["form"])?));
    let operation = |o: &Value| {
        let values = o["values"].as_array()?.iter().map(value).collect::<Option<_>>()?;
        Some((u32::try_from(o["number"].as_u64()?).ok()?, values))
    };
    manifest["operations"].as_array()?.iter().map(operation).collect()
}

/// Each event is what was done, and its records are as long as their parts.
fn check(
    records: &[Vec<u8>],
    wanted: &[Wanted],
    described: &BTreeMap<u32, Vec<(u8, u32)>>,
    wrong: &mut Vec<String>,
) {
    let mut found = vec![Wanted::default()];
    let mut order = vec![];
    for record in records {
        let Some((is_last, part)) = read(record) else {
            return wrong.push(format!("a record of {} bytes is not as long as its parts", record.len()));
        };
        let whole = Record::read(record).expect("it was read");
        order.extend(whole.values.iter().map(|v| (v.index, v.form)));
        if is_last && described.get(&whole.operation) != Some(&std::mem::take(&mut order)) {
            wrong.push(format!("operation {}: not the values that the manifest lists", whole.operation));
        }
        let event = found.last_mut().expect("never empty");
        event.texts.extend(part.texts);
        event.integers.extend(part.integers);
        event.entries += part.entries;
        if is_last {
            found.push(Wanted::default());
        }
    }
    found.pop();
    if found != wanted {
        let mut text = format!("expected {wanted:?}, got {found:?}");
        text.truncate(600);
        wrong.push(text);
    }
}

/// What one record says, and whether it is its event's last one.
fn read(record: &[u8]) -> Option<(bool, Wanted)> {
    let record = Record::read(record)?;
    let mut found = Wanted { entries: record.words.len(), ..Wanted::default() };
    for value in &record.values {
        let is_new = match value.content()? {
            _ if value.source != abi::VALUE_ARGUMENT => return None,
            Content::Integer(number) => found.integers.insert(value.index, number).is_none(),
            Content::Text(text) => found.texts.insert(value.index, Some(text.to_vec())).is_none(),
            Content::Socket(_) | Content::Packet(_) => false,
            Content::Unreadable => found.texts.insert(value.index, None).is_none(),
        };
        if !is_new {
            return None;
        }
    }
    Some((record.kind == abi::EVENT_POLICY, found))
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
    (0..text.len() / 2).map(|at| digit(2 * at)).collect()
}

pub fn guest(port: &Port, set: &Set) {
    if let Err(why) = play(port, set) {
        port.report(&Report::Failed { step: 0, why });
    }
}

/// The pattern, and its opposite.
const PATTERNS: [u8; 2] = [0xa5, 0x5a];

fn play(port: &Port, set: &Set) -> Result<(), String> {
    let loader = sets::stage(port, set)?;
    // It reads no records for a while.
    loader.signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(300));
    let (scratch, ring) = (map("scratch")?, map("events")?);
    let records: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let mut builder = RingBufferBuilder::new();
    let into = records.clone();
    builder
        .add(&ring, move |record| {
            into.borrow_mut().push(record.to_vec());
            0
        })
        .map_err(|e| e.to_string())?;
    let ring = builder.build().map_err(|e| e.to_string())?;
    for (number, step) in set.acts.iter().enumerate() {
        for pattern in PATTERNS {
            let _ = ring.consume();
            records.borrow_mut().clear();
            fill(&scratch, pattern)?;
            let (pid, outcome) = guest::act_alone(step)?;
            if outcome.starts_with('!') {
                return Err(format!("act {number}: {outcome}"));
            }
            ring.consume().map_err(|e| e.to_string())?;
            let hex = |record: &Vec<u8>| record.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let of_act = |record: &&Vec<u8>| u32_at(record, abi::event::PID) == Some(pid);
            let all: Vec<String> = records.borrow().iter().filter(of_act).map(hex).collect();
            port.data(&number.to_string(), json!(all));
        }
    }
    loader.signal(libc::SIGCONT);
    loader.signal(libc::SIGTERM);
    loader.end().map(drop)
}

fn map(name: &str) -> Result<MapHandle, String> {
    let found = MapInfoIter::default().find(|info| info.name.to_string_lossy() == name);
    let id = found.ok_or_else(|| format!("no map {name}"))?.id;
    MapHandle::from_map_id(id).map_err(|e| e.to_string())
}

/// Every byte of every slot but the word that says whether it is taken.
fn fill(scratch: &MapHandle, pattern: u8) -> Result<(), String> {
    let mut slot = vec![pattern; scratch.value_size() as usize];
    slot[..8].fill(0);
    let of_each_cpu = vec![slot; libbpf_rs::num_possible_cpus().map_err(|e| e.to_string())?];
    for number in 0..scratch.max_entries() {
        scratch
            .update_percpu(&number.to_ne_bytes(), &of_each_cpu, MapFlags::ANY)
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}
