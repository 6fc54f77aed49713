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

fn with_report(policies: u32, report: &[u8]) -> Sample {
    let mut sample = allowlists(policies, 40 + policies, 4);
    sample.manifest.report_sha256 = Digest::of(report);
    sample
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
    assert_eq!(names(&out), ["manifest.json", "manifest.json.sha256", "maps", "objects", "report.json"]);
    assert_eq!(names(folder.path()), ["out"]);
}

/// What the new one has too keeps its file; what only the old one had is gone.
#[test]
fn an_artifact_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    write_sample(&out, 3).unwrap();
    let sample = write_sample(&out, 4).unwrap();
    assert_eq!(Artifact::open(&out).unwrap().manifest, sample.manifest);
    let all: usize = ["maps", "objects"].map(|kind| names(&out.join(kind)).len()).iter().sum();
    assert_eq!(all, sample.files.iter().count());
    assert_eq!((names(folder.path()), names(&out).len()), (vec!["out".to_string()], 5));
}

/// Each in an artifact's folder: what an artifact never has, what it has under other names, what is behind a link.
#[test]
fn what_no_compile_wrote_is_refused_with_its_name() {
    let others = tempfile::tempdir().unwrap();
    fs::write(others.path().join("precious"), "mine").unwrap();
    type Put = fn(&Path, &Path);
    let puts: [(&str, Put); 8] = [
        (".git", |out, _| fs::create_dir(out.join(".git")).unwrap()),
        ("notes.txt", |out, _| fs::write(out.join("notes.txt"), "mine").unwrap()),
        ("maps/stale.img", |out, _| fs::write(out.join("maps/stale.img"), "mine").unwrap()),
        ("maps/deep", |out, _| fs::create_dir(out.join("maps/deep")).unwrap()),
        ("lost+found", |out, _| fs::write(out.join("lost+found"), "mine").unwrap()),
        (".tetrafold-new", |out, _| fs::write(out.join(".tetrafold-new"), "mine").unwrap()),
        ("link", |out, others| symlink(others, out.join("link")).unwrap()),
        ("objects", |out, others| {
            fs::rename(out.join("objects"), others.join("objects")).unwrap();
            symlink(others.join("objects"), out.join("objects")).unwrap();
        }),
    ];
    for (name, put) in puts {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let old = write_sample(&out, 3).unwrap();
        put(&out, others.path());
        let refused = write_sample(&out, 4).map(|_| ()).unwrap_err();
        let Refusal::Foreign(found) = &refused.reason else { panic!("{name}: {refused}") };
        assert_eq!(found, &[name]);
        assert_eq!(Artifact::open(&out).unwrap().manifest, old.manifest);
        assert!(fs::symlink_metadata(out.join(name)).is_ok());
    }
    assert_eq!(fs::read_to_string(others.path().join("precious")).unwrap(), "mine");
}

/// A manifest that names what no artifact has makes nothing be removed.
#[test]
fn a_forged_manifest_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("maps")).unwrap();
    fs::write(out.join("precious"), "mine").unwrap();
    let forged = serde_json::json!({
        "tool": {"name": "tetrafold"},
        "programs": [{"object": {"path": "precious"}}, {"object": {"path": "../out/precious"}}],
    });
    fs::write(out.join("manifest.json"), forged.to_string()).unwrap();
    let refused = write_sample(&out, 1).map(|_| ()).unwrap_err();
    assert!(matches!(&refused.reason, Refusal::Foreign(names) if names == &["precious"]), "{refused}");
    assert_eq!(names(&out), ["manifest.json", "maps", "precious"]);
}

/// The root of a volume has a folder that is nobody's.
#[test]
fn what_the_file_system_puts_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    let sample = write_sample(folder.path(), 1).unwrap();
    assert_eq!(Artifact::open(folder.path()).unwrap().manifest, sample.manifest);
    assert!(folder.path().join("lost+found").is_dir());
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
        let is_folder = ["broken", "other", "text"].contains(&name.as_str());
        match &refused.reason {
            Refusal::Foreign(names) if is_folder => assert_eq!(names, &["manifest.json"]),
            Refusal::NotAFolder if !is_folder => {}
            _ => panic!("{name}: {refused}"),
        }
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "mine");
    let below_a_file = write_sample(&at("file/out"), 1).map(|_| ()).unwrap_err();
    assert!(matches!(below_a_file.reason, Refusal::NotAFolder), "{below_a_file}");
    assert_eq!(names(folder.path()), before);
}

#[test]
fn folders_around_it_are_made_and_stay_only_if_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("some/deep/out");
    let sample = write_sample(&out, 1).unwrap();
    assert_eq!(Artifact::open(&out).unwrap().manifest, sample.manifest);
    let other = folder.path().join("others/out");
    let mut run = Run::start(&other).unwrap();
    run.stage(b"{}", REPORT, &sample.files).unwrap();
    run.place_files(&sample.files).unwrap();
    drop(run);
    assert_eq!(names(folder.path()), ["some"]);
}

/// As when the file system is full: a file cannot be written; here because its name is taken.
#[test]
fn a_failure_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let old = write_sample(&out, 3).unwrap();
    let before: Vec<_> = ["", "maps", "objects"].iter().map(|kind| names(&out.join(kind))).collect();
    let new = allowlists(7, 60, 4);
    let mut run = Run::start(&out).unwrap();
    run.stage(&new.manifest.to_json(), REPORT, &new.files).unwrap();
    let (last, _) =
        new.files.iter().filter(|(path, _)| !old.files.iter().any(|(p, _)| p == *path)).last().unwrap();
    fs::create_dir(out.join(last)).unwrap();
    run.place_files(&new.files).unwrap_err();
    fs::remove_dir(out.join(last)).unwrap();
    drop(run);
    let after: Vec<_> = ["", "maps", "objects"].iter().map(|kind| names(&out.join(kind))).collect();
    assert_eq!(after, before);
    assert_eq!(Artifact::open(&out).unwrap().manifest, old.manifest);
}

/// Killed behind each step, into a new folder and into one with an artifact: until the manifest has its place the
/// old one is there, afterwards the new one, and the next run leaves nothing of either.
#[test]
fn a_killed_run_is_finished_or_undone_by_the_next() {
    let (first, second, third) = (with_report(3, b"1\n"), with_report(7, b"22\n"), with_report(2, REPORT));
    for has_old in [false, true] {
        for steps in 0..6_usize {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out");
            if has_old {
                write(&out, &first.manifest.to_json(), b"1\n", &first.files).unwrap();
            }
            let mut run = Run::start(&out).unwrap();
            if steps > 0 {
                run.stage(&second.manifest.to_json(), b"22\n", &second.files).unwrap();
            }
            if steps > 1 {
                run.place_files(&second.files).unwrap();
            }
            if steps > 2 {
                fs::rename(out.join(STAGING).join("manifest.json"), out.join("manifest.json")).unwrap();
            }
            for name in FOLLOWERS.iter().take(steps.saturating_sub(3)) {
                fs::rename(out.join(STAGING).join(name), out.join(name)).unwrap();
            }
            // As the kernel does with a process that is killed.
            run.lock = None;
            std::mem::forget(run);
            let found = Artifact::open(&out).ok().map(|artifact| artifact.manifest);
            let expected = if steps > 2 { Some(&second) } else { has_old.then_some(&first) };
            assert_eq!(found.as_ref(), expected.map(|s| &s.manifest), "{has_old} {steps}");
            // One that fails brings the folder in order too.
            drop(Run::start(&out).unwrap());
            let found = Artifact::open(&out).ok();
            assert_eq!(
                found.as_ref().map(|a| &a.manifest),
                expected.map(|s| &s.manifest),
                "{has_old} {steps}"
            );
            write(&out, &third.manifest.to_json(), REPORT, &third.files).unwrap();
            assert_eq!(Artifact::open(&out).unwrap().manifest, third.manifest);
            let all: usize = ["maps", "objects"].map(|kind| names(&out.join(kind)).len()).iter().sum();
            assert_eq!((names(&out).len(), all), (5, third.files.iter().count()), "{has_old} {steps}");
        }
    }
}

/// Writers that race come one after the other, the first of them to make the folder; one that fails meanwhile removes
/// only what it made. A reader finds one artifact or the other, never a mixture.
#[test]
fn writers_and_readers_that_race_see_whole_artifacts() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/out");
    let reports: [&[u8]; 2] = [b"1\n", b"22\n"];
    let samples = [with_report(3, reports[0]), with_report(7, reports[1])];
    let is_one = |found: &Artifact| samples.iter().any(|s| s.manifest == found.manifest);
    std::thread::scope(|scope| {
        let writers: Vec<_> = samples
            .iter()
            .zip(reports)
            .map(|(sample, report)| {
                let out = &out;
                scope.spawn(move || {
                    for _ in 0..30 {
                        write(out, &sample.manifest.to_json(), report, &sample.files).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            for _ in 0..30 {
                drop(Run::start(&out).unwrap());
            }
        });
        while !writers.iter().all(|writer| writer.is_finished()) {
            match Artifact::open(&out) {
                Ok(found) => assert!(is_one(&found)),
                Err(error) => assert_eq!(error.file, "manifest.json", "{error}"),
            }
        }
    });
    let artifact = Artifact::open(&out).unwrap();
    assert!(is_one(&artifact));
    let all: usize = ["maps", "objects"].map(|kind| names(&out.join(kind)).len()).iter().sum();
    assert_eq!((names(&out).len(), all), (5, artifact.files.iter().count()));
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
