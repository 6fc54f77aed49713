//! What the built-in kernels have, without a file of theirs: functions with their parameters, LSM hooks and system
//! calls among them, and tracepoints with their fields.
//!
//! `builtin/kernels.table` is made from the type information of the test kernels (Debian's 6.1 and 6.12 for x86-64)
//! by [`make`], whose tests also see to it that the file is what these kernels give. Nothing of it is read before it
//! is asked for: names are in order, in blocks that share what they begin with, and a name is looked up where it is.
//!
//! Structures are not in it, so that paths of `resolve` stay open, nor are functions of modules: of these a filter
//! tells which names the modules of Debian's packages have. It errs for one other name in a hundred.

#[cfg(test)]
mod make;
mod names;

use std::sync::LazyLock;

use self::names::{Names, varint};
use super::KernelVersion;
use super::description::Field;
use super::types::Shape;
use super::types::c_type::{CType, Signature};

static BYTES: &[u8] = include_bytes!("builtin/kernels.table");

/// Rises when the bytes change their meaning.
const VERSION: u32 = 2;
const MAGIC: [u8; 4] = *b"TFKT";
const SECTIONS: usize = 9;

/// In the order of the columns of the table.
pub const KERNELS: [KernelVersion; 2] = [KernelVersion::new(6, 1), KernelVersion::new(6, 12)];

/// Why a built-in kernel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Chosen,
    /// Nobody chose a kernel: what every built-in one lacks is wrong, what one of them has is not.
    Assumed,
    /// The kernel that was chosen is not built in: only what every built-in one has is taken for certain.
    StandIn,
}

/// One of the built-in kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    column: usize,
    pub role: Role,
}

/// The sections of the file.
struct Table {
    /// C types: each by where it begins.
    types: &'static [u8],
    /// Signatures: each by where it begins.
    signatures: &'static [u8],
    /// With the place of the signature on each kernel, plus one; 0 where it does not exist.
    functions: Names,
    /// `subsystem/event` of tracefs and, of raw tracepoints, `event`; with the place of the format on each kernel that
    /// has it, plus one. A raw tracepoint's format has no fields.
    events: Names,
    /// Fields of formats: each by where it begins.
    fields: &'static [u8],
    /// Formats, without the common fields: each by where it begins.
    formats: &'static [u8],
    /// One bit of many is set for each name of modules.
    of_modules: &'static [u8],
}

/// The committed file is whole, as a test sees to; of another nothing would be found in it.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let word = |at: usize| {
        let bytes = BYTES.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    debug_assert_eq!((&BYTES[..4], word(4)), (&MAGIC[..], VERSION));
    let mut from = 8 + 4 * SECTIONS;
    let mut sections = (0..SECTIONS).map(|section| {
        let bytes = BYTES.get(from..from + word(8 + 4 * section) as usize).unwrap_or_default();
        from += bytes.len();
        bytes
    });
    let mut next = || sections.next().unwrap_or_default();
    Table {
        types: next(),
        signatures: next(),
        functions: Names { index: next(), blocks: next() },
        events: Names { index: next(), blocks: next() },
        fields: next(),
        formats: next(),
        of_modules: next(),
    }
});

impl BuiltIn {
    /// What is asked in place of files: the kernel that was chosen, else all.
    pub fn for_chosen(chosen: Option<KernelVersion>) -> Vec<BuiltIn> {
        let column = KERNELS.iter().position(|version| Some(*version) == chosen);
        match (column, chosen) {
            (Some(column), _) => vec![BuiltIn { column, role: Role::Chosen }],
            (None, Some(_)) => BuiltIn::all(Role::StandIn),
            (None, None) => BuiltIn::all(Role::Assumed),
        }
    }

    fn all(role: Role) -> Vec<BuiltIn> {
        (0..KERNELS.len()).map(|column| BuiltIn { column, role }).collect()
    }

    pub fn version(self) -> KernelVersion {
        KERNELS[self.column]
    }

    pub fn has_function(self, name: &str) -> bool {
        TABLE.functions.find(name).is_some_and(|places| places[self.column] != 0)
    }

    pub fn signature(self, function: &str) -> Option<Signature<'static>> {
        let place = TABLE.functions.find(function)?[self.column].checked_sub(1)?;
        let mut at = place as usize;
        let count = varint(TABLE.signatures, &mut at);
        let returned = c_type(varint(TABLE.signatures, &mut at) as usize);
        let params = (0..count).map(|_| c_type(varint(TABLE.signatures, &mut at) as usize)).collect();
        Some(Signature { params, returned })
    }

    /// Functions whose names begin with `prefix`, in order.
    pub fn functions_with(self, prefix: &str) -> Vec<String> {
        TABLE.functions.with(prefix, |places| places[self.column] != 0)
    }

    /// `subsystem/event` of tracefs, or the name of a raw tracepoint.
    pub fn has_event(self, name: &str) -> bool {
        TABLE.events.find(name).is_some_and(|has| has[self.column] != 0)
    }

    /// The fields of `subsystem/event`, the four common ones first.
    pub fn fields(self, event: &str) -> Option<Vec<Field>> {
        let mut at = TABLE.events.find(event)?[self.column].checked_sub(1)? as usize;
        let common = [("common_type", "unsigned short", 2), ("common_flags", "unsigned char", 1)];
        let rest = [("common_preempt_count", "unsigned char", 1), ("common_pid", "int", 4)];
        let (mut fields, mut offset) = (vec![], 0);
        for (name, ty, bytes) in common.into_iter().chain(rest) {
            let (name, ty, signed) = (name.to_string(), ty.to_string(), ty == "int");
            fields.push(Field { name, ty, bytes, signed, offset: Some(offset) });
            offset += bytes;
        }
        let count = varint(TABLE.formats, &mut at);
        fields.extend((0..count).map(|_| field(varint(TABLE.formats, &mut at) as usize)));
        Some(fields)
    }

    /// Those whose names begin with `prefix`, in order.
    pub fn events_with(self, prefix: &str) -> Vec<String> {
        TABLE.events.with(prefix, |has| has[self.column] != 0)
    }

    /// Whether a module of Debian's package may have a function or a tracepoint of this name.
    pub fn is_of_a_module(self, name: &str) -> bool {
        filter_bits(name, TABLE.of_modules.len())
            .is_some_and(|mut bits| bits.all(|bit| TABLE.of_modules[bit / 8] & (1 << (bit % 8)) != 0))
    }
}

/// The bits of a name in a filter of so many bytes (Bloom's, with seven bits).
fn filter_bits(name: &str, bytes: usize) -> Option<impl Iterator<Item = usize>> {
    const BITS: u64 = 7;
    let count = (bytes as u64).checked_mul(8).filter(|count| *count > 0)?;
    // FNV-1a, whose low bits alone are too alike.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let (first, step) = (mixed(hash), mixed(hash ^ u64::MAX) | 1);
    Some((0..BITS).map(move |n| (first.wrapping_add(n.wrapping_mul(step)) % count) as usize))
}

/// Each bit of the result depends on all of `number` (the end of splitmix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Words of the shapes in the file.
mod shape {
    pub const VOID: u8 = 0;
    pub const INT: u8 = 1;
    pub const POINTER: u8 = 2;
    pub const STRUCT: u8 = 3;
    pub const UNION: u8 = 4;
    pub const ARRAY: u8 = 5;
    pub const OTHER: u8 = 6;
    /// Added to [`INT`] of so many bytes.
    pub const SIGNED: u8 = 0x80;
}

/// Where it is, its size with its sign below, its type and its name.
fn field(at: usize) -> Field {
    let mut at = at;
    let offset = varint(TABLE.fields, &mut at);
    let size = varint(TABLE.fields, &mut at);
    let mut text = || {
        let length = varint(TABLE.fields, &mut at) as usize;
        let bytes = TABLE.fields.get(at..at + length).unwrap_or_default();
        at += length;
        String::from_utf8_lossy(bytes).into_owned()
    };
    Field { ty: text(), name: text(), bytes: size >> 1, signed: size & 1 == 1, offset: Some(offset) }
}

/// A type: its shape, of a pointer that of its target, and its text. A structure's name is in its text.
fn c_type(at: usize) -> CType<'static> {
    let mut at = at;
    let byte = |at: &mut usize| {
        let byte = TABLE.types.get(*at).copied().unwrap_or(shape::OTHER);
        *at += 1;
        byte
    };
    let (own, own_bytes) = (byte(&mut at), byte(&mut at));
    let (target, target_bytes) = (byte(&mut at), byte(&mut at));
    let name_from = byte(&mut at) as usize;
    let name_to = byte(&mut at) as usize;
    let length = varint(TABLE.types, &mut at) as usize;
    let text = TABLE.types.get(at..at + length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.unwrap_or_default();
    let name = text.get(name_from..name_to).unwrap_or_default();
    let of = |kind: u8, bytes: u8| match kind {
        shape::VOID => Shape::Void,
        shape::INT => {
            Shape::Int { bytes: u32::from(bytes & !shape::SIGNED), signed: bytes & shape::SIGNED != 0 }
        }
        shape::POINTER => Shape::Pointer(0),
        shape::STRUCT | shape::UNION => Shape::Record { is_union: kind == shape::UNION, name },
        shape::ARRAY => Shape::Array { element: 0, count: 0 },
        _ => Shape::Other,
    };
    let own = of(own, own_bytes);
    let target = matches!(own, Shape::Pointer(_)).then(|| of(target, target_bytes));
    CType { shape: own, target, spelling: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(minor: u16) -> BuiltIn {
        BuiltIn::for_chosen(Some(KernelVersion::new(6, minor)))[0]
    }

    #[test]
    fn functions_are_found_with_their_parameters() {
        let signature = kernel(12).signature("bpf_lsm_bprm_check_security").unwrap();
        let [param] = &signature.params[..] else { panic!("{signature:?}") };
        assert_eq!(param.spelling, "struct linux_binprm *");
        assert_eq!(param.target, Some(Shape::Record { is_union: false, name: "linux_binprm" }));
        assert_eq!(signature.returned.shape, Shape::Int { bytes: 4, signed: true });
        let connect = kernel(1).signature("tcp_connect").unwrap();
        assert_eq!(connect.params[0].spelling, "struct sock *");
        assert!(kernel(1).has_function("dev_queue_xmit") && !kernel(12).has_function("dev_queue_xmit"));
        assert!(kernel(12).signature("bpf_lsm_file_opened").is_none());
        for absent in ["", "a", "zzzzzz", "tcp_connec", "tcp_connect_", "\u{e4}"] {
            assert!(!kernel(12).has_function(absent), "{absent}");
        }
    }

    #[test]
    fn tracepoints_have_fields_with_their_places() {
        let shown = |minor: u16, event: &str| -> Vec<String> {
            let fields = kernel(minor).fields(event).unwrap();
            let shown = |f: &Field| format!("{} {} {} {}", f.ty, f.name, f.bytes, f.offset.unwrap());
            fields.iter().skip(4).map(shown).collect()
        };
        for minor in [1, 12] {
            assert_eq!(
                shown(minor, "raw_syscalls/sys_enter"),
                ["long id 8 8", "unsigned long[6] args 48 16"]
            );
            assert_eq!(
                shown(minor, "syscalls/sys_enter_lseek"),
                [
                    "int __syscall_nr 4 8",
                    "unsigned int fd 8 16",
                    "off_t offset 8 24",
                    "unsigned int whence 8 32"
                ]
            );
            assert_eq!(shown(minor, "syscalls/sys_exit_lseek"), ["int __syscall_nr 4 8", "long ret 8 16"]);
            assert_eq!(
                shown(minor, "sched/sched_process_exec"),
                ["__data_loc char[] filename 4 8", "pid_t pid 4 12", "pid_t old_pid 4 16"]
            );
        }
        assert_eq!(kernel(12).fields("sched/sched_nothing"), None);
    }

    #[test]
    fn names_with_a_prefix_are_in_order() {
        let hooks = kernel(12).functions_with("bpf_lsm_");
        assert!(hooks.is_sorted() && hooks.contains(&"bpf_lsm_file_open".to_string()) && hooks.len() > 200);
        assert!(hooks.iter().all(|hook| hook.starts_with("bpf_lsm_")));
        assert_eq!(kernel(12).functions_with("zzzz"), Vec::<String>::new());
        assert!(kernel(1).functions_with("__x64_sys_").len() > 300);
        assert!(kernel(1).functions_with("").len() > 40_000);
    }

    #[test]
    fn modules_have_names_of_their_own() {
        for name in ["ovl_open", "ext4_file_open", "nft_do_chain", "ext4_da_write_begin"] {
            assert!(kernel(12).is_of_a_module(name), "{name}");
        }
        let wrong = (0..1000).filter(|n| kernel(12).is_of_a_module(&format!("no_such_function_{n}"))).count();
        assert!(wrong < 30, "{wrong}");
    }

    #[test]
    fn a_kernel_that_is_not_built_in_has_stand_ins() {
        let all = BuiltIn::for_chosen(Some(KernelVersion::new(6, 6)));
        assert!(all.len() == 2 && all.iter().all(|kernel| kernel.role == Role::StandIn));
        assert!(BuiltIn::for_chosen(None).iter().all(|kernel| kernel.role == Role::Assumed));
        assert_eq!((kernel(12).version(), kernel(12).role), (KernelVersion::new(6, 12), Role::Chosen));
    }
}
