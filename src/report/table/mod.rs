//! A report as text: aligned columns for people ([`human`]), Markdown ([`markdown`]) and CSV ([`csv`]).
//!
//! Guarantees that human text stays within [`WIDTH`] columns (long names are cut in the middle, long text is wrapped) and
//! that no name brings control characters into a terminal. People see the policies that take most, and rounded bytes;
//! CSV and JSON have every row and every byte.

mod csv;
mod figures;
mod grid;
#[cfg(test)]
mod tests;

use figures::{at_most, bytes, count, memory, memory_at_most};
use grid::{Column, Grid};

use super::baseline::Baseline;
use super::{
    Budget, LimitRow, MapRow, Meeting, Memory, OperationRow, Overlap, ProgramRow, Report, Role, Unit,
};

pub use csv::csv;
pub use figures::bytes as human_bytes;

/// Columns of human output.
pub const WIDTH: usize = 100;
/// Policies that are listed one by one for people.
const LISTED_POLICIES: usize = 10;

/// For a terminal.
pub fn human(report: &Report) -> String {
    let mut text = String::new();
    for part in parts(report) {
        if !text.is_empty() {
            text.push('\n');
        }
        match part {
            Part::Title(title) => grid::wrap(&title, "", &mut text),
            Part::Grid(grid) => grid.human(WIDTH, &mut text),
            Part::List(title, items) => {
                grid::wrap(&title, "", &mut text);
                for item in items {
                    grid::wrap(&item, "  ", &mut text);
                }
            }
        }
    }
    text
}

/// For a merge request.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for part in parts(report) {
        if !text.is_empty() {
            text.push('\n');
        }
        match part {
            Part::Title(title) => text.push_str(&format!("## {}\n", grid::escape_markdown(&title))),
            Part::Grid(grid) => grid.markdown(&mut text),
            Part::List(title, items) => {
                text.push_str(&format!("{}\n\n", grid::escape_markdown(&title)));
                for item in items {
                    text.push_str(&format!("- {}\n", grid::escape_markdown(&item)));
                }
            }
        }
    }
    text
}

/// What both texts are made of.
enum Part {
    Title(String),
    Grid(Grid),
    List(String, Vec<String>),
}

fn parts(report: &Report) -> Vec<Part> {
    let a = &report.assumptions;
    let build = if a.kernel_build.starts_with(&a.kernel) {
        a.kernel_build.clone()
    } else {
        format!("{} ({})", a.kernel, a.kernel_build)
    };
    let mut parts = vec![
        Part::Title(format!(
            "Forecast for kernel {build}, {} CPUs, {} pods, layout {}",
            count(a.cpus.into()),
            count(a.pods.into()),
            a.layout
        )),
        Part::Grid(summary(report)),
    ];
    parts.extend(budgets(&report.budgets));
    if !report.baseline.ceilings.is_empty() {
        parts.push(stopped(&report.baseline));
    }
    parts.extend(overlap(report));
    if !report.programs.is_empty() {
        parts.push(Part::Grid(programs("program", &report.programs)));
    }
    if !report.alternatives.is_empty() {
        parts.push(Part::Grid(programs("alternative, not loaded", &report.alternatives)));
    }
    if !report.maps.is_empty() {
        parts.push(Part::Grid(maps(&report.maps)));
    }
    if !report.policies.is_empty() {
        parts.push(Part::Grid(policies(report)));
    }
    parts.extend(limits(report));
    let notes: Vec<String> = report.notes.iter().chain(&report.baseline.notes).cloned().collect();
    if !notes.is_empty() {
        parts.push(Part::List("Notes:".into(), notes));
    }
    parts
}

/// Of each limit the operation that comes nearest to it.
fn limits(report: &Report) -> Option<Part> {
    let mut nearest: Vec<&LimitRow> = vec![];
    for limit in &report.limits {
        match nearest.iter_mut().find(|known| known.name == limit.name) {
            Some(known) if limit.used > known.used => *known = limit,
            Some(_) => {}
            None => nearest.push(limit),
        }
    }
    let line = |limit: &&LimitRow| {
        let operation = limit.operation.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        format!("{}: {} of {}{operation}", limit.name, count(limit.used), count(limit.max))
    };
    let a = &report.assumptions;
    let room = format!(
        "node region: any {} pods, each in up to {} scopes beside those that select every pod; a loader grows it for more",
        count(a.pods.into()),
        count(a.scopes_per_pod.into())
    );
    let lines: Vec<String> = nearest.iter().map(line).chain([room]).collect();
    (!nearest.is_empty()).then(|| Part::List("Limits:".into(), lines))
}

fn budgets(budgets: &[Budget]) -> Vec<Part> {
    if budgets.is_empty() {
        return vec![];
    }
    let mut grid = Grid::new([
        Column::left("budget"),
        Column::right("limit"),
        Column::right("needed"),
        Column::left(""),
    ]);
    grid.rows(budgets.iter().map(|b| {
        let holds = if b.holds { "holds" } else { "exceeded" };
        vec![b.name.clone(), amount(b.unit, b.limit), amount(b.unit, b.actual), holds.to_string()]
    }));
    let mut parts = vec![Part::Grid(grid)];
    for budget in budgets.iter().filter(|b| !b.holds) {
        let title = format!("What takes most of {}:", budget.name);
        let items = budget.largest.iter().map(|c| format!("{}: {}", c.name, amount(budget.unit, c.amount)));
        parts.push(Part::List(title, items.collect()));
    }
    parts
}

/// With every byte, since a limit may lie between two rounded figures.
pub fn amount(unit: Unit, amount: u64) -> String {
    match unit {
        Unit::Count => count(amount),
        Unit::Bytes if amount < 1024 => bytes(amount),
        Unit::Bytes => format!("{} ({})", count(amount), bytes(amount)),
    }
}

fn memory_columns() -> [Column; 3] {
    [Column::right("memlock"), Column::right("charged"), Column::right("uncharged")]
}

fn summary(report: &Report) -> Grid {
    let mut grid = Grid::new([
        Column::left("operation"),
        Column::right("policies"),
        Column::right("programs"),
        Column::right("maps"),
        Column::right("entries"),
    ]);
    grid.columns(memory_columns());
    let row = |name: &str, numbers: [Option<u64>; 4], of: &Memory| {
        let numbers = numbers.into_iter().map(|n| n.map_or(String::new(), count));
        std::iter::once(name.to_owned()).chain(numbers).chain(memory_at_most(of)).collect()
    };
    let operation = |o: &OperationRow| {
        row(&o.name, [Some(o.policies), Some(o.programs), Some(o.maps), Some(o.entries)], &o.memory)
    };
    grid.rows(report.operations.iter().map(operation));
    let t = &report.totals;
    grid.rule();
    grid.row(row("total", [Some(t.policies), Some(t.programs), Some(t.maps), Some(t.entries)], &t.memory));
    let b = &report.baseline;
    let other = |name: &str, o: &super::baseline::BaselineTotals| {
        row(name, [Some(o.policies), Some(o.programs), Some(o.maps), None], &o.memory)
    };
    grid.row(other(&b.tool, &b.wanted));
    if !b.loads_all {
        grid.row(other("  what it can load", &b.loaded));
    }
    grid
}

/// Which policies of an operation one pod may be under, if any operation has several.
fn overlap(report: &Report) -> Vec<Part> {
    let several: Vec<(&OperationRow, &Overlap)> = report
        .operations
        .iter()
        .filter(|o| o.policies > 1)
        .filter_map(|o| Some((o, o.overlap.as_ref()?)))
        .collect();
    if several.is_empty() {
        return vec![];
    }
    let mut grid = Grid::new([
        Column::left("pairs of policies that one pod can be under"),
        Column::right("never"),
        Column::right("possibly"),
        Column::right("always"),
        Column::right("not compared"),
    ]);
    grid.rows(several.iter().map(|(operation, overlap)| {
        let numbers = [overlap.disjoint, overlap.possible, overlap.certain, overlap.undecided];
        std::iter::once(operation.name.clone()).chain(numbers.map(count)).collect()
    }));
    let mut parts = vec![Part::Grid(grid)];
    let examples: Vec<String> = several
        .iter()
        .flat_map(|(operation, overlap)| overlap.examples.iter().map(|e| (&operation.name, e)))
        .map(|(operation, Meeting { policies: [a, b], witness })| {
            format!("{operation}: `{a}` and `{b}`, in {witness}")
        })
        .collect();
    if !examples.is_empty() {
        parts.push(Part::List("For example:".into(), examples));
    }
    parts
}

fn stopped(baseline: &Baseline) -> Part {
    let title = format!(
        "{} loads {} of {} policies:",
        baseline.tool,
        count(baseline.loaded.policies),
        count(baseline.wanted.policies)
    );
    let line = |c: &super::baseline::Ceiling| {
        let (limit, wanted, refused) = (count(c.limit), count(c.wanted), count(c.refused));
        format!(
            "at most {limit} {} (wanted: {wanted}), {refused} policies stopped, first {}: {}",
            c.what, c.first_refused, c.reason
        )
    };
    Part::List(title, baseline.ceilings.iter().map(line).collect())
}

fn programs(title: &str, rows: &[ProgramRow]) -> Grid {
    let mut grid = Grid::new([
        Column::left(title),
        Column::left("role"),
        Column::right("insns"),
        Column::right("xlated"),
        Column::right("hidden"),
    ]);
    grid.columns(memory_columns());
    let role = |role| match role {
        Role::Stub => "stub",
        Role::Body => "body",
        Role::Base => "base",
    };
    grid.rows(rows.iter().map(|p| {
        let xlated = at_most(p.xlated_least_bytes, p.xlated_bytes);
        let own =
            [p.name.clone(), role(p.role).into(), count(p.instructions), xlated, count(p.hidden_functions)];
        own.into_iter().chain(memory(&p.memory)).collect()
    }));
    grid
}

fn maps(rows: &[MapRow]) -> Grid {
    let mut grid = Grid::new([
        Column::left("map"),
        Column::left("type"),
        Column::left("owner"),
        Column::right("entries"),
    ]);
    grid.columns(memory_columns());
    let owner = |owner| match owner {
        super::Owner::Static => "static",
        super::Owner::Runtime => "runtime",
    };
    grid.rows(rows.iter().map(|m| {
        let own = [m.name.clone(), m.ty.to_lowercase(), owner(m.owner).into(), count(m.entries)];
        own.into_iter().chain(memory(&m.memory)).collect()
    }));
    grid
}

/// The policies that take most, in order of identity among equals.
fn policies(report: &Report) -> Grid {
    let mut grid = Grid::new([Column::left("policy (its share)"), Column::right("operations")]);
    grid.columns(memory_columns());
    let mut largest: Vec<&super::PolicyRow> = report.policies.iter().collect();
    largest.sort_by_key(|p| std::cmp::Reverse(p.charged_bytes));
    grid.rows(largest.iter().take(LISTED_POLICIES).map(|p| {
        let own = [p.policy.clone(), count(p.operations)];
        own.into_iter().chain([p.memlock_bytes, p.charged_bytes, p.uncharged_bytes].map(bytes)).collect()
    }));
    if let Some(least) = largest.get(LISTED_POLICIES..).and_then(<[_]>::last) {
        let more = count((largest.len() - LISTED_POLICIES) as u64);
        let own = [format!("{more} more, the least"), count(least.operations)];
        let shares = [least.memlock_bytes, least.charged_bytes, least.uncharged_bytes].map(bytes);
        grid.row(own.into_iter().chain(shares).collect());
    }
    grid
}
