//! The layout of records, of their values and of their entries, as data, for loaders that do not have `abi.h`.

use super::{EntryField, EventField, Events, Named};
use crate::abi;

/// name, bytes; in order, without gaps (`bpf-templates/abi.h`, `struct event`).
const FIELDS: [(&str, u32); 10] = [
    ("kind", 2),
    ("values", 1),
    ("acts", 1),
    ("generation", 4),
    ("operation", 4),
    ("len", 4),
    ("key", 8),
    ("cgroup", 8),
    ("pid", 4),
    ("tid", 4),
];

/// The same of `struct value`.
const VALUE: [(&str, u32); 5] = [("source", 1), ("index", 1), ("form", 1), ("flags", 1), ("len", 4)];

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
        let mut shift = 0;
        let part = |&(name, bits, signed): &(&str, u32, bool)| {
            shift += bits;
            EntryField { name: name.into(), shift: shift - bits, bits, signed }
        };
        let entry = ENTRY.iter().map(part).collect();
        let (header_bytes, fields) = struct_of(&FIELDS);
        let (value_header_bytes, value) = struct_of(&VALUE);
        let named = |name: &str, number| Named { name: name.into(), number };
        Events {
            header_bytes,
            fields,
            kinds: vec![named("policy", abi::EVENT_POLICY), named("part", abi::EVENT_PART)],
            value_header_bytes,
            value,
            sources: vec![named("argument", abi::VALUE_ARGUMENT)],
            forms: vec![named("integer", abi::VALUE_INTEGER), named("text", abi::VALUE_TEXT)],
            value_flags: vec![named("unreadable", abi::VALUE_UNREADABLE)],
            entry,
        }
    }
}

/// Size and fields.
fn struct_of(fields: &[(&str, u32)]) -> (u32, Vec<EventField>) {
    let mut offset = 0;
    let field = |&(name, bytes): &(&str, u32)| {
        offset += bytes;
        EventField { name: name.into(), offset: offset - bytes, bytes }
    };
    let fields = fields.iter().map(field).collect();
    (offset, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_header() {
        let events = Events::current();
        assert_eq!(events.header_bytes as usize, abi::event::SIZE);
        assert_eq!(events.value_header_bytes as usize, abi::value::SIZE);
        let offset =
            |fields: &[EventField], name| fields.iter().find(|f| f.name == name).unwrap().offset as usize;
        assert_eq!(offset(&events.fields, "len"), abi::event::LEN);
        assert_eq!(offset(&events.fields, "tid"), abi::event::TID);
        assert_eq!(offset(&events.value, "form"), abi::value::FORM);
        assert_eq!(offset(&events.value, "len"), abi::value::LEN);
        assert!(events.fields.iter().all(|f| f.offset % f.bytes == 0));
        assert_eq!(events.entry.iter().map(|f| f.bits).sum::<u32>(), 64);
    }
}
