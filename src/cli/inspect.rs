//! `inspect`: what is inside an artifact, and whether it is intact.

use std::fmt::Write;

use super::Status;
use super::args::{InspectArgs, ReportForm};
use super::console::{Console, NotWritten, Place};
use crate::artifact::manifest::{Manifest, Role};
use crate::artifact::read::Artifact;
use crate::bpf;

pub fn run(args: &InspectArgs, console: Console) -> Result<Status, NotWritten> {
    let artifact = match Artifact::open(&args.artifact) {
        Ok(artifact) => artifact,
        Err(error) => {
            console.text(Place::Stderr, &format!("tetrafold: {}: {error}\n", args.artifact.display()))?;
            return Ok(Status::Unreadable);
        }
    };
    let text = match args.format {
        ReportForm::Json => String::from_utf8_lossy(&artifact.manifest.to_json()).into_owned(),
        ReportForm::Human | ReportForm::Markdown | ReportForm::Csv => listing(&artifact),
    };
    let mut text = text;
    if args.instructions {
        for program in artifact.manifest.programs.iter() {
            let Some(object) = artifact.files.get(&program.object) else { continue };
            match bpf::disassemble(object) {
                Ok(listing) => {
                    let _ = write!(text, "\n{}:\n{listing}", program.name);
                }
                Err(error) => {
                    console.text(Place::Stderr, &format!("tetrafold: {}: {error}\n", program.object.path))?;
                    return Ok(Status::Unreadable);
                }
            }
        }
    }
    console.text(Place::file_or_stdout(args.output_file.as_deref()), &text)?;
    Ok(Status::Done)
}

/// Everything that the manifest names, after every digest was checked.
fn listing(artifact: &Artifact) -> String {
    let m = &artifact.manifest;
    let mut out = String::new();
    let files = artifact.files.iter().count();
    let bytes: usize = artifact.files.iter().map(|(_, content)| content.len()).sum();
    let _ =
        writeln!(out, "made by {} {} for {} {}", m.tool.name, m.tool.version, m.target.arch, m.target.kernel);
    let _ = writeln!(out, "intact: manifest, report and {files} files of {bytes} bytes");
    let _ = writeln!(out, "{} policies, {} scopes", m.policies.len(), m.scopes.len());
    for requirement in &m.requires {
        let feature = serde_json::to_value(requirement.feature).unwrap_or_default();
        let _ = writeln!(out, "requires {}: {}", feature.as_str().unwrap_or_default(), requirement.reason);
    }
    operations(m, artifact, &mut out);
    out.push_str("\nmaps\n");
    for map in &m.maps {
        let ty = serde_json::to_value(map.ty).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {:<40} {:<13} key {} value {} entries {}{}",
            map.name,
            ty.as_str().unwrap_or_default(),
            map.key_size,
            map.value_size,
            map.max_entries,
            if map.freeze { " frozen" } else { "" }
        );
    }
    out.push_str("\npolicies\n");
    for policy in &m.policies {
        let namespace = policy.namespace.as_ref().map_or(String::new(), |n| format!("{n}/"));
        let hooks: Vec<&str> =
            policy.hooks.iter().filter_map(|h| m.operation(h.operation).map(|o| o.name.as_str())).collect();
        let _ = writeln!(
            out,
            "  {:>5}  {namespace}{}  scope {}  {}  {}",
            policy.number,
            policy.name,
            policy.scope,
            hooks.join(", "),
            policy.file
        );
    }
    out
}

fn operations(m: &Manifest, artifact: &Artifact, out: &mut String) {
    for operation in &m.operations {
        let _ = writeln!(out, "\noperation {} {}", operation.number, operation.name);
        for way in &operation.attach.ways {
            let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_string();
            let link = name(serde_json::to_value(way.link).unwrap_or_default());
            let needs: Vec<String> =
                way.needs.iter().map(|need| name(serde_json::to_value(need).unwrap_or_default())).collect();
            let plural = if way.links == 1 { "" } else { "s" };
            let _ = writeln!(out, "  attach  {link}, {} link{plural}, needs {}", way.links, needs.join(", "));
        }
        if operation.attach.targets.len() > 1 {
            for (n, target) in operation.attach.targets.iter().enumerate() {
                let _ = writeln!(out, "  target {n}: {target}");
            }
        }
        for program in m.programs.iter().filter(|p| p.operation == operation.number) {
            let role = match program.role {
                Role::Stub => "stub",
                Role::Body => "body",
            };
            let _ = writeln!(out, "  {role}  {}  {}", program.section, program.object.path);
        }
        for (d, dimension) in operation.dimensions.iter().enumerate() {
            let family = serde_json::to_value(dimension.family).unwrap_or_default();
            let crate::artifact::manifest::Subject::Argument(index) = dimension.subject;
            let _ = writeln!(
                out,
                "  dimension {d}: argument {index}, {}, {} values",
                family.as_str().unwrap_or_default(),
                dimension.atoms
            );
        }
        let position = m.operations.iter().position(|o| o.number == operation.number).unwrap_or(0);
        let scopes = artifact.scope_blocks.get(position).map_or(0, |b| b.scopes().count());
        let _ = writeln!(out, "  tables {} bytes, lists of {scopes} scopes", operation.tables.bytes);
    }
}
