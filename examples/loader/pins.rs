//! What stays in force when the loader goes: links, slots, counters, and what of the generation must be found again.
//!
//! `<folder>/<operation>-link` is the attached stub of an operation, `lsm-file_open-link` for one; where each of several
//! functions has a link of its own, they are `-link0` and so on. Other pins are maps, by the names that the manifest
//! gives. A stub stays attached from the first generation to the last; a generation comes into force by one
//! update of the stub's slot. The slot is filled before the stub is attached. Operations that a new artifact does not
//! have are taken off after all others have been switched.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

use libbpf_rs::query::{LinkInfo, ProgInfoIter, ProgInfoQueryOptions, ProgramInfo};
use libbpf_rs::{
    KprobeMultiOpts, KprobeOpts, Link, MapCore, MapHandle, MapType, Object, ProgramMut, TracepointCategory,
    libbpf_sys,
};
use std::os::fd::{AsFd, AsRawFd};
use tetrafold::artifact::manifest::{Attach, LinkKind, Manifest, Map, Operation, Program, Role};
use tetrafold::artifact::read::Artifact;

use crate::generation::{Generation, LeftOut, Shared, chosen, set_slot};
use crate::{Outcome, requirements};

pub struct Pins {
    folder: PathBuf,
    /// Pins that were there when this run began.
    earlier: BTreeSet<String>,
    /// Pins that this run made.
    made: BTreeSet<String>,
    stubs: Vec<Stub>,
    /// The folder; who has it locked reads the events.
    lock: std::fs::File,
}

/// The attached program of one operation.
struct Stub {
    operation: String,
    /// One for all targets, or one each.
    links: Vec<Link>,
    program: u32,
    slots: MapHandle,
    /// Counts tail calls that failed.
    missed: Option<MapHandle>,
    /// Of a stub that this run loaded; not used any more, but it owns the program's descriptors.
    _object: Option<Object>,
}

/// What a generation leaves in the folder, replaced with each of them. Other names have a `-` in them.
const GENERATION: &str = "node";
const RING: &str = "events";

impl Pins {
    /// # Errors
    /// Earlier pins without `replace`; a folder that is in no bpf file system.
    pub fn open(folder: &Path, replace: bool) -> Outcome<Pins> {
        let parent = folder.parent().unwrap_or(folder);
        // Source: Linux, include/uapi/linux/magic.h, BPF_FS_MAGIC.
        if file_system_of(if folder.exists() { folder } else { parent })? != 0xcafe_4a11 {
            return Err(format!("{} is not in a bpf file system", folder.display()).into());
        }
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut earlier = BTreeSet::new();
        for entry in std::fs::read_dir(folder)? {
            earlier.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        if !earlier.is_empty() && !replace {
            let folder = folder.display();
            return Err(format!("{folder} holds pins of an earlier run; --replace takes them over").into());
        }
        let lock = std::fs::File::open(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Pins { folder: folder.to_owned(), earlier, made: BTreeSet::new(), stubs: Vec::new(), lock })
    }

    /// Whether no other loader runs on these pins; true from then on, until this one ends in whatever way.
    pub fn are_alone(&self) -> bool {
        self.lock.try_lock().is_ok()
    }

    /// The ring of an earlier loader that was killed: nobody else reads what is left in it.
    pub fn left_ring(&self) -> Option<MapHandle> {
        (self.earlier.contains(RING) && self.are_alone())
            .then(|| MapHandle::from_pinned_path(self.folder.join(RING)).ok())?
    }

    /// Number of the generation in force; 0 without one.
    pub fn generation(&self) -> u32 {
        let number = || -> Outcome<u32> {
            let node = MapHandle::from_pinned_path(self.folder.join(GENERATION))?;
            let value = node.lookup(&0_u32.to_ne_bytes(), libbpf_rs::MapFlags::ANY)?.ok_or("empty")?;
            let at = tetrafold::artifact::abi::node_header::GENERATION;
            Ok(tetrafold::artifact::abi::u32_at(&value, at).ok_or("short")?)
        };
        number().unwrap_or(0)
    }

    /// Lets every operation's stub call the new bodies; stubs that are missing are loaded, attached and pinned.
    ///
    /// An operation whose body is not loaded keeps what an earlier generation has in force, if it has. One that cannot be
    /// attached is left out; `strict`: is an error.
    pub fn put_in_force(
        &mut self,
        artifact: &Artifact,
        generation: &mut Generation,
        strict: bool,
    ) -> Outcome<()> {
        let manifest = &artifact.manifest;
        for program in chosen(manifest, Role::Stub) {
            let operation = manifest.operation(program.operation).ok_or("a stub without an operation")?;
            self.find_stub(operation)?;
            if generation.left_out.iter().any(|left| left.operation == operation.number) {
                continue;
            }
            let body = generation.body(operation.number)?;
            let attached = match self.stubs.iter().find(|stub| stub.operation == operation.name) {
                Some(stub) => {
                    Ok(set_slot(&stub.slots, body).map_err(|e| format!("{}: {e}", operation.name))?)
                }
                None => self.attach(artifact, program, operation, generation),
            };
            match attached {
                Ok(()) => {}
                Err(error) if strict => return Err(error),
                Err(error) => {
                    self.take_off(&stem(&operation.name));
                    generation.left_out.push(LeftOut { operation: operation.number, why: error.to_string() });
                }
            }
        }
        if let (true, Some(LeftOut { why, .. })) = (self.stubs.is_empty(), generation.left_out.first()) {
            return Err(format!("no operation can be attached; the first: {why}").into());
        }
        self.retire(manifest);
        self.pin_over(&generation.ring_map, RING)?;
        // Last: an earlier loader that finds another generation here knows that all operations have been switched.
        self.pin_over(&generation.node_map, GENERATION)
    }

    /// An earlier run's stub of the operation, if there is one and it is not known yet.
    fn find_stub(&mut self, operation: &Operation) -> Outcome<()> {
        if self.stubs.iter().any(|stub| stub.operation == operation.name) {
            return Ok(());
        }
        // In whatever way the earlier run attached it.
        let names = [1, operation.attach.targets.len()].map(|count| link_names(&operation.name, count));
        let Some(names) = names.into_iter().find(|names| self.earlier.contains(&names[0])) else {
            return Ok(());
        };
        let failed = |what: String| format!("{}: {what}", self.folder.join(&names[0]).display());
        let open = |name: &String| {
            let path = self.folder.join(name);
            Link::open(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let links = names.iter().map(open).collect::<Result<Vec<Link>, String>>()?;
        let program = LinkInfo::from_fd(links[0].as_fd())?.prog_id;
        let maps = program_info(program, true).map(|info| info.map_ids).unwrap_or_default();
        let (mut slots, mut missed) = (None, None);
        for id in maps {
            let map = MapHandle::from_map_id(id)?;
            match map.map_type() {
                MapType::ProgArray => slots = Some(map),
                _ => missed = Some(map),
            }
        }
        let slots = slots.ok_or_else(|| failed("not the link of a stub".into()))?;
        self.stubs.push(Stub {
            operation: operation.name.clone(),
            links,
            program,
            slots,
            missed,
            _object: None,
        });
        Ok(())
    }

    fn attach(
        &mut self,
        artifact: &Artifact,
        program: &Program,
        operation: &Operation,
        generation: &Generation,
    ) -> Outcome<()> {
        let failed = |what: String| format!("{}: {what}", program.name);
        let way = requirements::way(&operation.attach)?;
        let object = Shared::default().load(artifact, program, way)?;
        let of_type = |wanted: fn(&MapHandle) -> bool| {
            object.maps().filter_map(|map| MapHandle::try_from(&map).ok()).find(wanted)
        };
        let slots =
            of_type(|map| map.map_type() == MapType::ProgArray).ok_or_else(|| failed("no slots".into()))?;
        let missed = of_type(|map| map.map_type() != MapType::ProgArray);
        set_slot(&slots, generation.body(operation.number)?).map_err(|e| failed(e.to_string()))?;
        for map in object.maps() {
            let name = map.name().to_string_lossy().into_owned();
            let described = artifact.manifest.maps.iter().find(|described| {
                described.declared == name
                    && described.operation.is_none_or(|number| number == operation.number)
            });
            if let Some(Map { pin: Some(pin), .. }) = described {
                MapHandle::try_from(&map)?
                    .pin(self.folder.join(pin))
                    .map_err(|e| failed(format!("pin {pin}: {e}")))?;
                self.made.insert(pin.clone());
            }
        }
        let stub = object.progs_mut().next().ok_or_else(|| failed("no program".into()))?;
        let mut links = attached(&stub, &operation.attach, way.link)
            .map_err(|e| failed(format!("cannot be attached: {e}")))?;
        for (link, name) in links.iter_mut().zip(link_names(&operation.name, way.links as usize)) {
            link.pin(self.folder.join(&name)).map_err(|e| failed(format!("pin {name}: {e}")))?;
            self.made.insert(name);
        }
        let id = libbpf_rs::Program::id_from_fd(stub.as_fd())?;
        let operation = operation.name.clone();
        self.stubs.push(Stub { operation, links, program: id, slots, missed, _object: Some(object) });
        Ok(())
    }

    /// Whether a generation, this one or an earlier one, has the operation in force.
    pub fn has(&self, operation: &str) -> bool {
        self.stubs.iter().any(|stub| stub.operation == operation)
    }

    /// Removes what this run has pinned for an operation.
    fn take_off(&mut self, stem: &str) {
        let of_it = |pin: &&String| pin.rsplit_once('-').is_some_and(|(operation, _)| operation == stem);
        for pin in self.made.iter().filter(of_it) {
            let _ = std::fs::remove_file(self.folder.join(pin));
        }
        self.made.retain(|pin| !of_it(&pin));
    }

    /// Takes off what no operation of the artifact needs any more.
    fn retire(&mut self, manifest: &Manifest) {
        let wanted: BTreeSet<String> =
            manifest.operations.iter().map(|operation| stem(&operation.name)).collect();
        let pins: Vec<String> = self.earlier.iter().chain(&self.made).cloned().collect();
        for pin in pins {
            let operation = pin.rsplit_once('-').map(|(operation, _)| operation);
            if operation.is_some_and(|operation| !wanted.contains(operation)) {
                let _ = std::fs::remove_file(self.folder.join(&pin));
                self.earlier.remove(&pin);
                self.made.remove(&pin);
            }
        }
        self.stubs.retain(|stub| wanted.contains(&stem(&stub.operation)));
    }

    /// Pins a map in place of another one, in one step.
    fn pin_over(&mut self, map: &MapHandle, name: &str) -> Outcome<()> {
        let (new, at) = (self.folder.join(format!("{name}-new")), self.folder.join(name));
        let _ = std::fs::remove_file(&new);
        MapHandle::try_from(map)?.pin(&new).map_err(|e| format!("pin {}: {e}", new.display()))?;
        std::fs::rename(&new, &at).map_err(|e| format!("pin {}: {e}", at.display()))?;
        self.made.insert(name.to_owned());
        Ok(())
    }

    /// Whether this generation is still the one that is pinned. Where nothing is pinned, nobody has taken over.
    pub fn are_ours(&self, generation: &Generation) -> bool {
        let id = |map: &MapHandle| map.info().map(|info| info.info.id).ok();
        match MapHandle::from_pinned_path(self.folder.join(GENERATION)) {
            Ok(pinned) => id(&pinned) == id(&generation.node_map),
            Err(_) => true,
        }
    }

    /// Failed tail calls and recursion misses of all stubs.
    pub fn counters(&self) -> (u64, u64) {
        let key = 0_u32.to_ne_bytes();
        let failed = self.stubs.iter().filter_map(|stub| stub.missed.as_ref()).map(|map| {
            let value = map.lookup(&key, libbpf_rs::MapFlags::ANY).ok().flatten().unwrap_or_default();
            tetrafold::artifact::abi::u64_at(&value, 0).unwrap_or(0)
        });
        let missed = self.stubs.iter().filter_map(|stub| program_info(stub.program, false));
        (failed.sum(), missed.map(|info| info.recursion_misses).sum())
    }

    /// Calls that the kernel let no kprobe see, on kernels that say so.
    pub fn missed_kprobes(&self) -> u64 {
        self.stubs.iter().flat_map(|stub| &stub.links).map(missed_kprobes).sum()
    }

    /// Leaves everything to a successor: nothing is detached when this process ends.
    pub fn leave(&mut self) {
        for link in self.stubs.iter_mut().flat_map(|stub| &mut stub.links) {
            // Else dropping the link of a kprobe would disable it, pinned or not.
            link.disconnect();
        }
    }

    /// Takes everything off: first the pins, then, with the last descriptor, the stubs.
    pub fn remove(&mut self) -> Outcome<()> {
        for pin in self.earlier.iter().chain(&self.made) {
            let path = self.folder.join(pin);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", path.display()).into());
                }
                _ => {}
            }
        }
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }

    /// After a failure: removes what this run has pinned. What an earlier one has in force stays.
    pub fn undo(&mut self) {
        for pin in self.made.iter().filter(|pin| !self.earlier.contains(*pin)) {
            let _ = std::fs::remove_file(self.folder.join(pin));
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// An operation's name as the beginning of its pins' names.
fn stem(operation: &str) -> String {
    operation.replace(':', "-")
}

/// Of `count` links.
fn link_names(operation: &str, count: usize) -> Vec<String> {
    match count {
        1 => vec![format!("{}-link", stem(operation))],
        _ => (0..count).map(|n| format!("{}-link{n}", stem(operation))).collect(),
    }
}

/// Attaches a stub to all targets; where there are several, each position is the cookie that events show.
fn attached(stub: &ProgramMut<'_>, attach: &Attach, link: LinkKind) -> libbpf_rs::Result<Vec<Link>> {
    let cookies = 0..attach.targets.len() as u64;
    match link {
        LinkKind::Lsm => Ok(vec![stub.attach_lsm()?]),
        LinkKind::Tracepoint => {
            let event = |target: &String| {
                let (subsystem, event) = target.split_once('/').unwrap_or_default();
                stub.attach_tracepoint(TracepointCategory::Custom(subsystem.to_owned()), event)
            };
            attach.targets.iter().map(event).collect()
        }
        LinkKind::RawTracepoint => {
            attach.targets.iter().map(|target| stub.attach_raw_tracepoint(target)).collect()
        }
        LinkKind::FmodRet => Ok(vec![stub.attach_trace()?]),
        LinkKind::Kprobe | LinkKind::Kretprobe => attach
            .targets
            .iter()
            .zip(cookies)
            .map(|(target, cookie)| {
                let options = KprobeOpts { cookie, ..KprobeOpts::default() };
                stub.attach_kprobe_with_opts(link == LinkKind::Kretprobe, target, options)
            })
            .collect(),
        LinkKind::KprobeMulti => {
            let (symbols, cookies) = (attach.targets.clone(), cookies.collect());
            let options = KprobeMultiOpts { symbols, cookies, ..KprobeMultiOpts::default() };
            Ok(vec![stub.attach_kprobe_multi_with_opts(options)?])
        }
    }
}

/// Source: Linux 6.12, include/uapi/linux/bpf.h, struct bpf_link_info; 0 before Linux 6.7 and for other links.
fn missed_kprobes(link: &Link) -> u64 {
    // SAFETY: all-zero is valid for this struct of numbers, which the call fills up to the length that it is told;
    // which member of the unions was filled is what the types say.
    unsafe {
        let mut info: libbpf_sys::bpf_link_info = std::mem::zeroed();
        let mut length = size_of_val(&info) as u32;
        let fd = link.as_fd().as_raw_fd();
        if libbpf_sys::bpf_obj_get_info_by_fd(fd, (&raw mut info).cast(), &mut length) != 0 {
            return 0;
        }
        let (event, multi) = (info.__bindgen_anon_1.perf_event, info.__bindgen_anon_1.kprobe_multi);
        match info.type_ {
            libbpf_sys::BPF_LINK_TYPE_KPROBE_MULTI => multi.missed,
            libbpf_sys::BPF_LINK_TYPE_PERF_EVENT if event.type_ == libbpf_sys::BPF_PERF_EVENT_KPROBE => {
                event.__bindgen_anon_1.kprobe.missed
            }
            _ => 0,
        }
    }
}

fn program_info(id: u32, with_maps: bool) -> Option<ProgramInfo> {
    let options = ProgInfoQueryOptions::default().include_map_ids(with_maps);
    ProgInfoIter::with_query_opts(options).find(|program| program.id == id)
}

/// Magic number of the file system that a path is in.
pub fn file_system_of(path: &Path) -> Result<i64, String> {
    use std::os::unix::ffi::OsStrExt;
    let text = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: an all-zero statfs is valid and overwritten; the path is NUL-terminated.
    unsafe {
        let mut status: libc::statfs = std::mem::zeroed();
        if libc::statfs(text.as_ptr(), &mut status) != 0 {
            return Err(format!("{}: {}", path.display(), std::io::Error::last_os_error()));
        }
        Ok(status.f_type)
    }
}
