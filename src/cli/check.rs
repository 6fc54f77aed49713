//! `check`: whether policies are valid, and whether `compile` would take them. Its product are the diagnostics, hence
//! they go to standard output.

use std::io;

use super::args::{CheckArgs, Whom, outputs};
use super::config::{self, Settled};
use super::console::{Console, NotWritten, Place};
use super::{Status, kernels};
use crate::diag::Diagnostics;
use crate::driver;

pub fn run(args: &CheckArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let settled = match config::settle(&args.input, console)? {
        Ok(settled) => settled,
        Err(status) => return Ok(status),
    };
    let kernel = settled.kernel(Some(args.target.kernel));
    let mut diags = Diagnostics::default();
    let kernels = kernels::load(&args.input.kernels, kernel, &mut diags);
    let target = settled.target(&args.target).target(&kernels);
    let Settled { mut input, levels, .. } = settled;
    input.resolve.kernels = kernels;
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    let is_compiled = args.whom == Whom::Compile;
    let set = policies.set.filter(|_| is_compiled && !diags.has_errors());
    let folded = set.as_ref().and_then(|set| driver::fold(set, &target, &[], &mut diags));
    diags.apply(&levels);
    let mut fault = None;
    if let (Some(set), Some(folded), false) = (&set, &folded, diags.blocks_compile()) {
        let emitted = driver::emit(&sources, set, folded, &target, &input.resolve.kernels, None, &mut diags);
        fault = emitted.err();
    }
    let status = match Status::of(&diags) {
        Status::Done if is_compiled && diags.blocks_compile() => Status::PoliciesHaveErrors,
        status => status,
    };
    let (also, file) = outputs(&args.output_file);
    console.with(&also).findings(Place::file_or_stdout(file), &diags, &sources)?;
    if let Some(fault) = fault {
        console.text(Place::Stderr, &format!("tetrafold: internal fault, please report it: {fault}\n"))?;
        return Ok(Status::InternalFault);
    }
    if status == Status::Done && console.is_human() {
        let counted = match policies.documents {
            1 => "1 policy is valid\n".to_string(),
            n => format!("{n} policies are valid\n"),
        };
        console.text(Place::Stdout, &counted)?;
    }
    Ok(status)
}
