//! Every text of a radix trie.

use super::{Claims, DecodeError, Values};
use crate::artifact::abi::{self, trie_node};

/// A node that waits to be read.
struct Unread {
    /// Where its reference stands, for errors.
    from: usize,
    reference: u32,
    /// How much of the text is above it, and the byte that led to it.
    above: usize,
    byte: Option<u8>,
}

pub fn texts(
    mut claims: Claims<'_>,
    root: u32,
    expected: u32,
    backward: bool,
) -> Result<Values, DecodeError> {
    let mut values = Values::default();
    let mut spans: Vec<Option<(u32, u32)>> = vec![];
    let mut found = 0;
    let mut text: Vec<u8> = vec![];
    let mut unread = vec![Unread { from: 0, reference: root, above: 0, byte: None }];
    while let Some(next) = unread.pop() {
        let at = Claims::place(next.from, next.reference, 0)?;
        text.truncate(next.above);
        text.extend(next.byte);
        let node = read_node(&mut claims, at)?;
        text.extend_from_slice(node.label);
        if text.len() > abi::TEXT_MAX {
            return Err(DecodeError::TooLong { at });
        }
        if node.atom != 0 {
            let place = node.atom as usize - 1;
            if node.atom > expected || spans.get(place).copied().flatten().is_some() {
                return Err(DecodeError::Atom { at, atom: node.atom });
            }
            if spans.len() <= place {
                spans.resize(place + 1, None);
            }
            let span = values.append(std::iter::once(&text[..]))?;
            if backward {
                values.bytes[span.0 as usize..].reverse();
            }
            spans[place] = Some(span);
            found += 1;
        }
        let children = push_children(&node, text.len(), &mut unread);
        if children == 0 && node.atom == 0 && at != root as usize {
            return Err(DecodeError::DeadEnd { at });
        }
    }
    values.spans = spans.into_iter().flatten().collect();
    if found != u64::from(expected) {
        return Err(DecodeError::Count { expected, found });
    }
    Ok(values)
}

struct Node<'a> {
    at: usize,
    atom: u32,
    label: &'a [u8],
    first: u8,
    children: &'a [u8],
}

fn read_node<'a>(claims: &mut Claims<'a>, at: usize) -> Result<Node<'a>, DecodeError> {
    let head = claims.u64(at)?.to_le_bytes();
    let label_len = usize::from(head[trie_node::LABEL_LEN]);
    let first = head[trie_node::FIRST];
    let count = usize::from(u16::from_le_bytes([head[trie_node::COUNT], head[trie_node::COUNT + 1]]));
    if label_len > abi::TRIE_LABEL_MAX || usize::from(first) + count > 256 {
        return Err(DecodeError::Size { at });
    }
    let children = trie_node::LABEL + label_len.next_multiple_of(8);
    let piece = claims.take(at, children + 4 * count)?;
    let (label, padding) = piece[trie_node::LABEL..children].split_at(label_len);
    if padding.iter().any(|&b| b != 0) {
        return Err(DecodeError::Name { at });
    }
    let atom = abi::u32_at(piece, trie_node::ATOM).unwrap_or(0);
    Ok(Node { at, atom, label, first, children: &piece[children..] })
}

/// The first child on top. Returns how many there are.
fn push_children(node: &Node, above: usize, unread: &mut Vec<Unread>) -> usize {
    let before = unread.len();
    let first_place = node.at + trie_node::LABEL + node.label.len().next_multiple_of(8);
    for i in (0..node.children.len() / 4).rev() {
        let reference = abi::u32_at(node.children, 4 * i).unwrap_or(0);
        if reference != 0 {
            let byte = Some(node.first + i as u8);
            unread.push(Unread { from: first_place + 4 * i, reference, above, byte });
        }
    }
    unread.len() - before
}
