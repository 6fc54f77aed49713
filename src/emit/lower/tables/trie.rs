//! Texts as a radix trie: Equal on strings and Prefix from the first byte, Postfix from the last one.
//!
//! Turns: different texts. Into: nodes with a label of at most 64 bytes and a range of children.
//! Guarantees: the atom of `values[i]` is i + 1; a node stands before its children; equal tails are not
//! merged, so every node is reached in one way.
//! Not here: what a hit means. Equal takes an atom only where the text ends, Prefix the last one passed.

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi::{self, trie_node};

/// From which end texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Forward,
    Backward,
}

/// Writes the trie of these texts and returns its root, which has no atom and no child if there are none.
pub fn build(blob: &mut Blob, values: &[impl AsRef<[u8]>], from: Direction) -> Result<u32, TableError> {
    if let Some(value) = values.iter().position(|v| v.as_ref().len() > abi::TEXT_MAX) {
        return Err(TableError::TextTooLong { value, len: values[value].as_ref().len() });
    }
    let mut texts: Vec<Text> = (0u32..)
        .zip(values)
        .map(|(i, value)| Text { bytes: read_from(value.as_ref(), from), atom: i + 1 })
        .collect();
    texts.sort_unstable();
    if let Some(pair) = texts.windows(2).find(|pair| pair[0].bytes == pair[1].bytes) {
        return Err(TableError::Duplicate {
            first: pair[0].atom as usize - 1,
            second: pair[1].atom as usize - 1,
        });
    }
    let mut root = None;
    let mut tasks = vec![Task { texts: &texts, depth: 0, parent: None }];
    while let Some(task) = tasks.pop() {
        let node = put_node(blob, task, &mut tasks)?;
        root.get_or_insert(node);
    }
    Ok(root.expect("the first task is the root"))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Text {
    bytes: Vec<u8>,
    atom: u32,
}

/// Texts that agree up to `depth` and wait for their node.
struct Task<'a> {
    texts: &'a [Text],
    depth: usize,
    /// Where the node's reference goes.
    parent: Option<u32>,
}

fn read_from(text: &[u8], from: Direction) -> Vec<u8> {
    match from {
        Direction::Forward => text.to_vec(),
        Direction::Backward => text.iter().rev().copied().collect(),
    }
}

fn put_node<'a>(blob: &mut Blob, task: Task<'a>, tasks: &mut Vec<Task<'a>>) -> Result<u32, TableError> {
    let mut texts = task.texts;
    let label = label(texts, task.depth);
    let end = task.depth + label.len();
    let atom = match texts.first() {
        Some(text) if text.bytes.len() == end => {
            texts = &texts[1..];
            text.atom
        }
        Some(_) | None => 0,
    };
    let (first, count) = match texts {
        [] => (0, 0),
        [a, ..] => {
            let z = &texts[texts.len() - 1];
            (a.bytes[end], usize::from(z.bytes[end] - a.bytes[end]) + 1)
        }
    };
    let mut bytes = vec![0; trie_node::LABEL];
    bytes[trie_node::ATOM..][..4].copy_from_slice(&atom.to_le_bytes());
    bytes[trie_node::LABEL_LEN] = label.len() as u8;
    bytes[trie_node::FIRST] = first;
    bytes[trie_node::COUNT..][..2].copy_from_slice(&(count as u16).to_le_bytes());
    bytes.extend_from_slice(label);
    bytes.resize(trie_node::LABEL + label.len().next_multiple_of(8), 0);
    let children = bytes.len();
    bytes.resize(children + 4 * count, 0);
    let node = blob.put(&bytes)?;
    if let Some(place) = task.parent {
        blob.set_u32(place, node);
    }
    // The last group first, so that the first is on top of the stack and stands next.
    let mut rest = texts;
    while let Some(last) = rest.last() {
        let byte = last.bytes[end];
        let start = rest.partition_point(|t| t.bytes[end] < byte);
        let place = node + children as u32 + 4 * u32::from(byte - first);
        tasks.push(Task { texts: &rest[start..], depth: end + 1, parent: Some(place) });
        rest = &rest[..start];
    }
    Ok(node)
}

/// The longest label for sorted texts: what the first and the last share.
fn label(texts: &[Text], depth: usize) -> &[u8] {
    let [first, ..] = texts else { return &[] };
    let a = &first.bytes[depth..];
    let z = &texts[texts.len() - 1].bytes[depth..];
    let len = a.iter().zip(z).take(abi::TRIE_LABEL_MAX).take_while(|(a, z)| a == z).count();
    &a[..len]
}

#[cfg(test)]
mod tests;
