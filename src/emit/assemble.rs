//! A plan to a whole artifact in memory: images, objects, manifest.
//!
//! Turns a plan and everything it refers to into a [`Built`]. Assumes that checking passed. Guarantees: the
//! same input gives the same bytes; every file is named by its digest. Writes nothing: see [`super::write`].
//! Proves nothing: see [`super::verify`].

use std::collections::BTreeMap;

use super::describe::{self, Assembled, RING_BYTES};
use super::lower::{self, LoweredUnit, program::Places};
use super::numbers::Numbers;
use super::region_constants;
use super::scope_blocks;
use super::set_limits::{self, SetWords};
use super::verify::Emitted;
use crate::artifact::abi::{self, SCRATCH_SLOTS};
use crate::artifact::digest::{FileKind, Files};
use crate::artifact::manifest::{self, Manifest, NodeRegion};
use crate::artifact::node::layout::{self, OperationBlocks};
use crate::artifact::node::sizing::Capacity;
use crate::artifact::scope_block::ScopeBlocks;
use crate::bpf::{self, MapSize, Patch, ProgramSpec, StencilObject, Step};
use crate::fold::ir::{AttachKind, Program};
use crate::fold::plan::Plan;
use crate::platform::Target;
use crate::policy::PolicySet;
use crate::policy::overlap::Witness;
use crate::source::Sources;

/// Everything that is written, not yet on disk.
#[derive(Clone, Debug)]
pub struct Built {
    pub manifest: Manifest,
    pub files: Files,
    pub numbers: Numbers,
    /// What each body was linked from, by the number of its operation: what the proof follows.
    pub bodies: BTreeMap<u32, Vec<Step>>,
}

impl Built {
    /// What the proof takes.
    pub fn emitted(&self) -> Emitted<'_> {
        Emitted { manifest: &self.manifest, files: &self.files, bodies: &self.bodies }
    }
}

/// What cannot be assembled although the policies are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// Index into the plan's units.
    Tables { unit: usize, error: lower::tables::TableError },
    /// More decision words than a program runs, in the set of somebody who can be.
    SetTooLarge { unit: usize, words: u64, witness: Witness },
    /// The tables of a node would not fit in what a program can index.
    NodeTooLarge,
    /// The compiler's own fault: a stencil or an object is not what it has to be.
    Object(String),
}

/// The contents of every unit.
///
/// # Errors
/// If a table cannot be built.
pub fn lower(set: &PolicySet, program: &Program, plan: &Plan) -> Result<Vec<LoweredUnit>, AssembleError> {
    let lower =
        |(u, unit)| lower::run(set, program, unit).map_err(|error| AssembleError::Tables { unit: u, error });
    plan.units.iter().enumerate().map(lower).collect()
}

/// # Errors
/// If the whole is too large, or for faults of the compiler.
pub fn run(
    sources: &Sources,
    set: &PolicySet,
    program: &Program,
    plan: &Plan,
    lowered: Vec<LoweredUnit>,
    target: &Target,
    previous: Option<&Manifest>,
) -> Result<Built, AssembleError> {
    let terms = describe::scope_terms(set);
    let numbers = Numbers::assign(set, program, plan, &terms, previous);
    let stencils = StencilObject::embedded().map_err(|e| AssembleError::Object(e.to_string()))?;
    let mut files = Files::default();
    let dimensions: Vec<Vec<manifest::Dimension>> = plan
        .units
        .iter()
        .zip(&lowered)
        .map(|(unit, lowered)| describe::dimensions(program, unit, lowered))
        .collect();
    let mut blocks = vec![];
    for (u, unit) in lowered.iter().enumerate() {
        let number = numbers.operation(u);
        let bytes = scope_blocks::encode(number, unit, &plan.units[u].limited, program, &numbers);
        let atoms: Vec<u32> = unit.dimensions.iter().map(|d| d.count).collect();
        let read =
            ScopeBlocks::read(&bytes, number, &atoms).map_err(|e| AssembleError::Object(e.to_string()))?;
        blocks.push((files.add(FileKind::Image, bytes), read));
    }
    let scopes = describe::scopes(terms, &numbers);
    let mut set_words = vec![];
    for (unit, (_, blocks)) in blocks.iter().enumerate() {
        match set_limits::of(set, &scopes, blocks) {
            SetWords { words, too_many_for: Some(witness) } => {
                return Err(AssembleError::SetTooLarge { unit, words, witness });
            }
            SetWords { words, too_many_for: None } => set_words.push(words),
        }
    }
    // In the order of the manifest, as their heads are.
    let order = numbers.units();
    let parts: Vec<OperationBlocks<'_>> =
        order.iter().map(|&u| OperationBlocks { dimensions: &dimensions[u], blocks: &blocks[u].1 }).collect();
    let capacity = Capacity { pods: target.pods, scopes_per_pod: target.scopes_per_pod };
    let (node, ordered) = layout::layout(capacity, &scopes, &parts).ok_or(AssembleError::NodeTooLarge)?;
    let mut heads = vec![0; ordered.len()];
    order.iter().zip(ordered).for_each(|(&u, head)| heads[u] = head);
    let scratch = Scratch::of(&stencils, program, plan)?;
    let kinds = attach_kinds(program, plan);
    let mut assembled = vec![];
    let mut bodies = BTreeMap::new();
    for (u, lowered) in lowered.into_iter().enumerate() {
        let scope_blocks = blocks[u].0.clone();
        let places = Places {
            key_words: describe::limit_key_words(plan),
            operation: numbers.operation(u),
            heads: region_constants::HEADS,
            slots: scratch.slots_of(kinds[u]),
            calls: calls_of(program, plan, &numbers, u),
        };
        let spec = body(program, plan, u, &lowered, places, &scratch, &node, target);
        let mut object = bpf::link(&stencils, &spec).map_err(|e| AssembleError::Object(e.to_string()))?;
        let constants =
            region_constants::fill(&mut object, &node, heads[u]).map_err(AssembleError::Object)?;
        let body = files.add(FileKind::Object, object);
        bodies.insert(places.operation, spec.steps);
        let attach = &program.operations[plan.units[u].operation.0 as usize].attach;
        let object =
            bpf::stub(&describe::section(attach)).map_err(|e| AssembleError::Object(e.to_string()))?;
        let stub = files.add(FileKind::Object, object);
        let tables = files.add(FileKind::Image, lowered.tables.bytes.clone());
        let (heads, set_words) = (heads[u], set_words[u]);
        assembled.push(Assembled { lowered, tables, scope_blocks, heads, body, stub, constants, set_words });
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
        numbers: &numbers,
    });
    Ok(Built { manifest, files, numbers, bodies })
}

/// See [`Places::calls`].
fn calls_of(program: &Program, plan: &Plan, numbers: &Numbers, u: usize) -> Option<u32> {
    let number = numbers.operation(u);
    let returns = plan.returns_of(program, plan.units[u].operation);
    numbers.calls(number).or_else(|| returns.map(|_| number))
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
    /// A slot holds the texts of the operation that has the most. Kprobes and tracepoints have one more for themselves
    /// if tasks that they interrupt may hold all others; each raw tracepoint may come in between all of them.
    fn of(stencils: &StencilObject, program: &Program, plan: &Plan) -> Result<Scratch, AssembleError> {
        let texts = plan.units.iter().map(|u| u.texts.len()).max().unwrap_or(0).max(1) as u32;
        // The stencils declare the map for slots of one text.
        if stencils.struct_size("scratch") != SLOT_BYTES + TEXT_BYTES + abi::TEXT_ROOM {
            return Err(AssembleError::Object("the stencils' scratch memory has another layout".to_string()));
        }
        let kinds = attach_kinds(program, plan);
        let as_task = if kinds.iter().any(|k| k.runs_as_task()) { SCRATCH_SLOTS } else { 0 };
        let raw = kinds.iter().filter(|k| **k == AttachKind::RawTracepoint).count() as u32;
        let others = kinds.iter().any(|k| !k.runs_as_task() && *k != AttachKind::RawTracepoint);
        Ok(Scratch {
            slot_bytes: SLOT_BYTES + texts * TEXT_BYTES + abi::TEXT_ROOM,
            slots: (as_task + u32::from(others) + raw).max(SCRATCH_SLOTS),
        })
    }

    fn slots_of(&self, kind: AttachKind) -> u32 {
        if kind.runs_as_task() { SCRATCH_SLOTS } else { self.slots }
    }
}

/// `struct slot` without its texts (`bpf-templates/frame.h`).
const SLOT_BYTES: u32 = 16;
/// `struct text`: length, headers of the record and of the text, bytes, tail.
const TEXT_BYTES: u32 =
    8 + abi::event::SIZE as u32 + abi::value::SIZE as u32 + abi::TEXT_MAX as u32 + 8 * abi::EVENT_TAIL;

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
    // The numbers of `bpf-templates/patch.h`.
    let mut patches = region_constants::patches();
    patches.extend([(Patch(1), tables_mask), (Patch(2), tables_mask | 7)]);
    let variables = BTreeMap::from([
        ("tables".to_string(), lowered.tables.size() as u32),
        ("node".to_string(), node.bytes),
    ]);
    let size = MapSize::default();
    let scratch = MapSize { value_bytes: Some(scratch.slot_bytes), max_entries: Some(scratch.slots), ..size };
    let limits = MapSize {
        key_bytes: Some(describe::limit_key_bytes(plan)),
        max_entries: Some(describe::LIMIT_ENTRIES),
        ..size
    };
    let maps = BTreeMap::from([
        ("events".to_string(), MapSize { max_entries: Some(RING_BYTES), ..size }),
        ("scratch".to_string(), scratch),
        ("limits".to_string(), limits),
    ]);
    ProgramSpec {
        name: describe::symbol(&operation.attach, "body"),
        section: describe::section(&operation.attach),
        steps: lower::program::steps(program, unit, lowered, places, target.arch),
        patches,
        variables,
        maps,
    }
}
