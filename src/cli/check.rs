//! `check`: whether policies are valid. Its product are the diagnostics, hence they go to standard output.

use std::io;

use super::args::CheckArgs;
use super::console::{Console, NotWritten, Place};
use super::{Status, kernels};
use crate::diag::Diagnostics;
use crate::driver;

pub fn run(args: &CheckArgs, console: Console) -> Result<Status, NotWritten> {
    let mut diags = Diagnostics::default();
    let mut input = args.input.input();
    input.resolve.kernels = kernels::load(&args.input.kernels, &mut diags);
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    if args.input.denies_warnings() {
        diags.deny_warnings();
    }
    let status = Status::of(&diags);
    console.diagnostics(Place::file_or_stdout(args.output_file.as_deref()), &diags, &sources)?;
    if status == Status::Done && console.is_human() {
        let counted = match policies.documents {
            1 => "1 policy is valid\n".to_string(),
            n => format!("{n} policies are valid\n"),
        };
        console.text(Place::Stdout, &counted)?;
    }
    Ok(status)
}
