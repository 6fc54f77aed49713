//! What a body's steps read and write, followed from the first to the last: the proof that each lookup gets the
//! argument, the part of it and the table that its dimension names, and each value of an event its own.
//!
//! Takes the steps that a body was linked from, and the manifest's operation, which is compared with the documents
//! elsewhere. Knows the contract of each stencil (`bpf-templates/README.md`), where a kernel puts a function's
//! arguments, and nothing of how the steps are made. That the linked code does what its steps say, kernel tests show.
//!
//! To add a stencil: its arm in [`Follower::stencil`], which says what it needs and what it leaves.

mod frame;
mod way_out;

use std::collections::BTreeMap;

use self::frame::{Frame, Held};
use super::read::{Atoms, DecodedDimension};
use crate::artifact::fact::Fact;
use crate::artifact::manifest::{AttachKind, Dimension, Form, Integer, Operation, RowForm, Subject};
use crate::artifact::projection::Projection;
use crate::bpf::{Place, Step};
use crate::emit::region_constants::HEADS;
use crate::vocab::Vocabulary;
use crate::vocab::arg_type::ArgType;
use crate::vocab::attach::{self, Param};
use crate::vocab::condition::Table;

/// What is known of an operation beside its steps.
#[derive(Clone, Copy)]
pub struct Body<'a> {
    pub operation: &'a Operation,
    pub dimensions: &'a [DecodedDimension],
    /// Some policy waits for what its calls return.
    pub is_awaited: bool,
    /// Some rule overrides or kills.
    pub enforces: bool,
    pub scratch_slots: u32,
    /// Of the map that has the last events that are sent once in a while.
    pub limit_key_bytes: u32,
}

type Checked = Result<(), String>;

/// Follows `steps` to their end.
///
/// # Errors
/// The first step that is not what the operation needs, and why.
pub fn check(body: Body<'_>, steps: &[Step]) -> Checked {
    let ends = way_out::of(steps)?;
    let mut follower = Follower { body, ends, frame: Frame::default(), waiting: BTreeMap::new() };
    let mut left = steps;
    loop {
        let (step, rest) = left.split_first().ok_or("steps that end without a verdict")?;
        match step {
            Step::Stencil { name, .. } if name.starts_with("act_") => return follower.acts(left),
            Step::Stencil { name, immediates, leave } => follower
                .stencil(name, immediates, *leave)
                .map_err(|why| format!("`{name}` {immediates:?}: {why}"))?,
            Step::LoadContext { offset, arg } => follower.load(u32::try_from(*offset).ok(), 8, *arg)?,
            Step::LoadField { offset, bytes, arg } => {
                follower.load(Some(u32::from(*offset)), *bytes, *arg)?;
            }
            Step::Bind(place) => follower.bind(*place)?,
            Step::Jump(_) | Step::Return => return Err("a way out before the decision".to_string()),
        }
        left = rest;
    }
}

struct Follower<'a> {
    body: Body<'a>,
    ends: way_out::Ends,
    frame: Frame,
    /// What the frame is where a step leaves for a place that is still to come.
    waiting: BTreeMap<Place, Frame>,
}

/// An immediate as a place or a number.
fn small(immediate: i64) -> usize {
    usize::try_from(immediate).unwrap_or(usize::MAX)
}

fn ensure(holds: bool, why: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(why.into()) }
}

impl<'a> Follower<'a> {
    fn kind(&self) -> AttachKind {
        self.body.operation.attach.kind
    }

    /// A word of the context to `args[arg]`.
    fn load(&mut self, offset: Option<u32>, bytes: u8, arg: u8) -> Checked {
        let offset = offset.ok_or("a read in front of the context")?;
        let held =
            self.in_context(offset, bytes).ok_or(format!("nothing known is at {offset} of the context"))?;
        self.frame.put(usize::from(arg), held)
    }

    /// What the kernel has there: the parameter of a function in its register (System V calling convention: rdi, rsi,
    /// rdx, rcx, r8, and rax of what it returns; `struct pt_regs`, arch/x86/include/asm/ptrace.h), or in its place
    /// among the words of a tracing program; a field of a tracepoint where its format says.
    fn in_context(&self, offset: u32, bytes: u8) -> Option<Held> {
        const PARAMETERS: [u32; 5] = [112, 104, 96, 88, 72];
        const RETURNED: u32 = 80;
        let attach = &self.body.operation.attach;
        let word = |index: u32| Held::Word { of: Subject::Argument(index), bytes };
        match attach.kind {
            AttachKind::Tracepoint => {
                let is_it = |f: &&_| {
                    let crate::artifact::manifest::Field { offset: at, bytes: size, .. } = **f;
                    at == offset && u32::from(bytes) <= size
                };
                attach.fields.iter().find(is_it).map(|field| word(field.index))
            }
            _ if bytes != 8 => None,
            AttachKind::Kprobe if attach.syscall => (offset == PARAMETERS[0]).then_some(Held::Registers),
            AttachKind::Kprobe => PARAMETERS.iter().position(|&at| at == offset).map(|i| word(i as u32)),
            AttachKind::Kretprobe => (offset == RETURNED).then(|| word(0)),
            AttachKind::Lsm | AttachKind::FmodRet | AttachKind::RawTracepoint => {
                offset.is_multiple_of(8).then(|| word(offset / 8))
            }
        }
    }

    /// Whoever left for this place goes on here.
    fn bind(&mut self, place: Place) -> Checked {
        let waiting = self.waiting.remove(&place).ok_or("a place that nothing leaves for")?;
        self.frame = self.frame.meet(&waiting);
        Ok(())
    }

    fn stencil(&mut self, name: &str, immediates: &[i64], leave: Option<Place>) -> Checked {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| immediates.get(i).copied().unwrap_or(-1));
        match name {
            "take_call" => {
                ensure(self.frame == self.returned(), "it comes first, with what is returned")?;
                ensure(
                    self.body.operation.calls.map(i64::from) == Some(a),
                    "the calls are another operation's",
                )?;
                self.frame.put(1, Held::Call)?;
                self.leaves_before(leave)
            }
            "forget_call" => {
                ensure(self.frame == Frame::default(), "it comes first of all")?;
                ensure(self.body.is_awaited && self.is_own(a), "no policy waits for its return")?;
                self.frame.is_call_forgotten = true;
                ensure(leave.is_none(), "it leaves for nowhere")
            }
            "scope_set" => {
                ensure(a == i64::from(HEADS), "the heads are elsewhere")?;
                ensure(
                    self.frame.is_call_forgotten == self.body.is_awaited,
                    "an earlier call is not forgotten",
                )?;
                ensure(
                    self.kind() != AttachKind::Kretprobe || self.frame.held(1) == Held::Call,
                    "no call is known",
                )?;
                self.frame.is_scoped = true;
                self.leaves_before(leave)
            }
            "syscall_args" => {
                ensure(
                    self.frame.held(0) == Held::Registers,
                    "args[0] does not hold the caller's registers",
                )?;
                for index in 0..frame::ARGS {
                    self.frame.put(index, Held::Word { of: Subject::Argument(index as u32), bytes: 8 })?;
                }
                ensure(leave.is_none(), "its arguments are judged as they are")
            }
            "overlay_of_file_typed" | "overlay_of_file_probed" => self.overlay(a, Param::File, leave),
            "overlay_of_path_typed" | "overlay_of_path_probed" => self.overlay(a, Param::Path, leave),
            "sock_of_socket_typed" | "sock_of_socket_probed" => {
                let of = self.pointer(a, ArgType::Socket)?;
                self.frame.put(small(a), Held::Sock(of))
            }
            "path_of_binprm_typed" | "path_of_binprm_probed" => self.path_of(a, ArgType::LinuxBinprm),
            "path_of_file_typed" | "path_of_file_probed" => self.path_of(a, ArgType::File),
            "moment" => {
                self.frame.has_moment = true;
                Ok(())
            }
            "claim" => {
                ensure(small(a) == self.slots(), format!("{} slots are its own", self.slots()))?;
                ensure(small(b) == self.tail_words(), format!("values have {} words", self.tail_words()))?;
                ensure(!self.frame.is_claimed, "a slot is claimed already")?;
                self.frame.is_claimed = true;
                ensure(leave.is_none(), "who has no slot goes on")
            }
            "wait_for_slot" => {
                ensure(small(a) == self.tail_words(), format!("values have {} words", self.tail_words()))?;
                ensure(self.frame.is_claimed, "nothing is claimed")?;
                self.frame.has_waited = true;
                ensure(
                    leave.is_some_and(|place| self.ends.refuses(place)),
                    "who waits in vain is not refused",
                )
            }
            "unneeded" => {
                let mut skipped = self.frame.clone();
                self.dimension(a)?;
                skipped.decide(small(a));
                skipped.ended |= 1 << small(a);
                let place = leave.ok_or("it has to leave")?;
                ensure(self.waiting.insert(place, skipped).is_none(), "two leave for one place")
            }
            "quiet_bits" | "quiet_any" => {
                let rows = if name == "quiet_any" { RowForm::Any } else { RowForm::Bits };
                ensure(self.dimension(a)?.rows == rows, "rows have the other form")?;
                ensure(self.frame.is_decided(small(a)), "the dimension is not decided")?;
                self.frame.ended |= 1 << small(a);
                self.leaves(leave)
            }
            "int_lookup" | "interval_lookup" | "mask_lookup" => self.register(name, a, b, c, d),
            "number_lookup" | "number_interval_lookup" => {
                let dimension = self.dimension(b)?;
                self.table(a, b, dimension.family)?;
                self.unreadable(c, dimension)?;
                ensure(
                    self.is_table_for(b, name.trim_start_matches("number_")),
                    "its table is of another form",
                )?;
                let read = self.frame.number.take();
                let wanted = (dimension.subject, dimension.projection, small(b));
                ensure(read == Some(wanted), format!("{read:?} was read and not {wanted:?}"))?;
                self.decide(b)
            }
            "fact_lookup" | "fact_interval_lookup" | "fact_mask_lookup" => {
                let dimension = self.dimension(b)?;
                self.table(a, b, dimension.family)?;
                ensure(
                    self.is_table_for(b, name.trim_start_matches("fact_")),
                    "its table is of another form",
                )?;
                let read = self.frame.fact.take().map(Subject::Fact);
                ensure(read == Some(dimension.subject), format!("{read:?} was read"))?;
                self.decide(b)
            }
            "walk_typed" | "walk_probed" | "walk_binary" => {
                let dimension = self.dimension(c)?;
                self.table(b, c, Table::Path)?;
                self.unreadable(d, dimension)?;
                ensure(self.path(a, name == "walk_binary")? == dimension.subject, "another path is there")?;
                self.decide(c)
            }
            "trie_equal" => self.text_lookup(Table::Text, [a, b, c, d]),
            "trie_prefix" => self.text_lookup(Table::Prefix, [a, b, c, d]),
            "trie_postfix" => self.text_lookup(Table::Postfix, [a, b, c, d]),
            "text_of_path_typed" | "text_of_path_probed" | "text_of_binary" => {
                let of = self.path(a, name == "text_of_binary")?;
                let is_walk = |d: &&Dimension| d.family == Table::Path && d.subject == of;
                let walk = self.body.operation.dimensions.iter().position(|d| is_walk(&d));
                let (root, at) = walk.map_or((0, 0), |at| (self.body.operation.dimensions[at].root, at));
                ensure((c, small(d)) == (i64::from(root), at), format!("the path's walk is dimension {at}"))?;
                self.text(b, of)
            }
            "name_of_net_device" => self.name_of(a, ArgType::NetDevice),
            "name_of_filename" => self.name_of(a, ArgType::Filename),
            "text_of_kernel_string" => match self.frame.held(small(a)) {
                Held::Name(of) => self.text(b, of),
                held => Err(format!("args[{a}] holds {held:?}")),
            },
            "text_of_user_string" => self.string(a, b, true),
            "text_of_either_string" => self.string(a, b, false),
            "refine" => {
                let dimension = self.dimension(a)?;
                self.unreadable(b, dimension)?;
                ensure(
                    dimension.family == Table::Path && self.frame.is_decided(small(a)),
                    "nothing to refine",
                )?;
                ensure(self.frame.texts.get(&small(c)) == Some(&dimension.subject), "another text is there")?;
                self.frame.refined |= 1 << small(a);
                Ok(())
            }
            "source_address_typed" | "source_address_probed" => {
                self.address(Projection::SourceAddress, ArgType::Sock, [a, b, c, d])
            }
            "destination_address_typed" | "destination_address_probed" => {
                self.address(Projection::DestinationAddress, ArgType::Sock, [a, b, c, d])
            }
            "sockaddr_address" => self.address(Projection::SourceAddress, ArgType::Sockaddr, [a, b, c, d]),
            "sockaddr_port" => self.number(a, b, Projection::SourcePort, ArgType::Sockaddr),
            "sockaddr_family" => self.number(a, b, Projection::Family, ArgType::Sockaddr),
            "packet_source_address" => self.address(Projection::SourceAddress, ArgType::Skb, [a, b, c, d]),
            "packet_destination_address" => {
                self.address(Projection::DestinationAddress, ArgType::Skb, [a, b, c, d])
            }
            "packet_source_port" => self.number(a, b, Projection::SourcePort, ArgType::Skb),
            "packet_destination_port" => self.number(a, b, Projection::DestinationPort, ArgType::Skb),
            "packet_protocol" => self.number(a, b, Projection::Protocol, ArgType::Skb),
            "packet_family" => self.number(a, b, Projection::Family, ArgType::Skb),
            "flow_source_port_typed" | "flow_source_port_probed" => {
                self.number(a, b, Projection::SourcePort, ArgType::Sock)
            }
            "flow_destination_port_typed" | "flow_destination_port_probed" => {
                self.number(a, b, Projection::DestinationPort, ArgType::Sock)
            }
            "flow_protocol_typed" | "flow_protocol_probed" => {
                self.number(a, b, Projection::Protocol, ArgType::Sock)
            }
            "flow_family_typed" | "flow_family_probed" => {
                self.number(a, b, Projection::Family, ArgType::Sock)
            }
            "flow_state_typed" | "flow_state_probed" => self.number(a, b, Projection::State, ArgType::Sock),
            _ => self.fact(name, a),
        }
    }

    /// A fact of the process, by the stencil of its row.
    fn fact(&mut self, name: &str, k: i64) -> Checked {
        let fact =
            *Fact::ALL.iter().find(|fact| fact.stencil() == name).ok_or("the proof does not know it")?;
        if fact == Fact::Binary {
            return self.frame.put(small(k), Held::Path(Subject::Fact(fact)));
        }
        self.frame.fact = Some(fact);
        Ok(())
    }

    fn dimension(&self, number: i64) -> Result<&'a Dimension, String> {
        ensure(self.frame.is_scoped, "no workload is known yet")?;
        self.body
            .operation
            .dimensions
            .get(small(number))
            .ok_or_else(|| "there is no such dimension".to_string())
    }

    /// The dimension's table, which is of that family.
    fn table(&self, root: i64, number: i64, family: Table) -> Checked {
        let dimension = self.dimension(number)?;
        ensure(root == i64::from(dimension.root), "another table is read")?;
        ensure(family == dimension.family, format!("the dimension is of {:?}", dimension.family))
    }

    fn unreadable(&self, atom: i64, dimension: &Dimension) -> Checked {
        ensure(atom == i64::from(dimension.atoms) + 1, "atoms of other tables")
    }

    /// Of integers: points, pieces and masks each have their lookup.
    fn is_table_for(&self, number: i64, lookup: &str) -> bool {
        match self.body.dimensions.get(small(number)).map(|d| &d.atoms) {
            Some(Atoms::Pieces(pieces)) => {
                let are_points = pieces.iter().all(|piece| piece.first == piece.last);
                if are_points {
                    ["int_lookup", "lookup"].contains(&lookup)
                } else {
                    lookup == "interval_lookup"
                }
            }
            Some(Atoms::Masks(_)) => lookup == "mask_lookup",
            Some(Atoms::Strings(_) | Atoms::Addresses(_)) | None => false,
        }
    }

    fn decide(&mut self, number: i64) -> Checked {
        self.frame.decide(small(number));
        Ok(())
    }

    fn register(&mut self, name: &str, k: i64, root: i64, number: i64, ty: i64) -> Checked {
        let dimension = self.dimension(number)?;
        self.table(root, number, dimension.family)?;
        ensure(self.is_table_for(number, name), "its table is of another form")?;
        ensure(dimension.projection.is_whole(), "a part of it is compared")?;
        let integer = dimension.integer.ok_or("the dimension is not of integers")?;
        ensure(ty == integer_code(integer), format!("{integer:?} is compared"))?;
        match self.frame.held(small(k)) {
            Held::Word { of, bytes } if of == dimension.subject && bytes >= integer.bytes => {
                self.decide(number)
            }
            held => Err(format!("args[{k}] holds {held:?}")),
        }
    }

    fn number(&mut self, k: i64, number: i64, projection: Projection, ty: ArgType) -> Checked {
        self.dimension(number)?;
        self.frame.number = Some((self.flow(k, ty)?, projection, small(number)));
        Ok(())
    }

    fn address(&mut self, projection: Projection, ty: ArgType, [k, root, number, atom]: [i64; 4]) -> Checked {
        let dimension = self.dimension(number)?;
        self.table(root, number, Table::Address)?;
        self.unreadable(atom, dimension)?;
        ensure(dimension.projection == projection, format!("{:?} is compared", dimension.projection))?;
        ensure(self.flow(k, ty)? == dimension.subject, "another argument is there")?;
        self.decide(number)
    }

    fn text_lookup(&mut self, family: Table, [text, root, number, atom]: [i64; 4]) -> Checked {
        let dimension = self.dimension(number)?;
        self.table(root, number, family)?;
        self.unreadable(atom, dimension)?;
        ensure(self.frame.texts.get(&small(text)) == Some(&dimension.subject), "another text is there")?;
        ensure(self.frame.has_waited || !self.must_wait(), "a task without a slot would not be judged")?;
        self.decide(number)
    }

    /// A program that runs as the task waits for a slot where its verdict needs one.
    fn must_wait(&self) -> bool {
        self.body.enforces && self.runs_as_task()
    }

    fn runs_as_task(&self) -> bool {
        match self.kind() {
            AttachKind::Lsm | AttachKind::FmodRet => true,
            AttachKind::Kprobe
            | AttachKind::Kretprobe
            | AttachKind::Tracepoint
            | AttachKind::RawTracepoint => false,
        }
    }

    fn slots(&self) -> usize {
        let all = self.body.scratch_slots;
        (if self.runs_as_task() { all.min(crate::artifact::abi::SCRATCH_SLOTS) } else { all }) as usize
    }

    fn tail_words(&self) -> usize {
        let words = self.body.operation.values.iter().filter_map(|value| value.form.tail_words());
        words.sum::<u32>() as usize
    }

    fn is_own(&self, number: i64) -> bool {
        number == i64::from(self.body.operation.number)
    }

    /// Out, before a slot is claimed.
    fn leaves_before(&self, leave: Option<Place>) -> Checked {
        ensure(leave == Some(Place::ALLOW) && !self.frame.is_claimed, "it leaves for another place")
    }

    /// Out, and the slot is given back.
    fn leaves(&self, leave: Option<Place>) -> Checked {
        let place = leave.ok_or("it has to leave")?;
        let is_out = if self.frame.is_claimed { self.ends.releases(place) } else { place == Place::ALLOW };
        ensure(is_out, "it leaves for another place")
    }

    fn returned(&self) -> Frame {
        let mut frame = Frame::default();
        let held = Held::Word { of: Subject::Argument(0), bytes: 8 };
        frame.put(0, held).expect("there is a first argument");
        frame
    }

    fn is_declared(&self, index: u32, ty: ArgType) -> bool {
        self.body.operation.args.iter().any(|arg| arg.index == index && arg.ty == ty.name())
    }

    /// The argument in `args[k]`, a pointer to what the type says.
    fn pointer(&self, k: i64, ty: ArgType) -> Result<Subject, String> {
        match self.frame.held(small(k)) {
            Held::Word { of: of @ Subject::Argument(index), bytes: 8 } if self.is_declared(index, ty) => {
                Ok(of)
            }
            held => Err(format!("args[{k}] holds {held:?} and no `{ty}`")),
        }
    }

    fn name_of(&mut self, k: i64, ty: ArgType) -> Checked {
        let of = self.pointer(k, ty)?;
        self.frame.put(small(k), Held::Name(of))
    }

    fn path_of(&mut self, k: i64, ty: ArgType) -> Checked {
        let of = self.pointer(k, ty)?;
        self.frame.put(small(k), Held::Path(of))
    }

    /// The path in `args[k]`; that of the process's file is walked in another way than those of arguments.
    fn path(&self, k: i64, is_binary: bool) -> Result<Subject, String> {
        let of = match self.frame.held(small(k)) {
            Held::Path(of) => of,
            _ => self.pointer(k, ArgType::Path)?,
        };
        let has_text = self.body.operation.dimensions.iter().any(|d| d.subject == of);
        let is_shown = self.body.operation.values.iter().any(|value| value.source == of);
        ensure(!(has_text || is_shown) || self.frame.has_moment, "paths move meanwhile")?;
        ensure(matches!(of, Subject::Fact(_)) == is_binary, "the path is of another kind")?;
        Ok(of)
    }

    /// The argument in `args[k]`: what the type says, or a socket's `struct sock`.
    fn flow(&self, k: i64, ty: ArgType) -> Result<Subject, String> {
        match self.frame.held(small(k)) {
            Held::Sock(of) if ty == ArgType::Sock => Ok(of),
            _ => self.pointer(k, ty),
        }
    }

    fn string(&mut self, k: i64, number: i64, is_user: bool) -> Checked {
        let attach = &self.body.operation.attach;
        let of_calls =
            |target: &String| target.starts_with("syscalls/") || target.starts_with("raw_syscalls/");
        let by_user =
            attach.syscall || attach.kind == AttachKind::Tracepoint && attach.targets.iter().all(of_calls);
        ensure(is_user == by_user, "its memory is another's")?;
        match self.frame.held(small(k)) {
            Held::Word { of, bytes: 8 } => self.text(number, of),
            held => Err(format!("args[{k}] holds {held:?}")),
        }
    }

    fn text(&mut self, number: i64, of: Subject) -> Checked {
        ensure(self.frame.is_claimed, "no slot is claimed")?;
        let before = self.frame.texts.insert(small(number), of);
        ensure(before.is_none_or(|before| before == of), "the text is another argument's")
    }

    fn overlay(&mut self, k: i64, what: Param, leave: Option<Place>) -> Checked {
        let of = match self.frame.held(small(k)) {
            Held::Word { of: Subject::Argument(of), bytes: 8 } => of,
            held => return Err(format!("args[{k}] holds {held:?}")),
        };
        ensure(self.layers().contains(&(of, what)), "no call for a layer shows there")?;
        self.frame.has_left_layers = true;
        self.leaves_before(leave)
    }

    /// Parameters that show whether overlayfs makes the call. The VFS has asked for the overlay's own file before
    /// where it asks security modules, and nowhere else.
    fn layers(&self) -> Vec<(u32, Param)> {
        let operation = self.body.operation;
        let attach = &operation.attach;
        let asks = match attach.kind {
            AttachKind::Lsm => true,
            AttachKind::Kprobe | AttachKind::FmodRet => {
                !attach.targets.is_empty() && attach.targets.iter().all(|t| t.starts_with("security_"))
            }
            AttachKind::Kretprobe | AttachKind::Tracepoint | AttachKind::RawTracepoint => false,
        };
        if !asks {
            return vec![];
        }
        if let Some((index, what)) = attach.targets.first().and_then(|target| attach::file_param(target)) {
            return vec![(index.into(), what)];
        }
        let declared = operation.args.iter().filter_map(|arg| match ArgType::parse(&arg.ty) {
            Some(ArgType::File) => Some((arg.index, Param::File)),
            Some(ArgType::Path) => Some((arg.index, Param::Path)),
            _ => None,
        });
        declared.collect()
    }

    /// From the decision lists to the verdict.
    fn acts(&self, steps: &[Step]) -> Checked {
        let operation = self.body.operation;
        let all = (1u64 << operation.dimensions.len()) - 1;
        ensure(self.frame.is_scoped && self.frame.is_claimed, "lists run without a workload or a slot")?;
        ensure(
            self.frame.decided == all,
            format!("of dimensions {all:#b}, {:#b} are decided", self.frame.decided),
        )?;
        ensure(self.frame.ended == all, "an event that nothing wants goes on")?;
        let walks = operation.dimensions.iter().enumerate().filter(|(_, d)| d.family == Table::Path);
        let walks = walks.fold(0, |bits, (d, _)| bits | 1 << d);
        ensure(self.frame.refined & walks == walks, "a path that cannot be read counts as another one")?;
        ensure(
            self.frame.has_left_layers != self.layers().is_empty(),
            "calls for layers are judged, or others left",
        )?;
        ensure(self.waiting.is_empty(), "a place that is never bound")?;
        way_out::check(self, steps)
    }
}

/// As stencils take it: bytes, and 0x10 for signed.
fn integer_code(Integer { bytes, signed }: Integer) -> i64 {
    i64::from(bytes) | if signed { 0x10 } else { 0 }
}

/// As events show it.
fn shown_code(form: Form, width: Option<u8>) -> Option<i64> {
    let signed = match form {
        Form::Unsigned => false,
        Form::Signed => true,
        Form::Text | Form::Socket | Form::Packet | Form::Structure(_) => return None,
    };
    Some(integer_code(Integer { bytes: width?, signed }))
}
