//! `inspect`: what is inside an artifact, and whether it is intact.

use super::Status;
use super::args::InspectArgs;
use super::console::{Console, NotWritten, Place};

pub fn run(_args: &InspectArgs, console: Console) -> Result<Status, NotWritten> {
    console.text(Place::Stderr, "tracefold: this build has no back end\n")?;
    Ok(Status::InternalFault)
}
