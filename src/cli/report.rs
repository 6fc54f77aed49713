//! `report`: what policies or an artifact cost.

use std::path::Path;

use clap::ValueEnum as _;

use super::Status;
use super::args::{OutputFile, ReportArgs, ReportForm, kernel_version, outputs};
use super::compile::{self, exceeded};
use super::config;
use super::console::{Console, NotWritten, Place};
use crate::artifact::manifest;
use crate::artifact::read::Artifact;
use crate::diag::Diagnostics;
use crate::report::measure::{self, Node};
use crate::report::{Budget, Report, table};
use crate::source::Sources;

pub fn run(args: &ReportArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    // Forms that are a report's go there, all others to the findings.
    let is_report = |output: &&OutputFile| form_of(output).is_some();
    let of_findings: Vec<OutputFile> = args.output_file.iter().filter(|o| !is_report(o)).cloned().collect();
    let (also, file) = outputs(&of_findings);
    let typed = (&args.input, &args.target, &args.budgets, args.partial);
    let made = match args.input.paths.as_slice() {
        [folder] if folder.join(manifest::FILE_NAME).is_file() => {
            of_artifact(folder, args, console.with(&also))?
        }
        _ => compile::make(typed, None, Place::Stderr, console.with(&also))?
            .map(|made| (made.status(), Report { budgets: made.budgets, ..made.report })),
    };
    let (status, report) = match made {
        Ok(made) => made,
        Err(status) => return Ok(status),
    };
    for output in args.output_file.iter().filter(is_report) {
        show(&report, form_of(output).unwrap_or_default(), Place::File(&output.path), console)?;
    }
    show(&report, args.format, Place::file_or_stdout(file), console)?;
    Ok(status)
}

fn form_of(output: &OutputFile) -> Option<ReportForm> {
    ReportForm::from_str(output.form.as_deref()?, false).ok()
}

fn show(report: &Report, form: ReportForm, place: Place<'_>, console: Console<'_>) -> Result<(), NotWritten> {
    match form {
        ReportForm::Human => console.human(place, &table::human(report)),
        ReportForm::Json => console.text(place, &report.to_json()),
        ReportForm::Markdown => console.text(place, &table::markdown(report)),
        ReportForm::Csv => console.text(place, &table::csv(report)),
    }
}

/// For the artifact's own node, but as far as another was typed or configured.
fn of_artifact(
    folder: &Path,
    args: &ReportArgs,
    console: Console<'_>,
) -> Result<Result<(Status, Report), Status>, NotWritten> {
    let settled = match config::settle(&args.input, console)? {
        Ok(settled) => settled,
        Err(status) => return Ok(Err(status)),
    };
    let read = Artifact::open(folder).map_err(|e| e.to_string()).and_then(|artifact| {
        let own = own_report(&artifact)?;
        let (given, made_for) = (settled.target(&args.target), &artifact.manifest.target);
        let kernel = kernel_version(&own.assumptions.kernel)?;
        let node = Node {
            kernel: if settled.says("kernel") { given.kernel } else { kernel },
            cpus: if settled.says("cpus") { given.cpus } else { made_for.cpus },
            pods: if settled.says("pods") { given.pods } else { made_for.pods },
            scopes_per_pod: match settled.says("scopes-per-pod") {
                true => given.scopes_per_pod,
                false => made_for.scopes_per_pod,
            },
        };
        measure::of_artifact(&artifact, &own, node).map_err(|e| e.to_string())
    });
    let mut report = match read {
        Ok(report) => report,
        Err(reason) => {
            console.text(Place::Stderr, &format!("tetrafold: {}: {reason}\n", folder.display()))?;
            return Ok(Err(Status::Unreadable));
        }
    };
    report.budgets = settled.budgets(&args.budgets).judge(&report);
    let mut diags = Diagnostics::default();
    report.budgets.iter().filter_map(exceeded).for_each(|diagnostic| diags.push(diagnostic));
    console.findings(Place::Stderr, &diags, &Sources::default())?;
    let holds = |budget: &Budget| budget.holds;
    let status = if report.budgets.iter().all(holds) { Status::Done } else { Status::BudgetExceeded };
    Ok(Ok((status, report)))
}

/// The one that was made with the artifact.
fn own_report(artifact: &Artifact) -> Result<Report, String> {
    let text = std::str::from_utf8(&artifact.report).map_err(|e| format!("`report.json` is damaged: {e}"))?;
    Report::from_json(text).map_err(|e| format!("`report.json` is damaged: {e}"))
}
