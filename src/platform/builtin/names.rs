//! Names in order, each with a number for each kernel, in blocks of which only the first name is whole.
//!
//! A block: for each name how many bytes it shares with the one before, how many follow, these, and a number for each
//! kernel; the second is 1 where it equals the first, and otherwise one more than it would be. Numbers take seven
//! bits a byte, low ones first. `index` has where each block begins, in four bytes, little endian.

/// Names in a block.
#[cfg(test)]
const BLOCK: usize = 32;

pub struct Names {
    pub index: &'static [u8],
    pub blocks: &'static [u8],
}

/// What is kept with a name, by kernel.
pub type Numbers = [u32; 2];

impl Names {
    fn block(&self, block: usize) -> &'static [u8] {
        let begin = |block: usize| {
            let bytes = self.index.get(4 * block..4 * block + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let from = begin(block).unwrap_or(self.blocks.len());
        let to = begin(block + 1).unwrap_or(self.blocks.len());
        self.blocks.get(from..to).unwrap_or_default()
    }

    /// The block that holds `name`, if any does.
    fn block_of(&self, name: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.index.len() / 4);
        while low < high {
            let middle = low.midpoint(high);
            let mut at = 1;
            let block = self.block(middle);
            let length = varint(block, &mut at) as usize;
            match block.get(at..at + length).unwrap_or_default() <= name {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low.saturating_sub(1)
    }

    /// No name is put together: of each it is only asked where it parts from `name`.
    pub fn find(&self, name: &str) -> Option<Numbers> {
        let name = name.as_bytes();
        let block = self.block(self.block_of(name));
        let (mut at, mut common) = (0, 0);
        while at < block.len() {
            let shared = varint(block, &mut at) as usize;
            let length = varint(block, &mut at) as usize;
            let rest = block.get(at..at + length).unwrap_or_default();
            at += length;
            // It parts from the one before where that agreed with `name`, so that it is behind it.
            if shared < common {
                return None;
            }
            let numbers = numbers(block, &mut at);
            if shared == common {
                let wanted = &name[common..];
                let more = rest.iter().zip(wanted).take_while(|(a, b)| a == b).count();
                if more == rest.len() && more == wanted.len() {
                    return Some(numbers);
                }
                common += more;
            }
        }
        None
    }

    /// Those that begin with `prefix` and whose numbers are `wanted`, in order.
    pub fn with(&self, prefix: &str, wanted: impl Fn(Numbers) -> bool) -> Vec<String> {
        let (prefix, mut all) = (prefix.as_bytes(), vec![]);
        let mut goes_on = true;
        for block in self.block_of(prefix)..self.index.len() / 4 {
            walk(self.block(block), |known, numbers| {
                let fits = known.starts_with(prefix);
                if fits && wanted(numbers) {
                    all.push(String::from_utf8_lossy(known).into_owned());
                }
                goes_on = fits || known < prefix;
                goes_on
            });
            if !goes_on {
                break;
            }
        }
        all
    }
}

/// Every name of a block, until `look` has enough.
fn walk(block: &[u8], mut look: impl FnMut(&[u8], Numbers) -> bool) {
    let (mut name, mut at) = (vec![], 0);
    while at < block.len() {
        name.truncate(varint(block, &mut at) as usize);
        let length = varint(block, &mut at) as usize;
        name.extend_from_slice(block.get(at..at + length).unwrap_or_default());
        at += length;
        let numbers = numbers(block, &mut at);
        if !look(&name, numbers) {
            return;
        }
    }
}

fn numbers(block: &[u8], at: &mut usize) -> Numbers {
    let first = varint(block, at);
    match varint(block, at) {
        0 => [first, 0],
        1 => [first, first],
        second => [first, second - 1],
    }
}

/// Of bytes that end too early, what there is.
pub fn varint(bytes: &[u8], at: &mut usize) -> u32 {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let Some(byte) = bytes.get(*at) else { break };
        *at += 1;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
pub mod write {
    use super::{BLOCK, Numbers};

    pub fn varint(into: &mut Vec<u8>, mut number: u32) {
        while number >= 0x80 {
            into.push(number as u8 | 0x80);
            number >>= 7;
        }
        into.push(number as u8);
    }

    /// Index and blocks of names in order.
    pub fn names<'a>(all: impl Iterator<Item = (&'a str, Numbers)>) -> [Vec<u8>; 2] {
        let (mut index, mut blocks, mut before) = (vec![], vec![], "");
        for (n, (name, [first, second])) in all.enumerate() {
            if n % BLOCK == 0 {
                index.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
                before = "";
            }
            let shared = name.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            varint(&mut blocks, shared as u32);
            varint(&mut blocks, (name.len() - shared) as u32);
            blocks.extend_from_slice(&name.as_bytes()[shared..]);
            varint(&mut blocks, first);
            varint(
                &mut blocks,
                if second == 0 {
                    0
                } else if second == first {
                    1
                } else {
                    second + 1
                },
            );
            before = name;
        }
        [index, blocks]
    }
}
