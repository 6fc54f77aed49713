//! What is written: whole, in the wanted place, or not at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{POLICY, command, compiled, files, finish, folder, names, policy, tetrafold};

fn with_policy() -> tempfile::TempDir {
    let folder = folder();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    folder
}

#[test]
fn an_artifact_replaces_an_artifact() {
    let folder = compiled();
    let path = folder.path();
    let old = files(&path.join("out"));
    fs::write(path.join("policy.yaml"), POLICY.replace("/usr/bin/env", "/usr/bin/id")).unwrap();
    tetrafold(path, &["compile", "policy.yaml", "-o", "out"]).expect(0, &["out: 1 policy"]);
    assert_ne!(files(&path.join("out")), old);
    assert_eq!(names(path), ["out", "policy.yaml"]);
    tetrafold(path, &["inspect", "out"]).expect(0, &["intact", "lsm:bprm_check_security"]);
    tetrafold(path, &["report", "out"]).expect(0, &["programs"]);
}

#[test]
fn a_failed_compile_leaves_the_artifact_alone() {
    let folder = compiled();
    let path = folder.path();
    let old = files(&path.join("out"));
    fs::write(path.join("policy.yaml"), POLICY.replace("NotEqual", "NotEquals")).unwrap();
    tetrafold(path, &["compile", "policy.yaml", "-o", "out"]).expect(1, &["TF0106"]);
    assert_eq!(files(&path.join("out")), old);
    assert_eq!(names(path), ["out", "policy.yaml"]);
}

#[test]
fn what_is_no_artifact_is_left_alone() {
    let folder = with_policy();
    let path = folder.path();
    fs::create_dir(path.join("mine")).unwrap();
    fs::write(path.join("mine/notes"), "keep").unwrap();
    fs::write(path.join("file"), "keep").unwrap();
    for output in ["mine", "file"] {
        tetrafold(path, &["compile", "policy.yaml", "-o", output])
            .expect(3, &["TF0004", output, "no artifact"]);
    }
    assert_eq!(fs::read(path.join("mine/notes")).unwrap(), b"keep");
    assert_eq!(fs::read(path.join("file")).unwrap(), b"keep");
    assert_eq!(names(path), ["file", "mine", "policy.yaml"]);
}

#[test]
fn no_folder_is_made_around_the_output() {
    let folder = with_policy();
    for output in ["missing/out", "policy.yaml/out"] {
        tetrafold(folder.path(), &["compile", "policy.yaml", "-o", output]).expect(3, &["TF0004", output]);
    }
    assert_eq!(names(folder.path()), ["policy.yaml"]);
}

/// The disk is a small one, mounted where only the shell below sees it.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = with_policy();
    let path = folder.path();
    fs::create_dir(path.join("disk")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=16k none disk || exit 77
        "$0" compile policy.yaml -o disk/out
        echo "status $?"
        echo "left <$(ls -A disk)>"
    "#;
    let enter = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", script, env!("CARGO_BIN_EXE_tetrafold")]).current_dir(path);
        finish(command, b"")
    };
    // As root in a namespace of mounts; otherwise as root of a namespace of users.
    let mut ran = enter(&["--mount"]);
    if !ran.stdout.contains("status") {
        ran = enter(&["--mount", "--map-root-user"]);
    }
    if !ran.stdout.contains("status") {
        assert!(std::env::var_os("CI").is_none(), "no small disk can be mounted: {ran:#?}");
        eprintln!("not tested: no small disk can be mounted here");
        return;
    }
    ran.expect(0, &["status 3", "left <>", "TF0004", "no space left"]);
    assert_eq!(names(path), ["disk", "policy.yaml"]);
}

#[test]
fn reports_and_findings_go_to_files_whole_or_not_at_all() {
    let folder = compiled();
    let path = folder.path();
    let report = ["report", "out", "--format", "json", "--output-file"];
    tetrafold(path, &[&report[..], &["report.json"]].concat()).expect(0, &[]);
    let text = fs::read(path.join("report.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap()["totals"]["policies"], 1);
    tetrafold(path, &[&report[..], &["missing/report.json"]].concat()).expect(3, &["TF0004"]);
    tetrafold(path, &[&report[..], &["/dev/full"]].concat()).expect(3, &["TF0004", "no space left"]);
    tetrafold(path, &["check", "policy.yaml", "--output-file", "out"]).expect(3, &["TF0004"]);
    assert_eq!(names(path), ["out", "policy.yaml", "report.json"]);
}

/// A reader such as `head` that has seen enough is no error.
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = compiled();
    for args in
        [&["inspect", "out", "--instructions"][..], &["report", "out"], &["explain-code"], &["--help"]]
    {
        let mut child =
            command(folder.path(), args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn standard_output_that_is_full_is_an_error() {
    let folder = compiled();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(folder.path(), &["inspect", "out"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// Neither artifacts nor messages say where on the machine they were made.
#[test]
fn no_output_has_a_path_of_the_machine() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("set")).unwrap();
    fs::write(path.join("set/a.yaml"), policy("a")).unwrap();
    let absolute = path.join("set").to_string_lossy().into_owned();
    let ran = tetrafold(path, &["compile", &absolute, "-o", "out"]);
    ran.expect(0, &["out: 1 policy"]);
    let machine = path.to_string_lossy().into_owned();
    let package = env!("CARGO_MANIFEST_DIR");
    for (name, bytes) in files(Path::new(&path.join("out"))) {
        for place in [machine.as_str(), package, "/root", "/home", "/rustc"] {
            let found = bytes.windows(place.len()).any(|w| w == place.as_bytes());
            assert!(!found, "{name} holds {place}");
        }
    }
    let report = tetrafold(path, &["report", &absolute, "--format", "json"]);
    assert!(!report.expect(0, &[]).stdout.contains(&machine), "{report:#?}");
}
