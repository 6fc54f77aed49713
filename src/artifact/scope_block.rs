//! Scope blocks: what each scope contributes to one operation, made by the compiler for the loader.
//!
//! Which scopes meet in one cgroup is known on the node alone, so the compiler writes the parts and the loader
//! puts them together ([`super::node`]). A scope's block holds the decision lists of its policies, in order of
//! policy identity, in the words of `bpf-templates/abi.h`; for each dimension the quiet row, if there is one;
//! and the dimensions that have to be read. Rows stand once for the whole image and are named by [`RowRef`]s
//! in place of references.
//!
//! Guarantees for [`ScopeBlocks::read`], whatever the bytes: no panic; every list ends where it says, every
//! skip lands on a word of the same list, every row is there and holds only atoms of the dimension it is used
//! for, every count is zero. Whether policies and selectors exist is the manifest's matter
//! ([`super::read`]); what the lists mean is the proof's.
//!
//! File, little endian, offsets in bytes; all that is not said is zero:
//! ```text
//! header   u32 magic, version, operation, dimensions, scopes, rows, ids, words; 64 bytes
//! index    scopes x { u32 scope, u32 first }     ascending; its block begins at words[first]
//! ends     rows x u32                            row r is ids[ends[r - 1] .. ends[r]]
//! ids      ids x u32                             atoms, ascending; see `rows`
//! words    at the next multiple of 8: words x u64
//! block    needs | lists << 32, then quiet rows, two a word, then each list: rank | first selector << 32,
//!          its length, its words
//! ```

pub mod rows;

use super::abi::{Word, u32_at, u64_at};
use super::image::{HEADER, ImageError, check_head, refused};
pub use rows::{Atoms, RowRef, Rows};

pub const MAGIC: u32 = 0x4243_5346; // "FSCB"
pub const VERSION: u32 = 2;

const NO_ROW: u32 = u32::MAX;

/// What one scope contributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeBlock {
    /// Bit d: dimension d has to be read.
    pub needs: u32,
    /// Per dimension: the atoms for which no list does anything, whatever the other dimensions are.
    pub quiet: Vec<Option<RowRef>>,
    /// Never empty, ascending in [`DecisionList::order`].
    pub lists: Vec<DecisionList>,
}

impl ScopeBlock {
    /// Words of its lists.
    pub fn words(&self) -> usize {
        self.lists.iter().map(|list| list.words.len()).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionList {
    /// Position of its policy in the manifest's `policies`.
    pub rank: u32,
    /// Of its hook, as the manifest numbers it.
    pub first_selector: u32,
    /// Without END; rows are [`RowRef::code`]s; the count behind an ACT is zero.
    pub words: Vec<u64>,
}

impl DecisionList {
    /// What the lists of a process run in order of: of its policies, then of the hooks in each, whatever their scopes.
    pub fn order(&self) -> (u32, u32) {
        (self.rank, self.first_selector)
    }
}

/// Writes the image of one operation.
#[derive(Debug)]
pub struct Builder {
    operation: u32,
    dimensions: usize,
    rows: rows::RowsBuilder,
    index: Vec<(u32, u32)>,
    words: Vec<u64>,
}

impl Builder {
    pub fn new(operation: u32, dimensions: usize) -> Builder {
        Builder { operation, dimensions, rows: Default::default(), index: vec![], words: vec![] }
    }

    /// The row that holds exactly these atoms, ascending; the same for the same atoms.
    pub fn row(&mut self, atoms: &[u32]) -> RowRef {
        self.rows.intern(atoms)
    }

    /// Adds a scope; they come in ascending order. [`ScopeBlocks::read`] checks what was written.
    pub fn scope(&mut self, scope: u32, block: &ScopeBlock) {
        debug_assert!(self.index.last().is_none_or(|last| last.0 < scope));
        debug_assert_eq!(block.quiet.len(), self.dimensions);
        self.index.push((scope, self.words.len() as u32));
        self.words.push(u64::from(block.needs) | (block.lists.len() as u64) << 32);
        let code = |row: &Option<RowRef>| u64::from(row.map_or(NO_ROW, RowRef::code));
        let quiet = block.quiet.chunks(2);
        self.words.extend(quiet.map(|pair| code(&pair[0]) | pair.get(1).map_or(0, code) << 32));
        for list in &block.lists {
            self.words.push(u64::from(list.rank) | u64::from(list.first_selector) << 32);
            self.words.push(list.words.len() as u64);
            self.words.extend_from_slice(&list.words);
        }
    }

    pub fn finish(self) -> Vec<u8> {
        let Rows { ends, ids } = self.rows.finish();
        let lengths = [self.index.len(), ends.len(), ids.len(), self.words.len()].map(|n| n as u32);
        let head = [MAGIC, VERSION, self.operation, self.dimensions as u32];
        let mut bytes =
            Vec::with_capacity(HEADER + 8 * (self.index.len() + self.words.len()) + 4 * ids.len());
        let mut put = |value: u32| bytes.extend_from_slice(&value.to_le_bytes());
        head.into_iter().chain(lengths).chain([0; HEADER / 4 - 8]).for_each(&mut put);
        self.index.iter().flat_map(|&(scope, first)| [scope, first]).for_each(&mut put);
        ends.into_iter().chain(ids).for_each(&mut put);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes
    }
}

/// An image, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeBlocks {
    pub rows: Rows,
    /// Scope and where its block begins; ascending.
    index: Vec<(u32, u32)>,
    words: Vec<u64>,
    dimensions: usize,
}

impl ScopeBlocks {
    /// Reads the image of operation number `operation`, whose dimensions have this many named values each.
    ///
    /// # Errors
    /// If the bytes are not what [`Builder`] gives for such an operation.
    pub fn read(bytes: &[u8], operation: u32, atoms: &[u32]) -> Result<ScopeBlocks, ImageError> {
        check_head(bytes, MAGIC, VERSION, "an image of scope blocks")?;
        let mut reader = Reader { bytes, at: 8 };
        if reader.u32()? != operation || reader.u32()? as usize != atoms.len() {
            return Err(refused("of another operation"));
        }
        let [scopes, rows, ids, words] =
            [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?].map(u64::from);
        let before_words = (HEADER as u64 + 8 * scopes + 4 * rows + 4 * ids).next_multiple_of(8);
        if before_words + 8 * words != bytes.len() as u64 {
            return Err(refused("length differs from what its header says"));
        }
        if bytes[reader.at..HEADER].iter().any(|&b| b != 0) {
            return Err(refused("its header does not end in zeros"));
        }
        reader.at = HEADER;
        let index =
            (0..scopes).map(|_| Ok((reader.u32()?, reader.u32()?))).collect::<Result<_, ImageError>>()?;
        let ends = reader.u32s(rows)?;
        let ids = reader.u32s(ids)?;
        if bytes[reader.at..before_words as usize].iter().any(|&b| b != 0) {
            return Err(refused("padding is not zero"));
        }
        let words = (0..words).map_while(|i| u64_at(bytes, (before_words + 8 * i) as usize)).collect();
        let blocks = ScopeBlocks { rows: Rows::checked(ends, ids)?, index, words, dimensions: atoms.len() };
        blocks.check(atoms)?;
        Ok(blocks)
    }

    /// Scopes that have lists at this operation, ascending.
    pub fn scopes(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.iter().map(|entry| entry.0)
    }

    /// `None` if the scope has no list at this operation.
    pub fn block(&self, scope: u32) -> Option<ScopeBlock> {
        let at = self.index.binary_search_by_key(&scope, |entry| entry.0).ok()?;
        self.decode(at).ok()
    }

    fn check(&self, atoms: &[u32]) -> Result<(), ImageError> {
        if !self.index.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1) {
            return Err(refused("scopes are not in ascending order, each once"));
        }
        if self.index.first().map_or(0, |first| first.1) != 0
            || self.index.is_empty() != self.words.is_empty()
        {
            return Err(refused("a block that belongs to no scope"));
        }
        for at in 0..self.index.len() {
            let block = self.decode(at)?;
            self.check_block(&block, atoms)
                .map_err(|e| ImageError(format!("block of scope {}: {e}", self.index[at].0)))?;
        }
        Ok(())
    }

    fn decode(&self, at: usize) -> Result<ScopeBlock, ImageError> {
        let first = self.index[at].1 as usize;
        let end = self.index.get(at + 1).map_or(self.words.len(), |next| next.1 as usize);
        let mut words = self.words.get(first..end).ok_or_else(|| refused("a block outside the file"))?;
        let mut take = |n: usize| -> Result<&[u64], ImageError> {
            let (taken, rest) =
                words.split_at_checked(n).ok_or_else(|| refused("a block that is cut short"))?;
            words = rest;
            Ok(taken)
        };
        let halves = |word: u64| [word as u32, (word >> 32) as u32];
        let [needs, count] = halves(take(1)?[0]);
        let codes: Vec<u32> = take(self.dimensions.div_ceil(2))?.iter().flat_map(|&w| halves(w)).collect();
        if codes[self.dimensions..].iter().any(|&c| c != 0) {
            return Err(refused("padding is not zero"));
        }
        let row = |&code: &u32| (code != NO_ROW).then(|| RowRef::from_code(code));
        let quiet = codes[..self.dimensions].iter().map(row).collect();
        let mut lists = vec![];
        for _ in 0..count {
            let [rank, first_selector] = halves(take(1)?[0]);
            let length = usize::try_from(take(1)?[0]).map_err(|_| refused("a block that is cut short"))?;
            lists.push(DecisionList { rank, first_selector, words: take(length)?.to_vec() });
        }
        if !words.is_empty() {
            return Err(refused("a block that is longer than its lists"));
        }
        Ok(ScopeBlock { needs, quiet, lists })
    }

    fn check_block(&self, block: &ScopeBlock, atoms: &[u32]) -> Result<(), ImageError> {
        if u64::from(block.needs) >> atoms.len() != 0 {
            return Err(refused("needs a dimension that is not there"));
        }
        if block.lists.is_empty() || !block.lists.is_sorted_by(|a, b| a.order() < b.order()) {
            return Err(refused("lists are not in order of policy and hook, each once"));
        }
        for (row, &atoms) in block.quiet.iter().zip(atoms) {
            if let Some(row) = row {
                self.check_row(*row, atoms)?;
            }
        }
        block.lists.iter().try_for_each(|list| self.check_list(&list.words, block.needs, atoms))
    }

    fn check_row(&self, row: RowRef, atoms: u32) -> Result<(), ImageError> {
        let last = self.rows.last(row).ok_or_else(|| refused("a row that is not there"))?;
        if last.is_some_and(|last| u64::from(last) > u64::from(atoms) + 1) {
            return Err(refused("a row with atoms that its dimension does not have"));
        }
        Ok(())
    }

    /// Marks the beginnings of words, then looks where skips lead.
    fn check_list(&self, words: &[u64], needs: u32, atoms: &[u32]) -> Result<(), ImageError> {
        let mut begins = vec![false; words.len() + 1];
        let mut lands = vec![];
        let mut at = 0;
        while at < words.len() {
            begins[at] = true;
            let word = Word::decode(words[at]).ok_or_else(|| refused("a word that says nothing"))?;
            at += 1;
            match word {
                Word::End => return Err(refused("a list that ends before its end")),
                Word::Test { dimension, skip, row } => {
                    let atoms = atoms.get(usize::from(dimension)).filter(|_| needs >> dimension & 1 == 1);
                    let atoms = atoms.ok_or_else(|| refused("a test of what is not read"))?;
                    self.check_row(RowRef::from_code(row), *atoms)?;
                    lands.push(at + usize::from(skip));
                }
                Word::Act(_) if words.get(at) == Some(&0) => at += 1,
                Word::Act(_) => return Err(refused("an action without a count of zero behind it")),
                Word::Skip(skip) => lands.push(at + usize::from(skip)),
            }
        }
        begins[words.len()] = true;
        if lands.iter().all(|&to| begins.get(to) == Some(&true)) {
            return Ok(());
        }
        Err(refused("a skip that does not lead to a word"))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u32(&mut self) -> Result<u32, ImageError> {
        let value = u32_at(self.bytes, self.at).ok_or_else(|| refused("cut short"))?;
        self.at += 4;
        Ok(value)
    }

    /// The caller compared `count` with the file's length.
    fn u32s(&mut self, count: u64) -> Result<Vec<u32>, ImageError> {
        (0..count).map(|_| self.u32()).collect()
    }
}

#[cfg(test)]
mod tests;
