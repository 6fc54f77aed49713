//! Asks the bytes of a table what a program would get from them, for one value at a time.
//!
//! Turns a value into its atom, an atom and a row into yes or no, atoms and decision words into actions, by the
//! steps of `bpf-templates/`: components leaf first, one hash and one compare, labels, halving, skips.
//! Where a program masks an offset, this reader refuses one that leaves the region: [`Damaged`].
//! Assumes nothing about the bytes. Guarantees: no panic; every loop consumes a piece of the value, or moves
//! forward in bytes that are there.
//! Not here: which dimensions an event has, and what a value is that cannot be read (its atom is the last one).

use std::fmt;
use std::net::IpAddr;

use super::abi::{
    self, Act, Word, address_table, edge, hash_node, int_table, mask_table, tables_header, trie_node,
};

/// Bytes that no compiler wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Offset in the region, or position of a decision word.
    pub at: usize,
    pub what: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damaged table: {} at {}", self.what, self.at)
    }
}

impl std::error::Error for Damaged {}

/// How a text is compared with those of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextMatch {
    /// The whole text.
    Equal,
    /// The longest value that the text begins with.
    Prefix,
    /// The longest value that the text ends with.
    Postfix,
}

/// The tables of one operation, as an image holds them.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    bytes: &'a [u8],
}

impl<'a> Tables<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Tables<'a>, Damaged> {
        let field = |at| abi::u32_at(bytes, at).ok_or(Damaged { at, what: "short header" });
        if field(tables_header::MAGIC)? != abi::TABLES_MAGIC {
            return Err(Damaged { at: tables_header::MAGIC, what: "magic" });
        }
        if field(tables_header::ABI)? != abi::TABLES_ABI {
            return Err(Damaged { at: tables_header::ABI, what: "abi number" });
        }
        let used = field(tables_header::LEN)? as usize;
        match bytes.get(..used) {
            Some(bytes) if used >= tables_header::SIZE => Ok(Tables { bytes }),
            Some(_) | None => Err(Damaged { at: tables_header::LEN, what: "length" }),
        }
    }

    /// The id of an absolute path as a walk gives it: from the leaf to the root.
    pub fn path(&self, root: u32, path: &[u8]) -> Result<u32, Damaged> {
        let Some((b'/', names)) = path.split_first() else { return Ok(0) };
        let (mut reference, mut id) = (root, 1u32);
        if !names.is_empty() {
            for component in names.rsplit(|&b| b == b'/') {
                let Some(edge) = self.edge_of(reference, component)? else { return Ok(0) };
                reference = edge.next;
                // A program's sum wraps as well; only damaged weights can make it.
                id = u32::wrapping_add(id, abi::edge_weight(edge.len_weight));
            }
        }
        Ok(if reference & abi::EDGE_ACCEPT != 0 { id } else { 0 })
    }

    /// The atom of a text in a trie. Postfix reads a trie that was built backward.
    pub fn text(&self, root: u32, text: &[u8], how: TextMatch) -> Result<u32, Damaged> {
        let byte = |i: usize| match how {
            TextMatch::Equal | TextMatch::Prefix => text[i],
            TextMatch::Postfix => text[text.len() - 1 - i],
        };
        let (mut node, mut read, mut longest) = (root, 0, 0);
        loop {
            let at = place(node);
            let label_len = usize::from(self.u8(at + trie_node::LABEL_LEN)?);
            let label = self.slice(at + trie_node::LABEL, label_len)?;
            let rest = text.len() - read;
            if label_len > rest || !label.iter().zip(read..).all(|(&l, i)| l == byte(i)) {
                break;
            }
            read += label_len;
            let atom = self.u32(at + trie_node::ATOM)?;
            if atom != 0 {
                longest = atom;
            }
            if read == text.len() {
                return Ok(if how == TextMatch::Equal { atom } else { longest });
            }
            let child = u32::from(byte(read).wrapping_sub(self.u8(at + trie_node::FIRST)?));
            if child >= u32::from(self.u16(at + trie_node::COUNT)?) {
                break;
            }
            let children = at + trie_node::LABEL + label_len.next_multiple_of(8);
            node = self.u32(children + 4 * child as usize)?;
            if node == 0 {
                break;
            }
            read += 1;
        }
        Ok(if how == TextMatch::Equal { 0 } else { longest })
    }

    /// The atom of an integer: of the last piece that begins at or below it, if that reaches so far.
    pub fn int(&self, root: u32, value: u64) -> Result<u32, Damaged> {
        let at = place(root);
        let count = self.u32(at + int_table::COUNT)?;
        let has_sizes = self.u32(at + int_table::SIZES)? != 0;
        let entry = |i: u64| self.u64(at.saturating_add(int_table::VALUES).saturating_add(8 * i as usize));
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if entry(u64::from(middle))? <= value { low = middle + 1 } else { high = middle }
        }
        let Some(piece) = low.checked_sub(1).map(u64::from) else { return Ok(0) };
        let size = if has_sizes { entry(u64::from(count) + piece)? } else { 0 };
        Ok(if value - entry(piece)? <= size { low } else { 0 })
    }

    /// The atom of an integer: which masks it has a bit of.
    pub fn masks(&self, root: u32, value: u64) -> Result<u32, Damaged> {
        let at = place(root);
        let count = self.u32(at + mask_table::COUNT)?.min(abi::MASKS_MAX);
        let mut atom = 0;
        for i in 0..count {
            let mask = self.u64(at + mask_table::MASKS + 8 * i as usize)?;
            atom |= u32::from(value & mask != 0) << i;
        }
        Ok(atom)
    }

    /// The atom of an address: of the piece that holds it.
    pub fn address(&self, root: u32, address: IpAddr) -> Result<u32, Damaged> {
        let at = place(root);
        let [count4, count6] = [self.u32(at + address_table::COUNT4)?, self.u32(at + address_table::COUNT6)?];
        let word = |i: u64| self.u64(at.saturating_add(address_table::RANGES).saturating_add(8 * i as usize));
        let first6 = u64::from(count4);
        let wide = |i: u64| Ok(u128::from(word(i)?) << 64 | u128::from(word(i + 1)?));
        let (count, value) = match address {
            IpAddr::V4(address) => (count4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (count6, address.to_bits()),
        };
        let ends = |i: u32| match address {
            IpAddr::V4(_) => word(i.into()).map(|word| (u128::from(word >> 32), u128::from(word as u32))),
            IpAddr::V6(_) => {
                let first = first6 + 2 * u64::from(i);
                Ok((wide(first)?, wide(first + 2 * u64::from(count6))?))
            }
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if ends(middle)?.0 <= value { low = middle + 1 } else { high = middle }
        }
        let Some(piece) = low.checked_sub(1) else { return Ok(0) };
        let before = if address.is_ipv6() { count4 } else { 0 };
        Ok(if value <= ends(piece)?.1 { before.saturating_add(low) } else { 0 })
    }

    fn edge_of(&self, reference: u32, component: &[u8]) -> Result<Option<Edge>, Damaged> {
        if reference & abi::REF_HASH != 0 {
            let at = self.candidate(place(reference), component)?;
            let edge = self.edge(at)?;
            return Ok(self.is_named(at, &edge, component)?.then_some(edge));
        }
        let mut at = place(reference);
        for _ in 0..abi::LINEAR_EDGES {
            let edge = self.edge(at)?;
            if self.is_named(at, &edge, component)? {
                return Ok(Some(edge));
            }
            if edge.next & abi::EDGE_MORE == 0 {
                return Ok(None);
            }
            at += edge::WORDS + usize::from(abi::edge_len(edge.len_weight)).next_multiple_of(8);
        }
        Err(Damaged { at, what: "node with too many edges in a row" })
    }

    /// The only edge of a hashed node that may be this component's.
    fn candidate(&self, node: usize, component: &[u8]) -> Result<usize, Damaged> {
        let h = abi::component_hash(abi::words(component), self.u64(node + hash_node::K)?);
        let bucket = abi::hash_bucket(h, self.u32(node + hash_node::BUCKETS)?);
        let disp = self.u16(node + hash_node::DISP + 2 * bucket as usize)?;
        let slot = abi::hash_slot(h, disp, self.u32(node + hash_node::MASK)?);
        let slots = place(self.u32(node + hash_node::SLOTS)?);
        Ok(place(self.u32(slots + 4 * slot as usize)?))
    }

    fn edge(&self, at: usize) -> Result<Edge, Damaged> {
        Ok(Edge { next: self.u32(at + edge::NEXT)?, len_weight: self.u32(at + edge::LEN_WEIGHT)? })
    }

    /// Word by word, the last one under the edge's mask, as the program compares.
    fn is_named(&self, at: usize, edge: &Edge, component: &[u8]) -> Result<bool, Damaged> {
        if usize::from(abi::edge_len(edge.len_weight)) != component.len() || component.is_empty() {
            return Ok(false);
        }
        let last = component.len().div_ceil(8) - 1;
        for (i, word) in abi::words(component).enumerate() {
            let mask = if i == last { self.u64(at + edge::MASK)? } else { u64::MAX };
            if (self.u64(at + edge::WORDS + 8 * i)? ^ word) & mask != 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn u8(&self, at: usize) -> Result<u8, Damaged> {
        abi::u8_at(self.bytes, at).ok_or(OUTSIDE.at(at))
    }
    fn u16(&self, at: usize) -> Result<u16, Damaged> {
        abi::u16_at(self.bytes, at).ok_or(OUTSIDE.at(at))
    }
    fn u32(&self, at: usize) -> Result<u32, Damaged> {
        abi::u32_at(self.bytes, at).ok_or(OUTSIDE.at(at))
    }
    fn u64(&self, at: usize) -> Result<u64, Damaged> {
        abi::u64_at(self.bytes, at).ok_or(OUTSIDE.at(at))
    }
    fn slice(&self, at: usize, len: usize) -> Result<&'a [u8], Damaged> {
        self.bytes.get(at..at.saturating_add(len)).ok_or(OUTSIDE.at(at))
    }
}

struct Edge {
    next: u32,
    len_weight: u32,
}

const OUTSIDE: Damaged = Damaged { at: 0, what: "reference outside the region" };

impl Damaged {
    const fn at(self, at: usize) -> Damaged {
        Damaged { at, what: self.what }
    }
}

fn place(reference: u32) -> usize {
    (reference & !abi::REF_FLAGS) as usize
}

/// Whether an atom is in a row; `region` is what the row's reference points into.
pub fn row_holds(region: &[u8], row: u32, atom: u32) -> Result<bool, Damaged> {
    let at = place(row);
    let word = |at| abi::u32_at(region, at).ok_or(OUTSIDE.at(at));
    let listed = if row & abi::ROW_LIST != 0 {
        let (mut low, mut high) = (0, word(at)? as usize);
        let mut found = false;
        while low < high && !found {
            let middle = low + (high - low) / 2;
            match word(at + 4 + 4 * middle)?.cmp(&atom) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => found = true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        found
    } else {
        let bits_at = at + 8 * (atom as usize / 64);
        let bits = abi::u64_at(region, bits_at).ok_or(OUTSIDE.at(bits_at))?;
        bits >> (atom % 64) & 1 != 0
    };
    Ok(listed != (row & abi::ROW_INVERT != 0))
}

/// Runs decision words for the atoms of an event, one a dimension, and gives the ACT words that it reaches, in
/// order, with the position of each one's counter.
pub fn decide(code: &[u64], rows: &[u8], atoms: &[u32]) -> Result<Vec<(Act, usize)>, Damaged> {
    let mut reached = vec![];
    let mut pc = 0;
    loop {
        let word = *code.get(pc).ok_or(Damaged { at: pc, what: "decision list without an end" })?;
        let word = Word::decode(word).ok_or(Damaged { at: pc, what: "unknown decision word" })?;
        match word {
            Word::End => return Ok(reached),
            Word::Test { dimension, skip, row } => {
                let atom = *atoms
                    .get(usize::from(dimension))
                    .ok_or(Damaged { at: pc, what: "test of an unknown dimension" })?;
                pc += 1;
                if !row_holds(rows, row, atom)? {
                    pc += usize::from(skip);
                }
            }
            Word::Act(act) => {
                reached.push((act, pc + 1));
                pc += 2;
            }
            Word::Skip(skip) => pc += 1 + usize::from(skip),
        }
    }
}

#[cfg(test)]
mod tests;
