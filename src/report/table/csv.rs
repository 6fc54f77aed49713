//! Every row of a report in one table: what a row is stands in its first column.

use crate::report::baseline::BaselineTotals;
use crate::report::{Memory, Report};

const HEAD: &str = "row,name,operation,kind,policies,programs,maps,entries,memlock_bytes,memlock_least_bytes,\
                    charged_bytes,charged_least_bytes,uncharged_bytes,uncharged_least_bytes,limit,actual\n";

/// A line of the table; a number that the row does not have stays empty.
#[derive(Default)]
struct Line<'a> {
    row: &'a str,
    name: &'a str,
    operation: &'a str,
    kind: &'a str,
    policies: Option<u64>,
    programs: Option<u64>,
    maps: Option<u64>,
    entries: Option<u64>,
    limit: Option<u64>,
    actual: Option<u64>,
}

impl Line<'_> {
    fn write(&self, memory: &Memory, text: &mut String) {
        self.put(Some(memory), text);
    }

    fn put(&self, memory: Option<&Memory>, text: &mut String) {
        let names = [self.row, self.name, self.operation, self.kind].map(quoted);
        let bytes: [fn(&Memory) -> u64; 6] = [
            |m| m.memlock_bytes,
            |m| m.memlock_least_bytes,
            |m| m.charged_bytes,
            |m| m.charged_least_bytes,
            |m| m.uncharged_bytes,
            |m| m.uncharged_least_bytes,
        ];
        let numbers = [self.policies, self.programs, self.maps, self.entries].into_iter();
        let numbers = numbers.chain(bytes.map(|of| memory.map(of))).chain([self.limit, self.actual]);
        let numbers = numbers.map(|n| n.map_or(String::new(), |n| n.to_string()));
        let cells: Vec<String> = names.into_iter().chain(numbers).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
}

/// RFC 4180 with LF. A policy's row has its shares. The contributors of a budget follow it, its name as their kind.
pub fn csv(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    let t = &report.totals;
    let total = Line {
        row: "total",
        policies: Some(t.policies),
        programs: Some(t.programs),
        maps: Some(t.maps),
        entries: Some(t.entries),
        ..Line::default()
    };
    total.write(&t.memory, &mut text);
    for o in &report.operations {
        let line = Line {
            row: "operation",
            name: &o.name,
            kind: &o.attach,
            policies: Some(o.policies),
            programs: Some(o.programs),
            maps: Some(o.maps),
            entries: Some(o.entries),
            ..Line::default()
        };
        line.write(&o.memory, &mut text);
    }
    for (row, programs) in [("program", &report.programs), ("alternative", &report.alternatives)] {
        for p in programs {
            let operation = p.operation.as_deref().unwrap_or_default();
            Line { row, name: &p.name, operation, ..Line::default() }.write(&p.memory, &mut text);
        }
    }
    for m in &report.maps {
        let operation = m.operation.as_deref().unwrap_or_default();
        let line = Line {
            row: "map",
            name: &m.name,
            operation,
            kind: &m.ty,
            entries: Some(m.entries),
            ..Line::default()
        };
        line.write(&m.memory, &mut text);
    }
    for p in &report.policies {
        Line { row: "policy", name: &p.policy, ..Line::default() }.write(&p.share(), &mut text);
    }
    let b = &report.baseline;
    for (kind, totals) in [("wanted", &b.wanted), ("loaded", &b.loaded)] {
        let &BaselineTotals { policies, programs, maps, memory } = totals;
        let (policies, programs, maps) = (Some(policies), Some(programs), Some(maps));
        Line { row: "baseline", name: &b.tool, kind, policies, programs, maps, ..Line::default() }
            .write(&memory, &mut text);
    }
    for b in &report.budgets {
        let kind = if b.holds { "holds" } else { "exceeded" };
        let (limit, actual) = (Some(b.limit), Some(b.actual));
        Line { row: "budget", name: &b.name, kind, limit, actual, ..Line::default() }.put(None, &mut text);
        for c in &b.largest {
            let actual = Some(c.amount);
            Line { row: "contributor", name: &c.name, kind: &b.name, actual, ..Line::default() }
                .put(None, &mut text);
        }
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
