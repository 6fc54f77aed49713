//! BTF as far as memory goes: struct sizes out of a target's BTF, and what the kernel keeps of an object's.
//!
//! Reads hostile bytes: every range is checked, nothing panics. Deliberately no general BTF reader.
//! Source: Documentation/bpf/btf.rst; kernel/bpf/btf.c and measurements of 6.18 for the cost.

use std::fmt;

use super::{Amount, Bytes};

/// Why bytes are not usable as a kernel's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBtf {
    /// Not BTF of version 1, or cut short.
    Malformed,
    /// BTF, but not a kernel's: this structure is missing.
    Missing(&'static str),
}

impl fmt::Display for BadBtf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadBtf::Malformed => f.write_str("not BTF, or cut short"),
            BadBtf::Missing(name) => write!(f, "not a kernel's BTF: it has no `struct {name}`"),
        }
    }
}

impl std::error::Error for BadBtf {}

const MAGIC: u16 = 0xeb9f;
const KIND_STRUCT: u32 = 4;

/// The size of the first structure of each name, 0 where there is none.
pub(super) fn struct_sizes(btf: &[u8], names: &[&str]) -> Result<Vec<u32>, BadBtf> {
    let head = btf.get(..24).ok_or(BadBtf::Malformed)?;
    if u16::from_le_bytes([head[0], head[1]]) != MAGIC || head[2] != 1 {
        return Err(BadBtf::Malformed);
    }
    let field = |at| word(btf, at).map(|w| w as usize);
    let (header, types_at, types_len) = (field(4)?, field(8)?, field(12)?);
    let (strings_at, strings_len) = (field(16)?, field(20)?);
    let types = part(btf, header, types_at, types_len)?;
    let strings = part(btf, header, strings_at, strings_len)?;

    let mut sizes = vec![0; names.len()];
    let mut at = 0;
    while at < types.len() {
        let (name, info, size) = (word(types, at)?, word(types, at + 4)?, word(types, at + 8)?);
        let kind = info >> 24 & 31;
        if kind == KIND_STRUCT {
            let name = strings.get(name as usize..).ok_or(BadBtf::Malformed)?;
            let name = name.split(|&b| b == 0).next().unwrap_or_default();
            if let Some(i) = names.iter().position(|n| n.as_bytes() == name)
                && sizes[i] == 0
            {
                sizes[i] = size;
            }
        }
        at += 12 + trailing_bytes(kind, (info & 0xffff) as usize)?;
    }
    Ok(sizes)
}

/// Bytes behind the common part of a type with `members` members.
fn trailing_bytes(kind: u32, members: usize) -> Result<usize, BadBtf> {
    Ok(match kind {
        1 | 14 | 17 => 4,                // INT, VAR, DECL_TAG
        3 => 12,                         // ARRAY
        4 | 5 | 15 | 19 => 12 * members, // STRUCT, UNION, DATASEC, ENUM64
        6 | 13 => 8 * members,           // ENUM, FUNC_PROTO
        2 | 7..=12 | 16 | 18 => 0,       // PTR, FWD, qualifiers, TYPEDEF, FUNC, FLOAT, TYPE_TAG
        _ => return Err(BadBtf::Malformed),
    })
}

fn part(btf: &[u8], header: usize, at: usize, len: usize) -> Result<&[u8], BadBtf> {
    let start = header.checked_add(at).ok_or(BadBtf::Malformed)?;
    btf.get(start..).and_then(|rest| rest.get(..len)).ok_or(BadBtf::Malformed)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BadBtf> {
    let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or(BadBtf::Malformed)?;
    Ok(u32::from_le_bytes(four))
}

/// What the kernel keeps of an object's BTF while any of its maps or programs lives; charged to nobody.
///
/// Mostly the raw bytes and a pointer and two words a type, about twice the raw size in all. The range holds the sizes
/// that 0.5 to 176 KB of BTF took on 6.18.
pub fn btf_cost(raw: Bytes) -> Amount {
    let twice = raw.0.saturating_mul(2).saturating_add(raw.0 / 4);
    Amount { least: raw, most: Bytes(twice.saturating_add(1024)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF with `int`, `struct a` of 24 bytes with one member, and `struct b` of 8 without.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0a\0b\0m\0";
        let mut types = vec![];
        for word in [1u32, 1 << 24, 4, 32, 5, 4 << 24 | 1, 24, 9, 1, 0, 7, 4 << 24, 8] {
            types.extend(word.to_le_bytes());
        }
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            btf.extend(word.to_le_bytes());
        }
        btf.extend(types);
        btf.extend(strings);
        btf
    }

    #[test]
    fn sizes_are_found_by_name() {
        assert_eq!(struct_sizes(&sample(), &["b", "a", "int", "c"]), Ok(vec![8, 24, 0, 0]));
    }

    /// Unreclaimable slab over 1000 copies, 6.18.
    #[test]
    fn the_measured_costs_are_in_the_range() {
        for (raw, took) in [(489, 550), (4_400, 9_600), (44_000, 90_000), (176_000, 361_000)] {
            assert!(btf_cost(Bytes(raw)).holds(Bytes(took)), "{raw}");
        }
    }

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        let good = sample();
        for cut in 0..good.len() {
            let _ = struct_sizes(&good[..cut], &["a"]);
        }
        for at in 0..good.len() {
            for value in [0, 1, 31, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = struct_sizes(&bad, &["a"]);
            }
        }
        assert_eq!(struct_sizes(b"", &[]), Err(BadBtf::Malformed));
        assert_eq!(super::super::StructSizes::from_btf(&good), Err(BadBtf::Missing("bpf_htab")));
    }
}
