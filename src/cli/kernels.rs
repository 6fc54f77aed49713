//! The files named with `--btf` and `--target`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::KernelArgs;
use crate::diag::Diagnostics;
use crate::diag::files::io_cause;
use crate::diag::kernels::{bad_target_file, other_machine};
use crate::platform::KernelVersion;
use crate::platform::kernel::{File, Kernel, built_in, join};

/// That artifacts are for ([`crate::platform::Arch`]).
const MACHINE: &str = "x86_64";

/// The kernels that the files are of, where none is given the built-in ones; what cannot be used is reported.
pub fn load(args: &KernelArgs, chosen: Option<KernelVersion>, diags: &mut Diagnostics) -> Arc<[Kernel]> {
    if args.btf.is_empty() && args.target.is_empty() {
        return built_in(chosen).into();
    }
    let mut read = |paths: &[PathBuf]| {
        let mut files: Vec<File> = vec![];
        for path in paths {
            let name = path.to_string_lossy().into_owned();
            match fs::read(path) {
                Ok(bytes) => files.push(File { name, bytes }),
                Err(error) => diags.push(bad_target_file(&name, &io_cause(&error))),
            }
        }
        files
    };
    let (descriptions, types) = (read(&args.target), read(&args.btf));
    let (kernels, unusable) = join(&descriptions, &types);
    for file in unusable {
        diags.push(bad_target_file(&file.name, &file.why));
    }
    for kernel in &kernels {
        if let Some(machine) = kernel.machine().filter(|machine| *machine != MACHINE) {
            diags.push(other_machine(&kernel.name, machine));
        }
    }
    kernels.into()
}
