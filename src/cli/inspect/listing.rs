//! The tables that `inspect` shows, and how each form writes them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::artifact::manifest::{LeftOutReason, Role, Subject};
use crate::artifact::read::Artifact;

struct Table {
    title: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// `known`: the digest came from the user.
pub fn human(artifact: &Artifact, known: bool, instructions: &[(&str, String)]) -> String {
    let mut out = head(artifact, known).join("\n") + "\n";
    for table in tables(artifact) {
        let width = |c: usize| {
            let cells = table.rows.iter().map(|row| row[c].as_str()).chain([table.columns[c]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
        let _ = writeln!(out, "\n{}", table.title);
        let titles: Vec<String> = table.columns.iter().map(|title| title.to_string()).collect();
        for row in [&titles].into_iter().chain(&table.rows) {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(out, "  {}", line.trim_end());
        }
    }
    for (name, listing) in instructions {
        let _ = write!(out, "\n{name}:\n{listing}");
    }
    out
}

pub fn markdown(artifact: &Artifact, known: bool, instructions: &[(&str, String)]) -> String {
    let cell = |text: &String| text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
    let mut out = String::new();
    for line in head(artifact, known) {
        let _ = writeln!(out, "- {}", cell(&line));
    }
    for table in tables(artifact) {
        let _ = writeln!(out, "\n## {}\n", table.title);
        let _ = writeln!(out, "| {} |\n|{}", table.columns.join(" | "), "---|".repeat(table.columns.len()));
        for row in &table.rows {
            let _ = writeln!(out, "| {} |", row.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
    }
    for (name, listing) in instructions {
        let _ = write!(out, "\n## {name}\n\n```text\n{listing}```\n");
    }
    out
}

/// RFC 4180 with LF: one line a value, so that every table has the same columns.
pub fn csv(artifact: &Artifact, instructions: &[(&str, String)]) -> String {
    let quoted = |cell: &str| match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_string(),
    };
    let mut out = "table,row,field,value\n".to_string();
    let mut line = |table: &str, row: usize, field: &str, value: &str| {
        let _ = writeln!(out, "{},{row},{},{}", quoted(table), quoted(field), quoted(value));
    };
    line("artifact", 0, "digest", &artifact.digest.to_string());
    for table in tables(artifact) {
        for (number, row) in table.rows.iter().enumerate() {
            for (column, cell) in table.columns.iter().zip(row) {
                line(table.title, number, column, cell);
            }
        }
    }
    for (name, listing) in instructions {
        listing.lines().enumerate().for_each(|(number, text)| line("instructions", number, name, text));
    }
    out
}

/// What the whole is, and what is known of its being intact.
fn head(artifact: &Artifact, known: bool) -> Vec<String> {
    let m = &artifact.manifest;
    let files = artifact.files.iter().count();
    let bytes: usize = artifact.files.iter().map(|(_, content)| content.len()).sum();
    let mut lines = vec![
        format!("made by {} {} for {} {}", m.tool.name, m.tool.version, m.target.arch, m.target.kernel),
        format!("digest {}", artifact.digest),
        format!(
            "intact: manifest (selectors, requirements and all else in it), report and {files} files of {bytes} bytes"
        ),
        match known {
            true => "it is the artifact with the digest that was asked for",
            false => "this finds damage; that it is the artifact that was compiled shows with --digest alone",
        }
        .to_string(),
        format!("{} policies, {} scopes", m.policies.len(), m.scopes.len()),
    ];
    lines.extend(m.requires.iter().map(|r| format!("requires {}: {}", word(&r.feature), r.reason)));
    lines
}

fn tables(artifact: &Artifact) -> Vec<Table> {
    let m = &artifact.manifest;
    let operations = m.operations.iter().zip(artifact.scope_blocks.iter()).map(|(o, blocks)| {
        let scopes = blocks.scopes().count();
        vec![o.number.to_string(), o.name.clone(), o.tables.bytes.to_string(), scopes.to_string()]
    });
    let ways = m.operations.iter().flat_map(|o| {
        o.attach.ways.iter().map(|way| {
            let needs = way.needs.iter().map(word).collect::<Vec<_>>().join(" ");
            vec![o.name.clone(), word(&way.link), way.links.to_string(), needs]
        })
    });
    let several = m.operations.iter().filter(|o| o.attach.targets.len() > 1);
    let targets = several.flat_map(|o| {
        (0..)
            .zip(&o.attach.targets)
            .map(|(n, target): (u32, _)| vec![o.name.clone(), n.to_string(), target.clone()])
    });
    let dimensions = m.operations.iter().flat_map(|o| {
        o.dimensions.iter().enumerate().map(|(d, dimension)| {
            let subject = match dimension.subject {
                Subject::Argument(index) => format!("argument {index}"),
                Subject::Fact(fact) => fact.name().to_string(),
            };
            let (family, values) = (word(&dimension.family), dimension.atoms.to_string());
            vec![o.name.clone(), d.to_string(), subject, family, values]
        })
    });
    let programs = m.programs.iter().map(|p| {
        let role = match p.role {
            Role::Stub => "stub",
            Role::Body => "body",
        };
        let memory = p.forecast.memlock_bytes.to_string();
        vec![p.name.clone(), role.to_string(), p.section.clone(), memory, p.object.path.clone()]
    });
    let maps = m.maps.iter().map(|map| {
        let numbers = [map.key_size, map.value_size, map.max_entries].map(|n| n.to_string());
        let rest = [map.forecast.memlock_bytes.to_string(), map.freeze.to_string()];
        [map.name.clone(), word(&map.ty)].into_iter().chain(numbers).chain(rest).collect()
    });
    let policies = m.policies.iter().map(|p| {
        let hooks = p.hooks.iter().filter_map(|h| m.operation(h.operation).map(|o| o.name.as_str()));
        let hooks = hooks.collect::<Vec<_>>().join(" ");
        let namespace = p.namespace.as_ref().map_or(String::new(), |n| format!("{n}/"));
        let name = format!("{namespace}{}", p.name);
        vec![p.number.to_string(), name, p.scope.to_string(), hooks, p.file.clone()]
    });
    let mut tables = vec![
        Table {
            title: "operations",
            columns: &["number", "operation", "table bytes", "scopes"],
            rows: operations.collect(),
        },
        Table { title: "attach", columns: &["operation", "link", "links", "needs"], rows: ways.collect() },
        Table { title: "targets", columns: &["operation", "position", "function"], rows: targets.collect() },
        Table {
            title: "dimensions",
            columns: &["operation", "dimension", "subject", "family", "values"],
            rows: dimensions.collect(),
        },
        Table {
            title: "programs",
            columns: &["program", "role", "section", "memlock", "object"],
            rows: programs.collect(),
        },
        Table {
            title: "maps",
            columns: &["map", "type", "key", "value", "entries", "memlock", "frozen"],
            rows: maps.collect(),
        },
        Table {
            title: "policies",
            columns: &["number", "policy", "scope", "operations", "file"],
            rows: policies.collect(),
        },
    ];
    if !m.left_out.is_empty() {
        let reasons = m.left_out.iter().flat_map(|left| &left.reasons);
        let row = |r: &LeftOutReason| vec![r.source.clone(), r.code.clone(), r.message.clone()];
        tables.push(Table {
            title: "left to Tetragon",
            columns: &["place", "code", "reason"],
            rows: reasons.map(row).collect(),
        });
    }
    tables
}

/// As it is spelt in the manifest.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}
