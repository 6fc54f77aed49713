//! `snapshots/objects.sha256`: the digest of every object of every case, so that a change of bytes is seen.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::blessing;

/// By case, then by program.
type Digests = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    expected: Digests,
    /// Of the cases that ran.
    found: Mutex<Digests>,
    /// Lines that are none.
    wrong: Vec<String>,
}

impl Golden {
    pub fn read(path: &Path) -> Golden {
        let mut golden =
            Golden { path: path.into(), expected: Digests::new(), found: Mutex::default(), wrong: vec![] };
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let parts =
                line.split_once("  ").and_then(|(digest, name)| Some((digest, name.split_once('/')?)));
            match parts {
                Some((digest, (case, program))) => {
                    let of_case = golden.expected.entry(case.to_string()).or_default();
                    if of_case.insert(program.to_string(), digest.to_string()).is_some() {
                        golden.wrong.push(format!("snapshots/objects.sha256: {case}/{program} stands twice"));
                    }
                }
                None => golden.wrong.push(format!("snapshots/objects.sha256: {line:?}")),
            }
        }
        golden
    }

    /// Says in what the objects of one case differ.
    pub fn compare(&self, case: &str, objects: &BTreeMap<String, String>) -> Vec<String> {
        self.found.lock().expect("no thread panics here").insert(case.to_string(), objects.clone());
        let nothing = BTreeMap::new();
        let expected = self.expected.get(case).unwrap_or(&nothing);
        if blessing() || expected == objects {
            return vec![];
        }
        let names: std::collections::BTreeSet<&String> = expected.keys().chain(objects.keys()).collect();
        let differ = names.into_iter().filter(|n| expected.get(*n) != objects.get(*n));
        differ.map(|n| format!("the object {case}/{n} is not that of snapshots/objects.sha256")).collect()
    }

    /// Lines of no case, and lines that are none.
    pub fn orphans(&self, cases: &[String]) -> Vec<String> {
        if blessing() {
            return vec![];
        }
        let strangers = self.expected.keys().filter(|case| !cases.contains(case));
        let strangers = strangers.map(|case| format!("snapshots/objects.sha256: {case} is no case"));
        self.wrong.iter().cloned().chain(strangers).collect()
    }

    /// Takes over what was found; cases that did not run keep their lines.
    pub fn write_if_blessed(&self, cases: &[String]) -> io::Result<()> {
        if !blessing() {
            return Ok(());
        }
        let mut all = self.expected.clone();
        all.retain(|case, _| cases.contains(case));
        all.extend(self.found.lock().expect("no thread panics here").clone());
        let lines = all.iter().flat_map(|(case, programs)| {
            programs.iter().map(move |(program, digest)| format!("{digest}  {case}/{program}\n"))
        });
        fs::write(&self.path, lines.collect::<String>())
    }
}
