//! Compares this module with `abi.h`, read by a scanner that knows just enough C for that file.

use std::collections::BTreeMap;

use super::*;
use crate::structure::Structure;

const HEADER: &str = include_str!("../../../bpf-templates/abi.h");

/// Every number of `abi.h`. A `#define` that is missing here fails, so that none is overlooked.
const NUMBERS: &[(&str, u64)] = &[
    ("REGION_TAIL", REGION_TAIL as u64),
    ("TABLES_MAGIC", TABLES_MAGIC as u64),
    ("TABLES_ABI", TABLES_ABI as u64),
    ("EDGE_NONE", EDGE_NONE as u64),
    ("EDGE_ACCEPT", EDGE_ACCEPT as u64),
    ("REF_HASH", REF_HASH as u64),
    ("EDGE_MORE", EDGE_MORE as u64),
    ("TRIE_LABEL_MAX", TRIE_LABEL_MAX as u64),
    ("NODE_MAGIC", NODE_MAGIC as u64),
    ("NODE_ABI", NODE_ABI as u64),
    ("NAMESPACES", NAMESPACES as u64),
    ("HOST_NAMESPACE", HOST_NAMESPACE),
    ("CGROUP_HASH", CGROUP_HASH),
    ("CGROUP_PROBES", CGROUP_PROBES as u64),
    ("CGROUP_SPARE", CGROUP_SPARE as u64),
    ("SET_NONE", SET_NONE as u64),
    ("SET_DEFAULT", SET_DEFAULT as u64),
    ("ROW_LIST", ROW_LIST as u64),
    ("ROW_INVERT", ROW_INVERT as u64),
    ("WORD_END", WORD_END),
    ("WORD_TEST", WORD_TEST),
    ("WORD_ACT", WORD_ACT),
    ("WORD_SKIP", WORD_SKIP),
    ("ACT_POST", ACT_POST as u64),
    ("ACT_OVERRIDE", ACT_OVERRIDE as u64),
    ("ACT_SIGKILL", ACT_SIGKILL as u64),
    ("ACT_RETURN", ACT_RETURN as u64),
    ("CALLS", CALLS as u64),
    ("CALL_WORDS", CALL_WORDS as u64),
    ("ACT_LIMIT_SHIFT", ACT_LIMIT_SHIFT as u64),
    ("ACT_LIMIT_MAX", ACT_LIMIT_MAX as u64),
    ("LIMIT_THREAD", LIMIT_THREAD as u64),
    ("LIMIT_PROCESS", LIMIT_PROCESS as u64),
    ("LIMIT_GLOBAL", LIMIT_GLOBAL as u64),
    ("LIMIT_WORDS", LIMIT_WORDS as u64),
    ("LIMIT_TEXT", LIMIT_TEXT as u64),
    ("LIMIT_TEXT_WORDS", LIMIT_TEXT_WORDS as u64),
    ("LIMIT_SOCKET_WORDS", LIMIT_SOCKET_WORDS as u64),
    ("EVENT_ABI", EVENT_ABI as u64),
    ("EVENT_ARGS", EVENT_ARGS as u64),
    ("EVENT_ENTRIES", EVENT_ENTRIES as u64),
    ("EVENT_POLICY", EVENT_POLICY as u64),
    ("EVENT_PART", EVENT_PART as u64),
    ("EVENT_TAIL", EVENT_TAIL as u64),
    ("VALUE_ARGUMENT", VALUE_ARGUMENT as u64),
    ("VALUE_UNSIGNED", VALUE_UNSIGNED as u64),
    ("VALUE_SIGNED", VALUE_SIGNED as u64),
    ("VALUE_TEXT", VALUE_TEXT as u64),
    ("VALUE_SOCKET", VALUE_SOCKET as u64),
    ("VALUE_PACKET", VALUE_PACKET as u64),
    ("PACKET_PROTOCOL", PACKET_PROTOCOL as u64),
    ("PACKET_PORTS", PACKET_PORTS as u64),
    ("VALUE_CRED", VALUE_CRED as u64),
    ("VALUE_USER_NAMESPACE", VALUE_USER_NAMESPACE as u64),
    ("VALUE_BPF_ATTR", VALUE_BPF_ATTR as u64),
    ("VALUE_BPF_PROG", VALUE_BPF_PROG as u64),
    ("VALUE_BPF_MAP", VALUE_BPF_MAP as u64),
    ("VALUE_PERF_EVENT", VALUE_PERF_EVENT as u64),
    ("VALUE_MODULE", VALUE_MODULE as u64),
    ("VALUE_LOAD_INFO", VALUE_LOAD_INFO as u64),
    ("VALUE_CAPABILITIES", VALUE_CAPABILITIES as u64),
    ("VALUE_UNREADABLE", VALUE_UNREADABLE as u64),
    ("TEXT_MAX", TEXT_MAX as u64),
    ("TEXT_ROOM", TEXT_ROOM as u64),
    ("MASKS_MAX", MASKS_MAX as u64),
    ("SCRATCH_SLOTS", SCRATCH_SLOTS as u64),
    ("DIMENSIONS", DIMENSIONS as u64),
];

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("*/").expect("a comment ends");
        rest = &rest[start + end + 2..];
    }
    out + rest
}

fn number(text: &str) -> Option<u64> {
    let digits = text.trim().trim_end_matches(['u', 'U', 'l', 'L']);
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// Every `#define NAME number` and every `NAME = number` of an enum.
fn numbers(text: &str) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some(define) = line.trim().strip_prefix("#define ") else { continue };
        let (name, value) = define.split_once(char::is_whitespace).unwrap_or((define, ""));
        let value = number(value).unwrap_or_else(|| panic!("`{line}` is not a plain number"));
        assert!(found.insert(name.to_string(), value).is_none(), "{name} is defined twice");
    }
    for body in text.split("enum").skip(1) {
        let body =
            body.split_once('{').expect("an enum has a body").1.split_once('}').expect("and its end").0;
        for item in body.split(',').filter(|i| !i.trim().is_empty()) {
            let (name, value) = item.split_once('=').expect("every enumerator has a value");
            found.insert(name.trim().to_string(), number(value).expect("a plain number"));
        }
    }
    found
}

struct Layout {
    size: usize,
    fields: Vec<(String, usize)>,
}

/// Natural alignment, as C has it for structs of unsigned integers; a flexible array takes no room.
fn layouts(text: &str, numbers: &BTreeMap<String, u64>) -> BTreeMap<String, Layout> {
    let mut found = BTreeMap::new();
    for part in text.split("struct ").skip(1) {
        let Some((name, rest)) = part.split_once('{') else { continue };
        let (mut at, mut align, mut fields) = (0usize, 1usize, vec![]);
        let body = rest.split_once('}').expect("a struct ends").0;
        for declaration in body.split(';').map(str::trim).filter(|d| !d.is_empty()) {
            let (ty, names) = declaration.split_once(' ').expect("type and name");
            let width = match ty {
                "u8" => 1,
                "u16" | "s16" => 2,
                "u32" => 4,
                "u64" => 8,
                other => panic!("type `{other}` of `{declaration}` is not known here"),
            };
            align = align.max(width);
            for field in names.split(',').map(str::trim) {
                at = at.next_multiple_of(width);
                let (field, count) = match field.split_once('[') {
                    None => (field, 1),
                    Some((field, "]")) => (field, 0),
                    Some((field, n)) => {
                        let n = n.trim_end_matches(']');
                        (field, number(n).unwrap_or_else(|| numbers[n]) as usize)
                    }
                };
                fields.push((field.to_string(), at));
                at += width * count;
            }
        }
        found.insert(name.trim().to_string(), Layout { size: at.next_multiple_of(align), fields });
    }
    found
}

#[test]
fn every_number_is_that_of_the_header() {
    let header = numbers(&without_comments(HEADER));
    let ours: BTreeMap<String, u64> = NUMBERS.iter().map(|&(n, v)| (n.to_string(), v)).collect();
    assert!(header.len() > 20, "the scanner sees the header");
    assert_eq!(header, ours);
}

#[test]
fn every_struct_is_that_of_the_header() {
    let text = without_comments(HEADER);
    let header = layouts(&text, &numbers(&text));
    let plain = LAYOUTS.iter().map(|(name, size, fields)| {
        let fields: Vec<_> = fields.iter().map(|(f, at)| (f.to_lowercase(), *at)).collect();
        (name.to_string(), *size, fields)
    });
    let all: Vec<_> = plain.chain(Structure::ALL.iter().map(|&s| structure(s))).collect();
    assert_eq!(header.keys().map(String::as_str).collect::<Vec<_>>(), {
        let mut ours: Vec<_> = all.iter().map(|(name, ..)| &name[..]).collect();
        ours.sort_unstable();
        ours
    });
    for (name, size, ours) in all {
        let theirs = &header[&name];
        // What nobody reads may be called either way.
        let filler =
            |field: &(String, usize)| matches!(&field.0[..], "pad" | "zero") && !ours.contains(field);
        let theirs_read: Vec<_> = theirs.fields.iter().filter(|f| !filler(f)).cloned().collect();
        assert_eq!(theirs_read, ours, "fields of {name}");
        assert_eq!(theirs.size, size, "size of {name}");
    }
}

/// Name, size and fields, as C spells them.
fn structure(structure: Structure) -> (String, usize, Vec<(String, usize)>) {
    let snake = |name: &str| {
        let letter =
            |c: char| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.into() };
        name.chars().map(letter).collect::<String>()
    };
    let fields = structure.fields().iter().map(|f| (snake(f.name), f.offset as usize)).collect();
    (structure.stencil().to_string(), structure.bytes() as usize, fields)
}

#[test]
fn the_scanner_sees_a_difference() {
    let text = "#define A 0x10ULL\nenum { B = 2 };\nstruct s { u8 a; u32 b[A]; u64 c[]; };";
    let found = numbers(text);
    assert_eq!((found["A"], found["B"]), (16, 2));
    let s = &layouts(text, &found)["s"];
    assert_eq!(s.size, 72);
    assert_eq!(s.fields, [("a".into(), 0), ("b".into(), 4), ("c".into(), 72)]);
}

/// The empty edge fills the header from where [`EDGE_NONE`] points.
#[test]
fn the_empty_edge_stands_in_the_header() {
    assert_eq!(EDGE_NONE as usize, tables_header::ZERO);
    assert_eq!(tables_header::SIZE - tables_header::ZERO, edge::SIZE + 48);
}

#[test]
fn words_come_back() {
    let act = Act { flags: ACT_POST | ACT_OVERRIDE, value: -4095, record: u32::MAX };
    for word in [
        Word::End,
        Word::Test { dimension: 31, skip: 65535, row: 0xffff_fff8 | ROW_LIST | ROW_INVERT },
        Word::Act(act),
        Word::Act(Act { flags: ACT_SIGKILL, value: 0, record: 0 }),
        Word::Skip(7),
    ] {
        assert_eq!(Word::decode(word.encode()), Some(word));
    }
}

#[test]
fn words_with_stray_bits_are_refused() {
    for word in [
        4u64,
        1 << 4 | WORD_TEST,
        1 << 8,
        1 << 32 | WORD_SKIP,
        1 << 8 | WORD_SKIP,
        0x100_0000_0000 | WORD_TEST | 0x10,
    ] {
        assert_eq!(Word::decode(word), None, "{word:#x}");
    }
}

#[test]
fn masks_cover_the_region_and_clear_flags() {
    for (len, mask) in [(0, 0), (8, 0), (9, 8), (80, 120), (128, 120), (129, 248), (1 << 20, (1 << 20) - 8)] {
        assert_eq!(region_mask(len), Some(mask), "{len}");
        assert!(region_size(mask) >= len + REGION_TAIL as usize);
        assert_eq!(mask & REF_FLAGS, 0);
    }
    assert_eq!(region_mask(usize::MAX), None);
}

#[test]
fn readers_stop_at_the_end() {
    let bytes = [1u8, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(u64_at(&bytes, 0), Some(0x0807_0605_0403_0201));
    assert_eq!(
        (u64_at(&bytes, 1), u32_at(&bytes, 5), u16_at(&bytes, 7), u8_at(&bytes, 8)),
        (None, None, None, None)
    );
    assert_eq!(u32_at(&bytes, usize::MAX), None);
}

/// Given by the formulas of `abi.h` compiled as C.
#[test]
fn hash_is_that_of_the_c_formula() {
    let h = component_hash(words(b"python3.11-42.7"), 0x9E37_79B9_7F4A_7C15);
    assert_eq!((h, hash_bucket(h, 1023), hash_slot(h, 0x1234, 0x1f_ffff)), HASH_FROM_C);
}
const HASH_FROM_C: (u64, u32, u32) = (0xe735_14e3_3e63_1ed9, 249, 1_897_622);
