//! Every path of a component automaton.
//!
//! First the nodes, each once, then how many paths lead on from each (which the weights must say too), then the
//! paths. Only counts that fit what is expected are unfolded, so an automaton that stands for exponentially many
//! strings costs no more than its nodes.

use std::collections::BTreeMap;

use super::{Claims, DecodeError, Values};
use crate::artifact::abi::{self, edge, hash_node};

struct Edge<'a> {
    at: usize,
    name: &'a [u8],
    weight: u32,
    accept: bool,
    /// Reference of the node that it leads to, whose flags are checked when that node is read.
    to: u32,
    /// The same as a position in the nodes, once all are read.
    target: usize,
}

struct Node<'a> {
    at: usize,
    /// In order of weight.
    edges: Vec<Edge<'a>>,
    /// Paths that lead on from here, without the one that may begin here.
    strings: u64,
}

pub fn paths(mut claims: Claims<'_>, root: u32, expected: u32) -> Result<Values, DecodeError> {
    let accept = root & abi::EDGE_ACCEPT != 0;
    let start = root & !abi::EDGE_ACCEPT;
    if start & abi::EDGE_MORE != 0 {
        return Err(DecodeError::Reference { at: 0, reference: root });
    }
    let mut nodes = read_nodes(&mut claims, start)?;
    count(&mut nodes, accept)?;
    let found = nodes.last().map_or(0, |root| root.strings) + u64::from(accept);
    if found != u64::from(expected) {
        return Err(DecodeError::Count { expected, found });
    }
    unfold(&nodes, accept)
}

/// Nodes in order of offset: each behind those that it leads to, the root last.
fn read_nodes<'a>(claims: &mut Claims<'a>, start: u32) -> Result<Vec<Node<'a>>, DecodeError> {
    let mut nodes: BTreeMap<u32, Node> = BTreeMap::new();
    let mut unread = vec![start];
    while let Some(reference) = unread.pop() {
        if nodes.contains_key(&reference) {
            continue;
        }
        let node = read_node(claims, reference)?;
        for edge in &node.edges {
            if (edge.to & !abi::REF_FLAGS) as usize >= node.at {
                return Err(DecodeError::Forward { at: edge.at });
            }
            unread.push(edge.to);
        }
        nodes.insert(reference, node);
    }
    let positions: BTreeMap<u32, usize> = nodes.keys().copied().zip(0..).collect();
    let mut nodes: Vec<Node> = nodes.into_values().collect();
    for edge in nodes.iter_mut().flat_map(|node| &mut node.edges) {
        edge.target = positions[&edge.to];
    }
    Ok(nodes)
}

fn read_node<'a>(claims: &mut Claims<'a>, reference: u32) -> Result<Node<'a>, DecodeError> {
    let at = Claims::place(0, reference, abi::REF_HASH)?;
    let mut edges = if reference == abi::EDGE_NONE {
        vec![]
    } else if reference & abi::REF_HASH != 0 {
        hashed_edges(claims, at)?
    } else {
        linear_edges(claims, at)?
    };
    edges.sort_by_key(|e| e.weight);
    Ok(Node { at, edges, strings: 0 })
}

fn linear_edges<'a>(claims: &mut Claims<'a>, at: usize) -> Result<Vec<Edge<'a>>, DecodeError> {
    let mut edges: Vec<Edge> = vec![];
    let mut place = at;
    loop {
        let (edge, more) = read_edge(claims, place)?;
        if edges.iter().any(|e| e.name == edge.name) {
            return Err(DecodeError::Misplaced { at: place });
        }
        place += (edge::WORDS + edge.name.len()).next_multiple_of(8);
        edges.push(edge);
        if !more {
            return Ok(edges);
        }
        if edges.len() == abi::LINEAR_EDGES {
            return Err(DecodeError::Size { at });
        }
    }
}

fn hashed_edges<'a>(claims: &mut Claims<'a>, at: usize) -> Result<Vec<Edge<'a>>, DecodeError> {
    let head = (claims.u64(at + hash_node::K)?, claims.u32(at + hash_node::SLOTS)?);
    let (k, slots) = (head.0, Claims::place(at, head.1, 0)?);
    let (buckets, mask) = (claims.u32(at + hash_node::BUCKETS)?, claims.u32(at + hash_node::MASK)?);
    for (last, bits) in [(buckets, abi::BUCKET_BITS), (mask, abi::SLOT_BITS)] {
        if !(u64::from(last) + 1).is_power_of_two() || last >= 1 << bits {
            return Err(DecodeError::Size { at });
        }
    }
    let node = claims.take(at, hash_node::SIZE + 2 * (buckets as usize + 1))?;
    let table = claims.take(slots, 4 * (mask as usize + 1))?;
    if abi::u32_at(node, hash_node::PAD) != Some(0) {
        return Err(DecodeError::Size { at });
    }
    let mut edges = vec![];
    for slot in 0..=mask {
        let reference = abi::u32_at(table, 4 * slot as usize).unwrap_or(0);
        if reference == abi::EDGE_NONE {
            continue;
        }
        let place = Claims::place(slots + 4 * slot as usize, reference, 0)?;
        let (edge, more) = read_edge(claims, place)?;
        let h = abi::component_hash(abi::words(edge.name), k);
        let bucket = abi::hash_bucket(h, buckets) as usize;
        let disp = abi::u16_at(node, hash_node::DISP + 2 * bucket).unwrap_or(0);
        // Each name at its own slot also keeps two edges from having the same one.
        if more || abi::hash_slot(h, disp, mask) != slot {
            return Err(DecodeError::Misplaced { at: place });
        }
        edges.push(edge);
    }
    Ok(edges)
}

/// The edge, and whether another one follows.
fn read_edge<'a>(claims: &mut Claims<'a>, at: usize) -> Result<(Edge<'a>, bool), DecodeError> {
    let (next, len_weight) = (claims.u32(at + edge::NEXT)?, claims.u32(at + edge::LEN_WEIGHT)?);
    let len = usize::from(abi::edge_len(len_weight));
    let piece = claims.take(at, edge::WORDS + len)?;
    let name = &piece[edge::WORDS..];
    let known = !matches!(name, b"" | b"." | b"..") && !name.iter().any(|&b| b == b'/' || b == 0);
    if !known || abi::u64_at(piece, edge::MASK) != Some(abi::last_word_mask(len)) {
        return Err(DecodeError::Name { at });
    }
    let to = next & !(abi::EDGE_ACCEPT | abi::EDGE_MORE);
    let accept = next & abi::EDGE_ACCEPT != 0;
    let weight = abi::edge_weight(len_weight);
    Ok((Edge { at, name, weight, accept, to, target: 0 }, next & abi::EDGE_MORE != 0))
}

/// Counts the strings of every node and compares the weights with them.
fn count(nodes: &mut [Node], root_accepts: bool) -> Result<(), DecodeError> {
    // Whether a path may begin at a node, as every edge that leads to it must agree.
    let mut begins: Vec<Option<bool>> = vec![None; nodes.len()];
    if let Some(root) = begins.last_mut() {
        *root = Some(root_accepts);
    }
    for edge in nodes.iter().flat_map(|node| &node.edges) {
        if *begins[edge.target].get_or_insert(edge.accept) != edge.accept {
            return Err(DecodeError::Weight { at: edge.at });
        }
    }
    for i in 0..nodes.len() {
        let first = u64::from(begins[i] == Some(true));
        let mut next = first;
        for edge in &nodes[i].edges {
            let strings = nodes[edge.target].strings + u64::from(edge.accept);
            if u64::from(edge.weight) != next {
                return Err(DecodeError::Weight { at: edge.at });
            }
            if strings == 0 {
                return Err(DecodeError::DeadEnd { at: edge.at });
            }
            next = next.saturating_add(strings);
        }
        nodes[i].strings = next - first;
    }
    Ok(())
}

/// All paths, in order of id: at each node first its own, then those of its edges by weight.
fn unfold(nodes: &[Node], accept: bool) -> Result<Values, DecodeError> {
    let mut values = Values::default();
    // The names on the way, leaf first, and which edge of each node comes next.
    let mut names: Vec<&[u8]> = vec![];
    let mut len = 0;
    let mut stack: Vec<_> = nodes.last().map(|root| root.edges.iter()).into_iter().collect();
    if accept {
        push_path(&mut values, &names)?;
    }
    while let Some(edges) = stack.last_mut() {
        let Some(edge) = edges.next() else {
            stack.pop();
            len -= names.pop().map_or(0, |n| n.len() + 1);
            continue;
        };
        names.push(edge.name);
        len += edge.name.len() + 1;
        if len > abi::TEXT_MAX {
            return Err(DecodeError::TooLong { at: edge.at });
        }
        if edge.accept {
            push_path(&mut values, &names)?;
        }
        stack.push(nodes[edge.target].edges.iter());
    }
    Ok(values)
}

fn push_path(values: &mut Values, leaf_first: &[&[u8]]) -> Result<(), DecodeError> {
    let root: &[u8] = if leaf_first.is_empty() { b"/" } else { b"" };
    let names = leaf_first.iter().rev().flat_map(|name| [&b"/"[..], name]);
    let span = values.append(std::iter::once(root).chain(names))?;
    values.spans.push(span);
    Ok(())
}
