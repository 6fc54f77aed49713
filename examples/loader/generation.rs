//! One generation in the kernel: the bodies of all operations, with their tables, and the node region, event ring and
//! scratch memory that they share. Nothing here is attached; [`crate::pins`] lets stubs call the bodies.
//!
//! libbpf creates an object's maps with its programs, so the manifest's load order is kept object by object: maps that
//! several objects name are created by the first and handed to the others, images are in place before a program is
//! loaded, the node region is filled before anything can call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use libbpf_rs::{
    MapCore, MapFlags, MapHandle, Object, ObjectBuilder, OpenObject, ProgramAttachType, RingBuffer,
    RingBufferBuilder,
};
use tetrafold::artifact::abi;
use tetrafold::artifact::manifest::{LinkKind, Manifest, Map, Program, Role, Step, Way};
use tetrafold::artifact::node::{Node, NodeError, Workload, Write};
use tetrafold::artifact::read::Artifact;

use crate::events::Printer;
use crate::{Outcome, TICK, requirements};

/// Names that objects give to what all operations of a generation share (`bpf-templates/abi.h`).
const NODE: &str = ".bss";
const EVENTS: &str = "events";

pub struct Generation {
    pub number: u32,
    /// By operation; holds the program that a stub is to call.
    bodies: BTreeMap<u32, Object>,
    node: Node,
    region: Region,
    pub node_map: MapHandle,
    pub ring_map: MapHandle,
    ring: RingBuffer<'static>,
    /// Operations that this kernel does not take.
    pub left_out: Vec<LeftOut>,
}

/// An operation that is not loaded or not attached; its policies do nothing on this node.
pub struct LeftOut {
    pub operation: u32,
    pub why: String,
}

impl Generation {
    /// With a region that has room for the workloads: as compiled, or larger. Where even the largest has none, what
    /// fits is entered. An operation that this kernel does not take is left out; `strict`: is an error.
    pub fn load(
        artifact: &Artifact,
        number: u32,
        workloads: &[Workload],
        strict: bool,
    ) -> Outcome<Generation> {
        let host = requirements::host(&artifact.manifest)?;
        let mut larger: Option<Artifact> = None;
        loop {
            let artifact = larger.as_ref().unwrap_or(artifact);
            let blocks = artifact.scope_blocks.clone();
            match Node::new(&artifact.manifest, blocks, number, workloads, host) {
                Ok(node) => return Generation::with_region(artifact, number, node, strict),
                Err(NodeError::Full { part, .. }) => match artifact.grown(part) {
                    Some(grown) => larger = Some(grown),
                    None => break,
                },
                Err(error) => return Err(error.into()),
            }
        }
        let artifact = larger.as_ref().unwrap_or(artifact);
        let (manifest, blocks) = (&artifact.manifest, artifact.scope_blocks.clone());
        let node = Node::new_of_what_fits(manifest, blocks, number, workloads, host)?;
        Generation::with_region(artifact, number, node, strict)
    }

    fn with_region(artifact: &Artifact, number: u32, node: Node, strict: bool) -> Outcome<Generation> {
        let mut shared = Shared::default();
        let (mut bodies, mut left_out) = (BTreeMap::new(), Vec::new());
        for program in chosen(&artifact.manifest, Role::Body) {
            let operation =
                artifact.manifest.operation(program.operation).ok_or("a body without an operation")?;
            let loaded =
                requirements::way(&operation.attach).and_then(|way| shared.load(artifact, program, way));
            match loaded {
                Ok(object) => drop(bodies.insert(program.operation, object)),
                Err(error) if strict => return Err(error),
                Err(error) => {
                    left_out.push(LeftOut { operation: program.operation, why: error.to_string() });
                }
            }
        }
        if let (true, Some(LeftOut { why, .. })) = (bodies.is_empty(), left_out.first()) {
            return Err(format!("no operation can be loaded; the first: {why}").into());
        }
        let node_map = shared.take(NODE)?;
        let ring_map = shared.take(EVENTS)?;
        let region = Region::map(&node_map, artifact.manifest.node.bytes)?;
        region.fill(node.bytes());
        let ring = printed(&ring_map, artifact, number)?;
        Ok(Generation { number, bodies, node, region, node_map, ring_map, ring, left_out })
    }

    /// What the operation's stub is to call.
    pub fn body(&self, operation: u32) -> Outcome<BorrowedFd<'_>> {
        let object =
            self.bodies.get(&operation).ok_or_else(|| format!("operation {operation} has no body"))?;
        let program = object.progs().next().ok_or("a body without a program")?;
        // SAFETY: the descriptor belongs to the object, which outlives the borrow of `self`.
        Ok(unsafe { BorrowedFd::borrow_raw(program.as_fd().as_raw_fd()) })
    }

    /// Workloads of the last list that are not in the region.
    pub fn refused(&self) -> &[NodeError] {
        self.node.refused()
    }

    /// Bytes of the node region.
    pub fn region_bytes(&self) -> usize {
        self.region.bytes
    }

    /// Takes the running programs to another list of workloads, without loading anything.
    pub fn update(&mut self, workloads: &[Workload]) -> Result<(), NodeError> {
        for write in self.node.update(workloads)? {
            self.region.store(&write);
        }
        Ok(())
    }

    /// Prints what is in the ring; waits for something if it is empty.
    pub fn print_events(&self, wait: Duration) {
        // A signal ends the wait early; whatever else fails shows as lost events.
        let _ = self.ring.poll(wait);
        let _ = self.ring.consume();
    }

    /// Prints the last events of programs that are not called any more: those that still run may be sending theirs.
    pub fn drain(&self) {
        std::thread::sleep(TICK);
        let _ = self.ring.consume();
    }

    /// Events that did not fit into the ring.
    pub fn lost(&self) -> u64 {
        self.region.u64_at(abi::node_header::LOST)
    }

    /// Paths that were taken for unreadable because they never held still.
    pub fn unsettled(&self) -> u64 {
        self.region.u64_at(abi::node_header::UNSETTLED)
    }

    /// Paths that were looked at more than once because something moved.
    pub fn repeated(&self) -> u64 {
        self.region.u64_at(abi::node_header::REPEATED)
    }
}

/// A ring whose records are printed; those of other generations than `number` as mere numbers.
pub fn printed(ring: &MapHandle, artifact: &Artifact, number: u32) -> Outcome<RingBuffer<'static>> {
    let printer = Rc::new(RefCell::new(Printer::new(&artifact.manifest, number)));
    let mut builder = RingBufferBuilder::new();
    builder.add(ring, move |record| {
        printer.borrow_mut().print(record);
        0
    })?;
    Ok(builder.build()?)
}

/// The programs that the manifest's load order names; alternatives to them are not loaded.
pub fn chosen(manifest: &Manifest, role: Role) -> impl Iterator<Item = &Program> {
    let named = manifest.load_order.iter().filter(|step| step.step == Step::LoadProgram);
    named.filter_map(|step| manifest.program(&step.name)).filter(move |program| program.role == role)
}

/// Maps that were created for one object and are handed to those behind it.
#[derive(Default)]
pub struct Shared(BTreeMap<String, MapHandle>);

impl Shared {
    /// Loads the program's object, its maps filled from their images. Stub and body are loaded for the same `way` of
    /// attaching: a program array holds programs of one attach type.
    pub fn load(&mut self, artifact: &Artifact, program: &Program, way: &Way) -> Outcome<Object> {
        let failed = |what: &str| format!("{} ({}): {what}", program.name, program.object.path);
        let bytes = artifact.content(&program.object);
        let mut open: OpenObject = ObjectBuilder::default()
            .name("tetrafold")?
            .open_memory(bytes)
            .map_err(|e| failed(&e.to_string()))?;
        if way.link == LinkKind::KprobeMulti {
            for mut program in open.progs_mut() {
                program.set_attach_type(ProgramAttachType::KprobeMulti);
            }
        }
        let mut frozen = Vec::new();
        for mut map in open.maps_mut() {
            let declared = declared_name(&map.name().to_string_lossy());
            let described = described(&artifact.manifest, program, &declared)
                .ok_or_else(|| failed(&format!("the manifest does not describe the map `{declared}`")))?;
            if declared == NODE {
                // The manifest may be that of a larger region than the object was linked for.
                map.set_value_size(described.value_size)?;
            }
            let (kind, key, value) = (map.map_type() as u32, map.key_size(), map.value_size());
            if (kind, key, value) != (described.ty.number(), described.key_size, described.value_size) {
                return Err(failed(&format!("the map `{declared}` is not what the manifest says")).into());
            }
            if let Some(handle) = self.0.get(&described.name) {
                map.reuse_fd(handle.as_fd())?;
                continue;
            }
            map.set_map_flags(described.flags)?;
            map.set_max_entries(described.max_entries)?;
            if let Some(image) = &described.image {
                let mut content = artifact.content(image).to_vec();
                content.resize(value as usize, 0);
                map.set_initial_value(&content).map_err(|e| failed(&format!("`{declared}`: {e}")))?;
            }
            if described.freeze {
                frozen.push(declared);
            }
        }
        let object = open.load().map_err(|e| failed(&e.to_string()))?;
        for map in object.maps() {
            let declared = declared_name(&map.name().to_string_lossy());
            let handle = MapHandle::try_from(&map)?;
            if frozen.contains(&declared) {
                handle.freeze().map_err(|e| failed(&format!("`{declared}` cannot be frozen: {e}")))?;
            }
            if let Some(described) = described(&artifact.manifest, program, &declared) {
                self.0.entry(described.name.clone()).or_insert(handle);
            }
        }
        Ok(object)
    }

    fn take(&mut self, declared: &str) -> Outcome<MapHandle> {
        let found = self.0.iter().find(|(_, map)| declared_name(&map.name().to_string_lossy()) == declared);
        let name =
            found.map(|(name, _)| name.clone()).ok_or_else(|| format!("no object declares `{declared}`"))?;
        self.0.remove(&name).ok_or_else(|| "a map is gone".into())
    }
}

/// libbpf puts the object's name before that of a data section.
fn declared_name(name: &str) -> String {
    match name.rfind('.') {
        Some(at) => name[at..].to_owned(),
        None => name.to_owned(),
    }
}

fn described<'a>(manifest: &'a Manifest, program: &Program, declared: &str) -> Option<&'a Map> {
    let of_this = |map: &&Map| map.operation.is_none_or(|operation| operation == program.operation);
    manifest.maps.iter().filter(of_this).find(|map| map.declared == declared)
}

/// The node region, mapped into this process.
struct Region {
    start: *mut u8,
    bytes: usize,
}

impl Region {
    fn map(map: &MapHandle, bytes: u32) -> Outcome<Region> {
        let bytes = bytes as usize;
        if map.value_size() as usize != bytes {
            return Err("the node region is not as long as the manifest says".into());
        }
        let (protection, fd) = (libc::PROT_READ | libc::PROT_WRITE, map.as_fd().as_raw_fd());
        // SAFETY: a new mapping of the whole value, at an address that the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(
                format!("the node region cannot be mapped: {}", std::io::Error::last_os_error()).into()
            );
        }
        Ok(Region { start: start.cast(), bytes })
    }

    /// Only while no program can run.
    fn fill(&self, bytes: &[u8]) {
        let length = bytes.len().min(self.bytes);
        // SAFETY: both ranges are that long, and they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start, length) };
    }

    /// In one store where programs may be reading: these are aligned words. Longer ones are of blocks that nothing
    /// refers to yet.
    fn store(&self, write: &Write) {
        let at = write.offset as usize;
        if at.checked_add(write.bytes.len()).is_none_or(|end| end > self.bytes) {
            return;
        }
        // SAFETY: inside the mapping, which is page-aligned, so that offsets decide alignment; programs of the kernel
        // read these words one by one.
        unsafe {
            match (<[u8; 4]>::try_from(&write.bytes[..]), <[u8; 8]>::try_from(&write.bytes[..])) {
                (Ok(word), _) if at.is_multiple_of(4) => {
                    (*self.start.add(at).cast::<AtomicU32>())
                        .store(u32::from_le_bytes(word), Ordering::Release);
                }
                (_, Ok(word)) if at.is_multiple_of(8) => {
                    (*self.start.add(at).cast::<AtomicU64>())
                        .store(u64::from_le_bytes(word), Ordering::Release);
                }
                _ => {
                    std::ptr::copy_nonoverlapping(write.bytes.as_ptr(), self.start.add(at), write.bytes.len())
                }
            }
        }
        std::sync::atomic::fence(Ordering::Release);
    }

    fn u64_at(&self, at: usize) -> u64 {
        if at + 8 > self.bytes {
            return 0;
        }
        // SAFETY: inside the mapping and aligned.
        unsafe { (*self.start.add(at).cast::<AtomicU64>()).load(Ordering::Relaxed) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this mapping is this region's alone.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

/// Puts a program into the only slot of a PROG_ARRAY.
pub fn set_slot(slots: &MapHandle, program: BorrowedFd<'_>) -> Outcome<()> {
    Ok(slots.update(&0_u32.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes(), MapFlags::ANY)?)
}
