//! Arguments in, exit status out.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tetrafold::cli::args::Cli;
use tetrafold::cli::{self, Status, environment};

fn main() -> ExitCode {
    let mut command = Cli::command();
    command.build();
    let typed = std::env::args_os().collect();
    let arguments = environment::put_in(&command, typed, |name| std::env::var_os(name));
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are no errors. A closed pipe is none either.
            let _ = message.print();
            return if message.use_stderr() {
                exit_code(Status::WrongUsage)
            } else {
                exit_code(Status::Done)
            };
        }
    };
    // The panic itself has been printed by then.
    let status = std::panic::catch_unwind(|| cli::run(&cli)).unwrap_or_else(|_| {
        eprintln!("tetrafold: internal fault; please report it to whoever you have tetrafold from");
        Status::InternalFault
    });
    exit_code(status)
}

/// The documented exit statuses, in one place.
fn exit_code(status: Status) -> ExitCode {
    ExitCode::from(match status {
        Status::Done => 0,
        Status::PoliciesHaveErrors => 1,
        Status::WrongUsage => 2,
        Status::Unreadable => 3,
        Status::BudgetExceeded => 4,
        Status::InternalFault => 5,
    })
}
