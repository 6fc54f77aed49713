//! What an artifact costs: from the manifest and the objects themselves to a report.
//!
//! Sizes of programs and maps are read off the objects that were just made, never repeated by hand. Assumes an
//! artifact that was proved.

use super::baseline::tetragon_policies;
use super::input::{Input, MapInput, ObjectInput, OperationInput, Owner, PolicyInput, ProgramInput, Role};
use super::{ForecastError, Report, forecast};
use crate::artifact::manifest;
use crate::bpf::{self, ObjectFacts};
use crate::emit::assemble::Built;
use crate::memory::{
    Bytes, FunctionShape, JitedSize, KernelProfile, MapShape, MapType, ProgramShape, Refused, XlatedSize,
};
use crate::platform::{KernelVersion, Target};
use crate::policy::overlap::tally::tally;
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
    let kernel = KernelProfile::of(target.kernel).map_err(MeasureError::Kernel)?;
    forecast(&input(set, built, target, kernel)?).map_err(MeasureError::Forecast)
}

fn input(
    set: &PolicySet,
    built: &Built,
    target: &Target,
    kernel: KernelProfile,
) -> Result<Input, MeasureError> {
    let manifest = &built.manifest;
    let policies = set
        .policies
        .iter()
        .zip(tetragon_policies(set))
        .map(|(policy, tetragon)| PolicyInput { name: policy_name(&policy.identity), tetragon })
        .collect();
    let operations = manifest
        .operations
        .iter()
        .map(|operation| operation_input(set, built, operation, target.kernel))
        .collect::<Result<_, _>>()?;
    Ok(Input {
        kernel,
        cpus: target.cpus,
        pods: target.pods,
        layout: "shared".to_string(),
        policies,
        operations,
        shared_programs: vec![],
        shared_maps: manifest
            .maps
            .iter()
            .filter(|m| m.operation.is_none())
            .map(|m| map_input(m, 0))
            .collect(),
        shared_objects: vec![],
    })
}

/// Unique, and short where the kind says nothing.
pub fn policy_name(identity: &Identity) -> String {
    match &identity.namespace {
        Some(namespace) => format!("{namespace}/{}", identity.name),
        None => identity.name.clone(),
    }
}

fn operation_input(
    set: &PolicySet,
    built: &Built,
    operation: &manifest::Operation,
    kernel: KernelVersion,
) -> Result<OperationInput, MeasureError> {
    let manifest = &built.manifest;
    let (mut programs, mut objects) = (vec![], vec![]);
    for program in manifest.programs.iter().filter(|p| p.operation == operation.number) {
        let bytes = built.files.get(&program.object).ok_or_else(|| {
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
    let hooks: Vec<(usize, ScopeId)> = manifest
        .policies
        .iter()
        .enumerate()
        .flat_map(|(rank, p)| p.hooks.iter().map(move |h| (rank, p.scope, h)))
        .filter(|(_, _, hook)| hook.operation == operation.number)
        .map(|(rank, scope, hook)| (rank, ScopeId(hook.scope.unwrap_or(scope))))
        .collect();
    let mut policies: Vec<usize> = hooks.iter().map(|(rank, _)| *rank).collect();
    policies.dedup();
    let overlap = tally(set, &hooks);
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
        manifest::MapType::Array => MapType::Array,
        manifest::MapType::ProgArray => MapType::ProgArray,
        manifest::MapType::PercpuArray => MapType::PercpuArray,
        manifest::MapType::Ringbuf => MapType::Ringbuf,
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
