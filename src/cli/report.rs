//! `report`: what policies or an artifact cost.

use std::path::Path;

use super::Status;
use super::args::{ReportArgs, ReportForm};
use super::compile;
use super::console::{Console, NotWritten, Place};
use crate::artifact::manifest;
use crate::artifact::read::Artifact;
use crate::report::{Budgets, Report, table};

pub fn run(args: &ReportArgs, console: Console) -> Result<Status, NotWritten> {
    let report = match args.input.paths.as_slice() {
        [folder] if folder.join(manifest::FILE_NAME).is_file() => match of_artifact(folder) {
            Ok(report) => report,
            Err(reason) => {
                console.text(Place::Stderr, &format!("tetrafold: {}: {reason}\n", folder.display()))?;
                return Ok(Status::Unreadable);
            }
        },
        _ => match compile::make(&args.input, &args.target, console)? {
            Ok(made) => made.report,
            Err(status) => return Ok(status),
        },
    };
    let text = match args.format {
        ReportForm::Human => table::human(&report),
        ReportForm::Json => report.to_json(),
        ReportForm::Markdown => table::markdown(&report),
        ReportForm::Csv => table::csv(&report),
    };
    console.text(Place::file_or_stdout(args.output_file.as_deref()), &text)?;
    let budgets = Budgets {
        max_programs: args.max_programs,
        max_maps: args.max_maps,
        max_memlock: args.max_memlock,
        max_kernel_memory: args.max_kernel_memory,
    };
    let exceeded = budgets.exceeded(&report.totals);
    for budget in &exceeded {
        console.text(Place::Stderr, &format!("tetrafold: {budget}\n"))?;
    }
    Ok(if exceeded.is_empty() { Status::Done } else { Status::BudgetExceeded })
}

/// The report that was made with the artifact, which must be whole.
fn of_artifact(folder: &Path) -> Result<Report, String> {
    let artifact = Artifact::open(folder).map_err(|e| e.to_string())?;
    let text = std::str::from_utf8(&artifact.report).map_err(|e| format!("`report.json` is damaged: {e}"))?;
    Report::from_json(text).map_err(|e| format!("`report.json` is damaged: {e}"))
}
