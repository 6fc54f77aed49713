//! `manifest.json`: what an artifact holds and how a loader brings it to life, as data.
//!
//! Turns these types into canonical JSON ([`Manifest::to_json`]) and back ([`Manifest::from_json`]). The same
//! value gives the same bytes: keys in the order of declaration, no floats, one line an element of the large
//! arrays, a newline at the end. Reading is strict: an unknown or repeated field, a number of another layout,
//! a name that does not follow from its digest, a reference to nothing are each refused ([`check`]).
//!
//! Names of fields are camelCase; the schema is `manifest.schema.json`, generated from here. A change that an
//! older loader would misread raises [`SCHEMA_VERSION`].
//!
//! Deliberately not here: bytes of objects and images (see [`super::read`]), and anything that only the node
//! knows.

pub mod check;
mod events;
mod policies;
mod region;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digest::{Digest, FileRef};
use super::fact::Fact;
use super::projection::Projection;
use super::structure::{FieldForm, Structure};
pub use super::table::Table;
pub use check::ManifestError;
pub use policies::*;

pub const SCHEMA_VERSION: u32 = 4;
/// Name of the file in the artifact's folder.
pub const FILE_NAME: &str = "manifest.json";
/// `tool.name` of every manifest; how a folder is recognised as an artifact.
pub const TOOL_NAME: &str = "tetrafold";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    pub schema_version: u32,
    pub tool: Tool,
    pub abi: Abi,
    pub target: Target,
    /// What a node must have. A loader refuses a node without it.
    pub requires: Vec<Requirement>,
    /// The hooked operations, in ascending order of number.
    pub operations: Vec<Operation>,
    pub programs: Vec<Program>,
    pub maps: Vec<Map>,
    pub node: NodeRegion,
    /// Which workloads policies apply to, each distinct selector once, in ascending order of number.
    pub scopes: Vec<Scope>,
    /// In order of identity (kind, namespace, name): of several overrides, the first one's value counts.
    pub policies: Vec<Policy>,
    pub events: Events,
    /// One step after the other; a loader may do more between them, but not exchange them.
    pub load_order: Vec<LoadStep>,
    pub limits: Vec<Limit>,
    /// Files that were given and are not compiled: whoever enforces them does so beside this artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    pub conflicts: Vec<Conflict>,
    pub next_numbers: NextNumbers,
    /// Of `report.json`.
    pub report_sha256: Digest,
}

/// Numbers that a later build gives to what is new: above all that this and earlier builds have given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextNumbers {
    pub policy: u32,
    pub scope: u32,
    pub operation: u32,
    pub record: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// Each number rises when the bytes it stands for change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Abi {
    pub tables: u32,
    pub node: u32,
    pub event: u32,
    pub scope_blocks: u32,
    pub map_image: u32,
}

/// What was compiled for; fixed defaults or the user's words, never taken from a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    pub arch: String,
    /// The kernel that forecasts are made for.
    pub kernel: String,
    /// The oldest kernel that the programs are made for.
    pub oldest_kernel: String,
    pub cpus: u32,
    pub pods: u32,
    /// The node region has room for any `pods` pods, each in up to so many scopes beside those that select every
    /// pod. A loader grows the region for what goes beyond (`regionConstants`).
    pub scopes_per_pod: u32,
    pub preempt: String,
    pub allow_fmod_ret_race: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requirement {
    pub feature: Feature,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// cgroup v2 alone; elsewhere every process has the root's id.
    Cgroup2Unified,
    /// `bpf` stands in /sys/kernel/security/lsm; without it lsm programs attach and never run.
    BpfLsm,
    /// /sys/kernel/btf/vmlinux.
    KernelBtf,
    /// Not `preempt=full`: fmod_ret programs would be skipped.
    NoFullPreemption,
    /// kprobes can be attached.
    Kprobes,
    /// /proc/kallsyms has the addresses of `rename_lock` and `mount_lock`, which the loader writes into the node
    /// region ([`super::node::Locks`]).
    PathLocks,
    /// The loader sees the namespaces of the host's first process, whose inodes it writes into the node region
    /// ([`super::node::HostNamespaces`]).
    HostNamespaces,
    /// One link takes many kprobes (5.18, CONFIG_FPROBE, which Debian's 6.1 lacks): `register_fprobe_ips` is in
    /// /proc/kallsyms, and all targets are in available_filter_functions. (`bpf_kprobe_multi_link_attach` is in
    /// kallsyms of kernels without CONFIG_FPROBE, too: there it only fails.)
    KprobeMulti,
    /// Programs can be attached to tracepoints: the `id` of the target stands in tracefs, and the fields that are read
    /// are where the manifest says.
    Tracepoints,
}

/// What several policies have in common: attach points and the arguments read there. The same decision lists hold at
/// all its attach points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// Stands in every event; kept from build to build, so gaps are allowed and order means nothing.
    pub number: u32,
    /// For people and for pins, such as `lsm:bprm_check_security`. Another set of targets has another name, so that
    /// what is attached under a name has the targets of that name, in their order.
    pub name: String,
    pub attach: Attach,
    /// Of what functions return: number of the operation of their calls. Its only argument is the returned value. Of a
    /// selector that both have, an event is published if both sent theirs, with the same key and thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Arguments that the program reads.
    pub args: Vec<OperationArg>,
    /// What its events hold, in the order of their records and in them.
    pub values: Vec<EventValue>,
    /// What limits some of its posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What one dimension decides stands in one bit of a set block's `needs`: at most 32.
    pub dimensions: Vec<Dimension>,
    /// Image of the map `tables`.
    pub tables: FileRef,
    /// Decision lists and quiet rows of each scope; for the loader, no kernel map.
    pub scope_blocks: FileRef,
    /// Where this operation's `u32 heads[set]` begins in the node region.
    pub heads_offset: u32,
}

/// Limits of an operation's posts; decision words have their numbers, from 1 on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Place of the first in the tables.
    pub root: u32,
    pub count: u32,
    /// Arguments whose values stand in keys of the map `limits`, in this order: an integer takes one word, a text, a
    /// socket or a packet six.
    pub key: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationArg {
    /// Position in the hooked function.
    pub index: u32,
    /// As in a policy's `args[].type`.
    #[serde(rename = "type")]
    pub ty: String,
}

/// One thing that conditions test, in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dimension {
    pub subject: Subject,
    /// What of it is compared; left out: all of it.
    #[serde(default, skip_serializing_if = "Projection::is_whole")]
    pub projection: Projection,
    /// Of a number: how much of the register is compared. Policies may declare one argument with several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integer: Option<Integer>,
    pub family: Table,
    /// Values that policies name. Atom 0 is any other value, `atoms + 1` one that cannot be read.
    pub atoms: u32,
    /// Reference of the dimension's table in the tables image; 0 if nothing has to be looked up.
    pub root: u32,
    /// The walk cannot tell "other" from "cannot be read": a quiet row holds atom 0 only if it holds both.
    pub merges_unreadable: bool,
    /// Which rows the program can read; it is made for the one or the other.
    pub rows: RowForm,
}

/// The low bytes of a register, extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Integer {
    /// 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether they are extended by their sign.
    pub signed: bool,
}

impl Integer {
    pub fn of(self, register: u64) -> u64 {
        let unused = 64 - 8 * u32::from(self.bytes.clamp(1, 8));
        let low = register << unused;
        if self.signed { (low as i64 >> unused) as u64 } else { low >> unused }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RowForm {
    /// Bits, one an atom, no lists; only rows of tests may be inverted, quiet rows are not.
    Bits,
    /// Bits or lists, inverted or not.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// The argument at this position.
    Argument(u32),
    /// Something about the process that makes the call. Events do not hold it.
    Fact(Fact),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// Each program's own; load order and alternatives use it.
    pub name: String,
    pub operation: u32,
    pub role: Role,
    pub object: FileRef,
    pub section: String,
    pub symbol: String,
    #[serde(rename = "type")]
    pub ty: ProgramType,
    /// Slot of the PROG_ARRAY that a body is reached through; absent for a stub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Where the object has numbers of the node region. A loader that needs a larger region writes its numbers
    /// there and creates the map `node` with its size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub region_constants: Vec<RegionConstant>,
    /// Loaders that can take the object.
    pub loaders: Vec<Loader>,
    /// Calls that the attached program may not see; empty where it sees each one.
    pub losses: Vec<Loss>,
    pub forecast: Forecast,
}

/// A 32-bit immediate, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionConstant {
    /// Byte of the object file at which it begins.
    pub at: u32,
    pub value: RegionValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RegionValue {
    /// The region's `mask`.
    Mask,
    /// The same with the three low bits.
    MaskAny,
    /// 64 less the binary logarithm of `cgroupSlots`.
    CgroupShift,
    /// The operation's `headsOffset`.
    Heads,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Loss {
    /// When a call is not seen, and what that means.
    pub reason: String,
    /// Where the kernel counts such calls. A loader reports it.
    pub counter: LossCounter,
}

/// Source: Linux 6.12, include/uapi/linux/bpf.h, struct bpf_prog_info and bpf_link_info.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LossCounter {
    /// `recursion_misses` of the program.
    ProgramRecursionMisses,
    /// `recursion_misses` of the program and `perf_event.kprobe.missed` of the link; both stay 0 before Linux 6.7.
    ProgramAndLinkMissed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Attached and pinned; only tail-calls slot 0.
    Stub,
    /// Replaced with each generation; never attached.
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramType {
    Kprobe,
    Lsm,
    Tracing,
    Tracepoint,
    RawTracepoint,
}

/// What the stub of an operation is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attach {
    pub kind: AttachKind,
    /// Kernel functions, the LSM hook without prefix, `SUBSYSTEM/EVENT` of a tracepoint, or the name of a raw one;
    /// ascending, each once. If there are several, each has to be attached with its position here as its cookie, which events carry as `point`.
    pub targets: Vec<String>,
    /// The targets are syscall entries, and arguments are those of the call: they stand in the registers that the
    /// function's one parameter points to. Programs know; a loader need not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub syscall: bool,
    /// Fields of a tracepoint's record that programs read, in order of their numbers. Programs have the places as
    /// immediates: a loader compares them with the `format` of the node's event before it attaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Best first; a loader takes the first whose needs the node meets.
    pub ways: Vec<Way>,
}

/// A field of a tracepoint's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Position in the event's format, counted from the first common one.
    pub index: u32,
    pub name: String,
    pub offset: u32,
    pub bytes: u32,
}

/// A way to attach a stub to all targets of its operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Way {
    pub link: LinkKind,
    /// Links that the loader makes: one for all targets, or one each.
    pub links: u32,
    /// `BPF_*` number that stub *and* body have to be loaded with; absent where the section says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_attach_type: Option<u32>,
    pub needs: Vec<Feature>,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    Lsm,
    FmodRet,
    /// A perf event and a link for each target.
    Kprobe,
    /// One link for all targets.
    KprobeMulti,
    /// A perf event and a link.
    Tracepoint,
    RawTracepoint,
    /// As a kprobe, of the functions' returns.
    Kretprobe,
}

/// `BPF_TRACE_KPROBE_MULTI` (Linux 6.12, include/uapi/linux/bpf.h).
pub const TRACE_KPROBE_MULTI: u32 = 42;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttachKind {
    Kprobe,
    Kretprobe,
    Lsm,
    FmodRet,
    Tracepoint,
    RawTracepoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    Libbpf,
    Aya,
    CiliumEbpf,
}

/// Kernel memory on the target's kernel and CPU count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forecast {
    /// What the kernel itself shows.
    pub memlock_bytes: u64,
    /// What it really takes.
    pub charged_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Map {
    /// Each map's own; load order uses it.
    pub name: String,
    /// How objects name it: a variable of `.maps`, or a data section.
    pub declared: String,
    /// The operation whose objects use it; absent if all objects share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<u32>,
    #[serde(rename = "type")]
    pub ty: MapType,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// `BPF_F_*`, as created.
    pub flags: u32,
    pub owner: Owner,
    /// What fills it. For the map `tables` the file is the value's beginning, the rest is zero; for any other
    /// one it is a map image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<FileRef>,
    /// Name below the loader's pin folder; absent if it is not pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Frozen once it is filled.
    pub freeze: bool,
    pub forecast: Forecast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Owner {
    /// Filled from an image, never written again.
    Static,
    /// Filled by the loader or the programs.
    Runtime,
}

/// Map types that an artifact can hold; [`MapType::number`] is the kernel's `BPF_MAP_TYPE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MapType {
    Hash,
    /// When it is full the entries that were used least make room.
    LruHash,
    Array,
    ProgArray,
    PercpuArray,
    Ringbuf,
    /// Its values belong to tasks and end with them.
    TaskStorage,
}

impl MapType {
    pub const ALL: [MapType; 7] = [
        MapType::Hash,
        MapType::LruHash,
        MapType::Array,
        MapType::ProgArray,
        MapType::PercpuArray,
        MapType::Ringbuf,
        MapType::TaskStorage,
    ];

    /// Source: Linux 6.12, include/uapi/linux/bpf.h, enum bpf_map_type.
    pub fn number(self) -> u32 {
        match self {
            MapType::Hash => 1,
            MapType::LruHash => 9,
            MapType::Array => 2,
            MapType::ProgArray => 3,
            MapType::PercpuArray => 6,
            MapType::Ringbuf => 27,
            MapType::TaskStorage => 29,
        }
    }
}

/// Where things stand in the map `node` (`bpf-templates/abi.h`). Programs have these numbers as immediates, so
/// a region grows with a new generation alone. Computed by [`super::node::layout`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRegion {
    /// Length of the map's value: `mask + 1 + REGION_TAIL`.
    pub bytes: u32,
    /// References are masked with it; `mask + 1` is a power of two.
    pub mask: u32,
    pub cgroups_offset: u32,
    /// A power of two; spare slots follow.
    pub cgroup_slots: u32,
    /// Entries of each operation's `heads`.
    pub sets: u32,
    /// Set blocks and rows stand from here up to `mask`.
    pub blocks_offset: u32,
}

/// Layout of a ring buffer record, for loaders that do not have `abi.h`: a header, values, entries, each directly behind
/// the one before. Offsets and sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Events {
    pub header_bytes: u32,
    pub fields: Vec<EventField>,
    /// A `part` holds values of the next `policy` record with the same key and thread.
    pub kinds: Vec<Named>,
    pub value_header_bytes: u32,
    /// Header of a value; its `len` bytes follow.
    pub value: Vec<EventField>,
    pub sources: Vec<Named>,
    pub forms: Vec<Named>,
    /// Bits of a value's `flags`.
    pub value_flags: Vec<Named>,
    /// Parts of the 64-bit entries behind the values.
    pub entry: Vec<EntryField>,
    /// Those whose values some operation sends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub structures: Vec<StructureLayout>,
}

/// The value of a structure: its form and its fields. What is behind the last field is zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StructureLayout {
    pub name: Structure,
    pub form: u32,
    pub bytes: u32,
    pub fields: Vec<StructureField>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StructureField {
    pub name: String,
    pub offset: u32,
    pub bytes: u32,
    pub form: FieldForm,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventField {
    pub name: String,
    pub offset: u32,
    pub bytes: u32,
}

/// What a number in a record means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Named {
    pub name: String,
    pub number: u32,
}

/// A value that an operation's events hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventValue {
    pub source: Subject,
    pub form: Form,
    /// Of an integer: how many of its bytes the types of the policies have; the others only extend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u8>,
}

/// How a value's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// 8 bytes, extended with zeros.
    Unsigned,
    /// 8 bytes, extended by the sign.
    Signed,
    /// A path, or a string without its NUL.
    Text,
    /// A socket, or an address as that of a source: family and state (1 byte each), protocol, source port and
    /// destination port (2 bytes each), source and destination address (16 bytes each; of IPv4 the first four).
    Socket,
    /// A packet, in the same manner: family (1 byte; 0: of neither version of IP), which parts cannot be told (1 byte: 1
    /// the protocol, 2 the ports), protocol, ports and addresses as of a socket, then length, priority, mark and hash (4
    /// bytes each).
    Packet,
    /// A structure of the kernel, as `events.structures` describes it.
    #[serde(untagged)]
    Structure(Structure),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryField {
    pub name: String,
    pub shift: u32,
    pub bits: u32,
    pub signed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadStep {
    pub step: Step,
    /// Of a map (`createMap`, `fillMap`, `freezeMap`) or a program (the others).
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    CreateMap,
    /// From its image, or, for the map `node`, by the loader.
    FillMap,
    FreezeMap,
    LoadProgram,
    /// The body becomes what its operation's stub calls.
    SetSlot,
    Attach,
}

/// A limit and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<u32>,
    pub used: u64,
    pub max: u64,
}

/// A file of which something cannot be compiled, and so nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOut {
    /// Its name, as in `source` of policies' hooks.
    pub file: String,
    /// In the order of the file.
    pub reasons: Vec<LeftOutReason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOutReason {
    /// `FILE:LINE`.
    pub source: String,
    /// Of the diagnostic, such as `TF0199`.
    pub code: String,
    pub message: String,
}

/// Policies that may override one call with different values, in a workload that both select. At most 16 are
/// listed for each operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conflict {
    pub operation: u32,
    /// Numbers, the winner first.
    pub policies: Vec<u32>,
    pub reason: String,
}

impl Manifest {
    /// The JSON Schema of `manifest.json`; the copy in the repository is `manifest.schema.json` beside this module.
    pub fn schema() -> String {
        super::json::schema::<Manifest>("tetrafold manifest")
    }

    /// The operation of that number.
    pub fn operation(&self, number: u32) -> Option<&Operation> {
        self.operations.binary_search_by_key(&number, |o| o.number).ok().map(|i| &self.operations[i])
    }

    /// The scope of that number.
    pub fn scope(&self, number: u32) -> Option<&Scope> {
        self.scopes.binary_search_by_key(&number, |s| s.number).ok().map(|i| &self.scopes[i])
    }

    /// All action records, by number.
    pub fn records(&self) -> BTreeMap<u32, ActionRecord> {
        let mut all = BTreeMap::new();
        let at_call = |hook: &&PolicyHook| self.operation(hook.operation).is_none_or(|o| o.calls.is_none());
        for policy in &self.policies {
            for hook in policy.hooks.iter().filter(at_call) {
                for written in &hook.selectors {
                    let selector = hook.first_selector.saturating_add(written.number);
                    let record = ActionRecord { operation: hook.operation, policy: policy.number, selector };
                    all.entry(written.record).or_insert(record);
                }
            }
        }
        all
    }

    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|m| m.name == name)
    }

    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|p| p.name == name)
    }

    /// Numbers of the scopes that hold the host, ascending: the default set.
    pub fn host_scopes(&self) -> Vec<u32> {
        let holds_host = |s: &&Scope| s.any.iter().any(|term| matches!(term, ScopeTerm::Host(_)));
        self.scopes.iter().filter(holds_host).map(|s| s.number).collect()
    }
}

#[cfg(test)]
mod tests;
