//! `compile`: policies to an artifact.

use std::io;
use std::path::Path;

use super::args::{BudgetArgs, CompileArgs, InputArgs, TargetArgs, outputs};
use super::config::{self, Settled};
use super::console::{Console, NotWritten, Place};
use super::{Status, kernels};
use crate::artifact::digest::Digest;
use crate::artifact::manifest::Manifest;
use crate::artifact::provenance;
use crate::artifact::read::{Artifact, STAGING};
use crate::diag::{Diagnostic, Diagnostics, files, target};
use crate::driver::partial::{self, Left};
use crate::driver::{self, Fault, Policies};
use crate::emit::assemble::Built;
use crate::emit::write::{self, Refusal, WriteError};
use crate::platform::Target;
use crate::policy::PolicySet;
use crate::report::{self, Budget, Budgets, Report};
use crate::source::Sources;

pub fn run(args: &CompileArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let previous = match args.previous.as_deref().map(Artifact::open).transpose() {
        Ok(previous) => previous.map(|artifact| artifact.manifest),
        Err(error) => {
            let folder = args.previous.as_deref().unwrap_or(&args.output).display();
            console.text(Place::Stderr, &format!("tetrafold: {folder}: {error}\n"))?;
            return Ok(Status::Unreadable);
        }
    };
    let (also, file) = outputs(&args.output_file);
    let place = file.map_or(Place::Stderr, Place::File);
    let typed = (&args.input, &args.target, &args.budgets, args.partial);
    let made = match make(typed, previous.as_ref(), place, console.with(&also))? {
        Ok(made) if made.status() == Status::Done => made,
        Ok(made) => return Ok(made.status()),
        Err(status) => return Ok(status),
    };
    let manifest = made.built.manifest.to_json();
    if let Some(file) = &args.provenance {
        if is_inside(file, &args.output) {
            let text =
                "tetrafold: --provenance names a file inside the artifact, which holds nothing but itself\n";
            console.text(Place::Stderr, text)?;
            return Ok(Status::WrongUsage);
        }
        // Before the artifact: where it cannot be written, nothing is.
        let statement = provenance::statement(&made.built.manifest, Digest::of(&manifest));
        console.text(Place::File(file), &statement)?;
    }
    if let Some(file) = &args.left_out {
        let lines: String = made.left.iter().map(|path| format!("{path}\n")).collect();
        console.text(Place::File(file), &lines)?;
    }
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
    let left = match made.left.len() {
        0 => String::new(),
        1 => "left to Tetragon: 1 file\n".to_string(),
        n => format!("left to Tetragon: {n} files\n"),
    };
    let text = format!("{}{left}digest {digest}\n", summary(&made, &args.output.to_string_lossy()));
    console.text(Place::Stdout, &text)?;
    Ok(Status::Done)
}

/// As far as names tell; a link may lead anywhere.
fn is_inside(file: &Path, folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let around = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    around.canonicalize().is_ok_and(|around| around.starts_with(&folder)) || file.starts_with(&folder)
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
    /// Those that were set; that some do not hold has been said.
    pub budgets: Vec<Budget>,
    /// Paths of the files that stay with Tetragon.
    pub left: Vec<String>,
}

impl Made {
    pub fn status(&self) -> Status {
        if self.budgets.iter().all(|budget| budget.holds) { Status::Done } else { Status::BudgetExceeded }
    }
}

/// How far a run goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Policies are checked as Tetragon does, and not compiled.
    Check,
    Whole,
    /// Files that cannot be compiled are left to Tetragon.
    Partial,
}

/// What all phases gave, and nobody has been shown yet.
pub(super) struct Ran {
    pub sources: Sources,
    pub diags: Diagnostics,
    pub documents: usize,
    pub outcome: Result<Option<Built>, Fault>,
    target: Target,
    set: Option<PolicySet>,
    left: Left,
}

pub(super) fn phases(
    settled: Settled,
    (input, target): (&InputArgs, &TargetArgs),
    how: How,
    previous: Option<&Manifest>,
) -> Ran {
    let mut diags = Diagnostics::default();
    let kernels = kernels::load(&input.kernels, settled.kernel(Some(target.kernel)), &mut diags);
    let target = settled.target(target).target(&kernels);
    let Settled { mut input, levels, .. } = settled;
    input.resolve.kernels = kernels;
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let Policies { documents, set } = driver::policies(&sources, &input, &mut diags);
    let mut set = set.filter(|_| !diags.has_errors());
    let (mut folded, mut left) = (None, Left::default());
    match how {
        How::Check => set = None,
        How::Whole => folded = set.as_ref().and_then(|set| driver::fold(set, &target, &[], &mut diags)),
        How::Partial => {
            if let Some(whole) = set.take() {
                let chosen;
                (chosen, left) = partial::choose(&sources, &input, whole, &target, &mut diags);
                (set, folded) = chosen.unzip();
            }
        }
    }
    diags.apply(&levels);
    let mut outcome = Ok(None);
    let is_blocked = if how == How::Partial { diags.has_errors() } else { diags.blocks_compile() };
    if let (Some(set), Some(folded)) = (&set, &folded)
        && !is_blocked
    {
        outcome = driver::emit(&sources, set, folded, &target, &input.resolve.kernels, previous, &mut diags);
    }
    Ran { sources, diags, documents, outcome, target, set, left }
}

/// The compiler's own fault, as every command says it.
pub(super) fn say_fault(fault: &Fault, console: Console<'_>) -> Result<Status, NotWritten> {
    console.text(Place::Stderr, &format!("tetrafold: internal fault, please report it: {fault}\n"))?;
    Ok(Status::InternalFault)
}

/// Runs all phases. What is wrong has been shown when it gives a status instead.
pub(super) fn make(
    (input, target, budgets, partial): (&InputArgs, &TargetArgs, &BudgetArgs, bool),
    previous: Option<&Manifest>,
    place: Place<'_>,
    console: Console<'_>,
) -> Result<Result<Made, Status>, NotWritten> {
    let settled = match config::settle(input, console)? {
        Ok(settled) => settled,
        Err(status) => return Ok(Err(status)),
    };
    let budgets = settled.budgets(budgets);
    let how = if partial { How::Partial } else { How::Whole };
    let Ran { sources, mut diags, outcome, target, set, left, .. } =
        phases(settled, (input, target), how, previous);
    let made = match (outcome, &set) {
        (Ok(Some(mut built)), Some(set)) => {
            built.manifest.left_out = left.described(&sources);
            match measured(set, built, &target, &budgets) {
                Ok(made) => Made { left: left.paths(&sources).map(str::to_string).collect(), ..made },
                Err(error) => {
                    console.findings(place, &diags, &sources)?;
                    console.text(Place::Stderr, &format!("tetrafold: no forecast can be made: {error}\n"))?;
                    return Ok(Err(Status::InternalFault));
                }
            }
        }
        (Ok(_), _) => {
            console.findings(place, &diags, &sources)?;
            // Valid but not compiled yet counts as an error here.
            return Ok(Err(match Status::of(&diags) {
                Status::Done => Status::PoliciesHaveErrors,
                status => status,
            }));
        }
        (Err(fault), _) => {
            console.findings(place, &diags, &sources)?;
            return say_fault(&fault, console).map(Err);
        }
    };
    made.budgets.iter().filter_map(exceeded).for_each(|diagnostic| diags.push(diagnostic));
    console.findings(place, &diags, &sources)?;
    Ok(Ok(made))
}

fn measured(
    set: &PolicySet,
    mut built: Built,
    target: &Target,
    budgets: &Budgets,
) -> Result<Made, report::measure::MeasureError> {
    let report = report::measure::report(set, &built, target)?;
    report::measure::complete(&mut built.manifest, &report);
    let budgets = budgets.judge(&report);
    Ok(Made { built, report, budgets, left: vec![] })
}

/// What is to be said of a budget that does not hold.
pub(super) fn exceeded(budget: &Budget) -> Option<Diagnostic> {
    let amount = |amount| report::table::amount(budget.unit, amount);
    let largest: Vec<String> =
        budget.largest.iter().map(|c| format!("`{}` ({})", c.name, amount(c.amount))).collect();
    let (limit, actual) = (amount(budget.limit), amount(budget.actual));
    (!budget.holds)
        .then(|| target::budget_exceeded(&budget.name, &limit, &actual, budget.exceeded_by, &largest))
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
