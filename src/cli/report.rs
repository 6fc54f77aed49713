//! `report`: what policies or an artifact cost.

use super::Status;
use super::args::ReportArgs;
use super::console::{Console, NotWritten, Place};

pub fn run(_args: &ReportArgs, console: Console) -> Result<Status, NotWritten> {
    console.text(Place::Stderr, "tracefold: this build has no back end\n")?;
    Ok(Status::InternalFault)
}
