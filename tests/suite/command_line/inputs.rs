//! Where policies come from.

use std::fs;

use super::{POLICY, command, finish, folder, names, policy, tetrafold};

#[test]
fn each_exit_status_has_its_cause() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("good.yaml"), POLICY).unwrap();
    fs::write(path.join("bad.yaml"), POLICY.replace("NotEqual", "NotEquals")).unwrap();
    tetrafold(path, &["check", "good.yaml"]).expect(0, &["1 policy is valid"]);
    tetrafold(path, &["check", "bad.yaml"]).expect(1, &["TF0106", "bad.yaml:13", "did you mean `NotEqual`?"]);
    tetrafold(path, &["compile", "bad.yaml", "-o", "out"]).expect(1, &["TF0106"]);
    tetrafold(path, &["report", "bad.yaml"]).expect(1, &["TF0106"]);
    tetrafold(path, &["check", "--no-such-option"]).expect(2, &["--no-such-option"]);
    tetrafold(path, &["compile", "good.yaml"]).expect(2, &["--output"]);
    tetrafold(path, &[]).expect(2, &["Usage"]);
    tetrafold(path, &["check", "missing.yaml"]).expect(3, &["TF0001", "missing.yaml"]);
    tetrafold(path, &["report", "good.yaml", "--max-programs", "0"]).expect(4, &["programs"]);
    tetrafold(path, &["--help"]).expect(0, &["Exit status"]);
    assert_eq!(names(path), ["bad.yaml", "good.yaml"]);
}

/// Tetragon takes it; `check` says what `compile` would.
#[test]
fn what_is_not_compiled_yet_is_valid_and_makes_no_artifact() {
    let folder = folder();
    let text = POLICY.replace(
        "- matchArgs",
        "- matchBinaries:\n      - {operator: In, followChildren: true, values: [\"/usr/bin/bash\"]}\n      matchArgs",
    );
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    tetrafold(folder.path(), &["check", "p.yaml"]).expect(1, &["TF0199", "followChildren"]);
    tetrafold(folder.path(), &["check", "--for", "tetragon", "p.yaml"])
        .expect(0, &["TF0199", "followChildren", "1 policy is valid"]);
    tetrafold(folder.path(), &["compile", "p.yaml", "-o", "out"]).expect(1, &["TF0199", "p.yaml:13"]);
    assert_eq!(names(folder.path()), ["p.yaml"]);
}

#[test]
fn policies_come_from_standard_input() {
    let folder = folder();
    let ran = finish(command(folder.path(), &["compile", "-", "-o", "out"]), POLICY.as_bytes());
    ran.expect(0, &["out: 1 policy"]);
    let manifest = fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
    assert!(manifest.contains(r#""file":"<stdin>""#), "{manifest}");
    let ran = finish(command(folder.path(), &["check", "-"]), b"kind: [");
    ran.expect(1, &["TF0030", "<stdin>:1"]);
}

#[test]
fn policies_come_from_folders_and_files_with_several_documents() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir_all(path.join("set/deeper")).unwrap();
    fs::create_dir_all(path.join("set/.hidden")).unwrap();
    fs::write(path.join("set/two.yaml"), format!("{}---\n{}", policy("a"), policy("b"))).unwrap();
    fs::write(path.join("set/deeper/one.yml"), policy("c")).unwrap();
    fs::write(path.join("set/.hidden/not.yaml"), "kind: [").unwrap();
    fs::write(path.join("set/README.md"), "kind: [").unwrap();
    tetrafold(path, &["check", "set"]).expect(0, &["3 policies are valid"]);
    tetrafold(path, &["compile", "set", "-o", "out"]).expect(0, &["3 policies"]);
    let manifest = fs::read_to_string(path.join("out/manifest.json")).unwrap();
    assert!(manifest.contains(r#""file":"deeper/one.yml""#), "{manifest}");
    tetrafold(path, &["check", "set", "set/two.yaml"]).expect(0, &["3 policies are valid"]);
}

#[test]
fn a_folder_without_policies_is_an_error_unless_it_is_meant() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    tetrafold(folder.path(), &["check", "empty"]).expect(1, &["TF0053"]);
    tetrafold(folder.path(), &["check", "empty", "--allow-empty"]).expect(0, &["0 policies"]);
}

/// All errors of all files are in one run, and what cannot be read does not hide them.
#[test]
fn what_cannot_be_read_is_said_beside_all_other_errors() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("bad.yaml"), POLICY.replace("NotEqual", "NotEquals")).unwrap();
    fs::write(path.join("bytes.yaml"), b"kind: \xff\n").unwrap();
    let args = ["check", "bad.yaml", "missing.yaml", "bad.yaml/below", "bytes.yaml"];
    tetrafold(path, &args).expect(3, &["TF0106", "TF0001", "missing.yaml", "bad.yaml/below", "TF0020"]);
    std::os::unix::fs::symlink(".", path.join("loop")).unwrap();
    tetrafold(path, &["check", "."]).expect(3, &["TF0002", "TF0106"]);
}

#[test]
fn diagnostics_have_forms_for_programs() {
    let folder = folder();
    fs::write(folder.path().join("bad.yaml"), POLICY.replace("NotEqual", "NotEquals")).unwrap();
    let ran = tetrafold(folder.path(), &["check", "bad.yaml", "--diagnostics", "json"]);
    ran.expect(1, &[]);
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().any(|l| l["code"] == "TF0106"), "{lines:#?}");
    let ran = tetrafold(folder.path(), &["check", "bad.yaml", "--diagnostics", "sarif"]);
    let log: serde_json::Value = serde_json::from_str(&ran.expect(1, &[]).stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    tetrafold(folder.path(), &["check", "bad.yaml", "--diagnostics", "github"])
        .expect(1, &["::error title=TF0106", "file=bad.yaml,line=13"]);
}
