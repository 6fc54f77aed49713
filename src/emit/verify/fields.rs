//! Where the program of a tracepoint reads its record: at the places of the manifest's fields, and nowhere else.
//!
//! Decodes the instructions by itself. Assumes what `bpf-templates/README.md` says of a body: it begins with storing its
//! context, and takes it from there before it reads it.

use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use crate::artifact::manifest::Field;

/// Compares the reads of the function `symbol` with the fields.
///
/// # Errors
/// What is read elsewhere, and what is said to be read and is not.
pub fn check(object: &[u8], symbol: &str, fields: &[Field]) -> Result<(), String> {
    let code = code(object, symbol).ok_or("a body without code")?;
    let reads = reads(&code)?;
    let is_of = |(offset, bytes): &(i16, u32), field: &Field| {
        i64::from(*offset) == i64::from(field.offset) && *bytes <= field.bytes
    };
    if let Some((offset, bytes)) = reads.iter().find(|read| !fields.iter().any(|field| is_of(read, field))) {
        return Err(format!("{bytes} bytes of the record are read at {offset}, where no field is"));
    }
    match fields.iter().find(|field| !reads.iter().any(|read| is_of(read, field))) {
        Some(field) => Err(format!("field {} is not read at {}", field.index, field.offset)),
        None => Ok(()),
    }
}

fn code(object: &[u8], symbol: &str) -> Option<Vec<[u8; 8]>> {
    let object = object::File::parse(object).ok()?;
    let symbol = object.symbols().find(|known| known.name() == Ok(symbol))?;
    let section = object.section_by_index(symbol.section_index()?).ok()?;
    let from = usize::try_from(symbol.address()).ok()?;
    let code = section.data().ok()?.get(from..)?.get(..usize::try_from(symbol.size()).ok()?)?;
    Some(code.as_chunks::<8>().0.to_vec())
}

/// Offset and size of each read of the context.
fn reads(code: &[[u8; 8]]) -> Result<BTreeSet<(i16, u32)>, String> {
    const STORE: u8 = 0x7b;
    const LOAD: u8 = 0x79;
    const MOVE: u8 = 0xbf;
    const MOVE_NUMBER: u8 = 0xb7;
    const WIDE: u8 = 0x18;
    const CALL: u8 = 0x85;
    let decode = |slot: &[u8; 8]| {
        let [op, registers, low, high, ..] = *slot;
        (op, usize::from(registers & 15), usize::from(registers >> 4), i16::from_le_bytes([low, high]))
    };
    let kept = match code.first().map(decode) {
        Some((STORE, 10, 1, at)) => at,
        _ => return Err("a body that does not keep its context".to_string()),
    };
    let mut reads = BTreeSet::new();
    let mut is_context = [false; 16];
    is_context[1] = true;
    let mut slots = code.iter().map(decode).skip(1);
    while let Some((op, to, from, at)) = slots.next() {
        match op {
            LOAD if from == 10 && at == kept => is_context[to] = true,
            WIDE => {
                slots.next();
                is_context[to] = false;
            }
            CALL => is_context[..6].fill(false),
            MOVE => is_context[to] = is_context[from],
            MOVE_NUMBER => is_context[to] = false,
            // Loads, by their size.
            _ if op & 7 == 1 => {
                if is_context[from] {
                    reads.insert((at, [4, 2, 1, 8][usize::from(op >> 3 & 3)]));
                }
                is_context[to] = false;
            }
            // Whatever else computes.
            _ if matches!(op & 7, 4 | 7) => {
                if is_context[to] && op & 7 == 7 {
                    return Err("an address in the record that is computed".to_string());
                }
                is_context[to] = false;
            }
            _ => {}
        }
    }
    Ok(reads)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[op, registers, offset]`
    fn slots(code: &[(u8, u8, i16)]) -> Vec<[u8; 8]> {
        let slot = |&(op, registers, offset): &(u8, u8, i16)| {
            let [low, high] = offset.to_le_bytes();
            [op, registers, low, high, 0, 0, 0, 0]
        };
        code.iter().map(slot).collect()
    }

    #[test]
    fn reads_are_found_behind_a_reload_and_not_behind_a_call() {
        let code = slots(&[
            (0x7b, 0x1a, -16), // *(u64 *)(r10 - 16) = r1
            (0x61, 0x12, 8),   // r2 = *(u32 *)(r1 + 8)
            (0x85, 0, 0),
            (0x79, 0x12, 24), // r1 is what the call left
            (0x79, 0xa3, -16),
            (0xbf, 0x34, 0),
            (0x69, 0x42, 32),
            (0x79, 0xa1, -24), // another word of the stack
            (0x79, 0x12, 40),
        ]);
        assert_eq!(reads(&code), Ok(BTreeSet::from([(8, 4), (32, 2)])));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        assert!(reads(&slots(&[(0xb7, 1, 0)])).is_err());
        assert!(reads(&slots(&[(0x7b, 0x1a, -16), (0x07, 1, 0)])).is_err());
    }
}
