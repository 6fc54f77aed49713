//! `check`: whether policies are valid, and whether `compile` would take them. Its product are the diagnostics, hence
//! they go to standard output.

use super::Status;
use super::args::{CheckArgs, Whom, outputs};
use super::compile::{How, phases, say_fault};
use super::config;
use super::console::{Console, NotWritten, Place};

pub fn run(args: &CheckArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let settled = match config::settle(&args.input, console)? {
        Ok(settled) => settled,
        Err(status) => return Ok(status),
    };
    let how = match args.whom {
        Whom::Compile => How::Whole,
        Whom::Tetragon => How::Check,
    };
    let ran = phases(settled, (&args.input, &args.target), how, None);
    let status = match Status::of(&ran.diags) {
        Status::Done if how == How::Whole && ran.diags.blocks_compile() => Status::PoliciesHaveErrors,
        status => status,
    };
    let (also, file) = outputs(&args.output_file);
    console.with(&also).findings(Place::file_or_stdout(file), &ran.diags, &ran.sources)?;
    if let Err(fault) = &ran.outcome {
        return say_fault(fault, console);
    }
    if status == Status::Done && console.is_human() {
        let counted = match ran.documents {
            1 => "1 policy is valid\n".to_string(),
            n => format!("{n} policies are valid\n"),
        };
        console.text(Place::Stdout, &counted)?;
    }
    Ok(status)
}
