//! Who may use whom. A module may name itself and what stands to its left; [`interp`] has a list of its own,
//! because an oracle that reuses the code under test proves nothing. `artifact` and `bpf` are crates: Cargo sees
//! to it that they name nothing of this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ORDER: &[&str] = &[
    "source", "vocab", "diag", "syntax", "platform", "memory", "policy", "fold", "artifact", "emit",
    "report", "driver", "cli",
];

const OWN_LISTS: &[(&str, &[&str])] =
    &[("interp", &["interp", "vocab", "policy", "fold::ir", "fold::plan", "platform", "diag", "source"])];

/// Modules outside the order that a module of the order may name.
const EXTRA: &[(&str, &[&str])] = &[
    ("source", &["diag"]),
    // Which tables and parts of arguments there are is described once; the rest of the compiler knows it by `vocab::condition`.
    ("vocab", &["artifact::table", "artifact::projection"]),
    // Limits that a program and the plan share are numbers of `abi.h`.
    ("fold", &["artifact::abi"]),
    // The format of type information is described once.
    ("platform", &["bpf::btf", "bpf::Error"]),
    ("emit", &["bpf"]),
    ("report", &["bpf"]),
    ("driver", &["bpf"]),
    ("cli", &["bpf", "interp"]),
];

#[test]
fn a_module_names_only_what_stands_to_its_left() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = vec![];
    let mut files = 0;
    for (module, paths) in files_by_module(&root) {
        for path in paths {
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            // What stands in a test module may reach further: it builds inputs.
            let code = text.split("#[cfg(test)]").next().unwrap();
            for named in named_modules(code) {
                if !allowed(&module, &named) {
                    let shown = path.strip_prefix(&root).unwrap().display().to_string();
                    wrong.push(format!("{shown} names crate::{named}"));
                }
            }
        }
    }
    assert!(files > 50, "the test found only {files} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn allowed(module: &str, named: &str) -> bool {
    let first = named.split("::").next().unwrap();
    if let Some((_, list)) = OWN_LISTS.iter().find(|(m, _)| *m == module) {
        return list.iter().any(|l| named == *l || named.starts_with(&format!("{l}::")) || *l == first);
    }
    if EXTRA.iter().any(|(m, list)| *m == module && list.iter().any(|l| *l == first || named.starts_with(l)))
    {
        return true;
    }
    let place = |m: &str| ORDER.iter().position(|o| *o == m);
    match (place(module), place(first)) {
        (Some(mine), Some(theirs)) => theirs <= mine,
        // `lib.rs` and `main.rs` tie everything together.
        (None, _) => true,
        (_, None) => false,
    }
}

fn files_by_module(root: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut out: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|s| s == "tests")
            || path.components().any(|c| c.as_os_str() == "tests");
        if path.extension().is_some_and(|e| e == "rs") && !is_test {
            let relative = path.strip_prefix(root).unwrap();
            let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
            if ["artifact", "bpf"].contains(&&*first) {
                continue;
            }
            out.entry(first.trim_end_matches(".rs").to_string()).or_default().push(path.to_path_buf());
        }
    }
    out
}

/// The paths behind `crate::` in code, comments left out.
fn named_modules(code: &str) -> Vec<String> {
    let mut out = vec![];
    for line in code.lines() {
        let line = line.split("//").next().unwrap();
        for part in line.split("crate::").skip(1) {
            let named: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
            let named = named.trim_end_matches(':').to_string();
            if !named.is_empty() {
                out.push(named);
            }
        }
    }
    out
}
