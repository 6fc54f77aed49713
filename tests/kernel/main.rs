//! Tests on real kernels: emitted objects are loaded, attached and fed with real events in virtual machines.
//!
//! `cargo test --test kernel [-- FILTER]` plays the cases under `tests/kernel/cases/` on each kernel of
//! [`vm::SERIES`] and prints a line for each; `cargo test --test kernel -- measure` prints the tables of
//! instruction counts for `BENCHMARKS.md` (`measure:file_open` those of one hook). This binary is also the first process of its virtual machines.
//! A kernel that cannot be booted is a failure of all its tests.

mod bytes;
mod case;
#[path = "../conditions.rs"]
mod conditions;
mod facts;
mod guest;
mod initramfs;
mod judge;
mod load;
mod measure;
mod random;
mod run;
mod script;
mod sets;
mod storm;
mod vm;

#[path = "../generate.rs"]
mod generate;

use std::process::ExitCode;

fn main() -> ExitCode {
    if guest::is_inside() {
        guest::main();
    }
    let arguments = libtest_mimic::Arguments::from_args();
    if let Some(hook) = arguments.filter.as_deref().and_then(|filter| filter.strip_prefix("measure")) {
        return measure::host(hook.trim_start_matches(':'));
    }
    match run::trials(&arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(101)
        }
    }
}
