//! Exact paths as a minimised automaton over components, read from the last one to the first.
//!
//! Turns: different paths. Into: edges and hashed nodes, the root's reference, and the id of each path.
//! Guarantees: ids are 1..=count, in order of the paths' reversed component lists (components compared as
//! bytes, a path before those that only have more directories in front); the sum of the weights along a path
//! is its id - 1; equal subtrees are written once; whatever a node leads to stands before it.
//! The root directory is the path without components: its id is 1 and the root reference has
//! [`abi::EDGE_ACCEPT`], which a walk that tests the flag of its last reference handles like any other.
//! Not here: values that no walk can produce. They equal no path and get an [`Unreachable`] for the lints.
//!
//! Built in one pass over the sorted paths (Daciuk, Mihov, Watson, Watson 2000); the numbering is that of
//! Lucchesi and Kowaltowski (1993).

use std::hash::{BuildHasher, Hash, Hasher};

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

use super::blob::Blob;
use super::{TableError, perfect_hash};
use crate::artifact::abi::{self, edge, hash_node};

/// Why no walk of a file's path can give this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreachable {
    NotAbsolute,
    /// A NUL byte: no name holds one.
    Nul,
    /// More than [`abi::TEXT_MAX`] bytes: such a path counts as one that cannot be read.
    TooLong,
    TrailingSlash,
    /// `//`
    EmptyComponent,
    /// `.` or `..`
    DotComponent,
    /// More than 255 bytes between two slashes.
    LongComponent,
}

/// Paths of one dimension in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automaton {
    /// Where a walk begins, at id 1.
    pub root: u32,
    /// The accepted paths have the ids 1..=count.
    pub count: u32,
    /// What became of each path, in the order given.
    pub ids: Vec<Result<u32, Unreachable>>,
    pub shape: Shape,
}

/// For reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub nodes: u32,
    pub hashed_nodes: u32,
    pub edges: u32,
}

/// Whether a walk can produce this value.
pub fn check_path(path: &[u8]) -> Result<(), Unreachable> {
    if path.first() != Some(&b'/') {
        return Err(Unreachable::NotAbsolute);
    }
    if path.contains(&0) {
        return Err(Unreachable::Nul);
    }
    if path.len() > abi::TEXT_MAX {
        return Err(Unreachable::TooLong);
    }
    if path.len() > 1 && path.ends_with(b"/") {
        return Err(Unreachable::TrailingSlash);
    }
    leaf_first(path).try_for_each(|component| match component {
        b"" => Err(Unreachable::EmptyComponent),
        b"." | b".." => Err(Unreachable::DotComponent),
        _ if component.len() > abi::COMPONENT_MAX => Err(Unreachable::LongComponent),
        _ => Ok(()),
    })
}

/// Components of an absolute path, the last one first; none for the root directory.
fn leaf_first(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = if path.len() > 1 { Some(path[1..].rsplit(|&b| b == b'/')) } else { None };
    names.into_iter().flatten()
}

/// Writes the automaton of these paths.
pub fn build(blob: &mut Blob, paths: &[impl AsRef<[u8]>]) -> Result<Automaton, TableError> {
    if u32::try_from(paths.len()).is_err() {
        return Err(TableError::TooManyPaths { paths: paths.len() });
    }
    let reversed = Reversed::new(paths);
    let order = reversed.sorted();
    let mut ids: Vec<Result<u32, Unreachable>> = reversed.checked.clone();
    for (rank, &path) in order.iter().enumerate() {
        ids[path as usize] = Ok(rank as u32 + 1);
    }
    let (graph, root) = Graph::minimal(&reversed, &order)?;
    let count = order.len() as u32;
    let Some(root) = root else {
        return Ok(Automaton { root: abi::EDGE_NONE, count, ids, shape: Shape::default() });
    };
    let mut writer = Writer { blob, graph: &graph, names: &reversed.names, references: vec![], hashed: 0 };
    for node in 0..graph.nodes.len() {
        let reference = writer.put_node(&graph.nodes[node])?;
        writer.references.push(reference);
    }
    let shape = Shape {
        nodes: graph.nodes.len() as u32,
        hashed_nodes: writer.hashed,
        edges: graph.edges.len() as u32,
    };
    Ok(Automaton { root: writer.target(root), count, ids, shape })
}

/// Paths as lists of component numbers, leaf first. A component's number is its rank among all of them.
struct Reversed<'a> {
    names: Vec<&'a [u8]>,
    components: Vec<u32>,
    /// Where each path's components end in `components`; an unreachable path has none.
    ends: Vec<u32>,
    /// The id of a reachable path is not known yet: 0.
    checked: Vec<Result<u32, Unreachable>>,
}

impl<'a> Reversed<'a> {
    fn new(paths: &'a [impl AsRef<[u8]>]) -> Reversed<'a> {
        let mut seen: IndexSet<&[u8], FxBuildHasher> = IndexSet::default();
        let (mut components, mut ends, mut checked) = (vec![], vec![], vec![]);
        for path in paths {
            let path = path.as_ref();
            let verdict = check_path(path);
            if verdict.is_ok() {
                components.extend(leaf_first(path).map(|name| seen.insert_full(name).0 as u32));
            }
            ends.push(components.len() as u32);
            checked.push(verdict.map(|()| 0));
        }
        let mut by_name: Vec<u32> = (0..seen.len() as u32).collect();
        by_name.sort_unstable_by_key(|&i| seen[i as usize]);
        let mut ranks = vec![0; seen.len()];
        for (rank, &i) in by_name.iter().enumerate() {
            ranks[i as usize] = rank as u32;
        }
        for component in &mut components {
            *component = ranks[*component as usize];
        }
        Reversed { names: by_name.iter().map(|&i| seen[i as usize]).collect(), components, ends, checked }
    }

    fn path(&self, path: u32) -> &[u32] {
        let start = if path == 0 { 0 } else { self.ends[path as usize - 1] };
        &self.components[start as usize..self.ends[path as usize] as usize]
    }

    /// Reachable paths in order of id.
    fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> =
            (0..self.ends.len() as u32).filter(|&p| self.checked[p as usize].is_ok()).collect();
        order.sort_unstable_by(|&a, &b| self.path(a).cmp(self.path(b)).then(a.cmp(&b)));
        order
    }
}

struct Node {
    /// Its edges are `edges[start..end]` of the graph, in order of component.
    start: u32,
    end: u32,
    /// A path may begin here.
    accept: bool,
    /// How many paths lead on from here, its own beginning included.
    strings: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Edge {
    component: u32,
    to: u32,
}

/// The minimal automaton. Nodes stand behind those that they lead to.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The last node with this hash; `older` leads from node to node with the same one.
    register: IndexMap<u64, u32, FxBuildHasher>,
    older: Vec<u32>,
}

const NO_NODE: u32 = u32::MAX;

/// A node whose edges are not all known yet.
#[derive(Default)]
struct Open {
    edges: Vec<Edge>,
    accept: bool,
    /// The component that led here.
    component: u32,
}

impl Graph {
    /// `None` in place of the root if there is no path.
    fn minimal(reversed: &Reversed, order: &[u32]) -> Result<(Graph, Option<u32>), TableError> {
        let mut graph = Graph::default();
        let mut open = vec![Open::default()];
        let mut depth = 0; // of the last path; open[..=depth] are in use
        let mut last: Option<u32> = None;
        for &path in order {
            let components = reversed.path(path);
            let before = last.map_or(&[][..], |p| reversed.path(p));
            if let Some(first) = last.filter(|_| before == components) {
                return Err(TableError::Duplicate { first: first as usize, second: path as usize });
            }
            let common = before.iter().zip(components).take_while(|(a, b)| a == b).count();
            graph.close(&mut open, depth, common);
            for (i, &component) in components.iter().enumerate().skip(common) {
                if open.len() <= i + 1 {
                    open.push(Open::default());
                }
                open[i + 1].component = component;
            }
            depth = components.len();
            open[depth].accept = true;
            last = Some(path);
        }
        if last.is_none() {
            return Ok((graph, None));
        }
        graph.close(&mut open, depth, 0);
        let root = graph.intern(&open[0]);
        Ok((graph, Some(root)))
    }

    /// Gives the open nodes below `to` their final edges.
    fn close(&mut self, open: &mut [Open], from: usize, to: usize) {
        for i in (to + 1..=from).rev() {
            let node = self.intern(&open[i]);
            let component = open[i].component;
            open[i - 1].edges.push(Edge { component, to: node });
            open[i].edges.clear();
            open[i].accept = false;
        }
    }

    fn intern(&mut self, open: &Open) -> u32 {
        let mut hasher = FxBuildHasher.build_hasher();
        (open.accept, &open.edges).hash(&mut hasher);
        let node = self.nodes.len() as u32;
        let entry = self.register.entry(hasher.finish());
        let newest = *entry.or_insert(NO_NODE);
        let mut candidate = newest;
        while candidate != NO_NODE {
            let known = &self.nodes[candidate as usize];
            let same = known.accept == open.accept
                && self.edges[known.start as usize..known.end as usize] == open.edges[..];
            if same {
                return candidate;
            }
            candidate = self.older[candidate as usize];
        }
        self.register.insert(hasher.finish(), node);
        self.older.push(newest);
        let start = self.edges.len() as u32;
        self.edges.extend_from_slice(&open.edges);
        // At most as many as there are paths, which is a u32.
        let strings = open.edges.iter().map(|e| self.nodes[e.to as usize].strings).sum::<u32>();
        self.nodes.push(Node {
            start,
            end: self.edges.len() as u32,
            accept: open.accept,
            strings: strings + u32::from(open.accept),
        });
        node
    }
}

struct Writer<'a> {
    blob: &'a mut Blob,
    graph: &'a Graph,
    names: &'a [&'a [u8]],
    /// Of the nodes written so far.
    references: Vec<u32>,
    hashed: u32,
}

impl Writer<'_> {
    /// What stands in a reference to a node that is written.
    fn target(&self, node: u32) -> u32 {
        let accept = if self.graph.nodes[node as usize].accept { abi::EDGE_ACCEPT } else { 0 };
        self.references[node as usize] | accept
    }

    fn put_node(&mut self, node: &Node) -> Result<u32, TableError> {
        let graph = self.graph;
        let edges = &graph.edges[node.start as usize..node.end as usize];
        if edges.is_empty() {
            return Ok(abi::EDGE_NONE);
        }
        let linear = edges.len() <= abi::LINEAR_EDGES;
        let mut weight = u32::from(node.accept);
        let mut places = Vec::with_capacity(edges.len());
        for (i, edge) in edges.iter().enumerate() {
            let more = if linear && i + 1 < edges.len() { abi::EDGE_MORE } else { 0 };
            places.push(self.put_edge(edge, more, weight)?);
            weight += graph.nodes[edge.to as usize].strings;
        }
        if linear { Ok(places[0]) } else { self.put_hash_node(edges, &places) }
    }

    fn put_edge(&mut self, edge: &Edge, more: u32, weight: u32) -> Result<u32, TableError> {
        if weight >= abi::WEIGHT_LIMIT {
            return Err(TableError::TooManyPaths { paths: weight as usize + 1 });
        }
        let name = self.names[edge.component as usize];
        let mut bytes = [0; edge::SIZE + abi::COMPONENT_MAX];
        let len_weight = abi::len_weight(name.len() as u8, weight);
        bytes[edge::NEXT..][..4].copy_from_slice(&(self.target(edge.to) | more).to_le_bytes());
        bytes[edge::LEN_WEIGHT..][..4].copy_from_slice(&len_weight.to_le_bytes());
        bytes[edge::MASK..][..8].copy_from_slice(&abi::last_word_mask(name.len()).to_le_bytes());
        bytes[edge::WORDS..][..name.len()].copy_from_slice(name);
        self.blob.put(&bytes[..edge::WORDS + name.len()])
    }

    fn put_hash_node(&mut self, edges: &[Edge], places: &[u32]) -> Result<u32, TableError> {
        self.hashed += 1;
        let names: Vec<&[u8]> = edges.iter().map(|e| self.names[e.component as usize]).collect();
        let found = perfect_hash::find(&names)?;
        let slots: Vec<u8> = found
            .slots
            .iter()
            .map(|&key| if key == perfect_hash::EMPTY { abi::EDGE_NONE } else { places[key as usize] })
            .flat_map(u32::to_le_bytes)
            .collect();
        let slots = self.blob.put(&slots)?;
        let mut bytes = vec![0; hash_node::SIZE];
        bytes[hash_node::K..][..8].copy_from_slice(&found.k.to_le_bytes());
        bytes[hash_node::SLOTS..][..4].copy_from_slice(&slots.to_le_bytes());
        bytes[hash_node::BUCKETS..][..4].copy_from_slice(&(found.disp.len() as u32 - 1).to_le_bytes());
        bytes[hash_node::MASK..][..4].copy_from_slice(&(found.slots.len() as u32 - 1).to_le_bytes());
        bytes.extend(found.disp.iter().flat_map(|d| d.to_le_bytes()));
        Ok(self.blob.put(&bytes)? | abi::REF_HASH)
    }
}

#[cfg(test)]
mod tests;
