//! Levels of lints and `.tetrafold.yaml`: what counts for a run, and what a wrong setting ends it with.

use std::fs;
use std::path::Path;

use super::{Ran, command, finish, folder, policy, tetrafold};

/// A policy with one warning (`ignored-part`).
fn warned() -> String {
    policy("shop").replace("argError: -1}", "argError: -1, argSig: 9}")
}

/// `set/p.yaml` with a warning, and the configuration at `at`.
fn with_config(at: &str, text: &str) -> tempfile::TempDir {
    let folder = folder();
    fs::create_dir_all(folder.path().join("set/inner")).unwrap();
    fs::write(folder.path().join("set/p.yaml"), warned()).unwrap();
    fs::write(folder.path().join(at), text).unwrap();
    folder
}

fn check(at: &Path, options: &[&str]) -> Ran {
    tetrafold(at, &[&["check", "set"], options].concat())
}

#[test]
fn the_last_option_that_names_a_lint_counts() {
    let folder = with_config("set/other.yaml", "kind: ConfigMap\napiVersion: v1\n");
    let path = folder.path();
    check(path, &[]).expect(0, &["TF0706 (ignored-part)", "1 warning in 1 file", "1 policy is valid"]);
    check(path, &["--deny", "warnings"]).expect(1, &["1 error in 1 file"]);
    check(path, &["--deny", "TF0706"]).expect(1, &["1 error in 1 file"]);
    check(path, &["--deny", "warnings", "--warn", "ignored-part"]).expect(0, &["1 warning in 1 file"]);
    let quiet = check(path, &["--deny", "warnings", "--allow", "ignored-part", "--allow", "unchecked-fact"]);
    assert!(!quiet.expect(0, &[]).stdout.contains("TF0706"), "{quiet:?}");
    assert!(!quiet.stdout.contains("TF0501") && quiet.stdout.contains("TF0051"), "{quiet:?}");
    check(path, &["--allow", "ignored-part", "--deny", "warnings"]).expect(0, &["1 policy is valid"]);
    check(path, &["--deny", "other-document"])
        .expect(1, &["TF0051 (other-document)", "1 error and 1 warning"]);
}

#[test]
fn every_form_shows_the_level_of_the_run() {
    let folder = with_config("set/none", "");
    let form = |form: &str, level: &str| {
        check(folder.path(), &["--diagnostics", form, level, "ignored-part"]).stdout
    };
    assert!(form("json", "--deny").contains(r#""code":"TF0706","severity":"error","lint":"ignored-part""#));
    assert!(form("json", "--note").contains(r#""code":"TF0706","severity":"note""#));
    assert!(!form("json", "--allow").contains("TF0706"));
    assert!(form("github", "--deny").contains("::error title=TF0706 "));
    assert!(form("github", "--note").contains("::notice title=TF0706 "));
    let sarif: serde_json::Value = serde_json::from_str(&form("sarif", "--deny")).unwrap();
    let run = &sarif["runs"][0];
    let result = run["results"].as_array().unwrap().iter().find(|r| r["ruleId"] == "TF0706").unwrap();
    assert_eq!(result["level"], "error");
    let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!(
        (&rule["name"], &rule["defaultConfiguration"]["level"]),
        (&"ignored-part".into(), &"warning".into())
    );
}

#[test]
fn only_lints_have_a_level() {
    let folder = with_config("set/none", "");
    check(folder.path(), &["--deny", "ignored-prt"]).expect(2, &["did you mean `ignored-part`?"]);
    check(folder.path(), &["--allow", "TF0101"]).expect(2, &["`TF0101` (unknown field) is no lint"]);
    tetrafold(folder.path(), &["explain-code"]).expect(0, &["(ignored-part, warn by default)"]);
    tetrafold(folder.path(), &["explain-code", "ignored-part"])
        .expect(0, &["# TF0706", "Lint `ignored-part`, warn by default."]);
}

#[test]
fn the_nearest_configuration_upwards_counts() {
    for at in [".tetrafold.yaml", "set/.tetrafold.yaml"] {
        let folder = with_config(at, "lints: {deny: [warnings]}\n");
        let path = folder.path();
        check(path, &[]).expect(1, &["1 error"]);
        check(path, &["--no-config"]).expect(0, &["1 warning"]);
        check(path, &["--warn", "ignored-part"]).expect(0, &["1 warning"]);
        // From anywhere.
        tetrafold(&path.join("set/inner"), &["check", "../p.yaml"]).expect(1, &["1 error"]);
        finish(command(&path.join("set"), &["check", "-"]), warned().as_bytes()).expect(1, &["1 error"]);
        fs::write(path.join("mine.yaml"), "lints: {allow: [TF0706]}\n").unwrap();
        check(path, &["--config", "mine.yaml", "--deny", "warnings"]).expect(0, &["1 policy is valid"]);
        check(path, &["--config", "mine.yaml", "--no-config"]).expect(2, &["cannot be used with"]);
    }
    // That of one folder does not count for a set that goes beyond it.
    let folder = with_config("set/.tetrafold.yaml", "lints: {deny: [warnings]}\n");
    fs::write(folder.path().join("q.yaml"), policy("other")).unwrap();
    for paths in [["check", "set/p.yaml", "q.yaml"], ["check", "q.yaml", "set/p.yaml"]] {
        tetrafold(folder.path(), &paths).expect(0, &["1 warning", "2 policies are valid"]);
    }
}

#[test]
fn a_set_option_is_a_default() {
    let folder = with_config(".tetrafold.yaml", "kernel: 6.1\ncpus: 8\nnamespace: prod\n");
    let path = folder.path();
    let text = warned().replace("kind: TracingPolicy", "kind: TracingPolicyNamespaced");
    fs::write(path.join("set/p.yaml"), text).unwrap();
    let manifest = |options: &[&str]| {
        tetrafold(path, &[&["compile", "set", "-o", "out"], options].concat()).expect(0, &[]);
        fs::read_to_string(path.join("out/manifest.json")).unwrap()
    };
    let set = manifest(&[]);
    assert!(set.contains(r#""namespace":"prod""#) && !set.contains("tetrafold.yaml"), "{set}");
    assert_eq!(set, manifest(&["--no-config", "--kernel", "6.1", "--cpus", "8", "--namespace", "prod"]));
    let typed = manifest(&["--namespace", "shop", "--kernel", "6.12"]);
    assert!(typed == manifest(&["--no-config", "--cpus", "8", "--namespace", "shop"]), "{typed}");
    tetrafold(path, &["report", "set"]).expect(0, &["kernel 6.1 ", "8 CPUs"]);
}

#[test]
fn a_wrong_configuration_is_shown_where_it_is_wrong() {
    let folder = with_config(".tetrafold.yaml", "lints:\n  deny: [never-match]\nkernel: 5.4\n");
    let path = folder.path();
    for command in [&["check", "set"][..], &["compile", "set", "-o", "out"], &["report", "set"]] {
        let ran = tetrafold(path, command);
        ran.expect(2, &["TF0062", ".tetrafold.yaml:2:10", "did you mean `never-matches`?", "TF0061"]);
        assert!(!ran.stderr.contains(path.to_str().unwrap()), "{ran:?}");
    }
    tetrafold(&path.join("set/inner"), &["check", "../p.yaml"]).expect(2, &["../../.tetrafold.yaml:2:10"]);
    check(path, &["--config", "none.yaml"]).expect(3, &["TF0001", "none.yaml"]);
    check(path, &["--config", "set"]).expect(3, &["TF0001"]);
    fs::write(path.join(".tetrafold.yaml"), b"\xff").unwrap();
    check(path, &[]).expect(2, &["TF0020"]);
}

/// A folder is searched for policies, and the file is none.
#[test]
fn the_configuration_is_no_policy() {
    let folder = with_config("set/.tetrafold.yaml", "lints: {allow: [warnings]}\n");
    let ran = check(folder.path(), &["--diagnostics", "json"]);
    assert!(!ran.expect(0, &[]).stdout.contains("tetrafold.yaml"), "{ran:?}");
}
