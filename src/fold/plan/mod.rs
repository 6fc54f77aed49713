//! Decides what is shared: one unit (one program with its tables) per operation, and inside it one
//! classification of values per dimension, whatever the number of policies.
//!
//! Turns an [`ir::Program`] into a [`Plan`]. Assumes the lists stand in order of policy identity. Guarantees:
//! every value that any predicate of a dimension names has its place there, each once; every list has its
//! scope; a dimension is there only if some rule tests it. Knows no bytes: how the tables look is
//! [`crate::emit::lower`]'s, what they cost [`crate::memory`]'s.

mod atom_set;
mod limited;
mod limits;
mod sharing;

use indexmap::{IndexMap, IndexSet};

use crate::diag::Diagnostics;
use crate::fold::ir::{OperationId, Predicate, Program, Subject, SubjectId};
use crate::policy::{ScopeId, Values};
use crate::vocab::condition::{Projection, Table};

pub use atom_set::AtomSet;
pub use limited::{Limited, PostLimit};
pub use sharing::SharingGraph;

/// What is built, unit by unit.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One per operation that has a list with rules, in order of the operations.
    pub units: Vec<Unit>,
}

/// Everything about one operation.
#[derive(Clone, Debug)]
pub struct Unit {
    pub operation: OperationId,
    /// In the order in which the program reads them: cheap ones first.
    pub dimensions: Vec<Dimension>,
    /// Subjects that are read as text, each with its area: those that events show in order of their parameter, then
    /// the others.
    pub texts: Vec<SubjectId>,
    /// What limits its posts.
    pub limited: Limited,
    /// Scope to its lists (indexes into [`Program::lists`]), both ascending. Lists that do nothing are left out.
    pub scopes: IndexMap<ScopeId, Vec<usize>>,
}

/// One classification of the values of one subject's projection.
#[derive(Clone, Debug)]
pub struct Dimension {
    pub subject: SubjectId,
    pub projection: Projection,
    /// Those of all predicates: they cut the dimension's value space.
    pub values: Values,
    /// Whether every scope of the unit needs it, so that the program need not ask.
    pub always: bool,
}

/// `None` if a limit is exceeded (`TF06xx`).
pub fn factor(program: &Program, diags: &mut Diagnostics) -> Option<Plan> {
    let mut scopes_of = vec![IndexMap::<ScopeId, Vec<usize>>::new(); program.operations.len()];
    for (l, list) in program.lists.iter().enumerate().filter(|(_, l)| l.acts()) {
        scopes_of[list.operation.0 as usize].entry(list.scope).or_default().push(l);
    }
    let mut units = vec![];
    for (o, mut scopes) in scopes_of.into_iter().enumerate().filter(|(_, s)| !s.is_empty()) {
        let id = OperationId(o as u32);
        let operation = &program.operations[o];
        scopes.sort_unstable_keys();
        let dimensions = dimensions(program, id, &scopes);
        let mut texts: Vec<SubjectId> = (0..operation.subjects.len() as u32)
            .map(SubjectId)
            .filter(|&s| operation.subject(s).is_text())
            // An event shows every argument; a fact is read only for what tests it.
            .filter(|&s| operation.subject(s).param().is_some() || dimensions.iter().any(|d| d.subject == s))
            .collect();
        texts.sort_by_key(|&s| operation.subject(s).place);
        let limited = limited::of(program, operation, scopes.values().flatten());
        units.push(Unit { operation: id, dimensions, texts, limited, scopes });
    }
    // A return that belongs to no call decides nothing.
    let calls: Vec<OperationId> = units.iter().map(|unit| unit.operation).collect();
    units.retain(|unit| {
        program.operations[unit.operation.0 as usize].calls.is_none_or(|of| calls.contains(&of))
    });
    let plan = Plan { units };
    limits::check(program, &plan, diags).then_some(plan)
}

/// What makes two predicates ones of one dimension.
type Key = (SubjectId, Projection, Table);

fn dimensions(program: &Program, id: OperationId, scopes: &IndexMap<ScopeId, Vec<usize>>) -> Vec<Dimension> {
    let operation = &program.operations[id.0 as usize];
    let mut found: IndexMap<Key, (IndexSet<ScopeId>, Vec<&Values>)> = IndexMap::new();
    let mut seen = vec![false; operation.predicates.len()];
    for (&scope, lists) in scopes {
        for &id in lists.iter().flat_map(|&l| program.lists[l].rules.iter().flat_map(|r| &r.predicates)) {
            let predicate = operation.predicate(id);
            let key = (predicate.subject, predicate.projection, predicate.values.table());
            let (users, values) = found.entry(key).or_default();
            users.insert(scope);
            if !std::mem::replace(&mut seen[id.0 as usize], true) {
                values.push(&predicate.values);
            }
        }
    }
    let all = scopes.len();
    let mut out: Vec<Dimension> = found
        .into_iter()
        .map(|((subject, projection, _), (users, values))| {
            let always = users.len() == all;
            Dimension { subject, projection, values: Values::union(&values), always }
        })
        .collect();
    out.sort_by_key(|d| {
        let subject = operation.subject(d.subject);
        (reading_cost(subject, d.table(), d.projection), subject.place, subject.ty, d.projection, d.table())
    });
    out
}

/// Registers are free, facts and parts of a socket a read or two, a walk costs a few hundred instructions, text has to
/// be built.
fn reading_cost(subject: Subject, table: Table, projection: Projection) -> u8 {
    let is_register = subject.param().is_some() && projection.is_whole();
    match table {
        Table::Intervals | Table::AnyBit if is_register => 0,
        Table::Intervals | Table::AnyBit => 1,
        Table::Address => 2,
        Table::Path => 3,
        Table::Text | Table::Prefix | Table::Postfix => 4,
    }
}

impl Dimension {
    pub fn table(&self) -> Table {
        self.values.table()
    }
}

impl Plan {
    /// The unit of what the functions of an operation return.
    pub fn returns_of(&self, program: &Program, calls: OperationId) -> Option<&Unit> {
        self.units.iter().find(|unit| program.operations[unit.operation.0 as usize].calls == Some(calls))
    }
}

impl Unit {
    /// The dimension of a predicate of the unit's operation.
    ///
    /// # Panics
    /// If no rule of the unit tests it.
    pub fn dimension_of(&self, predicate: &Predicate) -> usize {
        let key = (predicate.subject, predicate.projection, predicate.values.table());
        self.dimensions
            .iter()
            .position(|d| (d.subject, d.projection, d.table()) == key)
            .expect("every predicate of a rule has its dimension")
    }
}
