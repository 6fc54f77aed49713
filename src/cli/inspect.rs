//! `inspect`: what is inside an artifact, and whether it is intact.
//!
//! What is shown is a few tables, which [`listing`] fills and writes in each form; JSON is the manifest itself.

mod listing;

use serde_json::Value;

use super::Status;
use super::args::{InspectArgs, ReportForm};
use super::console::{Console, NotWritten, Place};
use crate::artifact::read::Artifact;
use crate::bpf;

pub fn run(args: &InspectArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let opened = match args.digest {
        Some(digest) => Artifact::open_digest(&args.artifact, digest),
        None => Artifact::open(&args.artifact),
    };
    let artifact = match opened {
        Ok(artifact) => artifact,
        Err(error) => {
            console.text(Place::Stderr, &format!("tetrafold: {}: {error}\n", args.artifact.display()))?;
            return Ok(Status::Unreadable);
        }
    };
    let instructions = match args.instructions.then(|| instructions(&artifact)).transpose() {
        Ok(instructions) => instructions.unwrap_or_default(),
        Err(reason) => {
            console.text(Place::Stderr, &format!("tetrafold: {reason}\n"))?;
            return Ok(Status::Unreadable);
        }
    };
    let text = match args.format {
        ReportForm::Json => json(&artifact, &instructions),
        ReportForm::Human => listing::human(&artifact, args.digest.is_some(), &instructions),
        ReportForm::Markdown => listing::markdown(&artifact, args.digest.is_some(), &instructions),
        ReportForm::Csv => listing::csv(&artifact, &instructions),
    };
    let place = Place::file_or_stdout(args.output_file.as_deref());
    match args.format {
        ReportForm::Human => console.human(place, &text)?,
        ReportForm::Json | ReportForm::Markdown | ReportForm::Csv => console.text(place, &text)?,
    }
    Ok(Status::Done)
}

/// The instructions of each program, by its name.
fn instructions(artifact: &Artifact) -> Result<Vec<(&str, String)>, String> {
    let of = |program: &'_ crate::artifact::manifest::Program| {
        bpf::disassemble(artifact.content(&program.object))
            .map_err(|e| format!("{}: {e}", program.object.path))
    };
    artifact.manifest.programs.iter().map(|program| Ok((program.name.as_str(), of(program)?))).collect()
}

/// The manifest as it is on disk; with instructions, one member more.
fn json(artifact: &Artifact, instructions: &[(&str, String)]) -> String {
    let manifest = artifact.manifest.to_json();
    if instructions.is_empty() {
        return String::from_utf8_lossy(&manifest).into_owned();
    }
    let mut value: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let lists = instructions.iter().map(|(name, text)| (name.to_string(), text.lines().collect()));
    value["instructions"] = Value::Object(lists.collect());
    format!("{value:#}\n")
}
