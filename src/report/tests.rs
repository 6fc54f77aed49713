//! Whole reports of a set like the product's own: one stub and one body on one hook, five maps.

use super::baseline::{HookKind, TetragonHook, TetragonPolicy, ValueTable};
use super::*;
use crate::memory::{
    Bytes, FunctionShape, JitedSize, KernelProfile, MMAPABLE, MapShape, MapType, ProgramShape, Refused,
    XlatedSize,
};
use crate::platform::KernelVersion;

fn program(name: &str, role: Role, functions: &[u32], xlated: Option<u64>) -> ProgramInput {
    ProgramInput {
        name: name.into(),
        role,
        loaded: true,
        shape: ProgramShape {
            functions: functions
                .iter()
                .map(|&instructions| FunctionShape { instructions, replaceable: 3 })
                .collect(),
            xlated: xlated.map_or(XlatedSize::Bounded, |bytes| XlatedSize::Exactly(Bytes(bytes))),
            jited: JitedSize::Bounded,
            used_maps: 3,
            line_records: functions.len() as u32,
        },
    }
}

fn map(name: &str, owner: Owner, shape: MapShape, entries: u64) -> MapInput {
    MapInput { name: name.into(), owner, shape, entries }
}

pub(super) fn policy(i: usize) -> PolicyInput {
    let kind = HookKind::Lsm { hook: "bprm_check_security".into() };
    let hook =
        TetragonHook { kind, overrides: true, selectors: 1, tables: vec![ValueTable::Strings(vec![15; 10])] };
    PolicyInput {
        name: format!("TracingPolicy/fingerprint-{i}"),
        tetragon: TetragonPolicy { filtered: true, hooks: vec![hook] },
    }
}

/// One pair that may meet, if there are two.
fn met(policies: u64) -> Overlap {
    if policies < 2 {
        return Overlap::default();
    }
    let policies_that_meet = [0, 1].map(|i| policy(i).name);
    let examples = vec![Meeting { policies: policies_that_meet, witness: "a process of the host".into() }];
    Overlap { disjoint: policies * (policies - 1) / 2 - 1, possible: 1, examples, ..Overlap::default() }
}

/// `policies` exec allowlists; the last one hooks file_open too.
pub(super) fn input(policies: usize) -> Input {
    let data = |bytes| MapShape::new(MapType::Array, 4, bytes, 1).flags(MMAPABLE);
    let exec = OperationInput {
        name: "lsm:bprm_check_security".into(),
        attach: "lsm".into(),
        targets: 1,
        links: 1,
        programs: vec![
            program("exec_stub", Role::Stub, &[12], Some(120)),
            program("exec_body", Role::Body, &[300, 80, 120, 40, 90], Some(6000)),
        ],
        maps: vec![
            map("exec_tables", Owner::Static, data(83_000), 500),
            map("exec_slot", Owner::Runtime, MapShape::new(MapType::ProgArray, 4, 4, 1), 1),
        ],
        objects: vec![ObjectInput { name: "exec.bpf.o".into(), btf: Bytes(6000), loaded: true }],
        policies: (0..policies).collect(),
        overlap: met(policies as u64),
    };
    let mut alternative = program("open_kprobe", Role::Body, &[90], None);
    alternative.loaded = false;
    let open = OperationInput {
        name: "lsm:file_open".into(),
        attach: "lsm".into(),
        targets: 1,
        links: 1,
        programs: vec![program("open_body", Role::Body, &[500], None), alternative],
        maps: vec![map("open_tables", Owner::Static, data(3_000), 20)],
        objects: vec![],
        policies: vec![policies - 1],
        overlap: Overlap::default(),
    };
    Input {
        kernel: KernelProfile::of(KernelVersion::new(6, 12)).unwrap(),
        cpus: 2,
        pods: 110,
        scopes_per_pod: 4,
        layout: "shared".into(),
        policies: (0..policies).map(policy).collect(),
        operations: vec![exec, open],
        shared_programs: vec![],
        shared_maps: vec![
            map("node", Owner::Runtime, data(20_000), 110),
            map("events", Owner::Runtime, MapShape::new(MapType::Ringbuf, 0, 0, 65536), 0),
        ],
        shared_objects: vec![],
        limits: ["lsm:bprm_check_security", "lsm:file_open"]
            .into_iter()
            .zip([40, 4])
            .map(|(operation, used)| LimitRow {
                name: "decision words of a set".into(),
                operation: Some(operation.into()),
                used,
                max: 1 << 20,
            })
            .collect(),
    }
}

#[test]
fn rows_add_up_to_the_totals() {
    let report = forecast(&input(1000)).unwrap();
    let t = &report.totals;
    assert_eq!((t.policies, t.operations, t.programs, t.maps, t.entries), (1000, 2, 3, 5, 631));
    assert_eq!(t.hidden_functions, 5);
    let operations: Memory = report.operations.iter().map(|o| o.memory).sum();
    assert_eq!(operations, t.memory);
    let programs: u64 = report.programs.iter().map(|p| p.memory.memlock_bytes).sum();
    let maps: u64 = report.maps.iter().map(|m| m.memory.memlock_bytes).sum();
    assert_eq!(programs + maps, t.memory.memlock_bytes);
}

#[test]
fn shares_of_the_policies_add_up_and_follow_what_they_use() {
    for policies in [1, 3, 7, 1000] {
        let report = forecast(&input(policies)).unwrap();
        let sum = |of: fn(&PolicyRow) -> u64| report.policies.iter().map(of).sum::<u64>();
        assert_eq!(sum(|p| p.memlock_bytes), report.totals.memory.memlock_bytes);
        assert_eq!(sum(|p| p.charged_bytes), report.totals.memory.charged_bytes);
        assert_eq!(sum(|p| p.uncharged_bytes), report.totals.memory.uncharged_bytes);
        let last = report.policies.last().unwrap();
        assert_eq!(last.operations, 2);
        if let [first, second, ..] = report.policies.as_slice() {
            assert!(first.memlock_bytes.abs_diff(second.memlock_bytes) <= 1 || policies == 2);
            assert!(last.memlock_bytes > first.memlock_bytes);
        }
    }
}

/// What is not loaded is listed and in no sum.
#[test]
fn alternatives_stand_apart() {
    let with = forecast(&input(5)).unwrap();
    let mut without = input(5);
    without.operations[1].programs.truncate(1);
    let without = forecast(&without).unwrap();
    assert_eq!(with.alternatives[0].name, "open_kprobe");
    assert_eq!(with.totals, without.totals);
    assert!(without.alternatives.is_empty());
}

#[test]
fn a_known_rewriting_is_exact_and_an_unknown_one_is_a_range() {
    let report = forecast(&input(5)).unwrap();
    let row = |name: &str| report.programs.iter().find(|p| p.name == name).unwrap();
    assert_eq!(row("exec_body").memory.memlock_bytes, 8192);
    assert_eq!(row("exec_body").memory.memlock_least_bytes, 8192);
    assert!(row("open_body").memory.memlock_least_bytes < row("open_body").memory.memlock_bytes);
    assert!(row("exec_body").hidden_bytes > 5 * 6000);
    assert!(report.notes.iter().any(|n| n.contains("have a range")));
}

#[test]
fn the_same_input_gives_the_same_bytes_and_they_read_back() {
    let report = forecast(&input(20)).unwrap();
    let json = report.to_json();
    assert_eq!(json, forecast(&input(20)).unwrap().to_json());
    assert_eq!(Report::from_json(&json).unwrap(), report);
    let schema: serde_json::Value = serde_json::from_str(&Report::schema()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(jsonschema::validate(&schema, &value).is_ok(), "{:?}", jsonschema::validate(&schema, &value));
    assert_eq!(value["totals"]["memlockBytes"], report.totals.memory.memlock_bytes);
    assert_eq!(value["totals"]["chargedBytes"], report.totals.memory.charged_bytes);
    no_float(&value);
}

fn no_float(value: &serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => assert!(number.is_u64(), "{number}"),
        serde_json::Value::Array(elements) => elements.iter().for_each(no_float),
        serde_json::Value::Object(members) => members.values().for_each(no_float),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
}

#[test]
fn damaged_reports_are_errors() {
    let json = forecast(&input(2)).unwrap().to_json();
    for cut in 0..json.len() - 1 {
        assert!(Report::from_json(json.get(..cut).unwrap_or_default()).is_err());
    }
    assert!(Report::from_json(&json.replace("\"schemaVersion\":1", "\"schemaVersion\":2")).is_err());
    assert!(Report::from_json(&json.replace("\"maps\":", "\"mops\":")).is_err());
}

/// `TETRAFOLD_BLESS=1 cargo test report::` writes it anew.
#[test]
fn schema_is_up_to_date() {
    json::assert_committed(
        concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/report.schema.json"),
        &Report::schema(),
    );
}

#[test]
fn wrong_inputs_are_errors_with_a_name() {
    let mut no_policy = input(3);
    no_policy.operations[0].policies.push(3);
    assert!(matches!(forecast(&no_policy), Err(ForecastError::NoSuchPolicy { policy: 3, .. })));
    let mut no_entries = input(3);
    no_entries.shared_maps[0].shape.max_entries = 0;
    let error = forecast(&no_entries).unwrap_err();
    assert!(matches!(&error, ForecastError::Item { why: Refused::Shape { .. }, .. }));
    assert!(error.to_string().starts_with("`node`: "));
    let mut no_cpu = input(3);
    no_cpu.cpus = 0;
    assert!(forecast(&no_cpu).is_err());
}

#[test]
fn tetragon_stands_beside_it() {
    let report = forecast(&input(1000)).unwrap();
    assert_eq!(report.baseline.loaded.policies, 19);
    assert!(report.baseline.wanted.memory.memlock_bytes > 3_000_000_000);
    assert!(report.totals.memory.memlock_bytes < 262_144);
}
