//! The program as it is started: exit statuses, what is printed where, what stands on disk afterwards.

mod budgets;
mod configuration;
mod damaged;
mod formats;
mod hostile;
mod inputs;
mod kernels;
mod manners;
mod outputs;
mod partial;
mod previous;
mod same_bytes;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A policy that compiles.
pub const POLICY: &str = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: shop
spec:
  podSelector: {matchLabels: {app: shop}}
  lsmhooks:
  - hook: bprm_check_security
    args:
    - {index: 0, type: linux_binprm}
    selectors:
    - matchArgs:
      - {index: 0, operator: NotEqual, values: ["/usr/bin/true", "/usr/bin/env"]}
      matchActions:
      - {action: Override, argError: -1}
"#;

/// The same policy under another name.
pub fn policy(name: &str) -> String {
    POLICY.replace("name: shop", &format!("name: {name}"))
}

/// How a run ended and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// `None` if a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Checks the status and that each of `said` stands in one of the outputs.
    #[track_caller]
    pub fn expect(&self, status: i32, said: &[&str]) -> &Ran {
        assert_eq!(self.status, Some(status), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        for text in said {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} in {self:#?}");
        }
        self
    }
}

/// A folder of its own for each test.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("there is a folder for temporary files")
}

/// The program in `folder`, without anything of the environment of the tests.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetrafold"));
    command.current_dir(folder).args(args).env_clear().stdin(Stdio::null());
    command
}

pub fn tetrafold(folder: &Path, args: &[&str]) -> Ran {
    finish(command(folder, args), b"")
}

/// Runs to the end with `stdin` as standard input.
pub fn finish(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let output = std::thread::scope(|scope| {
        if let Some(mut pipe) = child.stdin.take() {
            // A program that stops reading is free to.
            scope.spawn(move || pipe.write_all(stdin).ok());
        }
        child.wait_with_output().expect("the program ends")
    });
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// Every file below a folder, by path.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
                all.insert(name, fs::read(&path).expect("the file can be read"));
            }
        }
    }
    all
}

/// Names directly in a folder, hidden ones too, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|e| e.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A folder with `policy.yaml` and the artifact `out` made of it.
pub fn compiled() -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("policy.yaml"), POLICY).expect("the policy can be written");
    tetrafold(folder.path(), &["compile", "policy.yaml", "-o", "out"]).expect(0, &["out: 1 policy"]);
    folder
}
