//! `compile`: policies to an artifact.

use std::io;

use super::Status;
use super::args::CompileArgs;
use super::console::{Console, NotWritten, Place};
use crate::diag::Diagnostics;
use crate::driver;

pub fn run(args: &CompileArgs, console: Console) -> Result<Status, NotWritten> {
    let mut diags = Diagnostics::default();
    let input = args.input.input();
    let sources = driver::read(&input, &mut io::stdin().lock(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    if args.input.denies_warnings() {
        diags.deny_warnings();
    }
    console.diagnostics(Place::Stderr, &diags, &sources)?;
    if diags.blocks_compile() || policies.set.is_none() {
        // Valid but not compiled yet counts as an error here.
        return Ok(match Status::of(&diags) {
            Status::Done => Status::PoliciesHaveErrors,
            status => status,
        });
    }
    // The later phases take over here.
    console.text(Place::Stderr, "tracefold: this build has no back end\n")?;
    Ok(Status::InternalFault)
}
