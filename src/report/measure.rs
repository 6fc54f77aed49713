//! What an artifact costs: from the manifest and the objects themselves to a report.
//!
//! Sizes of programs and maps are read off the objects that were just made, never repeated by hand. Assumes an
//! artifact that was proved.

use std::collections::BTreeMap;

use super::baseline::tetragon_policies;
use super::input::{Input, MapInput, ObjectInput, OperationInput, Owner, PolicyInput, ProgramInput, Role};
use super::{ForecastError, LimitRow, Meeting, Memory, Overlap, Report, forecast};
use crate::artifact::digest::{Digest, Files};
use crate::artifact::manifest::{self, Manifest};
use crate::artifact::node::layout::{self, OperationBlocks};
use crate::artifact::node::sizing::Capacity;
use crate::artifact::read::Artifact;
use crate::bpf::{self, ObjectFacts};
use crate::emit::assemble::Built;
use crate::memory::{
    Bytes, FunctionShape, JitedSize, KernelProfile, MapShape, MapType, ProgramShape, Refused, XlatedSize,
};
use crate::platform::{KernelVersion, Target};
use crate::policy::overlap::tally::{Example, tally};
use crate::policy::{Identity, PolicySet, ScopeId};

/// Why no report can be made.
#[derive(Debug)]
pub enum MeasureError {
    /// The kernel is older than any that was modelled.
    Kernel(Refused),
    Forecast(ForecastError),
    Object(String),
}

impl std::fmt::Display for MeasureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MeasureError::Kernel(e) => e.fmt(f),
            MeasureError::Forecast(e) => e.fmt(f),
            MeasureError::Object(e) => f.write_str(e),
        }
    }
}

/// The forecast for the target's kernel, CPUs and pods.
///
/// # Errors
/// See [`MeasureError`].
pub fn report(set: &PolicySet, built: &Built, target: &Target) -> Result<Report, MeasureError> {
    let (manifest, files) = (&built.manifest, &built.files);
    let named = set.policies.iter().zip(tetragon_policies(set));
    let named = named.map(|(policy, tetragon)| PolicyInput { name: policy_name(&policy.identity), tetragon });
    let policies: Vec<PolicyInput> = named.collect();
    let overlap = |operation: &manifest::Operation| {
        let hooks = hooks(manifest, operation).into_iter();
        let hooks: Vec<(usize, ScopeId)> =
            hooks.filter_map(|(rank, number)| Some((rank, built.numbers.scope_id(number)?))).collect();
        let tally = tally(set, &hooks);
        let meeting = |example: &Example| Meeting {
            policies: example.policies.map(|p| policies[p].name.clone()),
            witness: example.witness.to_string(),
        };
        Overlap {
            disjoint: tally.disjoint,
            possible: tally.possible,
            certain: tally.certain,
            undecided: tally.undecided,
            examples: tally.examples.iter().map(meeting).collect(),
        }
    };
    let overlaps: Vec<Overlap> = manifest.operations.iter().map(overlap).collect();
    let node = Node {
        kernel: target.kernel,
        cpus: target.cpus,
        pods: target.pods,
        scopes_per_pod: target.scopes_per_pod,
    };
    measured(manifest, files, policies, overlaps, node)
}

/// What an artifact is loaded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub kernel: KernelVersion,
    /// Possible CPUs.
    pub cpus: u32,
    pub pods: u32,
    pub scopes_per_pod: u32,
}

/// The forecast of an artifact for another node than its own: what the same policies take if they are compiled for it.
///
/// # Errors
/// See [`MeasureError`]; also if its report is not one of its manifest.
pub fn of_artifact(artifact: &Artifact, own: &Report, node: Node) -> Result<Report, MeasureError> {
    let mut manifest = artifact.manifest.clone();
    let room = Capacity { pods: node.pods, scopes_per_pod: node.scopes_per_pod };
    let made_for = Capacity { pods: manifest.target.pods, scopes_per_pod: manifest.target.scopes_per_pod };
    if room != made_for {
        with_room(&mut manifest, artifact, room)?;
    }
    let policies =
        own.policies.iter().map(|p| PolicyInput { name: p.policy.clone(), tetragon: p.tetragon.clone() });
    let policies: Vec<PolicyInput> = policies.collect();
    let of = |operation: &manifest::Operation| own.operations.iter().find(|o| o.name == operation.name);
    let overlaps: Vec<Overlap> = manifest.operations.iter().filter_map(|o| of(o)?.overlap.clone()).collect();
    if policies.len() != manifest.policies.len() || overlaps.len() != manifest.operations.len() {
        return Err(MeasureError::Object("the report is not one of this manifest".to_string()));
    }
    let mut report = measured(&manifest, &artifact.files, policies, overlaps, node)?;
    if room != made_for {
        let shown = |room: Capacity| format!("{} pods of {} scopes", room.pods, room.scopes_per_pod);
        report.notes.push(format!(
            "The artifact is made for {}; this is what it takes compiled for {}.",
            shown(made_for),
            shown(room)
        ));
    }
    Ok(report)
}

/// The node region as it is if the policies are compiled for that many pods and scopes.
fn with_room(manifest: &mut Manifest, artifact: &Artifact, room: Capacity) -> Result<(), MeasureError> {
    let blocks = manifest.operations.iter().zip(artifact.scope_blocks.iter());
    let parts: Vec<OperationBlocks<'_>> = blocks
        .map(|(operation, blocks)| OperationBlocks { dimensions: &operation.dimensions, blocks })
        .collect();
    let (region, _) = layout::layout(room, &manifest.scopes, &parts).ok_or_else(|| {
        MeasureError::Object(format!("the tables of {} pods do not fit on a node", room.pods))
    })?;
    let is_node = |map: &&mut manifest::Map| map.value_size == manifest.node.bytes && map.declared == ".bss";
    for map in manifest.maps.iter_mut().filter(is_node) {
        map.value_size = region.bytes;
    }
    manifest.node = region;
    Ok(())
}

/// Puts into the manifest what only the report knows: what maps and programs take, and the report's digest.
pub fn complete(manifest: &mut Manifest, report: &Report) {
    let forecast = |memory: &Memory| manifest::Forecast {
        memlock_bytes: memory.memlock_bytes,
        charged_bytes: memory.charged_bytes,
    };
    let programs: BTreeMap<&str, &Memory> =
        report.programs.iter().chain(&report.alternatives).map(|p| (p.name.as_str(), &p.memory)).collect();
    let maps: BTreeMap<&str, &Memory> = report.maps.iter().map(|m| (m.name.as_str(), &m.memory)).collect();
    for program in &mut manifest.programs {
        program.forecast = programs.get(program.name.as_str()).map(|m| forecast(m)).unwrap_or_default();
    }
    for map in &mut manifest.maps {
        map.forecast = maps.get(map.name.as_str()).map(|m| forecast(m)).unwrap_or_default();
    }
    manifest.report_sha256 = Digest::of(report.to_json().as_bytes());
}

fn measured(
    manifest: &Manifest,
    files: &Files,
    policies: Vec<PolicyInput>,
    overlaps: Vec<Overlap>,
    node: Node,
) -> Result<Report, MeasureError> {
    let kernel = KernelProfile::of(node.kernel).map_err(MeasureError::Kernel)?;
    let operations = manifest.operations.iter().zip(overlaps);
    let operations = operations
        .map(|(o, overlap)| operation_input(manifest, files, o, overlap, node.kernel))
        .collect::<Result<_, _>>()?;
    let shared = manifest.maps.iter().filter(|m| m.operation.is_none());
    let input = Input {
        kernel,
        cpus: node.cpus,
        pods: node.pods,
        scopes_per_pod: node.scopes_per_pod,
        layout: "shared".to_string(),
        policies,
        operations,
        shared_programs: vec![],
        shared_maps: shared.map(|m| map_input(m, 0)).collect(),
        shared_objects: vec![],
        limits: manifest.limits.iter().map(|limit| limit_row(manifest, limit)).collect(),
    };
    forecast(&input).map_err(MeasureError::Forecast)
}

/// Policies on an operation by their position, each with the number of its hook's scope.
fn hooks(manifest: &Manifest, operation: &manifest::Operation) -> Vec<(usize, u32)> {
    let all = manifest.policies.iter().enumerate();
    all.flat_map(|(rank, p)| p.hooks.iter().map(move |h| (rank, p.scope, h)))
        .filter(|(_, _, hook)| hook.operation == operation.number)
        .map(|(rank, scope, hook)| (rank, hook.scope.unwrap_or(scope)))
        .collect()
}

fn limit_row(manifest: &manifest::Manifest, limit: &manifest::Limit) -> LimitRow {
    let operation = limit.operation.and_then(|number| manifest.operation(number));
    LimitRow {
        name: limit.name.clone(),
        operation: operation.map(|operation| operation.name.clone()),
        used: limit.used,
        max: limit.max,
    }
}

/// Unique, and short where the kind says nothing.
pub fn policy_name(identity: &Identity) -> String {
    match &identity.namespace {
        Some(namespace) => format!("{namespace}/{}", identity.name),
        None => identity.name.clone(),
    }
}

fn operation_input(
    manifest: &Manifest,
    files: &Files,
    operation: &manifest::Operation,
    overlap: Overlap,
    kernel: KernelVersion,
) -> Result<OperationInput, MeasureError> {
    let (mut programs, mut objects) = (vec![], vec![]);
    for program in manifest.programs.iter().filter(|p| p.operation == operation.number) {
        let bytes = files.get(&program.object).ok_or_else(|| {
            MeasureError::Object(format!("`{}` is not in the artifact", program.object.path))
        })?;
        let facts = bpf::facts(bytes).map_err(|e| MeasureError::Object(e.to_string()))?;
        programs.push(program_input(program, &facts)?);
        objects.push(ObjectInput {
            name: program.name.clone(),
            btf: Bytes(u64::from(facts.btf_bytes)),
            loaded: true,
        });
    }
    let values = operation.dimensions.iter().map(|d| u64::from(d.atoms)).sum();
    let maps = manifest
        .maps
        .iter()
        .filter(|m| m.operation == Some(operation.number))
        .map(|m| map_input(m, if m.owner == manifest::Owner::Static { values } else { 1 }))
        .collect();
    let mut policies: Vec<usize> = hooks(manifest, operation).iter().map(|(rank, _)| *rank).collect();
    policies.dedup();
    let attach = operation.name.split(':').next().unwrap_or_default().to_string();
    let takes =
        |way: &&manifest::Way| way.link != manifest::LinkKind::KprobeMulti || kernel.has_kprobe_multi();
    Ok(OperationInput {
        name: operation.name.clone(),
        attach,
        targets: operation.attach.targets.len() as u64,
        links: operation.attach.ways.iter().find(takes).map_or(0, |way| u64::from(way.links)),
        programs,
        maps,
        objects,
        policies,
        overlap,
    })
}

fn program_input(program: &manifest::Program, facts: &ObjectFacts) -> Result<ProgramInput, MeasureError> {
    let found = facts
        .programs
        .iter()
        .find(|p| p.name == program.symbol)
        .ok_or_else(|| MeasureError::Object(format!("there is no program `{}`", program.symbol)))?;
    let maps_used = found.maps.len() + facts.variables.len();
    Ok(ProgramInput {
        name: program.name.clone(),
        role: match program.role {
            manifest::Role::Stub => Role::Stub,
            manifest::Role::Body => Role::Body,
        },
        loaded: true,
        shape: ProgramShape {
            functions: found
                .functions
                .iter()
                .map(|f| FunctionShape { instructions: f.insns, replaceable: f.replaceable })
                .collect(),
            xlated: XlatedSize::Bounded,
            jited: JitedSize::Bounded,
            used_maps: maps_used as u32,
            line_records: found.line_records,
        },
    })
}

fn map_input(map: &manifest::Map, entries: u64) -> MapInput {
    let ty = match map.ty {
        manifest::MapType::Hash => MapType::Hash,
        manifest::MapType::LruHash => MapType::LruHash,
        manifest::MapType::Array => MapType::Array,
        manifest::MapType::ProgArray => MapType::ProgArray,
        manifest::MapType::PercpuArray => MapType::PercpuArray,
        manifest::MapType::Ringbuf => MapType::Ringbuf,
        manifest::MapType::TaskStorage => MapType::TaskStorage,
    };
    let shape = MapShape::new(ty, map.key_size, map.value_size, map.max_entries).flags(map.flags);
    MapInput {
        name: map.name.clone(),
        owner: match map.owner {
            manifest::Owner::Static => Owner::Static,
            manifest::Owner::Runtime => Owner::Runtime,
        },
        shape,
        entries,
    }
}
