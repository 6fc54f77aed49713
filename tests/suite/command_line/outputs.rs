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
    for (output, why) in [("mine", "no compile has written: `notes`"), ("file", "it is no folder")] {
        tetrafold(path, &["compile", "policy.yaml", "-o", output]).expect(3, &["TF0004", output, why]);
    }
    assert_eq!(fs::read(path.join("mine/notes")).unwrap(), b"keep");
    assert_eq!(fs::read(path.join("file")).unwrap(), b"keep");
    assert_eq!(names(path), ["file", "mine", "policy.yaml"]);
}

/// As in a repository that keeps its artifact at the top.
#[test]
fn what_lies_beside_an_artifact_is_refused_by_name() {
    let folder = compiled();
    let path = folder.path();
    fs::create_dir(path.join("out/.git")).unwrap();
    fs::write(path.join("out/.git/HEAD"), "keep").unwrap();
    fs::write(path.join("out/notes.txt"), "keep").unwrap();
    let old = files(&path.join("out"));
    fs::write(path.join("policy.yaml"), POLICY.replace("/usr/bin/env", "/usr/bin/id")).unwrap();
    tetrafold(path, &["compile", "policy.yaml", "-o", "out"]).expect(3, &["TF0004", "`.git`, `notes.txt`"]);
    assert_eq!(files(&path.join("out")), old);
}

#[test]
fn folders_around_the_output_are_made() {
    let folder = with_policy();
    let path = folder.path();
    tetrafold(path, &["compile", "policy.yaml", "-o", "some/deep/out"])
        .expect(0, &["some/deep/out: 1 policy"]);
    tetrafold(path, &["inspect", "some/deep/out"]).expect(0, &["intact"]);
    tetrafold(path, &["compile", "policy.yaml", "-o", "policy.yaml/out"])
        .expect(3, &["TF0004", "policy.yaml"]);
    assert_eq!(names(path), ["policy.yaml", "some"]);
}

/// Runs that race to make one folder, and runs that are killed on the way: what is there in the end is one
/// artifact and nothing else.
#[test]
fn runs_that_race_or_are_killed_leave_one_whole_artifact() {
    let folder = with_policy();
    let path = folder.path();
    fs::write(path.join("other.yaml"), POLICY.replace("/usr/bin/env", "/usr/bin/id")).unwrap();
    let start = |policy: &str| {
        let mut command = command(path, &["compile", policy, "-o", "deep/out"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for round in 0..6 {
        let mut runs: Vec<_> = ["policy.yaml", "other.yaml", "policy.yaml"].map(start).into();
        // Somewhere on its way.
        std::thread::sleep(std::time::Duration::from_millis(10 * round));
        runs.remove(2).kill().unwrap();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        tetrafold(path, &["inspect", "deep/out"]).expect(0, &["intact"]);
        if round % 2 == 0 {
            fs::remove_dir_all(path.join("deep")).unwrap();
        }
    }
    tetrafold(path, &["compile", "policy.yaml", "-o", "deep/out"]).expect(0, &[]);
    tetrafold(path, &["compile", "policy.yaml", "-o", "new"]).expect(0, &[]);
    assert_eq!(files(&path.join("deep/out")), files(&path.join("new")));
}

/// Runs `script` as root of a machine of its own, as far as mounts go; `None` if that cannot be had.
fn with_mounts(folder: &Path, script: &str) -> Option<super::Ran> {
    let enter = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", script, env!("CARGO_BIN_EXE_tetrafold")]).current_dir(folder);
        finish(command, b"")
    };
    // As root in a namespace of mounts; otherwise as root of a namespace of users.
    let mut ran = enter(&["--mount"]);
    if !ran.stdout.contains("status") {
        ran = enter(&["--mount", "--map-root-user"]);
    }
    if ran.stdout.contains("status") {
        return Some(ran);
    }
    assert!(std::env::var_os("CI").is_none(), "nothing can be mounted: {ran:#?}");
    eprintln!("not tested: nothing can be mounted here");
    None
}

/// The disk is a small one, mounted where only the shell below sees it: into an empty folder, then over an artifact.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = compiled();
    let path = folder.path();
    fs::create_dir(path.join("disk")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=16k none disk || exit 77
        "$0" compile policy.yaml -o disk/out
        echo "status $?"
        "$0" compile policy.yaml -o disk
        echo "status $?, left <$(ls -A disk)>"
        mount -o remount,size=1M disk
        cp -r out/* disk
        (cd disk && find . -type f | sort | xargs sha256sum) > before
        mount -o remount,size=$(du -k disk | tail -n1 | cut -f1)k disk
        sed 's:/usr/bin/env:/usr/bin/id:' policy.yaml > other.yaml
        "$0" compile other.yaml -o disk
        echo "status $?, same <$(cd disk && find . -type f | sort | xargs sha256sum | cmp - ../before)>"
    "#;
    let Some(ran) = with_mounts(path, script) else { return };
    ran.expect(0, &["status 3\nstatus 3, left <>\nstatus 3, same <>", "TF0004", "no space left"]);
}

/// Nothing can be renamed to a mount point, and nothing be made beside it.
#[test]
fn a_mount_point_in_a_folder_that_cannot_be_written_takes_an_artifact() {
    let folder = with_policy();
    let path = folder.path();
    fs::create_dir(path.join("outer")).unwrap();
    let script = r#"
        mount -t tmpfs none outer || exit 77
        mkdir outer/inner && mount -t tmpfs none outer/inner && mount -o remount,ro outer || exit 77
        for i in 1 2; do
            "$0" compile policy.yaml -o outer/inner
            echo "status $?, $("$0" inspect outer/inner | grep intact), <$(ls -A outer) $(ls -A outer/inner | wc -l)>"
        done
    "#;
    let Some(ran) = with_mounts(path, script) else { return };
    for line in ran.expect(0, &[]).stdout.lines().filter(|line| line.starts_with("status")) {
        assert!(line.starts_with("status 0, intact: ") && line.ends_with("<inner 5>"), "{ran:#?}");
    }
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
