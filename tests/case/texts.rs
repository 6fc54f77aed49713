//! Plan, programs and maps as text that a reviewer can read. No digests, no bytes.

use std::fmt::Write as _;

use tetrafold::artifact::manifest::{Manifest, Operation, Role, ScopeTerm, Subject, Table};
use tetrafold::bpf::{Place, Step};
use tetrafold::driver::Folded;
use tetrafold::emit::assemble::Built;
use tetrafold::emit::region_constants::HEADS;
use tetrafold::emit::verify::read::{self, Atoms, DecodedDimension, DecodedOperation, DecodedRule, Row};
use tetrafold::policy::PolicySet;

pub fn plan(set: &PolicySet, folded: &Folded) -> String {
    let mut out = String::new();
    for (u, unit) in folded.plan.units.iter().enumerate() {
        let operation = &folded.program.operations[unit.operation.0 as usize];
        let _ = writeln!(out, "unit {u}  {} {}", operation.attach.kind.name(), operation.attach.shown());
        for (d, dimension) in unit.dimensions.iter().enumerate() {
            let subject = operation.subject(dimension.subject);
            let values = dimension.values.len();
            let _ = writeln!(
                out,
                "  dimension {d}  {} {}  {:?}  {values} values{}",
                subject.place.short(),
                subject.ty.name(),
                dimension.table(),
                if dimension.always { "  every list needs it" } else { "" }
            );
        }
        for &text in &unit.texts {
            let subject = operation.subject(text);
            let _ = writeln!(out, "  text  {} {}", subject.place.short(), subject.ty.name());
        }
        for (scope, lists) in &unit.scopes {
            let _ = writeln!(out, "  scope {}", scope.0);
            for &l in lists {
                let list = &folded.program.lists[l];
                let identity = &set.policies[list.policy].identity;
                let hooks: Vec<String> = list.hooks.iter().map(usize::to_string).collect();
                let hooks = hooks.join(",");
                let _ = writeln!(out, "    {} hook {}  {:?}", identity.name, hooks, list.reason);
            }
        }
    }
    out
}

/// The steps of each body: which stencils run, in which order, with which numbers.
pub fn programs(built: &Built) -> String {
    let mut out = String::new();
    for operation in &built.manifest.operations {
        for program in built.manifest.programs.iter().filter(|p| p.operation == operation.number) {
            let _ = writeln!(out, "{}  {}", program.name, program.section);
            match program.role {
                Role::Stub => out.push_str("  calls the body\n"),
                Role::Body => body(built, operation, &mut out),
            }
        }
    }
    out
}

fn body(built: &Built, operation: &Operation, out: &mut String) {
    for step in &built.bodies[&operation.number] {
        let _ = match step {
            Step::Stencil { name, immediates, leave } => {
                // Where the region has them, in place of the stand-in.
                let shown = |&n: &i64| if n == i64::from(HEADS) { operation.heads_offset.into() } else { n };
                let numbers: Vec<String> = immediates.iter().map(|n| shown(n).to_string()).collect();
                let leave = leave.map_or(String::new(), |p| format!("  else to {}", place(p)));
                writeln!(out, "  {name}({}){leave}", numbers.join(", "))
            }
            Step::LoadContext { offset, arg } => writeln!(out, "  arg{arg} = context[{offset}]"),
            Step::LoadField { offset, bytes, arg } => {
                writeln!(out, "  arg{arg} = context[{offset}], {bytes} bytes")
            }
            Step::Bind(p) => writeln!(out, "{}:", place(*p)),
            Step::Jump(p) => writeln!(out, "  go to {}", place(*p)),
            Step::Return => writeln!(out, "  return"),
        };
    }
}

fn place(place: Place) -> String {
    if place == Place::ALLOW { "allow".to_string() } else { format!("place-{}", place.0) }
}

/// The maps, and what their images say once decoded.
pub fn maps(built: &Built) -> Result<String, String> {
    let m = &built.manifest;
    let mut out = String::new();
    for map in &m.maps {
        let _ = writeln!(
            out,
            "map {}  {:?}  key {}  value {}  entries {}  {:?}{}",
            map.name,
            map.ty,
            map.key_size,
            map.value_size,
            map.max_entries,
            map.owner,
            if map.freeze { "  frozen" } else { "" }
        );
    }
    for scope in &m.scopes {
        let terms: Vec<String> = scope.any.iter().map(term).collect();
        let _ = writeln!(out, "scope {}  {}", scope.number, terms.join(" or "));
    }
    for operation in &m.operations {
        let decoded = read::operation(m, operation, &built.files)?;
        let _ =
            writeln!(out, "operation {}  {} {}", operation.number, decoded.kind, decoded.targets.join(", "));
        for (d, dimension) in decoded.dimensions.iter().enumerate() {
            let subject = match dimension.subject {
                Subject::Argument(param) => format!("arg{param}"),
                Subject::Fact(fact) => fact.name().to_string(),
            };
            let _ = writeln!(out, "  dimension {d}  {subject} {}", family(dimension.table));
            for atom in 1..=dimension.atoms.count() {
                let _ = writeln!(out, "    {}", spell(dimension, atom));
            }
        }
        lists(m, &decoded, &mut out);
    }
    Ok(out)
}

/// As people say it.
fn family(table: Table) -> &'static str {
    match table {
        Table::Path | Table::Text => "equal",
        Table::Prefix => "prefix",
        Table::Postfix => "postfix",
        Table::Intervals => "int",
        Table::AnyBit => "any bit",
        Table::Address => "address",
    }
}

fn lists(m: &Manifest, operation: &DecodedOperation, out: &mut String) {
    for scope in &operation.scopes {
        let _ = writeln!(out, "  scope {}", scope.scope);
        for (d, quiet) in scope.quiet.iter().enumerate() {
            if let Some(row) = quiet {
                let _ = writeln!(out, "    quiet if {}", test(operation, d, row));
            }
        }
        for list in &scope.lists {
            let name = m.policies.get(list.rank).map_or("?", |p| p.name.as_str());
            let first = list.first;
            let _ = writeln!(out, "    list  {name}  from selector {first}");
            for rule in &list.rules {
                let _ = writeln!(out, "      {}", rule_text(operation, rule, first));
            }
        }
    }
}

fn rule_text(operation: &DecodedOperation, rule: &DecodedRule, first: u32) -> String {
    let tests: Vec<String> = rule.tests.iter().map(|(d, row)| test(operation, *d as usize, row)).collect();
    let tests = if tests.is_empty() { "always".to_string() } else { tests.join(" and ") };
    let Some(act) = rule.act else { return format!("{tests}  -> nothing") };
    let mut parts = vec![];
    parts.extend(act.override_value.map(|v| format!("Override({v})")));
    parts.extend(act.sigkill.then(|| "Sigkill".to_string()));
    let limit = act.limit.map_or(String::new(), |limit| format!(" under {limit:?}"));
    parts.extend(act.post.then(|| format!("Post{limit}")));
    format!("{tests}  -> {} (selector {})", parts.join(", "), act.selector - first)
}

fn test(operation: &DecodedOperation, d: usize, row: &Row) -> String {
    let Some(dimension) = operation.dimensions.get(d) else { return format!("dimension {d}?") };
    let values: Vec<String> = row.runs.iter().map(|id| spell(dimension, id)).collect();
    format!("dimension {d} {}in {{{}}}", if row.inverted { "not " } else { "" }, values.join(", "))
}

fn spell(dimension: &DecodedDimension, atom: u32) -> String {
    match (&dimension.atoms, (atom as usize).checked_sub(1)) {
        (_, None) => "any other".to_string(),
        (atoms, Some(i)) if i as u32 == atoms.count() => "unreadable".to_string(),
        (Atoms::Strings(v), Some(_)) => v.get(atom).map_or("?".into(), |s| s.escape_ascii().to_string()),
        (Atoms::Masks(v), Some(_)) => {
            let has = v.iter().enumerate().filter(|(i, _)| atom >> i & 1 == 1);
            has.map(|(_, mask)| format!("{mask:#x}")).collect::<Vec<_>>().join(" and ")
        }
        (Atoms::Addresses(v), Some(i)) => v.get(i).map_or("?".into(), ToString::to_string),
        (Atoms::Pieces(v), Some(i)) => v.get(i).map_or("?".into(), ToString::to_string),
    }
}

fn term(term: &ScopeTerm) -> String {
    serde_json::to_string(term).unwrap_or_default()
}
