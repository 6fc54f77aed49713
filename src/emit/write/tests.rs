use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::artifact::read::Artifact;
use crate::artifact::sample::{REPORT, Sample, allowlists};

fn write_sample(folder: &Path, policies: u32) -> Result<Sample, WriteError> {
    let sample = allowlists(policies, 50, 4);
    write(folder, &sample.manifest.to_json(), REPORT, &sample.files)?;
    Ok(sample)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn what_was_written_opens() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let sample = write_sample(&out, 3).unwrap();
    let artifact = Artifact::open(&out).unwrap();
    assert_eq!((artifact.manifest, artifact.files), (sample.manifest, sample.files));
    assert_eq!(names(&out), ["manifest.json", "maps", "objects", "report.json"]);
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn an_artifact_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    write_sample(&out, 3).unwrap();
    fs::write(out.join("maps/stale.img"), "").unwrap();
    let sample = write_sample(&out, 4).unwrap();
    assert_eq!(Artifact::open(&out).unwrap().manifest, sample.manifest);
    assert!(!out.join("maps/stale.img").exists());
    assert_eq!(names(folder.path()), ["out"]);
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    write_sample(&new, 2).unwrap();
    write_sample(&old, 1).unwrap();
    exchange_in_steps(&new, &old).unwrap();
    assert_eq!(Artifact::open(&old).unwrap().manifest.policies.len(), 2);
    assert_eq!(Artifact::open(&new).unwrap().manifest.policies.len(), 1);
}

#[test]
fn an_empty_folder_and_a_link_to_an_artifact_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (out, link) = (folder.path().join("out"), folder.path().join("link"));
    fs::create_dir(&out).unwrap();
    write_sample(&out, 1).unwrap();
    symlink("out", &link).unwrap();
    let sample = write_sample(&link, 2).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Artifact::open(&out).unwrap().manifest, sample.manifest);
}

#[test]
fn anything_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "mine").unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    for (name, content) in [("other", "{\"tool\":{\"name\":\"npm\"}}"), ("broken", "{"), ("text", "mine")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("manifest.json"), content).unwrap();
    }
    let before = names(folder.path());
    for name in &before {
        let refused = write_sample(&at(name), 1).map(|_| ()).unwrap_err();
        assert!(matches!(refused.reason, Refusal::Occupied), "{name}: {refused}");
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "mine");
    let nowhere = write_sample(&at("no/such/out"), 1).map(|_| ()).unwrap_err();
    assert!(matches!(nowhere.reason, Refusal::NotAFolder), "{nowhere}");
    let below_a_file = write_sample(&at("file/out"), 1).map(|_| ()).unwrap_err();
    assert!(matches!(below_a_file.reason, Refusal::NotAFolder | Refusal::Io(_)), "{below_a_file}");
}

/// As when the file system is full: a file cannot be written; here because its name is taken.
#[test]
fn a_failure_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let old = write_sample(&out, 3).unwrap();
    let (target, standing) = look(&out).unwrap();
    assert_eq!(standing, Standing::Artifact);
    let temporary = Temporary::make(&target).unwrap();
    fs::write(temporary.path.join("report.json"), "in the way").unwrap();
    temporary.fill(b"{}", REPORT, &old.files).unwrap_err();
    drop(temporary);
    assert_eq!(names(folder.path()), ["out"]);
    assert_eq!(Artifact::open(&out).unwrap().manifest, old.manifest);
}

#[test]
fn a_folder_without_permission_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o500)).unwrap();
    // Root may write anywhere; then there is nothing to see here.
    match write_sample(&locked.join("out"), 1) {
        Ok(_) => assert!(fs::File::create(locked.join("proof")).is_ok()),
        Err(refused) => {
            assert!(matches!(refused.reason, Refusal::Io(_)), "{refused}");
            assert!(names(&locked).is_empty());
        }
    }
    fs::set_permissions(&locked, Permissions::from_mode(0o700)).unwrap();
}
