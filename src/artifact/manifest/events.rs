//! The layout of records, of their values and of their entries, as data, for loaders that do not have `abi.h`.
//!
//! To add a source or a form: its number in `abi.h`, its row here and in [`super::Subject`] or [`Form`], the stencil
//! that writes it, and its case in [`crate::event::RawValue::content`].

use super::{EntryField, EventField, Events, Form, Named};
use crate::abi;

/// name, bytes; in order, without gaps (`bpf-templates/abi.h`, `struct event`).
const FIELDS: [(&str, u32); 11] = [
    ("kind", 1),
    ("abi", 1),
    ("values", 1),
    ("acts", 1),
    ("generation", 4),
    ("operation", 4),
    ("point", 4),
    ("key", 8),
    ("cgroup", 8),
    ("pid", 4),
    ("tid", 4),
];

/// The same of `struct value`.
const VALUE: [(&str, u32); 5] = [("source", 1), ("index", 1), ("form", 1), ("flags", 1), ("len", 4)];

const KINDS: [(&str, u32); 2] = [("policy", abi::EVENT_POLICY), ("part", abi::EVENT_PART)];
const SOURCES: [(&str, u32); 1] = [("argument", abi::VALUE_ARGUMENT)];
/// As [`Form`] names them.
const FORMS: [(&str, u32); 5] = [
    ("unsigned", abi::VALUE_UNSIGNED),
    ("signed", abi::VALUE_SIGNED),
    ("text", abi::VALUE_TEXT),
    ("socket", abi::VALUE_SOCKET),
    ("packet", abi::VALUE_PACKET),
];
const FLAGS: [(&str, u32); 1] = [("unreadable", abi::VALUE_UNREADABLE)];

/// name, bits, signed; from bit 0 on (`ACT` words).
const ENTRY: [(&str, u32, bool); 4] =
    [("op", 4, false), ("flags", 12, false), ("value", 16, true), ("record", 32, false)];

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
        Events {
            header_bytes,
            fields,
            kinds: named(&KINDS),
            value_header_bytes,
            value,
            sources: named(&SOURCES),
            forms: named(&FORMS),
            value_flags: named(&FLAGS),
            entry,
        }
    }
}

impl Form {
    /// `VALUE_*` of `abi.h`.
    pub fn number(self) -> u32 {
        match self {
            Form::Unsigned => abi::VALUE_UNSIGNED,
            Form::Signed => abi::VALUE_SIGNED,
            Form::Text => abi::VALUE_TEXT,
            Form::Socket => abi::VALUE_SOCKET,
            Form::Packet => abi::VALUE_PACKET,
        }
    }

    /// Bytes of a value that always has as many.
    pub fn fixed_bytes(self) -> Option<u32> {
        match self {
            Form::Unsigned | Form::Signed => Some(8),
            Form::Socket => Some(abi::value_socket::SIZE as u32),
            Form::Packet => Some(abi::value_packet::SIZE as u32),
            Form::Text => None,
        }
    }

    /// Words that such a value takes in the tail of a record, with its header, if they are always as many.
    pub fn tail_words(self) -> Option<u32> {
        Some(abi::value::SIZE as u32 / 8 + self.fixed_bytes()?.div_ceil(8))
    }
}

fn named(numbers: &[(&str, u32)]) -> Vec<Named> {
    numbers.iter().map(|&(name, number)| Named { name: name.into(), number }).collect()
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
    fn fields_are_those_of_the_headers() {
        let events = Events::current();
        assert_eq!(events.header_bytes as usize, abi::event::SIZE);
        assert_eq!(events.value_header_bytes as usize, abi::value::SIZE);
        let offset =
            |fields: &[EventField], name| fields.iter().find(|f| f.name == name).unwrap().offset as usize;
        assert_eq!(offset(&events.fields, "point"), abi::event::POINT);
        assert_eq!(offset(&events.fields, "tid"), abi::event::TID);
        assert_eq!(offset(&events.value, "form"), abi::value::FORM);
        assert_eq!(offset(&events.value, "len"), abi::value::LEN);
        assert!(events.fields.iter().all(|f| f.offset % f.bytes == 0));
        assert_eq!(events.entry.iter().map(|f| f.bits).sum::<u32>(), 64);
    }

    #[test]
    fn forms_have_the_names_and_numbers_of_the_list() {
        for form in [Form::Unsigned, Form::Signed, Form::Text, Form::Socket, Form::Packet] {
            let name = serde_json::to_value(form).unwrap();
            let listed = FORMS.iter().find(|(_, number)| *number == form.number());
            assert_eq!(listed.map(|(name, _)| serde_json::json!(name)), Some(name));
        }
    }
}
