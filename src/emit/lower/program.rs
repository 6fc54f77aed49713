//! The program of an operation, as steps: which stencils run, in which order, with which numbers.
//!
//! Turns a unit and its lowered dimensions into [`Step`]s. Assumes the contracts of `bpf-templates/README.md`.
//! Guarantees: a dimension is read at most once and only if the cgroup's set needs it; cheap ones come first
//! and each may end the event; whatever is claimed is released on every way out; the verdict depends on no
//! scratch memory but that of text matchers, which is waited for where something is denied; a path's atom and its text
//! are of one moment. What no policy uses is not there.

use std::collections::BTreeMap;

use super::values::{self, Carried};
use super::{Lookup, LoweredDimension, LoweredUnit};
use crate::artifact::manifest::Form;
use crate::bpf::{Place, Step};
use crate::fold::ir::{AttachKind, Operation, Place as Where, Program, Subject, SubjectId};
use crate::fold::plan::Unit;
use crate::platform::Arch;
use crate::vocab::arg_type::{ArgType, Class, Reader};
use crate::vocab::attach::{self, Param};
use crate::vocab::condition::Projection;

/// Rows of operations whose dimensions name more values than this may be lists.
pub const MAX_BITS_VALUES: u32 = 4094;

/// Numbers that the steps contain.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Words of the keys of all operations' limits.
    pub key_words: u32,
    /// Number of the operation, in every event.
    pub operation: u32,
    /// Where its heads stand in the node region.
    pub heads: u32,
    /// Slots of scratch memory that it may take.
    pub slots: u32,
    /// Number of the operation of the calls whose returns are hooked: of itself at a call that some policy wants the
    /// return of, of another one at the return.
    pub calls: Option<u32>,
}

const RELEASE: Place = Place(0);
/// Nothing can be decided: no scratch memory was to be had.
const BUSY: Place = Place(1);

/// No text argument (`bpf-templates/event.h`).
const NO_TEXT: i64 = 0xff;

/// Whether rows of the operation may be lists or inverted.
pub fn rows_may_be_lists(dimensions: &[LoweredDimension]) -> bool {
    dimensions.iter().any(|d| d.count > MAX_BITS_VALUES)
}

pub fn steps(program: &Program, unit: &Unit, lowered: &LoweredUnit, places: Places, arch: Arch) -> Vec<Step> {
    let dimensions = &lowered.dimensions[..];
    let operation = &program.operations[unit.operation.0 as usize];
    let mut body = Body {
        operation,
        unit,
        dimensions,
        limits: lowered.limits,
        places,
        arch,
        values: values::of(operation, unit),
        steps: vec![],
        next: 1,
        claimed: false,
        denies: operation.attach.kind.runs_as_task() && denies(program, unit),
        waits: false,
        has_waited: false,
        built: vec![false; unit.texts.len()],
    };
    match places.calls.map(i64::from) {
        Some(calls) if body.is_return() => {
            body.load_argument(0);
            body.step("take_call", &[calls], Some(Place::ALLOW));
        }
        Some(calls) => body.step("forget_call", &[calls], None),
        None => {}
    }
    body.step("scope_set", &[i64::from(places.heads)], Some(Place::ALLOW));
    body.load_arguments();
    for d in 0..unit.dimensions.len() {
        body.dimension(d);
    }
    body.act();
    body.steps
}

fn denies(program: &Program, unit: &Unit) -> bool {
    let lists = unit.scopes.values().flatten();
    lists.flat_map(|&l| &program.lists[l].rules).any(|rule| rule.outcome.denies())
}

struct Body<'a> {
    operation: &'a Operation,
    unit: &'a Unit,
    dimensions: &'a [LoweredDimension],
    /// Reference of the table of limits.
    limits: u32,
    places: Places,
    arch: Arch,
    values: Vec<Carried>,
    steps: Vec<Step>,
    next: u16,
    claimed: bool,
    /// Some rule overrides or kills, in a program that runs as the task and may wait for another one.
    denies: bool,
    /// Some step leaves to [`BUSY`].
    waits: bool,
    /// On every way to here, so that there is a slot.
    has_waited: bool,
    /// Per text: built on every way to here.
    built: Vec<bool>,
}

impl Body<'_> {
    fn step(&mut self, name: &'static str, immediates: &[i64], leave: Option<Place>) {
        self.steps.push(Step::stencil(name, immediates, leave));
    }

    fn is_return(&self) -> bool {
        self.operation.attach.kind == AttachKind::Kretprobe
    }

    fn place(&mut self) -> Place {
        self.next += 1;
        Place(self.next)
    }

    /// Every parameter that a policy declares, and the paths behind those that have one.
    fn load_arguments(&mut self) {
        let mut params: BTreeMap<u8, Subject> = BTreeMap::new();
        for &subject in self.operation.subjects.iter().filter(|s| s.ty.class().is_some()) {
            if let Some(param) = subject.param() {
                params.entry(param).or_insert(subject);
            }
        }
        if self.operation.attach.kind == AttachKind::Tracepoint {
            // Each field is loaded where it is used: there may be more of them than places for arguments.
            params.clear();
        } else if self.is_return() {
            // The returned value, which is there already: the call that it is of has the next place.
        } else if self.operation.attach.syscall {
            self.steps.push(Step::LoadContext { offset: pt_regs_offset(self.arch, 0), arg: 0 });
            self.step("syscall_args", &[], None);
        } else {
            let file = self.file_of_layer();
            if let Some((param, name)) = file {
                self.load_argument(param);
                self.step(name, &[i64::from(param)], Some(Place::ALLOW));
            }
            for &param in params.keys().filter(|&&p| file.is_none_or(|(loaded, _)| p != loaded)) {
                self.load_argument(param);
            }
        }
        for (&param, subject) in params.iter().filter(|(_, s)| s.ty == ArgType::Socket) {
            let name = if self.typed(*subject) { "sock_of_socket_typed" } else { "sock_of_socket_probed" };
            self.step(name, &[i64::from(param)], None);
        }
        for (&param, subject) in &params {
            if let Some(name) = name_of(subject.ty) {
                self.step(name, &[i64::from(param)], None);
            }
        }
        let is_path = |s: &Subject| matches!(s.ty.class(), Some(Class::Path));
        let texts: Vec<Subject> = self.unit.texts.iter().map(|&id| self.operation.subject(id)).collect();
        if texts.iter().any(is_path) {
            self.step("moment", &[], None);
        }
        for (param, subject) in params.into_iter().filter(|(_, s)| is_path(s)) {
            if let Some(name) = reader(subject.ty, self.typed(subject)) {
                self.step(name, &[i64::from(param)], None);
            }
        }
        for subject in texts {
            if let Where::Fact(fact) = subject.place {
                self.step(fact.stencil(), &[self.slot(subject)], None);
            }
        }
    }

    /// Where `args` has the subject: a fact that is a path is in the first place that is no argument's.
    fn slot(&self, subject: Subject) -> i64 {
        match subject.place {
            Where::Param(param) => i64::from(param),
            Where::Fact(_) => i64::from(self.operation.free_slot().expect("limits leave it a place")),
        }
    }

    fn load_argument(&mut self, param: u8) {
        let offset = match self.operation.attach.kind {
            AttachKind::Kprobe => pt_regs_offset(self.arch, param),
            AttachKind::Kretprobe => returned_offset(self.arch),
            AttachKind::Lsm | AttachKind::FmodRet | AttachKind::RawTracepoint => i16::from(param) * 8,
            AttachKind::Tracepoint => unreachable!("a field is loaded where it is used"),
        };
        self.steps.push(Step::LoadContext { offset, arg: param });
    }

    /// Where the argument is in the frame from here on. Of a tracepoint it is loaded there, `bytes` bytes of it.
    fn place_argument(&mut self, subject: Subject, bytes: u8) -> i64 {
        match subject.place {
            Where::Param(param) if self.operation.attach.kind == AttachKind::Tracepoint => {
                self.load_field(param, bytes);
                0
            }
            Where::Param(_) | Where::Fact(_) => self.slot(subject),
        }
    }

    fn load_field(&mut self, param: u8, bytes: u8) {
        if self.operation.attach.kind == AttachKind::Tracepoint {
            let field = &self.operation.fields[&param];
            self.steps.push(Step::LoadField { offset: field.offset, bytes, arg: 0 });
        }
    }

    /// The parameter that shows whether overlayfs makes this call on a layer, and the stencil that looks at it.
    fn file_of_layer(&self) -> Option<(u8, &'static str)> {
        let known = self.operation.attach.points().next()?.layer_parameter()?;
        let is_lsm = self.operation.attach.kind == AttachKind::Lsm;
        let declared = || {
            let shows = |s: &Subject| {
                let what = s.ty.kernel_param().filter(|p| matches!(p, Param::File | Param::Path))?;
                Some((s.param()?, what))
            };
            self.operation.subjects.iter().find_map(shows)
        };
        let (param, what) = known.or_else(declared)?;
        let name = match (what, is_lsm && known.is_some()) {
            (Param::File, true) => "overlay_of_file_typed",
            (Param::File, false) => "overlay_of_file_probed",
            (Param::Path, true) => "overlay_of_path_typed",
            (Param::Path, false) => "overlay_of_path_probed",
            (Param::LinuxBinprm | Param::Sock | Param::Socket | Param::Other, _) => return None,
        };
        Some((param, name))
    }

    /// Whether the kernel's types say that the parameter is what the policy declares.
    fn typed(&self, subject: Subject) -> bool {
        let Where::Param(param) = subject.place else { return true };
        let Some(declared) = subject.ty.kernel_param() else { return false };
        self.operation.attach.kind == AttachKind::Lsm
            && attach::lsm_hook(&self.operation.attach.targets[0])
                .is_some_and(|h| h.params.get(param as usize) == Some(&declared))
    }

    fn dimension(&mut self, d: usize) {
        let dimension = &self.unit.dimensions[d];
        let lowered = &self.dimensions[d];
        let subject = self.operation.subject(dimension.subject);
        let text = self.unit.texts.iter().position(|&t| t == dimension.subject);
        if matches!(lowered.lookup, Lookup::Text(_)) {
            self.claim();
        }
        let end = (!dimension.always).then(|| self.place());
        if let Some(end) = end {
            self.step("unneeded", &[d as i64], Some(end));
        }
        let (root, unreadable) = (i64::from(lowered.root), i64::from(lowered.count + 1));
        match lowered.lookup {
            Lookup::Register(name) => {
                let param = self.place_argument(subject, subject.ty.word_bytes());
                self.step(name, &[param, root, d as i64, int_type(subject)], None);
            }
            Lookup::Number(name) => {
                let read = number_of_flow(dimension.projection, subject.ty, self.typed(subject));
                self.step(read, &[self.slot(subject), d as i64], None);
                self.step(name, &[root, d as i64, unreadable], None);
            }
            Lookup::Fact(name) => {
                let Where::Fact(fact) = subject.place else { unreachable!("a fact is looked up of a fact") };
                self.step(fact.stencil(), &[], None);
                self.step(name, &[root, d as i64], None);
            }
            Lookup::Address => {
                let name = address_of_flow(dimension.projection, subject.ty, self.typed(subject));
                self.step(name, &[self.slot(subject), root, d as i64, unreadable], None);
            }
            Lookup::Walk => {
                let name = match subject.place {
                    Where::Fact(_) => "walk_binary",
                    Where::Param(_) if self.typed(subject) => "walk_typed",
                    Where::Param(_) => "walk_probed",
                };
                self.step(name, &[self.slot(subject), root, d as i64, unreadable], None);
            }
            Lookup::Text(name) => {
                let number = text.expect("a text is looked up of a text subject");
                if !self.built[number] {
                    if self.denies && !self.has_waited {
                        self.step("wait_for_slot", &[self.tail_words()], Some(BUSY));
                        self.waits = true;
                        self.has_waited = dimension.always;
                    }
                    self.build_text(dimension.subject, number);
                    self.built[number] = dimension.always;
                }
                self.step(name, &[number as i64, root, d as i64, unreadable], None);
            }
        }
        let leave = if self.claimed { RELEASE } else { Place::ALLOW };
        let quiet = if rows_may_be_lists(self.dimensions) { "quiet_any" } else { "quiet_bits" };
        self.step(quiet, &[d as i64], Some(leave));
        if let Some(end) = end {
            self.steps.push(Step::Bind(end));
        }
    }

    /// The record's fields are the arguments of a system call.
    fn is_in_system_call(&self) -> bool {
        let attach = &self.operation.attach;
        let of_system_calls = |target: &String| {
            ["syscalls/", "raw_syscalls/"].iter().any(|subsystem| target.starts_with(subsystem))
        };
        attach.kind == AttachKind::Tracepoint && attach.targets.iter().all(of_system_calls)
    }

    fn claim(&mut self) {
        if !std::mem::replace(&mut self.claimed, true) {
            self.step("claim", &[i64::from(self.places.slots), self.tail_words()], None);
        }
    }

    fn build_text(&mut self, id: SubjectId, number: usize) {
        let subject = self.operation.subject(id);
        let name = match subject.ty.class() {
            Some(Class::Path) if subject.param().is_none() => "text_of_binary",
            Some(Class::Path) if self.typed(subject) => "text_of_path_typed",
            Some(Class::Path) => "text_of_path_probed",
            _ if name_of(subject.ty).is_some() => "text_of_kernel_string",
            _ if self.operation.attach.syscall || self.is_in_system_call() => "text_of_user_string",
            _ => "text_of_either_string",
        };
        let mut immediates = vec![self.place_argument(subject, 8), number as i64];
        if matches!(subject.ty.class(), Some(Class::Path)) {
            // The dimension whose atom must be of the same moment.
            let walk = self.unit.dimensions.iter().zip(self.dimensions);
            let walk = walk.enumerate().find(|(_, (d, l))| d.subject == id && l.lookup == Lookup::Walk);
            immediates.extend(walk.map_or([0, 0], |(d, (_, lowered))| [i64::from(lowered.root), d as i64]));
        }
        self.step(name, &immediates, None);
    }

    /// Something may happen: everything that an event shows is read, then the decision lists run.
    fn act(&mut self) {
        self.claim();
        for (number, &subject) in self.unit.texts.iter().enumerate() {
            if !self.built[number] {
                self.build_text(subject, number);
            }
        }
        for (d, lowered) in self.dimensions.iter().enumerate() {
            if lowered.lookup == Lookup::Walk {
                let subject = self.unit.dimensions[d].subject;
                let number = self.unit.texts.iter().position(|&t| t == subject).expect("a path is a text");
                self.step("refine", &[d as i64, i64::from(lowered.count + 1), number as i64], None);
            }
        }
        let act = match rows_may_be_lists(self.dimensions) {
            _ if self.is_return() => "act_returned",
            true => "act_any",
            false => "act_bits",
        };
        self.step(act, &[], None);
        self.post();
        self.step("kill", &[], None);
        self.step("release", &[], None);
        self.step("verdict", &[], None);
        self.steps.push(Step::Return);
        // Code that nothing reaches is refused by the verifier.
        let leaves = |s: &Step| matches!(s, Step::Stencil { leave: Some(RELEASE), .. });
        if self.steps.iter().any(leaves) {
            self.steps.push(Step::Bind(RELEASE));
            self.step("release", &[], None);
            self.steps.push(Step::Jump(Place::ALLOW));
        }
        if self.waits {
            self.steps.push(Step::Bind(BUSY));
            self.step("refuse", &[], None);
            self.steps.push(Step::Return);
        }
    }

    /// The records of the event, if some policy wants one.
    fn post(&mut self) {
        let unposted = self.place();
        let (operation, tail) = (i64::from(self.places.operation), self.tail_words());
        let wanted = if self.is_return() { "if_returned" } else { "if_posted" };
        self.step(wanted, &[tail], Some(unposted));
        let (mut text, mut count) = (NO_TEXT, 0);
        for value in self.values.clone() {
            let param = i64::from(value.param);
            match value.place {
                values::Place::Part { .. } => continue,
                values::Place::Text => text = param,
                values::Place::Tail { word } => self.tail_value(value, word),
            }
            count += 1;
        }
        // One function needs no number: it is position 0.
        let is_one_of_several = self.operation.attach.targets.len() > 1;
        self.limit(unposted, is_one_of_several);
        if let Some(calls) = self.places.calls.filter(|_| !self.is_return()) {
            self.step("await_return", &[i64::from(calls), tail], None);
        }
        for value in self.values.clone() {
            if let values::Place::Part { text } = value.place {
                self.step("post_text", &[operation, i64::from(value.param), text as i64], None);
            }
        }
        let post = if is_one_of_several { "post_of_several" } else { "post" };
        self.step(post, &[operation, text, count, tail], None);
        self.steps.push(Step::Bind(unposted));
    }

    fn tail_value(&mut self, value: Carried, word: u32) {
        let (param, word) = (i64::from(value.param), i64::from(word));
        match value.form {
            Form::Structure(structure) => self.step(structure.stencil(), &[param, word], None),
            Form::Socket | Form::Packet => {
                let name = self.flow_value(value.param);
                self.step(name, &[param, word], None);
            }
            Form::Unsigned | Form::Signed | Form::Text => {
                let name = match self.operation.attach.kind {
                    AttachKind::Tracepoint => "value_field",
                    AttachKind::Kprobe
                    | AttachKind::Kretprobe
                    | AttachKind::Lsm
                    | AttachKind::FmodRet
                    | AttachKind::RawTracepoint => "value_integer",
                };
                self.load_field(value.param, value.width.unwrap_or(8));
                self.step(name, &[param, word, event_type(value)], None);
            }
        }
    }

    /// What is posted once in a while only is taken back, before any record is sent.
    fn limit(&mut self, unposted: Place, is_one_of_several: bool) {
        let limited = &self.unit.limited;
        if limited.all.is_empty() {
            return;
        }
        let areas = self.unit.texts.len().max(1) as i64;
        let places: Vec<(u8, u32, u32)> = limited.places().collect();
        // What of a key is not this operation's is cleared: the map compares it all.
        let words = i64::from(self.places.key_words);
        for (param, at, taken) in places {
            let value = self.values.iter().find(|value| value.param == param);
            let value = value.expect("an event shows every argument");
            let (name, place) = match value.place {
                values::Place::Part { text } => ("limit_text", text as i64),
                values::Place::Text => ("limit_text", 0),
                values::Place::Tail { word } => match value.form {
                    Form::Socket | Form::Packet => ("limit_socket", i64::from(word)),
                    Form::Unsigned | Form::Signed => ("limit_integer", i64::from(word)),
                    Form::Structure(_) => ("limit_structure", i64::from(word)),
                    Form::Text => unreachable!("texts are not in the tail"),
                },
            };
            let mut immediates = vec![place, i64::from(at), areas];
            if matches!(value.form, Form::Structure(_)) {
                immediates.push(taken.into());
            }
            self.step(name, &immediates, None);
        }
        let name = if is_one_of_several { "limit_of_several" } else { "limit" };
        self.step(name, &[i64::from(self.limits), self.tail_words(), areas, words], Some(unposted));
    }

    fn flow_value(&self, param: u8) -> &'static str {
        let is_it = |s: &&Subject| s.param() == Some(param) && s.ty.class() == Some(Class::Flow);
        let subject = *self.operation.subjects.iter().find(is_it).expect("a value of a subject");
        match (subject.ty, self.typed(subject)) {
            (ArgType::Sockaddr, _) => "value_sockaddr",
            (ArgType::Skb, _) => "value_packet",
            (_, true) => "value_sock_typed",
            (_, false) => "value_sock_probed",
        }
    }

    fn tail_words(&self) -> i64 {
        i64::from(values::tail_words(&self.values))
    }
}

fn reader(ty: ArgType, typed: bool) -> Option<&'static str> {
    Some(match (ty, typed) {
        (ArgType::LinuxBinprm, true) => "path_of_binprm_typed",
        (ArgType::LinuxBinprm, false) => "path_of_binprm_probed",
        (ArgType::File, true) => "path_of_file_typed",
        (ArgType::File, false) => "path_of_file_probed",
        // The argument is the path already.
        _ => return None,
    })
}

/// The stencil that finds the text in what the kernel names.
fn name_of(ty: ArgType) -> Option<&'static str> {
    match ty.reads()? {
        Reader::NetDevice => Some("name_of_net_device"),
        Reader::Filename => Some("name_of_filename"),
        Reader::Register
        | Reader::String
        | Reader::File
        | Reader::LinuxBinprm
        | Reader::Path
        | Reader::Sock
        | Reader::Socket
        | Reader::Sockaddr
        | Reader::Skb
        | Reader::Structure(_)
        | Reader::Nothing => None,
    }
}

/// The stencil that reads a number of a socket, of an address or of a packet.
fn number_of_flow(projection: Projection, ty: ArgType, typed: bool) -> &'static str {
    match (projection, typed) {
        (Projection::SourcePort, _) if ty == ArgType::Skb => "packet_source_port",
        (Projection::DestinationPort, _) if ty == ArgType::Skb => "packet_destination_port",
        (Projection::Protocol, _) if ty == ArgType::Skb => "packet_protocol",
        (Projection::Family, _) if ty == ArgType::Skb => "packet_family",
        (Projection::SourcePort, _) if ty == ArgType::Sockaddr => "sockaddr_port",
        (Projection::Family, _) if ty == ArgType::Sockaddr => "sockaddr_family",
        (Projection::SourcePort, true) => "flow_source_port_typed",
        (Projection::SourcePort, false) => "flow_source_port_probed",
        (Projection::DestinationPort, true) => "flow_destination_port_typed",
        (Projection::DestinationPort, false) => "flow_destination_port_probed",
        (Projection::Protocol, true) => "flow_protocol_typed",
        (Projection::Protocol, false) => "flow_protocol_probed",
        (Projection::Family, true) => "flow_family_typed",
        (Projection::Family, false) => "flow_family_probed",
        (Projection::State, true) => "flow_state_typed",
        (Projection::State, false) => "flow_state_probed",
        (
            Projection::Whole
            | Projection::SourceAddress
            | Projection::DestinationAddress
            | Projection::FileType
            | Projection::Gained,
            _,
        ) => unreachable!("no number of a socket: {projection:?}"),
    }
}

fn address_of_flow(projection: Projection, ty: ArgType, typed: bool) -> &'static str {
    match (projection, typed) {
        _ if ty == ArgType::Sockaddr => "sockaddr_address",
        (Projection::SourceAddress, _) if ty == ArgType::Skb => "packet_source_address",
        _ if ty == ArgType::Skb => "packet_destination_address",
        (Projection::SourceAddress, true) => "source_address_typed",
        (Projection::SourceAddress, false) => "source_address_probed",
        (_, true) => "destination_address_typed",
        (_, false) => "destination_address_probed",
    }
}

/// As stencil `int_lookup` takes it: bytes, and 0x10 for signed.
fn int_type(subject: Subject) -> i64 {
    match subject.ty.class() {
        Some(Class::Int { bytes, signed }) => i64::from(bytes) | if signed { 0x10 } else { 0 },
        Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None => 8,
    }
}

/// The same of an integer in events.
fn event_type(value: Carried) -> i64 {
    i64::from(value.width.unwrap_or(8)) | if value.form == Form::Signed { 0x10 } else { 0 }
}

/// Where a kretprobe's context holds what the function returns: rax.
fn returned_offset(arch: Arch) -> i16 {
    match arch {
        Arch::X86_64 => 80,
    }
}

/// Where a kprobe's context holds parameter `param` of the function.
///
/// Source: `struct pt_regs`, arch/x86/include/asm/ptrace.h, and the System V calling convention: rdi, rsi,
/// rdx, rcx, r8.
fn pt_regs_offset(arch: Arch, param: u8) -> i16 {
    match arch {
        Arch::X86_64 => [112, 104, 96, 88, 72][param as usize],
    }
}
