//! Strict reading: everything a manifest says about itself has to hold before anything else looks at it.
//!
//! Guarantees for a [`Manifest`] that passed: its numbers are known layouts; each number, name and path stands
//! once and refers to something that is there; file names follow from digests; the node region's parts lie in
//! order inside it. Does not look at any file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::*;
use crate::abi;
use crate::digest::FileKind;
use crate::json;
use crate::{image, node, scope_block};

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Such as `programs[2].object`; empty if it is the whole.
    pub place: String,
    pub reason: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.place.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.place, self.reason)
    }
}

impl std::error::Error for ManifestError {}

/// Atoms that a program's frame holds (`bpf-templates/frame.h`).
const DIMENSIONS_MAX: usize = 16;
/// Leaves room for as many policies as there can be in one build.
const NUMBERS_MAX: u32 = 1 << 31;
/// Numbers that an ACT word can hold (`bpf-templates/abi.h`).
const SELECTORS_MAX: usize = 256;

impl Manifest {
    pub fn to_json(&self) -> Vec<u8> {
        json::canonical(self)
    }

    /// # Errors
    /// If it is not JSON of these types, or [`Manifest::check`] fails.
    pub fn from_json(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let read = serde_json::from_slice::<Manifest>(bytes);
        let manifest = read.map_err(|e| other_version(bytes).unwrap_or_else(|| error("", e.to_string())))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.check_layouts()?;
        self.check_operations()?;
        self.check_programs()?;
        self.check_maps()?;
        self.check_node()?;
        self.check_scopes()?;
        self.check_policies()?;
        self.check_references()?;
        self.check_next_numbers()
    }

    /// So that a build on top of this one neither gives a number twice nor runs out of them.
    fn check_next_numbers(&self) -> Result<(), ManifestError> {
        let NextNumbers { policy, scope, operation, record } = self.next_numbers;
        let above = |next: u32, given: Option<u32>| given < Some(next).filter(|&n| n > 0) || given.is_none();
        let holds = above(policy, self.policies.iter().map(|p| p.number).max())
            && above(scope, self.scopes.iter().map(|s| s.number).max())
            && above(operation, self.operations.iter().map(|o| o.number).max())
            && above(record, self.records().keys().next_back().copied());
        ensure(holds, "nextNumbers", || "a number is not above those that were given".into())?;
        let largest = policy.max(scope).max(operation).max(record);
        ensure(largest <= NUMBERS_MAX, "nextNumbers", || format!("more than {NUMBERS_MAX}"))
    }

    fn check_layouts(&self) -> Result<(), ManifestError> {
        ensure(self.schema_version == SCHEMA_VERSION, "schemaVersion", || {
            format!("{} is not a version that this tool reads", self.schema_version)
        })?;
        ensure(self.tool.name == TOOL_NAME, "tool.name", || format!("`{}` is another tool", self.tool.name))?;
        ensure(self.abi == Abi::current(), "abi", || {
            format!("layouts {:?} are not those that this tool knows", self.abi)
        })?;
        ensure(self.events == Events::of(&self.operations), "events", || {
            "not the layout of this event ABI".into()
        })
    }

    fn check_operations(&self) -> Result<(), ManifestError> {
        check_ascending("operations", self.operations.iter().map(|o| o.number))?;
        for (i, operation) in self.operations.iter().enumerate() {
            let place = |field: &str| format!("operations[{i}].{field}");
            check_file(&operation.tables, FileKind::Image, || place("tables"))?;
            check_file(&operation.scope_blocks, FileKind::Image, || place("scopeBlocks"))?;
            ensure(operation.dimensions.len() <= DIMENSIONS_MAX, place("dimensions"), || {
                format!("{} are more than {DIMENSIONS_MAX}", operation.dimensions.len())
            })?;
            check_attach(&operation.attach).map_err(|reason| error(place("attach"), reason))?;
            let is_return = operation.attach.kind == AttachKind::Kretprobe;
            ensure(operation.calls.is_some() == is_return, place("calls"), || {
                "what functions return is an operation of its own".into()
            })?;
            if let Some(calls) = operation.calls {
                let of = self.operation(calls);
                let fits = of.is_some_and(|of| {
                    of.attach.kind == AttachKind::Kprobe && of.attach.targets == operation.attach.targets
                });
                ensure(fits, place("calls"), || format!("operation {calls} is not that of the calls"))?;
            }
            for dimension in &operation.dimensions {
                ensure(dimension.atoms <= u32::MAX - 2, place("dimensions"), || {
                    "there is no number left for what cannot be read".into()
                })?;
            }
        }
        Ok(())
    }

    fn check_programs(&self) -> Result<(), ManifestError> {
        check_unique("programs", self.programs.iter().map(|p| p.name.as_str()))?;
        for (i, program) in self.programs.iter().enumerate() {
            let place = |field: &str| format!("programs[{i}].{field}");
            check_file(&program.object, FileKind::Object, || place("object"))?;
            self.check_operation(program.operation, || place("operation"))?;
            ensure((program.role == Role::Body) == program.slot.is_some(), place("slot"), || {
                "a body has a slot, a stub has none".into()
            })?;
        }
        Ok(())
    }

    fn check_maps(&self) -> Result<(), ManifestError> {
        check_unique("maps", self.maps.iter().map(|m| m.name.as_str()))?;
        check_unique("maps[].pin", self.maps.iter().filter_map(|m| m.pin.as_deref()))?;
        for (i, map) in self.maps.iter().enumerate() {
            let place = |field: &str| format!("maps[{i}].{field}");
            if let Some(image) = &map.image {
                check_file(image, FileKind::Image, || place("image"))?;
            }
            if let Some(number) = map.operation {
                self.check_operation(number, || place("operation"))?;
            }
            if let Some(pin) = &map.pin {
                ensure(is_plain_name(pin), place("pin"), || format!("`{pin}` is not a plain file name"))?;
            }
            ensure(map.owner == Owner::Static || !map.freeze, place("freeze"), || {
                "what is written at run time cannot be frozen".into()
            })?;
        }
        Ok(())
    }

    fn check_node(&self) -> Result<(), ManifestError> {
        node::layout::check(&self.node, self.operations.iter().map(|o| o.heads_offset))
            .map_err(|reason| error("node", reason))
    }

    fn check_scopes(&self) -> Result<(), ManifestError> {
        check_ascending("scopes", self.scopes.iter().map(|s| s.number))?;
        for (i, scope) in self.scopes.iter().enumerate() {
            for term in &scope.any {
                let (place, reason) = match term {
                    ScopeTerm::Host(term) if term.host => continue,
                    ScopeTerm::Host(_) => ("host", "can only be true"),
                    ScopeTerm::Pods(term) => {
                        let all = || term.pod.iter().chain(&term.container);
                        let takes_none = |op| matches!(op, LabelOp::Exists | LabelOp::DoesNotExist);
                        if all().all(|r| !takes_none(r.op) || r.values.is_empty()) {
                            continue;
                        }
                        ("values", "Exists and DoesNotExist take none")
                    }
                };
                return Err(error(format!("scopes[{i}].{place}"), reason));
            }
        }
        Ok(())
    }

    fn check_policies(&self) -> Result<(), ManifestError> {
        let identities = self.policies.iter().map(|p| (p.kind, &p.namespace, &p.name));
        ensure(identities.is_sorted_by(|a, b| a < b), "policies", || {
            "identities are not in ascending order, each once".into()
        })?;
        let numbers: BTreeSet<u32> = self.policies.iter().map(|p| p.number).collect();
        ensure(numbers.len() == self.policies.len(), "policies", || "a number stands twice".into())?;
        let records = self.records();
        for (i, policy) in self.policies.iter().enumerate() {
            let place = |field: &str| format!("policies[{i}].{field}");
            ensure(self.scope(policy.scope).is_some(), place("scope"), || {
                format!("there is no scope {}", policy.scope)
            })?;
            let mut numbers = BTreeMap::new();
            for hook in &policy.hooks {
                self.check_operation(hook.operation, || place("hooks"))?;
                let scope = hook.scope.unwrap_or(policy.scope);
                ensure(self.scope(scope).is_some(), place("hooks"), || format!("there is no scope {scope}"))?;
                let calls = self.operation(hook.operation).and_then(|operation| operation.calls);
                check_records(hook, calls.unwrap_or(hook.operation), policy.number, &records)
                    .map_err(|reason| error(place("hooks"), reason))?;
                if calls.is_some() {
                    continue;
                }
                check_numbers(hook, scope, numbers.entry(hook.operation).or_default())
                    .map_err(|reason| error(place("hooks"), reason))?;
            }
        }
        Ok(())
    }

    fn check_references(&self) -> Result<(), ManifestError> {
        for (i, step) in self.load_order.iter().enumerate() {
            let known = match step.step {
                Step::CreateMap | Step::FillMap | Step::FreezeMap => self.map(&step.name).is_some(),
                Step::LoadProgram | Step::SetSlot | Step::Attach => self.program(&step.name).is_some(),
            };
            ensure(known, format!("loadOrder[{i}]"), || format!("there is no `{}`", step.name))?;
        }
        let numbers: BTreeSet<u32> = self.policies.iter().map(|p| p.number).collect();
        for (i, conflict) in self.conflicts.iter().enumerate() {
            self.check_operation(conflict.operation, || format!("conflicts[{i}].operation"))?;
            let known = conflict.policies.iter().all(|n| numbers.contains(n));
            ensure(known, format!("conflicts[{i}].policies"), || "a policy is not there".into())?;
        }
        for (i, limit) in self.limits.iter().enumerate() {
            if let Some(number) = limit.operation {
                self.check_operation(number, || format!("limits[{i}].operation"))?;
            }
        }
        Ok(())
    }

    fn check_operation(&self, number: u32, place: impl FnOnce() -> String) -> Result<(), ManifestError> {
        if self.operation(number).is_some() {
            return Ok(());
        }
        Err(error(place(), format!("there is no operation {number}")))
    }
}

/// Numbers of the selectors of one policy on one operation.
#[derive(Default)]
struct Numbers {
    first: u32,
    /// Scopes of the parts of the hook that begins at `first`.
    scopes: BTreeSet<u32>,
    next: u32,
}

/// A record is of one selector, at its call; the same at the return.
fn check_records(
    hook: &PolicyHook,
    operation: u32,
    policy: u32,
    records: &BTreeMap<u32, ActionRecord>,
) -> Result<(), String> {
    for selector in &hook.selectors {
        let number = hook.first_selector.saturating_add(selector.number);
        let own = ActionRecord { operation, policy, selector: number };
        if records.get(&selector.record) != Some(&own) {
            return Err(format!("action record {} stands twice", selector.record));
        }
    }
    Ok(())
}

/// Hooks follow one another without a number in common; the parts of one are for different workloads.
fn check_numbers(hook: &PolicyHook, scope: u32, known: &mut Numbers) -> Result<(), String> {
    if !(hook.first_selector == known.first && known.scopes.insert(scope)) {
        if hook.first_selector != known.next {
            return Err(format!("firstSelector should be {}", known.next));
        }
        (known.first, known.scopes) = (known.next, BTreeSet::from([scope]));
    }
    if !hook.selectors.is_sorted_by(|a, b| a.number < b.number) {
        return Err("numbers of selectors are not in ascending order".into());
    }
    let last = hook.selectors.last().map_or(0, |s| s.number);
    known.next = known.next.max(hook.first_selector.saturating_add(last).saturating_add(1));
    if known.next as usize > SELECTORS_MAX {
        return Err(format!("more than {SELECTORS_MAX} selectors on one operation"));
    }
    Ok(())
}

impl Abi {
    pub fn current() -> Abi {
        Abi {
            tables: abi::TABLES_ABI,
            node: abi::NODE_ABI,
            event: abi::EVENT_ABI,
            scope_blocks: scope_block::VERSION,
            map_image: image::VERSION,
        }
    }
}

/// Another version's fields are unknown ones too; the version is the better thing to say.
fn other_version(bytes: &[u8]) -> Option<ManifestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        schema_version: u64,
    }
    let found = serde_json::from_slice::<Version>(bytes).ok()?.schema_version;
    let reason = || format!("{found} is not a version that this tool reads");
    (found != u64::from(SCHEMA_VERSION)).then(|| error("schemaVersion", reason()))
}

fn check_file(file: &FileRef, kind: FileKind, place: impl FnOnce() -> String) -> Result<(), ManifestError> {
    if file.is_canonical(kind) {
        return Ok(());
    }
    Err(error(place(), format!("`{}` is not the name that follows from the digest", file.path)))
}

fn check_attach(attach: &Attach) -> Result<(), String> {
    let targets = &attach.targets;
    if targets.is_empty() || !targets.is_sorted_by(|a, b| a < b) {
        return Err("targets are not in ascending order, each once".into());
    }
    if targets.len() > 1 && !matches!(attach.kind, AttachKind::Kprobe | AttachKind::Kretprobe) {
        return Err("only kprobes have several targets".into());
    }
    if attach.syscall && !matches!(attach.kind, AttachKind::Kprobe | AttachKind::Kretprobe) {
        return Err("only kprobes are on syscalls".into());
    }
    if !attach.fields.is_empty() && attach.kind != AttachKind::Tracepoint {
        return Err("only tracepoints have fields".into());
    }
    if !attach.fields.is_sorted_by(|a, b| a.index < b.index) {
        return Err("fields are not in ascending order, each once".into());
    }
    if attach.kind == AttachKind::Tracepoint && !targets.iter().all(|target| is_event(target)) {
        return Err("a tracepoint is not named `SUBSYSTEM/EVENT`".into());
    }
    if attach.ways.is_empty() {
        return Err("there is no way to attach it".into());
    }
    for way in &attach.ways {
        let (kind, links) = match way.link {
            LinkKind::Lsm => (AttachKind::Lsm, 1),
            LinkKind::FmodRet => (AttachKind::FmodRet, 1),
            LinkKind::Kprobe => (AttachKind::Kprobe, targets.len()),
            LinkKind::KprobeMulti => (AttachKind::Kprobe, 1),
            LinkKind::Tracepoint => (AttachKind::Tracepoint, 1),
            LinkKind::RawTracepoint => (AttachKind::RawTracepoint, 1),
            LinkKind::Kretprobe => (AttachKind::Kretprobe, targets.len()),
        };
        if kind != attach.kind || links != way.links as usize {
            return Err(format!("{:?} with {} links is no way to attach it", way.link, way.links));
        }
        let ty = (way.link == LinkKind::KprobeMulti).then_some(TRACE_KPROBE_MULTI);
        if way.expected_attach_type != ty {
            return Err(format!("{:?} has another attach type", way.link));
        }
    }
    Ok(())
}

/// A loader makes a path of it.
fn is_event(target: &str) -> bool {
    target.split_once('/').is_some_and(|(subsystem, event)| is_plain_name(subsystem) && is_plain_name(event))
}

fn check_ascending(place: &str, numbers: impl Iterator<Item = u32>) -> Result<(), ManifestError> {
    ensure(numbers.is_sorted_by(|a, b| a < b), place, || "numbers are not in ascending order".into())
}

fn check_unique<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure(seen.insert(name), place, || format!("`{name}` stands twice"))?;
    }
    Ok(())
}

fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn ensure(
    holds: bool,
    place: impl Into<String>,
    reason: impl FnOnce() -> String,
) -> Result<(), ManifestError> {
    if holds { Ok(()) } else { Err(error(place, reason())) }
}

fn error(place: impl Into<String>, reason: impl Into<String>) -> ManifestError {
    ManifestError { place: place.into(), reason: reason.into() }
}
