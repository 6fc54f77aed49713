//! A plan to a whole artifact in memory: images, objects, manifest.
//!
//! Turns a plan and everything it refers to into a [`Built`]. Assumes that checking passed. Guarantees: the
//! same input gives the same bytes; every file is named by its digest. Writes nothing: see [`super::write`].
//! Proves nothing: see [`super::verify`].

use std::collections::BTreeMap;

use super::describe;
use super::lower::{self, LoweredUnit, program::Places};
use super::scope_blocks;
use crate::artifact::abi::{self, SCRATCH_SLOTS};
use crate::artifact::digest::{FileKind, FileRef, Files};
use crate::artifact::manifest::{self, Manifest, NodeRegion};
use crate::artifact::node::layout::{self, OperationBlocks};
use crate::artifact::scope_block::ScopeBlocks;
use crate::bpf::{self, MapSize, Patch, ProgramSpec, StencilObject};
use crate::fold::ir::{AttachKind, Program};
use crate::fold::plan::Plan;
use crate::platform::Target;
use crate::policy::PolicySet;
use crate::source::Sources;

/// Bytes of the event ring.
pub const RING_BYTES: u32 = 64 << 10;

/// Everything that is written, not yet on disk.
#[derive(Clone, Debug)]
pub struct Built {
    pub manifest: Manifest,
    pub files: Files,
}

/// What cannot be assembled although the policies are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// Index into the plan's units.
    Tables { unit: usize, error: lower::tables::TableError },
    /// The tables of a node would not fit in what a program can index.
    NodeTooLarge,
    /// The compiler's own fault: a stencil or an object is not what it has to be.
    Object(String),
}

/// One operation on its way into the artifact.
#[derive(Debug)]
pub struct Assembled {
    pub lowered: LoweredUnit,
    pub blocks: ScopeBlocks,
    pub tables: FileRef,
    pub scope_blocks: FileRef,
    pub heads: u32,
    pub body: FileRef,
    pub stub: FileRef,
}

pub fn run(
    sources: &Sources,
    set: &PolicySet,
    program: &Program,
    plan: &Plan,
    target: &Target,
) -> Result<Built, AssembleError> {
    let stencils = StencilObject::embedded().map_err(|e| AssembleError::Object(e.to_string()))?;
    let mut files = Files::default();
    let mut lowered = vec![];
    for (u, unit) in plan.units.iter().enumerate() {
        let unit =
            lower::run(set, program, unit).map_err(|error| AssembleError::Tables { unit: u, error })?;
        lowered.push(unit);
    }
    let dimensions: Vec<Vec<manifest::Dimension>> = plan
        .units
        .iter()
        .zip(&lowered)
        .map(|(unit, lowered)| describe::dimensions(program, unit, lowered))
        .collect();
    let mut blocks = vec![];
    for (u, unit) in lowered.iter().enumerate() {
        let bytes = scope_blocks::encode(u as u32, unit, program);
        let atoms: Vec<u32> = unit.dimensions.iter().map(|d| d.count).collect();
        let read =
            ScopeBlocks::read(&bytes, u as u32, &atoms).map_err(|e| AssembleError::Object(e.to_string()))?;
        blocks.push((files.add(FileKind::Image, bytes), read));
    }
    let scopes = describe::scopes(set);
    let parts: Vec<OperationBlocks<'_>> = dimensions
        .iter()
        .zip(&blocks)
        .map(|(dimensions, (_, blocks))| OperationBlocks { dimensions, blocks })
        .collect();
    let (node, heads) = layout::layout(target.pods, &scopes, &parts).ok_or(AssembleError::NodeTooLarge)?;
    let scratch = Scratch::of(&stencils, program, plan)?;
    let kinds = attach_kinds(program, plan);
    let mut assembled = vec![];
    for (u, lowered) in lowered.into_iter().enumerate() {
        let (scope_blocks, blocks) = blocks.remove(0);
        let places = Places { operation: u as u32, heads: heads[u], slots: scratch.slots_of(kinds[u]) };
        let spec = body(program, plan, u, &lowered, places, &scratch, &node, target);
        let object = bpf::link(&stencils, &spec).map_err(|e| AssembleError::Object(e.to_string()))?;
        let body = files.add(FileKind::Object, object);
        let attach = &program.operations[plan.units[u].operation.0 as usize].attach;
        let object =
            bpf::stub(&describe::section(attach)).map_err(|e| AssembleError::Object(e.to_string()))?;
        let stub = files.add(FileKind::Object, object);
        let tables = files.add(FileKind::Image, lowered.tables.bytes.clone());
        assembled.push(Assembled { lowered, blocks, tables, scope_blocks, heads: heads[u], body, stub });
    }
    let manifest = describe::manifest(&describe::Parts {
        sources,
        set,
        program,
        plan,
        target,
        scopes,
        dimensions,
        node,
        scratch: (scratch.slot_bytes, scratch.slots),
        assembled: &assembled,
    });
    Ok(Built { manifest, files })
}

fn attach_kinds(program: &Program, plan: &Plan) -> Vec<AttachKind> {
    plan.units.iter().map(|u| program.operations[u.operation.0 as usize].attach.kind).collect()
}

/// Scratch memory of one CPU, which all operations share.
struct Scratch {
    slot_bytes: u32,
    slots: u32,
}

impl Scratch {
    /// A slot holds the texts of the operation that has the most. Kprobes have one more for themselves if tasks
    /// that they interrupt may hold all others.
    fn of(stencils: &StencilObject, program: &Program, plan: &Plan) -> Result<Scratch, AssembleError> {
        let texts = plan.units.iter().map(|u| u.texts.len()).max().unwrap_or(0).max(1) as u32;
        // The stencils declare the map for slots of one text.
        if stencils.struct_size("scratch") != SLOT_BYTES + TEXT_BYTES + abi::TEXT_ROOM {
            return Err(AssembleError::Object("the stencils' scratch memory has another layout".to_string()));
        }
        let kinds = attach_kinds(program, plan);
        let are_mixed = kinds.iter().any(|k| k.runs_as_task()) && kinds.iter().any(|k| !k.runs_as_task());
        Ok(Scratch {
            slot_bytes: SLOT_BYTES + texts * TEXT_BYTES + abi::TEXT_ROOM,
            slots: SCRATCH_SLOTS + u32::from(are_mixed),
        })
    }

    fn slots_of(&self, kind: AttachKind) -> u32 {
        if kind.runs_as_task() { SCRATCH_SLOTS } else { self.slots }
    }
}

/// `struct slot` without its texts (`bpf-templates/frame.h`).
const SLOT_BYTES: u32 = 16;
/// `struct text`: length, head of the record, bytes, entries.
const TEXT_BYTES: u32 = 8 + HEAD_BYTES + abi::TEXT_MAX as u32 + 8 * abi::EVENT_ENTRIES;
/// `EVENT_HEAD`: the header, integers, and the header of the text.
const HEAD_BYTES: u32 =
    abi::event::SIZE as u32 + abi::EVENT_ARGS * (abi::value::SIZE as u32 + 8) + abi::value::SIZE as u32;

fn body(
    program: &Program,
    plan: &Plan,
    u: usize,
    lowered: &LoweredUnit,
    places: Places,
    scratch: &Scratch,
    node: &NodeRegion,
    target: &Target,
) -> ProgramSpec {
    let unit = &plan.units[u];
    let operation = &program.operations[unit.operation.0 as usize];
    let tables_mask = i64::from(lowered.tables.mask);
    let node_mask = i64::from(node.mask);
    let slots_log2 = i64::from(node.cgroup_slots.trailing_zeros());
    // The numbers of `bpf-templates/patch.h`.
    let patches = BTreeMap::from([
        (Patch(1), tables_mask),
        (Patch(2), tables_mask | 7),
        (Patch(3), node_mask),
        (Patch(4), node_mask | 7),
        (Patch(5), 64 - slots_log2),
    ]);
    let variables = BTreeMap::from([
        ("tables".to_string(), lowered.tables.size() as u32),
        ("node".to_string(), node.bytes),
    ]);
    let maps = BTreeMap::from([
        ("events".to_string(), MapSize { value_bytes: None, max_entries: Some(RING_BYTES) }),
        (
            "scratch".to_string(),
            MapSize { value_bytes: Some(scratch.slot_bytes), max_entries: Some(scratch.slots) },
        ),
    ]);
    ProgramSpec {
        name: describe::symbol(&operation.attach, "body"),
        section: describe::section(&operation.attach),
        steps: lower::program::steps(program, unit, &lowered.dimensions, places, target.arch),
        patches,
        variables,
        maps,
    }
}
