//! Artifacts that were damaged: `inspect` and `report` say what is wrong with which file, and never go on with it.

use std::fs;
use std::path::Path;

use super::{Ran, compiled, files, tetrafold};

/// Both commands on the artifact in `folder`.
fn both(folder: &Path) -> [Ran; 2] {
    [tetrafold(folder, &["inspect", "out", "--instructions"]), tetrafold(folder, &["report", "out"])]
}

#[track_caller]
fn refused(folder: &Path, said: &[&str]) {
    for ran in both(folder) {
        ran.expect(3, said);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn an_intact_artifact_is_shown() {
    for ran in both(compiled().path()) {
        ran.expect(0, &[]);
    }
}

#[test]
fn a_flipped_bit_of_an_object_or_image_is_found() {
    let folder = compiled();
    for (name, bytes) in files(&folder.path().join("out")) {
        if name.ends_with(".json") {
            continue;
        }
        let path = folder.path().join("out").join(&name);
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, damaged).unwrap();
            refused(folder.path(), &[&name, "damaged"]);
        }
        fs::write(&path, &bytes).unwrap();
    }
}

/// A changed byte of JSON may leave it valid; then it is shown as it is, otherwise it is refused.
#[test]
fn a_changed_byte_of_json_is_no_fault_of_the_program() {
    let folder = compiled();
    for name in ["manifest.json", "report.json"] {
        let path = folder.path().join("out").join(name);
        let bytes = fs::read(&path).unwrap();
        let mut refusals = 0;
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x02;
            fs::write(&path, damaged).unwrap();
            for ran in both(folder.path()) {
                if ran.status != Some(0) {
                    ran.expect(3, &[]);
                    refusals += 1;
                }
            }
        }
        assert!(refusals > 0, "{name}");
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_file_cut_short_or_missing_is_found() {
    let folder = compiled();
    for (name, bytes) in files(&folder.path().join("out")) {
        let path = folder.path().join("out").join(&name);
        for len in [0, 1, bytes.len() / 2, bytes.len() - 2] {
            fs::write(&path, &bytes[..len]).unwrap();
            refused(folder.path(), &[&name]);
        }
        fs::remove_file(&path).unwrap();
        // Without a manifest it is a folder without policies to `report`.
        if name == "manifest.json" {
            tetrafold(folder.path(), &["inspect", "out"]).expect(3, &[&name]);
        } else {
            refused(folder.path(), &[&name, "cannot be read"]);
        }
        fs::write(&path, &bytes).unwrap();
    }
}

/// Names of files follow from their digests, so no manifest leads anywhere else.
#[test]
fn a_manifest_cannot_name_a_file_elsewhere() {
    let folder = compiled();
    let path = folder.path().join("out/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("\"path\":\"").unwrap() + 8;
    let end = start + text[start..].find('"').unwrap();
    let inside = text[start..end].to_string();
    fs::copy(folder.path().join("out").join(&inside), folder.path().join("elsewhere")).unwrap();
    let absolute = folder.path().join("elsewhere").to_string_lossy().into_owned();
    for outside in ["../elsewhere", &absolute, "objects/../../elsewhere", ""] {
        fs::write(&path, text.replace(&inside, outside)).unwrap();
        refused(folder.path(), &["manifest.json", "damaged"]);
    }
}

#[test]
fn a_manifest_of_another_version_or_with_unknown_fields_is_refused() {
    let folder = compiled();
    let path = folder.path().join("out/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"schemaVersion\":2", "\"schemaVersion\":3"),
        ("\"schemaVersion\":2", "\"schemaVersion\":2,\"more\":1"),
        ("\"cgroupSlots\":1024", "\"cgroupSlots\":4294967295"),
        ("\"mask\":", "\"mask\":4294967295,\"mask\":"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        refused(folder.path(), &["manifest.json"]);
    }
    fs::write(&path, "[".repeat(100_000)).unwrap();
    refused(folder.path(), &["manifest.json"]);
}

#[test]
fn what_is_no_artifact_is_said_to_be_none() {
    let folder = compiled();
    tetrafold(folder.path(), &["inspect", "missing"]).expect(3, &["missing"]);
    tetrafold(folder.path(), &["inspect", "policy.yaml"]).expect(3, &["policy.yaml"]);
    tetrafold(folder.path(), &["inspect", "."]).expect(3, &["manifest.json"]);
}
