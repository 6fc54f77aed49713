//! What the manifest says: names, numbers and places of everything in the artifact.
//!
//! Names follow from what is attached, never from a policy, so that they stay the same from build to build.

use super::assemble::{Assembled, RING_BYTES};
use super::lower::{LoweredUnit, Matcher, program::rows_may_be_lists};
use crate::artifact::digest::Digest;
use crate::artifact::manifest::*;
use crate::bpf;
use crate::fold::ir::{self, AttachReason};
use crate::fold::plan::{Plan, Unit};
use crate::platform;
use crate::policy::{self, PolicySet};
use crate::source::{Sources, Span};
use crate::vocab::arg_type::Class;

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
}

/// ELF section of a program, by which libbpf knows its type and target.
pub fn section(attach: &ir::Attach) -> String {
    format!("{}/{}", attach.kind.name(), attach.target)
}

/// A C identifier; the kernel shows its first 15 bytes.
pub fn symbol(attach: &ir::Attach, role: &str) -> String {
    let target: String =
        attach.target.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{role}_{target}")
}

/// Stands in names of maps, programs and pins.
fn operation_name(attach: &ir::Attach) -> String {
    format!("{}-{}", attach.kind.name(), attach.target)
}

pub fn dimensions(program: &ir::Program, unit: &Unit, lowered: &LoweredUnit) -> Vec<Dimension> {
    let operation = &program.operations[unit.operation.0 as usize];
    let rows = if rows_may_be_lists(&lowered.dimensions) { RowForm::Any } else { RowForm::Bits };
    unit.dimensions
        .iter()
        .zip(&lowered.dimensions)
        .map(|(dimension, lowered)| Dimension {
            subject: Subject::Argument(u32::from(operation.subject(dimension.subject).param)),
            family: match lowered.matcher {
                Matcher::Walk => Family::Path,
                Matcher::TrieEqual => Family::Text,
                Matcher::TriePrefix => Family::Prefix,
                Matcher::TriePostfix => Family::Postfix,
                Matcher::Ints => Family::Int,
            },
            atoms: lowered.count,
            root: lowered.root,
            merges_unreadable: lowered.matcher == Matcher::Walk,
            rows,
        })
        .collect()
}

pub fn scopes(set: &PolicySet) -> Vec<Scope> {
    set.scopes
        .iter()
        .enumerate()
        .map(|(number, scope)| Scope {
            number: number as u32,
            any: scope.any.iter().map(scope_term).collect(),
        })
        .collect()
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
    Manifest {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: TOOL_NAME.to_string(), version: env!("CARGO_PKG_VERSION").to_string() },
        abi: Abi::current(),
        target: target_of(parts.target),
        requires: requires(parts),
        operations: operations(parts),
        programs: programs(parts),
        maps: maps(parts),
        node: parts.node.clone(),
        scopes: parts.scopes.clone(),
        policies: policies(parts),
        events: Events::current(),
        load_order: load_order(parts),
        limits: limits(parts),
        conflicts: conflicts(parts),
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

fn attaches<'a>(parts: &'a Parts<'_>) -> impl Iterator<Item = &'a ir::Attach> {
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
    if has(ir::AttachKind::Kprobe) {
        out.push((Feature::Kprobes, "policies hook kernel functions"));
    }
    out.into_iter().map(|(feature, reason)| Requirement { feature, reason: reason.to_string() }).collect()
}

fn operations(parts: &Parts<'_>) -> Vec<Operation> {
    let mut out = vec![];
    for (u, assembled) in parts.assembled.iter().enumerate() {
        let operation = &parts.program.operations[parts.plan.units[u].operation.0 as usize];
        let mut args: Vec<OperationArg> = operation
            .subjects
            .iter()
            .filter(|s| s.ty.class().is_some())
            .map(|s| OperationArg { index: u32::from(s.param), ty: s.ty.name().to_string() })
            .collect();
        args.sort_by(|a, b| (a.index, &a.ty).cmp(&(b.index, &b.ty)));
        args.dedup_by_key(|a| a.index);
        out.push(Operation {
            number: u as u32,
            name: format!("{}:{}", operation.attach.kind.name(), operation.attach.target),
            args,
            values: values(operation, &parts.plan.units[u]),
            dimensions: parts.dimensions[u].clone(),
            tables: assembled.tables.clone(),
            scope_blocks: assembled.scope_blocks.clone(),
            heads_offset: assembled.heads,
        });
    }
    out
}

/// As [`super::lower::program`] sends them: further texts, each in a record of its own, then integers, then the first text.
fn values(operation: &ir::Operation, unit: &Unit) -> Vec<EventValue> {
    let value = |param: u8, form| EventValue { source: Subject::Argument(u32::from(param)), form };
    let mut texts = unit.texts.iter().map(|&t| value(operation.subject(t).param, Form::Text));
    let first = texts.next();
    let is_integer = |s: &&ir::Subject| matches!(s.ty.class(), Some(Class::Int { .. }));
    let mut integers: Vec<u8> = operation.subjects.iter().filter(is_integer).map(|s| s.param).collect();
    integers.sort_unstable();
    integers.dedup();
    texts.chain(integers.into_iter().map(|param| value(param, Form::Integer))).chain(first).collect()
}

fn programs(parts: &Parts<'_>) -> Vec<Program> {
    let mut out = vec![];
    for (u, (assembled, attach)) in parts.assembled.iter().zip(attaches(parts)).enumerate() {
        let (ty, loaders) = match attach.kind {
            ir::AttachKind::Lsm => (ProgramType::Lsm, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf]),
            ir::AttachKind::Kprobe => {
                (ProgramType::Kprobe, vec![Loader::Libbpf, Loader::Aya, Loader::CiliumEbpf])
            }
            ir::AttachKind::FmodRet => (ProgramType::Tracing, vec![Loader::Libbpf, Loader::CiliumEbpf]),
        };
        let program = |role: Role, word: &str| Program {
            name: format!("{}-{word}", operation_name(attach)),
            operation: u as u32,
            role,
            object: if role == Role::Stub { assembled.stub.clone() } else { assembled.body.clone() },
            section: section(attach),
            symbol: if role == Role::Stub { bpf::STUB.to_string() } else { symbol(attach, word) },
            ty,
            attach: Attach {
                kind: match attach.kind {
                    ir::AttachKind::Lsm => AttachKind::Lsm,
                    ir::AttachKind::Kprobe => AttachKind::Kprobe,
                    ir::AttachKind::FmodRet => AttachKind::FmodRet,
                },
                target: attach.target.clone(),
            },
            slot: (role == Role::Body).then_some(0),
            loaders: loaders.clone(),
            alternatives: vec![],
            forecast: Forecast::default(),
        };
        out.push(program(Role::Stub, "stub"));
        out.push(program(Role::Body, "body"));
    }
    out
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
    for (u, (assembled, attach)) in parts.assembled.iter().zip(attaches(parts)).enumerate() {
        let name = |word: &str| format!("{}-{word}", operation_name(attach));
        let of = |m: Map| Map { operation: Some(u as u32), ..m };
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
                number: rank as u32,
                kind: match policy.identity.kind {
                    policy::PolicyKind::TracingPolicy => PolicyKind::TracingPolicy,
                    policy::PolicyKind::TracingPolicyNamespaced => PolicyKind::TracingPolicyNamespaced,
                    policy::PolicyKind::TracingPolicyBinding => PolicyKind::TracingPolicyBinding,
                },
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
                scope: policy.scope.0,
                hooks: lists
                    .iter()
                    .filter_map(|list| {
                        by_operation[list.operation.0 as usize].map(|u| hook(parts, policy, list, u as u32))
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
        let list = lists.find(|list| (list.policy, list.hook) == (winner.policy, winner.hook));
        let unit = list.and_then(|list| parts.plan.units.iter().position(|u| u.operation == list.operation));
        let Some(unit) = unit else { continue };
        out.push(Conflict {
            operation: unit as u32,
            policies: vec![winner.policy as u32, loser.policy as u32],
            reason: format!(
                "they may return {} and {}; both select {}",
                winner.value, loser.value, found.witness
            ),
        });
    }
    out
}

fn hook(parts: &Parts<'_>, policy: &policy::Policy, list: &ir::List, operation: u32) -> PolicyHook {
    let hook = &policy.hooks[list.hook];
    PolicyHook {
        operation,
        source: parts.sources.place(hook.span).to_string(),
        scope: hook.scope.map(|scope| scope.0),
        first_selector: list.first_selector,
        selectors: hook
            .selectors
            .iter()
            .map(|s| PolicySelector {
                number: s.number.into(),
                source: parts.sources.place(s.span).to_string(),
                action: match s.actions.shown {
                    policy::ShownAction::Post => Action::Post,
                    policy::ShownAction::NoPost => Action::NoPost,
                    policy::ShownAction::Override => Action::Override,
                    policy::ShownAction::Sigkill => Action::Sigkill,
                },
            })
            .collect(),
        args: hook
            .args
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

fn load_order(parts: &Parts<'_>) -> Vec<LoadStep> {
    let step = |step: Step, name: &str| LoadStep { step, name: name.to_string() };
    let mut out: Vec<LoadStep> =
        ["events", "node", "scratch"].iter().map(|n| step(Step::CreateMap, n)).collect();
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
    parts
        .dimensions
        .iter()
        .enumerate()
        .map(|(u, d)| Limit {
            name: "dimensions".to_string(),
            operation: Some(u as u32),
            used: d.len() as u64,
            max: crate::fold::plan::MAX_DIMENSIONS as u64,
        })
        .collect()
}
