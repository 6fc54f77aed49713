//! What was typed, what is printed: one file per subcommand. Decides nothing about policies.

pub mod args;
mod check;
mod compile;
mod config;
mod console;
mod documentation;
pub mod environment;
mod inspect;
pub mod kernels;
mod level_args;
mod report;
mod target;

use self::args::{Cli, Command};
use self::console::Console;
use crate::diag::Diagnostics;

/// How a run ended. `main` gives each its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Done,
    PoliciesHaveErrors,
    WrongUsage,
    /// Input or output cannot be read or written.
    Unreadable,
    BudgetExceeded,
    InternalFault,
}

impl Status {
    /// What the findings of the front end come to. What could not be read weighs more than what is wrong
    /// in the rest, since it may hold more.
    fn of(diags: &Diagnostics) -> Status {
        if diags.has_io_errors() {
            Status::Unreadable
        } else if diags.has_errors() {
            Status::PoliciesHaveErrors
        } else {
            Status::Done
        }
    }
}

/// Runs one command.
pub fn run(cli: &Cli) -> Status {
    let console = Console::new(cli.console);
    let result = match &cli.command {
        Command::Check(args) => check::run(args, console),
        Command::Compile(args) => compile::run(args, console),
        Command::Report(args) => report::run(args, console),
        Command::Inspect(args) => inspect::run(args, console),
        Command::Target(args::TargetCommand::Record(args)) => target::record(args, console),
        Command::ExplainCode(args) => documentation::explain_code(args, console),
        Command::Schema(args) => documentation::schema(args, console),
        Command::Completions(args) => documentation::completions(args, console),
        Command::Man(args) => documentation::man(args, console),
    };
    result.unwrap_or(Status::Unreadable)
}
