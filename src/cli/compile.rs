//! `compile`: policies to an artifact.

use std::io;

use super::args::CompileArgs;
use super::args::{InputArgs, TargetArgs};
use super::config::{self, Settled};
use super::console::{Console, NotWritten, Place};
use super::{Status, kernels};
use crate::diag::{Diagnostics, files};
use crate::driver;
use crate::emit::assemble::Built;
use crate::emit::write::{self, Refusal};
use crate::report::{self, Report};
use crate::source::Sources;

pub fn run(args: &CompileArgs, console: Console) -> Result<Status, NotWritten> {
    let made = match make(&args.input, &args.target, console)? {
        Ok(made) => made,
        Err(status) => return Ok(status),
    };
    let manifest = made.built.manifest.to_json();
    if let Err(error) =
        write::write(&args.output, &manifest, made.report.to_json().as_bytes(), &made.built.files)
    {
        let mut diags = Diagnostics::default();
        let cause = match &error.reason {
            Refusal::Occupied => "it exists and is no artifact of tetrafold".to_string(),
            Refusal::NotAFolder => "there is no folder to make it in".to_string(),
            Refusal::Io(error) => files::io_cause(error),
        };
        diags.push(files::output_not_written(&error.path.to_string_lossy(), &cause));
        console.diagnostics(Place::Stderr, &diags, &Sources::default())?;
        return Ok(Status::Unreadable);
    }
    console.text(Place::Stdout, &summary(&made, &args.output.to_string_lossy()))?;
    Ok(Status::Done)
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
    let built = match outcome {
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
        Ok(report) => Ok(Ok(Made { built, report })),
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
