//! Sets of scopes: interned, and laid out as set blocks, decision lists and rows.
//!
//! Turns an ascending list of scopes into a set number, and appends what is new to the region: rows, block and
//! lists as one write, then the set's heads. Nothing that was written is changed. See [`super`] for the rules.

use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::rows::{encode, row_of};
use super::{NodeError, Part, Write};
use crate::abi::{self, ROW_INVERT, Word};
use crate::manifest::{Dimension, Manifest, RowForm};
use crate::scope_block::{Atoms, RowRef, ScopeBlock, ScopeBlocks};

#[derive(Clone, Debug)]
pub(super) struct Sets {
    operations: Arc<[Operation]>,
    blocks: Arc<[ScopeBlocks]>,
    /// Every scope of the manifest, ascending.
    scopes: Arc<[u32]>,
    /// In order of number.
    sets: IndexSet<Box<[u32]>, FxBuildHasher>,
    sets_max: usize,
    /// Head of an operation (by position) for those scopes of a set that have lists there.
    heads: FxHashMap<(usize, Box<[u32]>), u32>,
    /// Reference of a row by its bytes.
    rows: FxHashMap<Vec<u8>, u32>,
    /// First free byte and the end of what may be used.
    free: u32,
    limit: u64,
}

#[derive(Debug)]
struct Operation {
    number: u32,
    heads_offset: u32,
    dimensions: Vec<Dimension>,
}

/// Bytes that will be appended to the region from `start` on, if all of it fits.
struct Appended {
    start: u32,
    bytes: Vec<u8>,
    /// Rows among them.
    rows: FxHashMap<Vec<u8>, u32>,
}

impl Sets {
    pub(super) fn new(manifest: &Manifest, blocks: Arc<[ScopeBlocks]>) -> Sets {
        let operation = |o: &crate::manifest::Operation| Operation {
            number: o.number,
            heads_offset: o.heads_offset,
            dimensions: o.dimensions.clone(),
        };
        Sets {
            operations: manifest.operations.iter().map(operation).collect(),
            blocks,
            scopes: manifest.scopes.iter().map(|s| s.number).collect(),
            sets: IndexSet::default(),
            sets_max: manifest.node.sets as usize,
            heads: FxHashMap::default(),
            rows: FxHashMap::default(),
            free: manifest.node.blocks_offset,
            limit: u64::from(manifest.node.mask | abi::REF_FLAGS) + 1,
        }
    }

    /// Number of the set of these scopes, ascending; `workload` is who needs it.
    pub(super) fn intern(
        &mut self,
        workload: &str,
        scopes: &[u32],
        writes: &mut Vec<Write>,
    ) -> Result<u32, NodeError> {
        if let Some(set) = self.sets.get_index_of(scopes) {
            return Ok(set as u32);
        }
        let name = || workload.to_string();
        if let Some(&scope) = scopes.iter().find(|s| self.scopes.binary_search(s).is_err()) {
            return Err(NodeError::UnknownScope { workload: name(), scope });
        }
        let full = |part| NodeError::Full { workload: name(), part };
        let set = self.sets.len();
        if set >= self.sets_max {
            return Err(full(Part::Sets));
        }
        let mut heads = vec![];
        for at in 0..self.operations.len() {
            heads.push(self.head(at, workload, scopes, writes)?);
        }
        for (operation, head) in self.operations.iter().zip(heads) {
            // 0 is what stands there anyway.
            if head != 0 {
                writes.push(Write::u32(operation.heads_offset + 4 * set as u32, head));
            }
        }
        self.sets.insert(scopes.into());
        Ok(set as u32)
    }

    /// Reference of the block of these scopes at the operation; 0 if none of them has a list there.
    fn head(
        &mut self,
        at: usize,
        workload: &str,
        scopes: &[u32],
        writes: &mut Vec<Write>,
    ) -> Result<u32, NodeError> {
        let with_lists: Vec<(u32, ScopeBlock)> =
            scopes.iter().filter_map(|&s| Some((s, self.blocks[at].block(s)?))).collect();
        if with_lists.is_empty() {
            return Ok(0);
        }
        let key = (at, with_lists.iter().map(|entry| entry.0).collect::<Box<[u32]>>());
        if let Some(&head) = self.heads.get(&key) {
            return Ok(head);
        }
        let blocks: Vec<ScopeBlock> = with_lists.into_iter().map(|entry| entry.1).collect();
        let words = 1 + blocks.iter().map(ScopeBlock::words).sum::<usize>();
        if words > abi::SET_WORDS_MAX {
            let operation = self.operations[at].number;
            return Err(NodeError::TooManyWords { workload: workload.to_string(), operation, words });
        }
        let full = || NodeError::Full { workload: workload.to_string(), part: Part::Blocks };
        let mut appended = Appended { start: self.free, bytes: vec![], rows: FxHashMap::default() };
        let head = self.append_block(at, &blocks, &mut appended).ok_or_else(full)?;
        let end = u64::from(appended.start) + appended.bytes.len() as u64;
        if end > self.limit {
            return Err(full());
        }
        self.free = u32::try_from(end).map_err(|_| full())?;
        self.rows.extend(appended.rows);
        self.heads.insert(key, head);
        writes.push(Write { offset: appended.start, bytes: appended.bytes });
        Ok(head)
    }

    fn append_block(&self, at: usize, blocks: &[ScopeBlock], appended: &mut Appended) -> Option<u32> {
        let dimensions = &self.operations[at].dimensions;
        let mut quiet = vec![];
        for (d, dimension) in dimensions.iter().enumerate() {
            quiet.push(match self.quiet(at, d, dimension, blocks) {
                Some(atoms) if !atoms.is_empty() => self.row(&atoms, dimension, appended)?,
                Some(_) | None => 0,
            });
        }
        let mut lists: Vec<_> = blocks.iter().flat_map(|block| &block.lists).collect();
        // Hooks of one policy may be of several scopes (matchWorkloads), whose order says nothing.
        lists.sort_by_key(|list| list.order());
        let mut words = vec![];
        for &word in lists.iter().flat_map(|list| &list.words) {
            words.push(match Word::decode(word)? {
                Word::Test { dimension: d, skip, row } => {
                    let dimension = dimensions.get(usize::from(d))?;
                    let atoms = self.atoms(at, RowRef::from_code(row), dimension)?;
                    let row = self.test_row(&atoms, dimension, appended)?;
                    Word::Test { dimension: d, skip, row }.encode()
                }
                Word::Act(_) | Word::Skip(_) | Word::End => word,
            });
        }
        words.push(Word::End.encode());
        let code = appended.put(words.iter().flat_map(|word| word.to_le_bytes()))?;
        let needs = blocks.iter().fold(0, |needs, block| needs | block.needs);
        let block = [needs, code].into_iter().chain(quiet);
        appended.put(block.flat_map(u32::to_le_bytes))
    }

    /// Atoms for which none of the scopes does anything. `None`: one of them has no such row.
    fn quiet(&self, at: usize, d: usize, dimension: &Dimension, blocks: &[ScopeBlock]) -> Option<Atoms> {
        let mut all = Atoms::default().complement(dimension.atoms);
        for block in blocks {
            let row = (*block.quiet.get(d)?)?;
            all = all.and(&self.atoms(at, row, dimension)?);
        }
        let unreadable_acts = dimension.merges_unreadable && !all.contains(dimension.atoms.saturating_add(1));
        Some(if unreadable_acts { all.without(0) } else { all })
    }

    fn atoms(&self, at: usize, row: RowRef, dimension: &Dimension) -> Option<Atoms> {
        self.blocks[at].rows.atoms(row, dimension.atoms)
    }

    /// As [`Sets::row`], for a test: where rows are plain bits, the other atoms' row will do if it is there, which
    /// is the case where one policy alone is quiet for all that it does not test.
    fn test_row(&self, atoms: &Atoms, dimension: &Dimension, appended: &mut Appended) -> Option<u32> {
        if dimension.rows == RowForm::Bits {
            let others = row_of(&atoms.complement(dimension.atoms), dimension.atoms, dimension.rows);
            let (row, others) = (encode(&row_of(atoms, dimension.atoms, dimension.rows)), encode(&others));
            let known = |bytes: &[u8]| self.rows.get(bytes).or_else(|| appended.rows.get(bytes)).copied();
            if let (None, Some(reference)) = (known(&row), known(&others)) {
                return Some(reference | ROW_INVERT);
            }
        }
        self.row(atoms, dimension, appended)
    }

    /// Reference and flags of the row that holds these atoms.
    fn row(&self, atoms: &Atoms, dimension: &Dimension, appended: &mut Appended) -> Option<u32> {
        let row = row_of(atoms, dimension.atoms, dimension.rows);
        let bytes = encode(&row);
        if let Some(reference) = self.rows.get(&bytes).or_else(|| appended.rows.get(&bytes)) {
            return Some(reference | row.flags);
        }
        let reference = appended.put(bytes.iter().copied())?;
        appended.rows.insert(bytes, reference);
        Some(reference | row.flags)
    }
}

impl Appended {
    /// Reference of these bytes, behind what is there; a multiple of 8 of them.
    fn put(&mut self, bytes: impl Iterator<Item = u8>) -> Option<u32> {
        let reference = self.start.checked_add(u32::try_from(self.bytes.len()).ok()?)?;
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        Some(reference)
    }
}
