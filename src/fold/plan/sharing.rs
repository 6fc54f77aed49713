//! Who shares what: policies, scopes, units and dimensions as a graph, for `explain` and `--graph dot`.

use std::fmt::Write;

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use super::Plan;
use crate::fold::ir::{List, Program};
use crate::policy::PolicySet;

/// An edge leads from what uses to what is used.
#[derive(Clone, Debug)]
pub struct SharingGraph {
    pub graph: StableDiGraph<Part, ()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Index into [`PolicySet::policies`].
    Policy(usize),
    /// Index into [`PolicySet::scopes`].
    Scope(u32),
    /// Index into [`Plan::units`].
    Unit(usize),
    /// Of a unit.
    Dimension(usize, usize),
}

impl SharingGraph {
    pub fn new(program: &Program, plan: &Plan) -> SharingGraph {
        let mut graph = StableDiGraph::new();
        let mut nodes: IndexMap<Part, NodeIndex> = IndexMap::new();
        let mut node = |graph: &mut StableDiGraph<Part, ()>, part| {
            *nodes.entry(part).or_insert_with(|| graph.add_node(part))
        };
        for (u, unit) in plan.units.iter().enumerate() {
            let unit_node = node(&mut graph, Part::Unit(u));
            for (&scope, lists) in &unit.scopes {
                let scope_node = node(&mut graph, Part::Scope(scope.0));
                for &l in lists {
                    let List { policy, rules, .. } = &program.lists[l];
                    let policy_node = node(&mut graph, Part::Policy(*policy));
                    graph.update_edge(policy_node, scope_node, ());
                    graph.update_edge(policy_node, unit_node, ());
                    let operation = &program.operations[unit.operation.0 as usize];
                    for &p in rules.iter().flat_map(|r| &r.predicates) {
                        let predicate = operation.predicate(p);
                        let d = unit.dimension_of(predicate);
                        let dimension_node = node(&mut graph, Part::Dimension(u, d));
                        graph.update_edge(policy_node, dimension_node, ());
                    }
                }
            }
        }
        SharingGraph { graph }
    }

    /// How many policies use `part` directly.
    pub fn users(&self, part: Part) -> usize {
        let found = self.graph.node_indices().find(|&n| self.graph[n] == part);
        found.map_or(0, |n| self.graph.neighbors_directed(n, Direction::Incoming).count())
    }

    /// Graphviz text, nodes and edges in order of construction.
    pub fn to_dot(&self, set: &PolicySet, program: &Program, plan: &Plan) -> String {
        let mut out = String::from("digraph sharing {\n  rankdir=LR;\n");
        for n in self.graph.node_indices() {
            let label = match self.graph[n] {
                Part::Policy(p) => set.policies[p].identity.name.clone(),
                Part::Scope(s) => format!("scope {s}"),
                Part::Unit(u) => {
                    let attach = &program.operations[plan.units[u].operation.0 as usize].attach;
                    format!("{} {}", attach.kind.name(), attach.shown())
                }
                Part::Dimension(u, d) => {
                    let dimension = &plan.units[u].dimensions[d];
                    let operation = &program.operations[plan.units[u].operation.0 as usize];
                    format!("{} {:?}", operation.subject(dimension.subject).place.short(), dimension.table())
                }
            };
            let _ = writeln!(out, "  n{} [label=\"{}\"];", n.index(), label.escape_default());
        }
        for e in self.graph.edge_indices() {
            if let Some((a, b)) = self.graph.edge_endpoints(e) {
                let _ = writeln!(out, "  n{} -> n{};", a.index(), b.index());
            }
        }
        out.push_str("}\n");
        out
    }
}
