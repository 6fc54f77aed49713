//! What the manifest says: names, numbers and places of everything in the artifact.
//!
//! Names follow from what is attached, never from a policy, so that they stay the same from build to build.

use super::lower::{Lookup, LoweredUnit, program::rows_may_be_lists, values};
use super::numbers::Numbers;
use crate::artifact::abi;
use crate::artifact::digest::{Digest, FileRef};
use crate::artifact::manifest::*;
use crate::bpf;
use crate::fold::ir::{self, AttachReason};
use crate::fold::plan::{Plan, Unit};
use crate::platform;
use crate::policy::{self, PolicySet};
use crate::source::{Sources, Span};
use crate::vocab::action;
use crate::vocab::arg_type::Class;

/// Bytes of the event ring.
pub const RING_BYTES: u32 = 64 << 10;

/// One operation on its way into the artifact.
#[derive(Debug)]
pub struct Assembled {
    pub lowered: LoweredUnit,
    pub tables: FileRef,
    pub scope_blocks: FileRef,
    pub heads: u32,
    pub body: FileRef,
    pub stub: FileRef,
    /// Of the body.
    pub constants: Vec<RegionConstant>,
    /// Decision words of one set at most.
    pub set_words: u64,
}

/// Everything that the manifest describes.
pub struct Parts<'a> {
    pub sources: &'a Sources,
    pub set: &'a PolicySet,
    pub program: &'a ir::Program,
    pub plan: &'a Plan,
    pub target: &'a platform::Target,
    pub scopes: Vec<Scope>,
    pub dimensions: Vec<Vec<Dimension>>,
    pub node: NodeRegion,
    /// Bytes and number of the slots of scratch memory.
    pub scratch: (u32, u32),
    pub assembled: &'a [Assembled],
    pub numbers: &'a Numbers,
}

/// ELF section of a program, by which libbpf knows its type and target. Of several targets it names none: a loader
/// that attaches by sections alone must not take one for all.
pub fn section(attach: &ir::AttachSet) -> String {
    match &attach.targets[..] {
        [target] => format!("{}/{target}", attach.kind.name()),
        _ => attach.kind.name().to_string(),
    }
}

/// A C identifier; the kernel shows its first 15 bytes.
pub fn symbol(attach: &ir::AttachSet, role: &str) -> String {
    let targets = targets_name(attach);
    let targets: String = targets.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{role}_{targets}")
}

/// Stands in names of maps, programs and pins.
fn operation_name(attach: &ir::AttachSet) -> String {
    format!("{}-{}", attach.kind.name(), targets_name(attach))
}

/// The target; of several, the first, the number of the others, and a digest of all: `__x64_sys_close+3-1f0c9a2b`.
/// What is attached outlives an artifact, and an event names its function by the position among the targets: another
/// set needs another name. So does a syscall's entry that is hooked as the function it is.
fn targets_name(attach: &ir::AttachSet) -> String {
    let name = match &attach.targets[..] {
        // No path: it stands in names of files.
        [target] => target.replace('/', "-"),
        targets => {
            let digest = Digest::of(targets.join(" ").as_bytes()).to_string();
            format!("{}+{}-{}", targets[0], targets.len() - 1, &digest[..8])
        }
    };
    let may_be_syscalls = attach.targets.iter().all(|target| target.starts_with(SYSCALL_ENTRY));
    if may_be_syscalls && !attach.syscall { format!("{name}-as-function") } else { name }
}

/// Begins the name of every target whose arguments can be those of a syscall.
const SYSCALL_ENTRY: &str = "__x64_";

pub fn dimensions(program: &ir::Program, unit: &Unit, lowered: &LoweredUnit) -> Vec<Dimension> {
    let operation = &program.operations[unit.operation.0 as usize];
    let rows = if rows_may_be_lists(&lowered.dimensions) { RowForm::Any } else { RowForm::Bits };
    unit.dimensions
        .iter()
        .zip(&lowered.dimensions)
        .map(|(dimension, lowered)| Dimension {
            projection: dimension.projection,
            subject: match operation.subject(dimension.subject).place {
                ir::Place::Param(param) => Subject::Argument(param.into()),
                ir::Place::Fact(fact) => Subject::Fact(fact),
            },
            integer: match (lowered.lookup, operation.subject(dimension.subject).ty.class()) {
                (Lookup::Register(_) | Lookup::Fact(_), Some(Class::Int { bytes, signed })) => {
                    Some(Integer { bytes, signed })
                }
                (
                    Lookup::Register(_)
                    | Lookup::Number(_)
                    | Lookup::Fact(_)
                    | Lookup::Address
                    | Lookup::Walk
                    | Lookup::Text(_),
                    _,
                ) => None,
            },
            family: lowered.table,
            atoms: lowered.count,
            root: lowered.root,
            merges_unreadable: lowered.lookup == Lookup::Walk,
            rows,
        })
        .collect()
}

/// Whom each scope of the set selects.
pub fn scope_terms(set: &PolicySet) -> Vec<Vec<ScopeTerm>> {
    set.scopes.iter().map(|scope| scope.any.iter().map(scope_term).collect()).collect()
}

pub fn scopes(terms: Vec<Vec<ScopeTerm>>, numbers: &Numbers) -> Vec<Scope> {
    let terms = terms.into_iter().enumerate();
    let scope = |(id, any)| Scope { number: numbers.scope(policy::ScopeId(id as u32)), any };
    let mut scopes: Vec<Scope> = terms.map(scope).collect();
    scopes.sort_by_key(|scope| scope.number);
    scopes
}

pub fn kind(kind: policy::PolicyKind) -> PolicyKind {
    match kind {
        policy::PolicyKind::TracingPolicy => PolicyKind::TracingPolicy,
        policy::PolicyKind::TracingPolicyNamespaced => PolicyKind::TracingPolicyNamespaced,
        policy::PolicyKind::TracingPolicyBinding => PolicyKind::TracingPolicyBinding,
    }
}

/// Names the operation for people, and from build to build.
pub fn operation_title(attach: &ir::AttachSet) -> String {
    format!("{}:{}", attach.kind.name(), targets_name(attach))
}

fn scope_term(term: &policy::ScopeTerm) -> ScopeTerm {
    match term {
        policy::ScopeTerm::Host => ScopeTerm::Host(HostTerm { host: true }),
        policy::ScopeTerm::Pods { namespace, pod, container } => ScopeTerm::Pods(PodTerm {
            namespace: namespace.clone(),
            pod: pod.iter().map(requirement).collect(),
            container: container.iter().map(requirement).collect(),
        }),
    }
}

fn requirement(r: &policy::Requirement) -> LabelRequirement {
    let op = match r.op {
        policy::RequirementOp::In => LabelOp::In,
        policy::RequirementOp::NotIn => LabelOp::NotIn,
        policy::RequirementOp::Exists => LabelOp::Exists,
        policy::RequirementOp::DoesNotExist => LabelOp::DoesNotExist,
    };
    LabelRequirement { key: r.key.clone(), op, values: r.values.clone() }
}

pub fn manifest(parts: &Parts<'_>) -> Manifest {
    let operations = operations(parts);
    Manifest {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: TOOL_NAME.to_string(), version: env!("CARGO_PKG_VERSION").to_string() },
        abi: Abi::current(),
        target: target_of(parts.target),
        requires: requires(parts),
        events: Events::of(&operations),
        operations,
        programs: programs(parts),
        maps: maps(parts),
        node: parts.node.clone(),
        scopes: parts.scopes.clone(),
        policies: policies(parts),
        load_order: load_order(parts),
        limits: limits(parts),
        left_out: vec![],
        conflicts: conflicts(parts),
        next_numbers: parts.numbers.next,
        // Known once there is a report.
        report_sha256: Digest::of(b""),
    }
}

fn target_of(target: &platform::Target) -> Target {
    Target {
        arch: match target.arch {
            platform::Arch::X86_64 => "x86_64",
        }
        .to_string(),
        kernel: target.kernel.to_string(),
        oldest_kernel: platform::OLDEST_KERNEL.to_string(),
        cpus: target.cpus,
        pods: target.pods,
        scopes_per_pod: target.scopes_per_pod,
        preempt: match target.preempt {
            platform::Preempt::None => "none",
            platform::Preempt::Voluntary => "voluntary",
            platform::Preempt::Full => "full",
            platform::Preempt::Unknown => "unknown",
        }
        .to_string(),
        allow_fmod_ret_race: target.allow_fmod_ret_race,
    }
}

fn attaches<'a>(parts: &'a Parts<'_>) -> impl Iterator<Item = &'a ir::AttachSet> {
    parts.plan.units.iter().map(|u| &parts.program.operations[u.operation.0 as usize].attach)
}

fn requires(parts: &Parts<'_>) -> Vec<Requirement> {
    let has = |kind: ir::AttachKind| attaches(parts).any(|a| a.kind == kind);
    let mut out = vec![
        (Feature::Cgroup2Unified, "workloads are told apart by their cgroup"),
        (Feature::KernelBtf, "programs find fields of kernel structures by BTF"),
    ];
    if has(ir::AttachKind::Lsm) {
        out.push((Feature::BpfLsm, "without `bpf` in the list of security modules lsm programs never run"));
    }
    if has(ir::AttachKind::FmodRet) {
        out.push((Feature::NoFullPreemption, "under preempt=full fmod_ret programs are skipped"));
    }
    if has(ir::AttachKind::Tracepoint) {
        out.push((
            Feature::Tracepoints,
            "policies hook tracepoints, and read fields where their formats have them",
        ));
    }
    if has(ir::AttachKind::Kprobe) {
        out.push((Feature::Kprobes, "policies hook kernel functions"));
    }
    if judges_paths(parts) {
        out.push((
            Feature::PathLocks,
            "a path is judged as it was at one moment, whatever is renamed or mounted",
        ));
    }
    if asks_for_host_namespaces(parts) {
        out.push((Feature::HostNamespaces, "policies tell the host's namespaces from others"));
    }
    out.into_iter().map(|(feature, reason)| Requirement { feature, reason: reason.to_string() }).collect()
}

fn judges_paths(parts: &Parts<'_>) -> bool {
    let operations = parts.plan.units.iter().map(|u| &parts.program.operations[u.operation.0 as usize]);
    operations.flat_map(|o| &o.subjects).any(|s| matches!(s.ty.class(), Some(Class::Path)))
}

/// Whether some table tells numbers of a namespace that are the host's from others.
fn asks_for_host_namespaces(parts: &Parts<'_>) -> bool {
    let is_hosts =
        |dimension: &Dimension| matches!(dimension.subject, Subject::Fact(fact) if fact.is_namespace());
    parts.dimensions.iter().flatten().any(is_hosts)
}

fn operations(parts: &Parts<'_>) -> Vec<Operation> {
    let mut out = vec![];
    for (u, assembled) in parts.assembled.iter().enumerate() {
        let operation = &parts.program.operations[parts.plan.units[u].operation.0 as usize];
        let mut args: Vec<OperationArg> = operation
            .subjects
            .iter()
            .filter(|s| s.ty.class().is_some())
            .filter_map(|s| Some(OperationArg { index: s.param()?.into(), ty: s.ty.name().to_string() }))
            .collect();
        args.sort_by(|a, b| (a.index, &a.ty).cmp(&(b.index, &b.ty)));
        args.dedup_by_key(|a| a.index);
        out.push(Operation {
            number: parts.numbers.operation(u),
            name: operation_title(&operation.attach),
            attach: attach(operation),
            calls: parts.numbers.calls(parts.numbers.operation(u)),
            args,
            values: values::of(operation, &parts.plan.units[u]).into_iter().map(event_value).collect(),
            limits: {
                let limited = &parts.plan.units[u].limited;
                (!limited.all.is_empty()).then(|| Limits {
                    root: assembled.lowered.limits,
                    count: limited.all.len() as u32,
                    key: limited.key.keys().map(|&param| param.into()).collect(),
                })
            },
            dimensions: parts.dimensions[u].clone(),
            tables: assembled.tables.clone(),
            scope_blocks: assembled.scope_blocks.clone(),
            heads_offset: assembled.heads,
        });
    }
    out.sort_by_key(|operation| operation.number);
    out
}

fn event_value(value: values::Carried) -> EventValue {
    EventValue { source: Subject::Argument(value.param.into()), form: value.form, width: value.width }
}

fn attach(operation: &ir::Operation) -> Attach {
    let set = &operation.attach;
    let links = set.targets.len() as u32;
    let way = |link, needs, reason: &str| Way {
        link,
        links: if matches!(link, LinkKind::Kprobe | LinkKind::Kretprobe) { links } else { 1 },
        expected_attach_type: (link == LinkKind::KprobeMulti).then_some(TRACE_KPROBE_MULTI),
        needs: vec![needs],
        reason: reason.to_string(),
    };
    let (kind, ways) = match set.kind {
        ir::AttachKind::Lsm => {
            (AttachKind::Lsm, vec![way(LinkKind::Lsm, Feature::BpfLsm, "the hook itself")])
        }
        ir::AttachKind::FmodRet => {
            let way = way(LinkKind::FmodRet, Feature::NoFullPreemption, "no LSM hook means the same");
            (AttachKind::FmodRet, vec![way])
        }
        ir::AttachKind::Kprobe => {
            let single = way(LinkKind::Kprobe, Feature::Kprobes, "every kernel with kprobes has it");
            let multi = way(LinkKind::KprobeMulti, Feature::KprobeMulti, "one link for all targets");
            (AttachKind::Kprobe, if links > 1 { vec![multi, single] } else { vec![single] })
        }
        ir::AttachKind::Tracepoint => {
            let way = way(LinkKind::Tracepoint, Feature::Tracepoints, "the event itself");
            (AttachKind::Tracepoint, vec![way])
        }
        ir::AttachKind::RawTracepoint => {
            let mut way = way(LinkKind::RawTracepoint, Feature::KernelBtf, "the tracepoint itself");
            way.needs.clear();
            (AttachKind::RawTracepoint, vec![way])
        }
        ir::AttachKind::Kretprobe => {
            let single = way(LinkKind::Kretprobe, Feature::Kprobes, "every kernel with kprobes has it");
            (AttachKind::Kretprobe, vec![single])
        }
    };
    let field = |(&index, field): (&u8, &policy::Field)| Field {
        index: index.into(),
        name: field.name.clone(),
        offset: field.offset.into(),
        bytes: field.bytes.into(),
    };
    let fields = operation.fields.iter().map(field).collect();
    Attach { kind, targets: set.targets.clone(), syscall: set.syscall, fields, ways }
}

fn programs(parts: &Parts<'_>) -> Vec<Program> {
    let mut out = vec![];
    for (u, (assembled, attach)) in parts.assembled.iter().zip(attaches(parts)).enumerate() {
        let (ty, loaders) = match attach.kind {
            ir::AttachKind::Lsm => (ProgramType::Lsm, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf]),
            // Task storage needs types of key and value, which aya does not give.
            ir::AttachKind::Kretprobe => (ProgramType::Kprobe, vec![Loader::Libbpf]),
            ir::AttachKind::Kprobe
                if parts.plan.returns_of(parts.program, parts.plan.units[u].operation).is_some() =>
            {
                (ProgramType::Kprobe, vec![Loader::Libbpf])
            }
            // Of the three, libbpf alone sets cookies.
            ir::AttachKind::Kprobe if attach.targets.len() > 1 => (ProgramType::Kprobe, vec![Loader::Libbpf]),
            ir::AttachKind::Kprobe => {
                (ProgramType::Kprobe, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf])
            }
            ir::AttachKind::Tracepoint => {
                (ProgramType::Tracepoint, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf])
            }
            ir::AttachKind::RawTracepoint => {
                (ProgramType::RawTracepoint, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf])
            }
            ir::AttachKind::FmodRet => (ProgramType::Tracing, vec![Loader::Libbpf, Loader::CiliumEbpf]),
        };
        let program = |role: Role, word: &str| Program {
            name: format!("{}-{word}", operation_name(attach)),
            operation: parts.numbers.operation(u),
            role,
            object: if role == Role::Stub { assembled.stub.clone() } else { assembled.body.clone() },
            section: section(attach),
            symbol: if role == Role::Stub { bpf::STUB.to_string() } else { symbol(attach, word) },
            ty,
            slot: (role == Role::Body).then_some(0),
            region_constants: if role == Role::Body { assembled.constants.clone() } else { vec![] },
            loaders: loaders.clone(),
            losses: if role == Role::Stub { losses(attach.kind) } else { vec![] },
            forecast: Forecast::default(),
        };
        out.push(program(Role::Stub, "stub"));
        out.push(program(Role::Body, "body"));
    }
    out
}

/// What the kernel does not let an attached program see.
///
/// Source: Linux 6.12, kernel/bpf/trampoline.c (__bpf_prog_enter_recur), kernel/trace/bpf_trace.c (trace_call_bpf);
/// the effect was measured on 6.1 and 6.12.
fn losses(kind: ir::AttachKind) -> Vec<Loss> {
    let (reason, counter) = match kind {
        ir::AttachKind::Lsm => return vec![],
        ir::AttachKind::FmodRet => (
            "a call while another task is preempted inside the program on the same CPU (preempt=full) goes on as if \
             there were no program: it is neither reported nor denied",
            LossCounter::ProgramRecursionMisses,
        ),
        ir::AttachKind::Kprobe => (
            "a call from an interrupt that comes while a kprobe or a program of one runs on the same CPU is not \
             reported",
            LossCounter::ProgramAndLinkMissed,
        ),
        ir::AttachKind::Tracepoint => (
            "an event while a kprobe, a tracepoint or a program of one runs on the same CPU (from an interrupt, or of \
             what the program does) is not reported",
            LossCounter::ProgramRecursionMisses,
        ),
        ir::AttachKind::RawTracepoint => (
            "an event while its own program runs on the same CPU (from an interrupt, or of what the program does) is \
             not reported",
            LossCounter::ProgramRecursionMisses,
        ),
        ir::AttachKind::Kretprobe => (
            "of more calls at a time than the kernel keeps returns for (10, or twice as many as there are CPUs) the \
             others' events are not published",
            LossCounter::ProgramAndLinkMissed,
        ),
    };
    vec![Loss { reason: reason.to_string(), counter }]
}

/// Calls that wait for their return (`bpf-templates/return.h`).
const CALLS: &str = "calls";
/// `struct calls`.
const CALLS_BYTES: u32 = abi::CALLS * (24 + 8 * abi::CALL_WORDS);
/// `BPF_F_NO_PREALLOC`.
const NO_PREALLOC: u32 = 1;

/// When events were sent that are sent once in a while (`bpf-templates/limit.h`).
const LIMITS: &str = "limits";
/// As many as Tetragon keeps for a policy.
pub const LIMIT_ENTRIES: u32 = 32768;

/// Of the keys of all operations: as many words as the largest has.
pub fn limit_key_words(plan: &Plan) -> u32 {
    plan.units.iter().map(|unit| unit.limited.words()).max().unwrap_or(0)
}

pub fn limit_key_bytes(plan: &Plan) -> u32 {
    abi::LIMIT_KEY_HEAD + 8 * limit_key_words(plan)
}

fn limits_posts(parts: &Parts<'_>) -> bool {
    parts.plan.units.iter().any(|unit| !unit.limited.all.is_empty())
}

fn waits_for_returns(parts: &Parts<'_>) -> bool {
    attaches(parts).any(|attach| attach.kind == ir::AttachKind::Kretprobe)
}

/// `BPF_F_MMAPABLE`: how libbpf creates data sections.
const MMAPABLE: u32 = 1 << 10;

fn maps(parts: &Parts<'_>) -> Vec<Map> {
    let map = |name: &str, declared: &str, ty, key_size, value_size, max_entries| Map {
        name: name.to_string(),
        declared: declared.to_string(),
        operation: None,
        ty,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        owner: Owner::Runtime,
        image: None,
        pin: None,
        freeze: false,
        forecast: Forecast::default(),
    };
    let pinned = |mut m: Map| {
        m.pin = Some(m.name.clone());
        m
    };
    let mut out = vec![
        pinned(map("events", "events", MapType::Ringbuf, 0, 0, RING_BYTES)),
        pinned(Map { flags: MMAPABLE, ..map("node", ".bss", MapType::Array, 4, parts.node.bytes, 1) }),
        map("scratch", "scratch", MapType::PercpuArray, 4, parts.scratch.0, parts.scratch.1),
    ];
    if waits_for_returns(parts) {
        out.push(Map { flags: NO_PREALLOC, ..map(CALLS, CALLS, MapType::TaskStorage, 4, CALLS_BYTES, 0) });
    }
    if limits_posts(parts) {
        let key_bytes = limit_key_bytes(parts.plan);
        out.push(map(LIMITS, LIMITS, MapType::LruHash, key_bytes, 8, LIMIT_ENTRIES));
    }
    for (u, (assembled, attach)) in parts.assembled.iter().zip(attaches(parts)).enumerate() {
        let name = |word: &str| format!("{}-{word}", operation_name(attach));
        let of = |m: Map| Map { operation: Some(parts.numbers.operation(u)), ..m };
        // Not mmapable, unlike other data sections: a value that somebody has mapped cannot be frozen.
        out.push(of(Map {
            owner: Owner::Static,
            image: Some(assembled.tables.clone()),
            freeze: true,
            ..map(&name("tables"), ".data", MapType::Array, 4, assembled.lowered.tables.size() as u32, 1)
        }));
        out.push(of(pinned(map(&name("slots"), "slots", MapType::ProgArray, 4, 4, 1))));
        out.push(of(pinned(map(&name("missed"), "missed", MapType::Array, 4, 8, 1))));
    }
    out
}

fn policies(parts: &Parts<'_>) -> Vec<Policy> {
    let mut lists_of: Vec<Vec<&ir::List>> = vec![vec![]; parts.set.policies.len()];
    for list in &parts.program.lists {
        lists_of[list.policy].push(list);
    }
    let unit_of = |id: ir::OperationId| parts.plan.units.iter().position(|u| u.operation == id);
    let by_operation: Vec<Option<usize>> =
        (0..parts.program.operations.len()).map(|o| unit_of(ir::OperationId(o as u32))).collect();
    parts
        .set
        .policies
        .iter()
        .zip(&lists_of)
        .enumerate()
        .map(|(rank, (policy, lists))| {
            let source = parts.sources.get(policy.file);
            Policy {
                number: parts.numbers.policy(rank),
                kind: kind(policy.identity.kind),
                namespace: policy.identity.namespace.clone(),
                name: policy.identity.name.clone(),
                file: source.name.clone(),
                sha256: Digest::of(text(parts.sources, policy.document).as_bytes()),
                template: policy.template.as_ref().map(|template| PolicyTemplate {
                    name: template.name.clone(),
                    file: parts.sources.get(template.document.source).name.clone(),
                    sha256: Digest::of(text(parts.sources, template.document).as_bytes()),
                }),
                mode: match policy.mode {
                    policy::Mode::Enforce => Mode::Enforce,
                    policy::Mode::Monitor => Mode::Monitor,
                },
                scope: parts.numbers.scope(policy.scope),
                hooks: lists
                    .iter()
                    .filter_map(|list| {
                        by_operation[list.operation.0 as usize]
                            .map(|u| hook(parts, policy, list, parts.numbers.operation(u)))
                    })
                    .collect(),
            }
        })
        .collect()
}

fn text(sources: &Sources, span: Span) -> &str {
    &sources.get(span.source).text[span.start as usize..span.end as usize]
}

/// What is described of the contradictions; the operation is that of the winner's list.
fn conflicts(parts: &Parts<'_>) -> Vec<Conflict> {
    let mut out = vec![];
    for found in parts.set.contradictions.iter().flat_map(|c| &c.described) {
        let (winner, loser) = (found.winner, found.loser);
        let mut lists = parts.program.lists.iter();
        let list = lists.find(|list| list.policy == winner.policy && list.hooks.contains(&winner.hook));
        let unit = list.and_then(|list| parts.plan.units.iter().position(|u| u.operation == list.operation));
        let Some(unit) = unit else { continue };
        out.push(Conflict {
            operation: parts.numbers.operation(unit),
            policies: [winner, loser].map(|side| parts.numbers.policy(side.policy)).into(),
            reason: format!(
                "they may return {} and {}; both select {}",
                winner.value, loser.value, found.witness
            ),
        });
    }
    out
}

fn hook(parts: &Parts<'_>, policy: &policy::Policy, list: &ir::List, operation: u32) -> PolicyHook {
    // They differ in the function alone.
    let hook = &policy.hooks[list.hooks[0]];
    PolicyHook {
        operation,
        source: parts.sources.place(hook.span).to_string(),
        scope: hook.scope.map(|scope| parts.numbers.scope(scope)),
        first_selector: list.first_selector,
        selectors: hook
            .selectors
            .iter()
            .filter(|s| !list.at_return || s.actions.post)
            .map(|s| PolicySelector {
                number: s.number.into(),
                record: parts.numbers.record(
                    list.policy,
                    operation,
                    list.first_selector + u32::from(s.number),
                ),
                source: parts.sources.place(s.span).to_string(),
                action: match s.actions.shown {
                    policy::ShownAction::Post => Action::Post,
                    policy::ShownAction::NoPost => Action::NoPost,
                    policy::ShownAction::Override => Action::Override,
                    policy::ShownAction::Sigkill => Action::Sigkill,
                },
                rate_limit: s.actions.limit.filter(|_| !list.at_return).map(rate_limit),
            })
            .collect(),
        args: if list.at_return { hook.returned.as_slice() } else { &hook.args }
            .iter()
            .zip(&list.params)
            .map(|(a, &param)| PolicyArg {
                index: u32::from(param),
                ty: a.ty.name().to_string(),
                label: a.label.clone(),
            })
            .collect(),
        message: hook.message.clone(),
        tags: hook.tags.clone(),
        attach_reason: match &list.reason {
            AttachReason::AsWritten => None,
            AttachReason::MovedToLsm { function, differs } => {
                Some(format!("written as kprobe `{function}`; {differs}"))
            }
            AttachReason::FmodRet => Some(
                "no LSM hook means the same; the target does not preempt inside fmod_ret programs".into(),
            ),
        },
    }
}

fn rate_limit(limit: policy::RateLimit) -> RateLimit {
    RateLimit {
        milliseconds: limit.milliseconds,
        scope: match limit.scope {
            action::RateLimitScope::Thread => RateLimitScope::Thread,
            action::RateLimitScope::Process => RateLimitScope::Process,
            action::RateLimitScope::Global => RateLimitScope::Global,
        },
    }
}

fn load_order(parts: &Parts<'_>) -> Vec<LoadStep> {
    let step = |step: Step, name: &str| LoadStep { step, name: name.to_string() };
    let mut out: Vec<LoadStep> =
        ["events", "node", "scratch"].iter().map(|n| step(Step::CreateMap, n)).collect();
    out.extend(waits_for_returns(parts).then(|| step(Step::CreateMap, CALLS)));
    out.extend(limits_posts(parts).then(|| step(Step::CreateMap, LIMITS)));
    let names: Vec<String> = attaches(parts).map(operation_name).collect();
    for name in &names {
        let tables = format!("{name}-tables");
        out.push(step(Step::CreateMap, &tables));
        out.push(step(Step::FillMap, &tables));
        out.push(step(Step::FreezeMap, &tables));
        out.push(step(Step::LoadProgram, &format!("{name}-body")));
    }
    // Sets are ready before any body can run.
    out.push(step(Step::FillMap, "node"));
    for name in &names {
        for map in ["slots", "missed"] {
            out.push(step(Step::CreateMap, &format!("{name}-{map}")));
        }
        out.push(step(Step::LoadProgram, &format!("{name}-stub")));
        // A stub that finds no body lets everything through: the slot is filled first.
        out.push(step(Step::SetSlot, &format!("{name}-body")));
        out.push(step(Step::Attach, &format!("{name}-stub")));
    }
    out
}

fn limits(parts: &Parts<'_>) -> Vec<Limit> {
    let limit = |name: &str, u: usize, used: u64, max: u64| Limit {
        name: name.to_string(),
        operation: Some(parts.numbers.operation(u)),
        used,
        max,
    };
    let of_operation = |(u, assembled): (usize, &Assembled)| {
        let dimensions = parts.dimensions[u].len() as u64;
        [
            limit("dimensions", u, dimensions, abi::DIMENSIONS.into()),
            limit("decision words of a set", u, assembled.set_words, abi::SET_WORDS_MAX as u64),
        ]
    };
    parts.assembled.iter().enumerate().flat_map(of_operation).collect()
}
