//! Every case directory through every phase, against snapshots (`snapshots/README.md`).
//!
//! A case is a directory `tests/cases/<behaviour>/` with `policy.yaml` or several `*.yaml`, and `args` with options of
//! `tetrafold compile`, one a line. The examples are a case too. Whatever nobody reads is a failure:
//! an unknown file in a case, a snapshot of no case or of no phase, a digest of no object, no case at all.

mod case;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use case::golden::Golden;
use case::{Case, phases, snapshots};

/// Of this package, whatever the working directory.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = match case::find(&root()) {
        Ok(cases) => cases,
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let golden = Arc::new(Golden::read(&root().join("snapshots/objects.sha256")));
    let names: Vec<String> = cases.iter().map(|c| c.name.clone()).collect();
    let mut trials: Vec<Trial> = cases.into_iter().map(|case| trial(case, golden.clone())).collect();
    let every = names.clone();
    let of_golden = golden.clone();
    trials.push(Trial::test("census::no-snapshot-without-a-case", move || {
        let mut wrong = snapshots::orphans(&root().join("snapshots"), &every);
        wrong.extend(of_golden.orphans(&every));
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(error) = golden.write_if_blessed(&names) {
        eprintln!("error: snapshots/objects.sha256: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn trial(case: Case, golden: Arc<Golden>) -> Trial {
    Trial::test(case.name.clone(), move || run(&case, &root().join("snapshots"), &golden))
}

fn run(case: &Case, snapshots: &Path, golden: &Golden) -> Result<(), Failed> {
    let outcome = phases::run(case).map_err(Failed::from)?;
    let mut wrong = snapshots::compare(&case.name, &snapshots.join(&case.name), &outcome.phases);
    wrong.extend(golden.compare(&case.name, &outcome.objects));
    wrong.extend(outcome.wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
