//! Numbers and byte places of `bpf-templates/abi.h`: what compiler, programs and loader agree on.
//!
//! Turns values into words and words into values, one word at a time; larger shapes are put together by
//! the compiler and taken apart by whoever reads them.
//! Everything is little endian. Readers return `None` outside the bytes given and never panic.
//! Not here: any decision about what a table holds.
//!
//! Source: `bpf-templates/abi.h`; the test at the foot compares every number of the two.

/// Bytes behind a region's last maskable place, so that fixed offsets up to this need no check.
pub const REGION_TAIL: u32 = 512;
/// The three low bits of a reference.
pub const REF_FLAGS: u32 = 7;

pub const TABLES_MAGIC: u32 = 0x4c42_5446;
pub const TABLES_ABI: u32 = 1;
/// Reference of the edge that no component equals.
pub const EDGE_NONE: u32 = 16;
/// In an edge's `next` or in an automaton's root reference: a path may begin here.
pub const EDGE_ACCEPT: u32 = 1;
pub const REF_HASH: u32 = 2;
/// In an edge's `next`: another edge of the same node follows.
pub const EDGE_MORE: u32 = 4;
/// Longest component that an edge can hold, which is also the longest that a kernel can.
pub const COMPONENT_MAX: usize = 255;
/// Edges that a node holds without a hash.
pub const LINEAR_EDGES: usize = 3;
/// Weights are below this.
pub const WEIGHT_LIMIT: u32 = 1 << 24;
/// Bits of a hash that select a slot, and that select a displacement.
pub const SLOT_BITS: u32 = 21;
pub const BUCKET_BITS: u32 = 21;

pub const TRIE_LABEL_MAX: usize = 64;
pub const TEXT_MAX: usize = 4096;
/// Bytes of a slot of scratch memory behind its last text.
pub const TEXT_ROOM: u32 = 512;
/// Masks of one table: an atom has one bit for each.
pub const MASKS_MAX: u32 = 8;

pub const NODE_MAGIC: u32 = 0x444f_4e46;
pub const NODE_ABI: u32 = 4;
/// Kinds of namespaces, numbered as `matchNamespaces` names them.
pub const NAMESPACES: usize = 10;
/// In the number of a namespace, above its inode: it is the host's.
pub const HOST_NAMESPACE: u64 = 1 << 32;
pub const CGROUP_HASH: u64 = 0x9E37_79B9_7F4A_7C15;
pub const CGROUP_PROBES: u32 = 8;
pub const CGROUP_SPARE: u32 = 8;
pub const SET_NONE: u32 = 0x00ff_ffff;
pub const SET_DEFAULT: u32 = 0;

pub const ROW_LIST: u32 = 1;
pub const ROW_INVERT: u32 = 2;

pub const WORD_END: u64 = 0;
pub const WORD_TEST: u64 = 1;
pub const WORD_ACT: u64 = 2;
pub const WORD_SKIP: u64 = 3;
/// Words of one set's decision lists at one operation, END included: a program's loop runs that many rounds
/// (`ACT_ROUNDS` of `bpf-templates/act.h`), and a round passes at least one word.
pub const SET_WORDS_MAX: usize = 1 << 20;
pub const ACT_POST: u32 = 0x10;
pub const ACT_OVERRIDE: u32 = 0x20;
pub const ACT_SIGKILL: u32 = 0x40;
pub const ACT_RETURN: u32 = 0x80;

/// In the flags of an ACT word: number of its limit, from 1; 0 is none.
pub const ACT_LIMIT_SHIFT: u32 = 8;
pub const ACT_LIMIT_MAX: u32 = 0xff;
pub const LIMIT_THREAD: u32 = 0;
pub const LIMIT_PROCESS: u32 = 1;
pub const LIMIT_GLOBAL: u32 = 2;
/// Words of a limit's key, and those of one text and of one socket in it.
pub const LIMIT_WORDS: u32 = 30;
/// Bytes of `struct limit_key` (`bpf-templates/limit.h`) before its words.
pub const LIMIT_KEY_HEAD: u32 = 16;
pub const LIMIT_TEXT: u32 = 40;
pub const LIMIT_TEXT_WORDS: u32 = 6;
pub const LIMIT_SOCKET_WORDS: u32 = 6;

/// Where an ACT word has its flags.
const ACT_FLAGS: u32 = 0xfff0;

pub const EVENT_ABI: u32 = 4;
pub const EVENT_ARGS: u32 = 5;
/// So many ACT words always find room in a record.
pub const EVENT_ENTRIES: u32 = 32;
pub const EVENT_POLICY: u32 = 1;
pub const EVENT_PART: u32 = 2;
/// Words of a record behind its text.
pub const EVENT_TAIL: u32 = 64;
/// A value's source, forms and flag.
pub const VALUE_ARGUMENT: u32 = 1;
pub const VALUE_UNSIGNED: u32 = 1;
pub const VALUE_SIGNED: u32 = 2;
pub const VALUE_TEXT: u32 = 3;
pub const VALUE_SOCKET: u32 = 4;
pub const VALUE_PACKET: u32 = 5;
pub const VALUE_CRED: u32 = 6;
pub const VALUE_USER_NAMESPACE: u32 = 7;
pub const VALUE_BPF_ATTR: u32 = 8;
pub const VALUE_BPF_PROG: u32 = 9;
pub const VALUE_BPF_MAP: u32 = 10;
pub const VALUE_PERF_EVENT: u32 = 11;
pub const VALUE_MODULE: u32 = 12;
pub const VALUE_LOAD_INFO: u32 = 13;
pub const VALUE_CAPABILITIES: u32 = 14;
pub const VALUE_UNREADABLE: u32 = 1;
/// What a packet lacks.
pub const PACKET_PROTOCOL: u32 = 1;
pub const PACKET_PORTS: u32 = 2;
pub const SCRATCH_SLOTS: u32 = 2;
/// Calls of one task that wait for their return, and ACT words of one such call.
pub const CALLS: u32 = 4;
pub const CALL_WORDS: u32 = 24;
/// Dimensions of one operation.
pub const DIMENSIONS: u32 = 16;

/// Defines `struct $name` of `abi.h`: the offset of each field, and the size without flexible arrays.
macro_rules! layout {
    ($($(#[$doc:meta])* $name:ident, $size:literal { $($field:ident = $offset:literal),* $(,)? })*) => {
        $(
            $(#[$doc])*
            pub mod $name {
                $(pub const $field: usize = $offset;)*
                pub const SIZE: usize = $size;
            }
        )*
        #[cfg(test)]
        const LAYOUTS: &[(&str, usize, &[(&str, usize)])] =
            &[$((stringify!($name), $size, &[$((stringify!($field), $offset)),*])),*];
    };
}

layout! {
    tables_header, 80 { MAGIC = 0, ABI = 4, LEN = 8, PAD = 12, ZERO = 16 }
    edge, 16 { NEXT = 0, LEN_WEIGHT = 4, MASK = 8, WORDS = 16 }
    hash_node, 24 { K = 0, SLOTS = 8, BUCKETS = 12, MASK = 16, PAD = 20, DISP = 24 }
    trie_node, 8 { ATOM = 0, LABEL_LEN = 4, FIRST = 5, COUNT = 6, LABEL = 8 }
    int_table, 8 { COUNT = 0, SIZES = 4, VALUES = 8 }
    mask_table, 8 { COUNT = 0, PAD = 4, MASKS = 8 }
    value_socket, 40 { FAMILY = 0, STATE = 1, PROTOCOL = 2, SOURCE_PORT = 4, DESTINATION_PORT = 6, SOURCE = 8, DESTINATION = 24 }
    limit, 16 { WINDOW = 0, SCOPE = 8, WORDS = 12 }
    value_packet, 56 {
        FAMILY = 0, LACKS = 1, PROTOCOL = 2, SOURCE_PORT = 4, DESTINATION_PORT = 6, SOURCE = 8, DESTINATION = 24,
        LENGTH = 40, PRIORITY = 44, MARK = 48, HASH = 52,
    }
    address_table, 8 { COUNT4 = 0, COUNT6 = 4, RANGES = 8 }
    node_header, 120 {
        MAGIC = 0, ABI = 4, GENERATION = 8, LOW_LEVEL = 12, LOST = 16, UNSETTLED = 24, RENAME_LOCK = 32,
        MOUNT_LOCK = 40, RENAMES = 48, MOUNTS = 56, REPEATED = 64, ZERO = 72,
        HOST_NAMESPACES = 80,
    }
    cgroup_slot, 16 { ID = 0, VALUE = 8, PAD = 12 }
    set_block, 8 { NEEDS = 0, CODE = 4, QUIET = 8 }
    event, 40 {
        KIND = 0, ABI = 1, VALUES = 2, ACTS = 3, GENERATION = 4, OPERATION = 8, POINT = 12, KEY = 16, CGROUP = 24,
        PID = 32, TID = 36,
    }
    value, 8 { SOURCE = 0, INDEX = 1, FORM = 2, FLAGS = 3, LEN = 4 }
}

/// The mask of a region that holds `len` bytes: every multiple of 8 below the next power of two, flags off.
/// `None` if no `u32` can be it.
pub fn region_mask(len: usize) -> Option<u32> {
    let limit = len.max(8).checked_next_power_of_two()?;
    u32::try_from(limit - 1).ok().map(|m| m & !REF_FLAGS)
}

/// How many bytes a region with this mask has in memory.
pub fn region_size(mask: u32) -> usize {
    (mask | REF_FLAGS) as usize + 1 + REGION_TAIL as usize
}

pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The bytes of a component or a label, zero padded, as the words that are compared and hashed.
pub fn words(text: &[u8]) -> impl Iterator<Item = u64> + '_ {
    text.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

/// Which bytes of a component's last word belong to it.
pub fn last_word_mask(len: usize) -> u64 {
    match len % 8 {
        0 => u64::MAX,
        n => (1 << (8 * n)) - 1,
    }
}

pub fn len_weight(len: u8, weight: u32) -> u32 {
    debug_assert!(weight < WEIGHT_LIMIT);
    u32::from(len) | weight << 8
}

pub fn edge_len(len_weight: u32) -> u8 {
    len_weight as u8
}

pub fn edge_weight(len_weight: u32) -> u32 {
    len_weight >> 8
}

/// Of a component's words, in a `hash_node` with this `k`.
pub fn component_hash(words: impl Iterator<Item = u64>, k: u64) -> u64 {
    let h = words.fold(0u64, |h, w| (h ^ w).wrapping_mul(k));
    (h ^ h >> 32).wrapping_mul(k)
}

/// Which entry of `disp` a hash selects.
pub fn hash_bucket(h: u64, buckets: u32) -> u32 {
    (h >> 22) as u32 & buckets
}

/// Which of the slots is the only candidate.
pub fn hash_slot(h: u64, disp: u16, mask: u32) -> u32 {
    ((h >> 43) as u32 ^ u32::from(disp)) & mask
}

/// What an ACT word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Act {
    /// [`ACT_POST`], [`ACT_OVERRIDE`], [`ACT_SIGKILL`], [`ACT_RETURN`], and the number of a limit.
    pub flags: u32,
    /// What the hook returns, with [`ACT_OVERRIDE`].
    pub value: i16,
    /// Number of the action record: of which selector it is.
    pub record: u32,
}

/// One word of the decision lists. Behind an ACT stands one more word, a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    End,
    /// If the dimension's atom is not in the row, the next `skip` words are passed over.
    Test {
        dimension: u8,
        skip: u16,
        row: u32,
    },
    Act(Act),
    Skip(u16),
}

impl Act {
    /// Number of the limit that it posts under, from 1.
    pub fn limit(self) -> u32 {
        self.flags >> ACT_LIMIT_SHIFT & ACT_LIMIT_MAX
    }
}

impl Word {
    pub fn encode(self) -> u64 {
        match self {
            Word::End => WORD_END,
            Word::Test { dimension, skip, row } => {
                WORD_TEST | u64::from(dimension) << 8 | u64::from(skip) << 16 | u64::from(row) << 32
            }
            Word::Act(act) => {
                WORD_ACT
                    | u64::from(act.flags & ACT_FLAGS)
                    | u64::from(act.value as u16) << 16
                    | u64::from(act.record) << 32
            }
            Word::Skip(skip) => WORD_SKIP | u64::from(skip) << 16,
        }
    }

    /// `None` for a word that [`encode`](Word::encode) never gives.
    pub fn decode(word: u64) -> Option<Word> {
        let (second, third, high) = ((word >> 8) as u8, (word >> 16) as u16, (word >> 32) as u32);
        let decoded = match word & 0xf {
            WORD_END => Word::End,
            WORD_TEST => Word::Test { dimension: second, skip: third, row: high },
            WORD_ACT => Word::Act(Act { flags: word as u32 & ACT_FLAGS, value: third as i16, record: high }),
            WORD_SKIP => Word::Skip(third),
            _ => return None,
        };
        let known = match decoded {
            Word::Act(act) => {
                let limit = ACT_LIMIT_MAX << ACT_LIMIT_SHIFT;
                act.flags & !(ACT_POST | ACT_OVERRIDE | ACT_SIGKILL | ACT_RETURN | limit) == 0
            }
            Word::End | Word::Test { .. } | Word::Skip(_) => true,
        };
        (known && decoded.encode() == word).then_some(decoded)
    }
}

#[cfg(test)]
mod tests;
