//! The same input gives the same artifact, byte by byte, whatever surrounds the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{command, files, finish, folder, policy};

/// Texts of a set with two hooks, scopes and modes.
fn set() -> Vec<(&'static str, String)> {
    let watch =
        policy("watch").replace("bprm_check_security", "bprm_creds_for_exec").replace("shop}", "bank}");
    let host = policy("host").replace("podSelector: {matchLabels: {app: shop}}", "hostSelector: {}");
    vec![("a.yaml", policy("a")), ("b.yaml", watch), ("c.yaml", host)]
}

fn written(path: &Path) {
    fs::create_dir(path.join("set")).unwrap();
    for (name, text) in set() {
        fs::write(path.join("set").join(name), text).unwrap();
    }
}

/// Compiles below `at` into `out` and returns all of it, the summary too.
fn artifact(at: &Path, args: &[&str], environment: &[(&str, &str)]) -> (BTreeMap<String, Vec<u8>>, String) {
    let folder = folder();
    let out = folder.path().join("out");
    let mut run = command(at, &[&["compile", "-o", out.to_str().unwrap()], args].concat());
    run.envs(environment.iter().copied());
    let ran = finish(run, b"");
    ran.expect(0, &[]);
    let name = out.to_string_lossy().into_owned();
    (files(&out), format!("{}{}", ran.stdout, ran.stderr).replace(&name, "out"))
}

#[test]
fn threads_change_nothing() {
    let folder = folder();
    written(folder.path());
    let one = artifact(folder.path(), &["set", "--threads", "1"], &[]);
    assert_eq!(one.0.keys().filter(|n| n.ends_with(".json")).count(), 2);
    for threads in ["2", "8"] {
        assert!(artifact(folder.path(), &["set", "--threads", threads], &[]) == one, "{threads}");
    }
    assert!(artifact(folder.path(), &["set"], &[]) == one);
}

#[test]
fn the_environment_changes_nothing() {
    let folder = folder();
    written(folder.path());
    let plain = artifact(folder.path(), &["set"], &[]);
    for environment in [
        &[("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8")][..],
        &[("LC_ALL", "C")],
        &[("TZ", "Pacific/Kiritimati"), ("SOURCE_DATE_EPOCH", "1")],
        &[("HOME", "/nonexistent"), ("USER", "somebody"), ("XDG_CONFIG_HOME", "/nonexistent")],
        &[("TMPDIR", "/nonexistent"), ("COLUMNS", "40"), ("TERM", "xterm"), ("RUST_LOG", "trace")],
    ] {
        assert!(artifact(folder.path(), &["set"], environment) == plain, "{environment:?}");
    }
}

#[test]
fn the_working_directory_changes_nothing() {
    let folder = folder();
    written(folder.path());
    let plain = artifact(folder.path(), &["set"], &[]);
    let absolute = folder.path().join("set");
    assert!(artifact(Path::new("/"), &[absolute.to_str().unwrap()], &[]).0 == plain.0);
    assert!(artifact(&absolute, &["."], &[]).0 == plain.0);
}

#[test]
fn the_order_on_the_command_line_changes_nothing() {
    let folder = folder();
    written(folder.path());
    let at = folder.path().join("set");
    let plain = artifact(&at, &["a.yaml", "b.yaml", "c.yaml"], &[]);
    assert!(artifact(&at, &["c.yaml", "a.yaml", "b.yaml"], &[]).0 == plain.0);
    assert!(artifact(&at, &["c.yaml", "."], &[]).0 == plain.0);
}

/// The manifest names the files; objects and images do not know them.
#[test]
fn names_of_files_are_in_the_manifest_and_the_report_alone() {
    let folder = folder();
    written(folder.path());
    let plain = artifact(folder.path(), &["set"], &[]).0;
    fs::rename(folder.path().join("set/a.yaml"), folder.path().join("set/z.yaml")).unwrap();
    let renamed = artifact(folder.path(), &["set"], &[]).0;
    let without_json = |files: &BTreeMap<String, Vec<u8>>| {
        files
            .iter()
            .filter(|(n, _)| !n.contains(".json"))
            .map(|(n, b)| (n.clone(), b.clone()))
            .collect::<Vec<_>>()
    };
    assert!(without_json(&plain) == without_json(&renamed));
    assert!(plain["manifest.json"] != renamed["manifest.json"]);
    let manifest = String::from_utf8(renamed["manifest.json"].clone()).unwrap();
    assert!(
        String::from_utf8(plain["manifest.json"].clone()).unwrap().replace("a.yaml", "z.yaml") == manifest
    );
}
