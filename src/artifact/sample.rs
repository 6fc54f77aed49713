//! A small artifact for tests: allowlists of paths on one operation, and one policy for the host.

use super::abi::{self, ACT_OVERRIDE, ACT_POST, Act, Word};
use super::digest::{Digest, FileKind, Files};
use super::manifest::*;
use super::node::layout::{OperationBlocks, layout};
use super::node::sizing::Capacity;
use super::projection::Projection;
use super::scope_block::{Builder, DecisionList, ScopeBlock, ScopeBlocks};

pub struct Sample {
    pub manifest: Manifest,
    pub files: Files,
}

pub const OPERATION: u32 = 0;
pub const REPORT: &[u8] = b"{}\n";

/// `policies` allowlists, each of `listed` of the `distinct` paths, for a node of 110 pods. Policy n selects
/// pods labelled `app=w<n>`, those behind a multiple of 100 the host.
pub fn allowlists(policies: u32, distinct: u32, listed: u32) -> Sample {
    let mut files = Files::default();
    let dimension = Dimension {
        subject: Subject::Argument(0),
        projection: Projection::Whole,
        integer: None,
        family: Table::Path,
        atoms: distinct,
        root: 0,
        merges_unreadable: false,
        rows: if distinct < 1000 { RowForm::Bits } else { RowForm::Any },
    };
    let mut builder = Builder::new(OPERATION, 1);
    for policy in 0..policies {
        let list = allowlist(&mut builder, policy, distinct, listed);
        builder.scope(policy, &list);
    }
    let blocks = builder.finish();
    let read = ScopeBlocks::read(&blocks, OPERATION, &[distinct]).unwrap();
    let scopes: Vec<Scope> = (0..policies).map(scope).collect();
    let operations = [OperationBlocks { dimensions: std::slice::from_ref(&dimension), blocks: &read }];
    let capacity = Capacity { pods: 110, scopes_per_pod: 4 };
    let (node, heads) = layout(capacity, &scopes, &operations).unwrap();
    let operation = Operation {
        number: OPERATION,
        name: "lsm:bprm_check_security".into(),
        calls: None,
        attach: Attach {
            kind: AttachKind::Lsm,
            targets: vec!["bprm_check_security".into()],
            syscall: false,
            fields: vec![],
            ways: vec![Way {
                link: LinkKind::Lsm,
                links: 1,
                expected_attach_type: None,
                needs: vec![Feature::BpfLsm],
                reason: "the hook itself".into(),
            }],
        },
        args: vec![OperationArg { index: 0, ty: "linux_binprm".into() }],
        values: vec![EventValue { source: Subject::Argument(0), form: Form::Text, width: None }],
        limits: None,
        dimensions: vec![dimension],
        tables: files.add(FileKind::Image, tables_image()),
        scope_blocks: files.add(FileKind::Image, blocks),
        heads_offset: heads[0],
    };
    let maps = maps(&operation, &node);
    let programs = vec![
        program("bprm_check_security", Role::Body, &mut files),
        program("bprm_check_security.stub", Role::Stub, &mut files),
    ];
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: TOOL_NAME.into(), version: "0.1.0".into() },
        abi: Abi::current(),
        target: Target {
            arch: "x86_64".into(),
            kernel: "6.12".into(),
            oldest_kernel: "6.1".into(),
            cpus: 2,
            pods: 110,
            scopes_per_pod: 4,
            preempt: "unknown".into(),
            allow_fmod_ret_race: false,
        },
        requires: vec![Requirement { feature: Feature::BpfLsm, reason: "lsm programs".into() }],
        events: Events::of(std::slice::from_ref(&operation)),
        operations: vec![operation],
        programs,
        maps,
        node,
        scopes,
        policies: (0..policies).map(policy).collect(),
        load_order: vec![
            LoadStep { step: Step::CreateMap, name: "node".into() },
            LoadStep { step: Step::LoadProgram, name: "bprm_check_security".into() },
        ],
        limits: vec![Limit { name: "programs per trampoline".into(), operation: Some(0), used: 1, max: 38 }],
        left_out: vec![],
        conflicts: vec![],
        next_numbers: NextNumbers {
            policy: policies,
            scope: policies,
            operation: OPERATION + 1,
            record: policies,
        },
        report_sha256: Digest::of(REPORT),
    };
    Sample { manifest, files }
}

/// "Not one of these paths: override", with the row of the paths for the test and for the quiet row.
fn allowlist(builder: &mut Builder, policy: u32, distinct: u32, listed: u32) -> ScopeBlock {
    let mut atoms: Vec<u32> = (0..listed).map(|n| 1 + (policy * 7 + n * 49 + n * n) % distinct).collect();
    atoms.sort_unstable();
    atoms.dedup();
    let row = builder.row(&atoms);
    let act = Act { flags: ACT_POST | ACT_OVERRIDE, value: -1, record: policy };
    let words = [Word::Test { dimension: 0, skip: 1, row: row.code() }, Word::Skip(2), Word::Act(act)];
    let words = words.into_iter().map(Word::encode).chain([0]).collect();
    let list = DecisionList { rank: policy, first_selector: 0, words };
    ScopeBlock { needs: 1, quiet: vec![Some(row)], lists: vec![list] }
}

fn scope(number: u32) -> Scope {
    let app = LabelRequirement { key: "app".into(), op: LabelOp::In, values: vec![format!("w{number}")] };
    let pods = PodTerm { namespace: None, pod: vec![app], container: vec![] };
    let host = number % 100 == 1;
    let any = if host { ScopeTerm::Host(HostTerm { host }) } else { ScopeTerm::Pods(pods) };
    Scope { number, any: vec![any] }
}

fn policy(number: u32) -> Policy {
    let name = format!("workload-{number:04}");
    let file = format!("{name}.yaml");
    let hook = PolicyHook {
        operation: OPERATION,
        source: format!("{file}:9"),
        scope: None,
        first_selector: 0,
        selectors: vec![PolicySelector {
            number: 0,
            record: number,
            source: format!("{file}:14"),
            action: Action::Override,
            rate_limit: None,
        }],
        args: vec![PolicyArg { index: 0, ty: "linux_binprm".into(), label: None }],
        message: None,
        tags: vec![],
        attach_reason: None,
    };
    Policy {
        number,
        kind: PolicyKind::TracingPolicy,
        namespace: None,
        sha256: Digest::of(name.as_bytes()),
        name,
        file,
        template: None,
        mode: Mode::Enforce,
        scope: number,
        hooks: vec![hook],
    }
}

fn program(name: &str, role: Role, files: &mut Files) -> Program {
    Program {
        name: name.into(),
        operation: OPERATION,
        role,
        object: files.add(FileKind::Object, format!("object of {name}").into()),
        section: "lsm/bprm_check_security".into(),
        symbol: "bprm_check_security".into(),
        ty: ProgramType::Lsm,
        slot: (role == Role::Body).then_some(0),
        region_constants: vec![],
        loaders: vec![Loader::Libbpf, Loader::Aya],
        losses: vec![],
        forecast: Forecast::default(),
    }
}

fn maps(operation: &Operation, node: &NodeRegion) -> Vec<Map> {
    let node = Map {
        name: "node".into(),
        declared: ".bss".into(),
        operation: None,
        ty: MapType::Array,
        key_size: 4,
        value_size: node.bytes,
        max_entries: 1,
        flags: 0x400,
        owner: Owner::Runtime,
        image: None,
        pin: Some("node".into()),
        freeze: false,
        forecast: Forecast::default(),
    };
    let tables = Map {
        name: "tables".into(),
        declared: ".data".into(),
        operation: Some(operation.number),
        value_size: 1024,
        owner: Owner::Static,
        image: Some(operation.tables.clone()),
        pin: None,
        freeze: true,
        ..node.clone()
    };
    vec![node, tables]
}

fn tables_image() -> Vec<u8> {
    let mut bytes = vec![0; abi::tables_header::SIZE];
    bytes[abi::EDGE_NONE as usize + abi::edge::MASK..].fill(0xff);
    let len = bytes.len() as u32;
    for (at, value) in [
        (abi::tables_header::MAGIC, abi::TABLES_MAGIC),
        (abi::tables_header::ABI, abi::TABLES_ABI),
        (abi::tables_header::LEN, len),
    ] {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}
