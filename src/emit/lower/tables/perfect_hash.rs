//! Gives every component of a wide automaton node its own slot, without a probe.
//!
//! Turns: different byte strings. Into: the multiplier, the displacement of each bucket, and the key of each
//! slot, for the formulas of `struct hash_node`.
//! Guarantees: each key is the only candidate at its slot; the same keys in the same order give the same
//! tables; expected time linear in the keys' bytes.
//! Not here: telling a key from a stranger. The program compares the component itself.
//!
//! Hash and displace (Belazzougui, Botelho, Dietzfelbinger 2009), displacements by exclusive or.

use super::TableError;
use crate::artifact::abi;

/// No key has this slot.
pub const EMPTY: u32 = u32::MAX;

const FIRST_MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
const NEXT_MULTIPLIER: u64 = 0xD134_2543_DE82_EF95;
/// Small tables fail often and cheaply, large ones seldom; after so many multipliers the slots are doubled.
const TRIES_PER_SIZE: u32 = 64;
const SIZES: u32 = 3;

pub struct PerfectHash {
    pub k: u64,
    /// A power of two of them.
    pub disp: Vec<u16>,
    /// Position of the key in the keys as given, or [`EMPTY`]; a power of two of them.
    pub slots: Vec<u32>,
}

/// Finds a table for different keys.
pub fn find(keys: &[&[u8]]) -> Result<PerfectHash, TableError> {
    let edges = keys.len();
    // At most 8 of 9 slots are taken: the last key still finds a free one among some nine.
    let slots = (edges + edges / 8).next_power_of_two().max(2);
    if slots > 1 << abi::SLOT_BITS {
        return Err(TableError::NodeTooWide { edges });
    }
    let buckets = (edges / 3).next_power_of_two();
    let mut search = Search::new(keys, buckets);
    let mut k = FIRST_MULTIPLIER;
    for size in 0..SIZES {
        let slots = (slots << size).min(1 << abi::SLOT_BITS);
        for _ in 0..TRIES_PER_SIZE {
            if let Some(found) = search.place(k, slots) {
                return Ok(found);
            }
            k = k.wrapping_mul(NEXT_MULTIPLIER) | 1;
        }
    }
    Err(TableError::NoPerfectHash { edges })
}

/// Memory that all tries share.
struct Search {
    /// Words of all keys, one key behind the other; `ends` says where each ends.
    words: Vec<u64>,
    ends: Vec<u32>,
    buckets: usize,
    hashes: Vec<u64>,
    /// Hashes and keys by bucket: those of bucket b are `starts[b]..starts[b + 1]`.
    by_bucket: Vec<(u64, u32)>,
    starts: Vec<u32>,
    /// Buckets, the fullest first.
    order: Vec<u32>,
}

impl Search {
    fn new(keys: &[&[u8]], buckets: usize) -> Search {
        let (mut words, mut ends) = (vec![], vec![]);
        for key in keys {
            words.extend(abi::words(key));
            ends.push(words.len() as u32);
        }
        Search {
            words,
            ends,
            buckets,
            hashes: vec![0; keys.len()],
            by_bucket: vec![(0, 0); keys.len()],
            starts: vec![],
            order: vec![],
        }
    }

    fn place(&mut self, k: u64, slots: usize) -> Option<PerfectHash> {
        self.hash(k);
        self.group();
        let mask = slots as u32 - 1;
        let mut table = vec![EMPTY; slots];
        let mut disp = vec![0; self.buckets];
        for &bucket in &self.order {
            let keys = &self.by_bucket
                [self.starts[bucket as usize] as usize..self.starts[bucket as usize + 1] as usize];
            disp[bucket as usize] = displace(&mut table, keys, mask)?;
        }
        Some(PerfectHash { k, disp, slots: table })
    }

    fn hash(&mut self, k: u64) {
        let mut start = 0;
        for (hash, &end) in self.hashes.iter_mut().zip(&self.ends) {
            *hash = abi::component_hash(self.words[start..end as usize].iter().copied(), k);
            start = end as usize;
        }
    }

    /// Counting sort by bucket, then buckets by size.
    fn group(&mut self) {
        let last = self.buckets as u32 - 1;
        self.starts.clear();
        self.starts.resize(self.buckets + 1, 0);
        for &hash in &self.hashes {
            self.starts[abi::hash_bucket(hash, last) as usize + 1] += 1;
        }
        for bucket in 0..self.buckets {
            self.starts[bucket + 1] += self.starts[bucket];
        }
        let mut next = self.starts.clone();
        for (key, &hash) in self.hashes.iter().enumerate() {
            let place = &mut next[abi::hash_bucket(hash, last) as usize];
            self.by_bucket[*place as usize] = (hash, key as u32);
            *place += 1;
        }
        let size = |b: u32| self.starts[b as usize + 1] - self.starts[b as usize];
        self.order.clear();
        self.order.extend(0..self.buckets as u32);
        self.order.sort_by_key(|&b| std::cmp::Reverse(size(b)));
    }
}

/// Finds a displacement at which every key of a bucket meets a free slot of its own, and takes the slots.
fn displace(table: &mut [u32], keys: &[(u64, u32)], mask: u32) -> Option<u16> {
    let bases = || keys.iter().map(|&(hash, _)| abi::hash_slot(hash, 0, mask));
    // Exclusive or keeps different slots different, so this decides for every displacement.
    let twins = bases().enumerate().any(|(i, a)| bases().take(i).any(|b| a == b));
    if twins {
        return None;
    }
    let disp = (0..=u16::MAX)
        .take(table.len())
        .find(|&d| keys.iter().all(|&(hash, _)| table[abi::hash_slot(hash, d, mask) as usize] == EMPTY))?;
    for &(hash, key) in keys {
        table[abi::hash_slot(hash, disp, mask) as usize] = key;
    }
    Some(disp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[Vec<u8>]) -> PerfectHash {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let found = find(&keys).unwrap();
        assert!(found.slots.len().is_power_of_two() && found.disp.len().is_power_of_two());
        for (i, key) in keys.iter().enumerate() {
            let h = abi::component_hash(abi::words(key), found.k);
            let disp = found.disp[abi::hash_bucket(h, found.disp.len() as u32 - 1) as usize];
            let slot = abi::hash_slot(h, disp, found.slots.len() as u32 - 1);
            assert_eq!(found.slots[slot as usize], i as u32);
        }
        assert_eq!(found.slots.iter().filter(|&&k| k != EMPTY).count(), keys.len());
        found
    }

    fn names(n: usize) -> Vec<Vec<u8>> {
        (0..n).map(|i| format!("name-{i}.{}", "x".repeat(i % 11)).into_bytes()).collect()
    }

    #[test]
    fn every_small_size_is_found() {
        for n in 1..400 {
            check(&names(n));
        }
    }

    /// More slots than a displacement has bits.
    #[test]
    fn more_than_65536_slots() {
        let found = check(&names(90_000));
        assert_eq!(found.slots.len(), 131_072);
    }

    #[test]
    fn too_many_names_are_refused() {
        let key: &[u8] = b"x";
        let keys = vec![key; 2_000_000];
        assert_eq!(find(&keys).err(), Some(TableError::NodeTooWide { edges: 2_000_000 }));
    }

    #[test]
    fn equal_names_end_in_an_error() {
        assert_eq!(find(&[b"a", b"b", b"a"]).err(), Some(TableError::NoPerfectHash { edges: 3 }));
    }
}
