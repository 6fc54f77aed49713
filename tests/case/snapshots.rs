//! `snapshots/<case>/<phase>.snap`: compared by insta; here is where they lie and that none is left over.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{blessing, names};

/// Files in `snapshots/` that belong to no case.
const OWN_FILES: [&str; 2] = ["README.md", "objects.sha256"];

/// Compares every phase, the later ones too if an earlier one differs. Says what is wrong.
pub fn compare(case: &str, folder: &Path, phases: &[(&'static str, String)]) -> Vec<String> {
    let mut settings = insta::Settings::clone_current();
    // Absolute, because insta would otherwise look beside the source file.
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut wrong: Vec<String> = phases
        .iter()
        .filter_map(|(phase, text)| {
            let check = || settings.bind(|| insta::assert_snapshot!(*phase, text));
            catch_unwind(AssertUnwindSafe(check)).err().map(|_| format!("{case}/{phase}.snap differs"))
        })
        .collect();
    for name in names(folder).unwrap_or_default() {
        let phase = name.strip_suffix(".snap");
        if phase.is_some_and(|phase| phases.iter().any(|(p, _)| *p == phase)) || name.ends_with(".snap.new") {
            continue;
        }
        if blessing() && phase.is_some() {
            let _ = fs::remove_file(folder.join(&name));
        } else {
            wrong.push(format!("snapshots/{case}/{name} is of no phase that the case reaches"));
        }
    }
    wrong
}

/// What lies in `snapshots/` and is of none of `cases`.
pub fn orphans(folder: &Path, cases: &[String]) -> Vec<String> {
    names(folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| !cases.contains(name) && !OWN_FILES.contains(&name.as_str()))
        .map(|name| format!("snapshots/{name} is of no case"))
        .collect()
}
