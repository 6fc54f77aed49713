//! `compile`: policies to an artifact.

use std::io;

use super::args::CompileArgs;
use super::args::{InputArgs, TargetArgs};
use super::config::{self, Settled};
use super::console::{Console, NotWritten, Place};
use super::{Status, kernels};
use crate::artifact::read::STAGING;
use crate::diag::{Diagnostic, Diagnostics, files};
use crate::driver;
use crate::emit::assemble::Built;
use crate::emit::write::{self, Refusal, WriteError};
use crate::report::{self, Report};
use crate::source::Sources;

pub fn run(args: &CompileArgs, console: Console) -> Result<Status, NotWritten> {
    let made = match make(&args.input, &args.target, console)? {
        Ok(made) => made,
        Err(status) => return Ok(status),
    };
    let manifest = made.built.manifest.to_json();
    let written = write::write(&args.output, &manifest, made.report.to_json().as_bytes(), &made.built.files);
    let digest = match written {
        Ok(digest) => digest,
        Err(error) => {
            let mut diags = Diagnostics::default();
            diags.push(not_written(&error));
            console.diagnostics(Place::Stderr, &diags, &Sources::default())?;
            return Ok(Status::Unreadable);
        }
    };
    let text = format!("{}digest {digest}\n", summary(&made, &args.output.to_string_lossy()));
    console.text(Place::Stdout, &text)?;
    Ok(Status::Done)
}

fn not_written(error: &WriteError) -> Diagnostic {
    let path = error.path.to_string_lossy();
    match &error.reason {
        Refusal::Foreign(names) => files::foreign_content(&path, names),
        Refusal::NotAFolder => files::output_not_written(&path, "it is no folder"),
        Refusal::Staging => files::output_in_use(&path, STAGING),
        Refusal::Io(error) => files::output_not_written(&path, &files::io_cause(error)),
    }
}

/// Everything that a compile makes, not yet written.
pub(super) struct Made {
    pub built: Built,
    pub report: Report,
}

/// Runs all phases. What is wrong has been shown when it gives a status instead.
pub(super) fn make(
    input: &InputArgs,
    target: &TargetArgs,
    console: Console,
) -> Result<Result<Made, Status>, NotWritten> {
    let settled = match config::settle(input, console)? {
        Ok(settled) => settled,
        Err(status) => return Ok(Err(status)),
    };
    let mut diags = Diagnostics::default();
    let kernels = kernels::load(&input.kernels, &mut diags);
    let target = settled.target(target).target(&kernels);
    let Settled { mut input, levels, .. } = settled;
    input.resolve.kernels = kernels;
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    let set = policies.set.filter(|_| !diags.has_errors());
    let folded = set.as_ref().and_then(|set| driver::fold(set, &target, &[], &mut diags));
    diags.apply(&levels);
    let mut outcome = Ok(None);
    if let (Some(set), Some(folded)) = (&set, &folded)
        && !diags.blocks_compile()
    {
        outcome = driver::emit(&sources, set, folded, &target, &input.resolve.kernels, &mut diags);
    }
    console.diagnostics(Place::Stderr, &diags, &sources)?;
    let mut built = match outcome {
        Ok(Some(built)) => built,
        // Valid but not compiled yet counts as an error here.
        Ok(None) => {
            return Ok(Err(match Status::of(&diags) {
                Status::Done => Status::PoliciesHaveErrors,
                status => status,
            }));
        }
        Err(fault) => {
            console
                .text(Place::Stderr, &format!("tetrafold: internal fault, please report it: {fault}\n"))?;
            return Ok(Err(Status::InternalFault));
        }
    };
    // Large sets are most of the memory that a run takes; the report looks at none of these.
    drop((folded, sources));
    let Some(set) = set else { return Ok(Err(Status::InternalFault)) };
    match report::measure::report(&set, &built, &target) {
        Ok(report) => {
            report::measure::complete(&mut built.manifest, &report);
            Ok(Ok(Made { built, report }))
        }
        Err(error) => {
            console.text(Place::Stderr, &format!("tetrafold: no forecast can be made: {error}\n"))?;
            Ok(Err(Status::InternalFault))
        }
    }
}

fn summary(made: &Made, output: &str) -> String {
    let totals = &made.report.totals;
    let count = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "{output}: {}, {}, {}, {} of kernel memory (memlock)\n",
        if totals.policies == 1 { "1 policy".to_string() } else { format!("{} policies", totals.policies) },
        count(totals.programs, "program"),
        count(totals.maps, "map"),
        report::table::human_bytes(totals.memory.memlock_bytes),
    )
}
