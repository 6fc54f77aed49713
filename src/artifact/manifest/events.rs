//! The record layout of `struct event` and its entries, as data, for loaders that do not have `abi.h`.

use super::{EntryField, EventField, Events};

/// name, bytes, count; in order, without gaps (`bpf-templates/abi.h`, `struct event`).
const FIELDS: [(&str, u32, u32); 14] = [
    ("kind", 2, 1),
    ("arg", 1, 1),
    ("flags", 1, 1),
    ("generation", 4, 1),
    ("operation", 4, 1),
    ("textLen", 2, 1),
    ("entries", 2, 1),
    ("key", 8, 1),
    ("cgroup", 8, 1),
    ("pid", 4, 1),
    ("tid", 4, 1),
    ("point", 4, 1),
    ("pad", 4, 1),
    ("args", 8, 5),
];

/// name, bits, signed; from bit 0 on (`ACT` words).
const ENTRY: [(&str, u32, bool); 5] = [
    ("op", 4, false),
    ("flags", 4, false),
    ("selector", 8, false),
    ("value", 16, true),
    ("policy", 32, false),
];

impl Events {
    /// What this version's programs write.
    pub fn current() -> Events {
        let (mut offset, mut shift) = (0, 0);
        let field = |&(name, bytes, count): &(&str, u32, u32)| {
            offset += bytes * count;
            EventField { name: name.into(), offset: offset - bytes * count, bytes, count }
        };
        let fields: Vec<_> = FIELDS.iter().map(field).collect();
        let part = |&(name, bits, signed): &(&str, u32, bool)| {
            shift += bits;
            EntryField { name: name.into(), shift: shift - bits, bits, signed }
        };
        let entry = ENTRY.iter().map(part).collect();
        Events { header_bytes: offset, fields, entry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi;

    #[test]
    fn fields_are_aligned_and_fill_the_header() {
        let events = Events::current();
        assert_eq!(events.header_bytes as usize, abi::event::SIZE);
        let offset = |name| events.fields.iter().find(|f| f.name == name).unwrap().offset as usize;
        assert_eq!(offset("textLen"), abi::event::TEXT_LEN);
        assert_eq!(offset("args"), abi::event::ARGS);
        assert!(events.fields.iter().all(|f| f.offset % f.bytes == 0));
        assert_eq!(events.entry.iter().map(|f| f.bits).sum::<u32>(), 64);
    }
}
