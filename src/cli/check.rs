//! `check`: whether policies are valid. Its product are the diagnostics, hence they go to standard output.

use std::io;

use super::args::{CheckArgs, outputs};
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
    let kernel = settled.kernel(args.kernel);
    let Settled { mut input, levels, .. } = settled;
    let mut diags = Diagnostics::default();
    input.resolve.kernels = kernels::load(&args.input.kernels, kernel, &mut diags);
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    diags.apply(&levels);
    let status = Status::of(&diags);
    let (also, file) = outputs(&args.output_file);
    console.with(&also).findings(Place::file_or_stdout(file), &diags, &sources)?;
    if status == Status::Done && console.is_human() {
        let counted = match policies.documents {
            1 => "1 policy is valid\n".to_string(),
            n => format!("{n} policies are valid\n"),
        };
        console.text(Place::Stdout, &counted)?;
    }
    Ok(status)
}
