//! Artifacts that were damaged: `inspect` and `report` say what is wrong with which file, and never go on with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tetrafold::artifact::digest::Digest;

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

/// Also where the JSON stays valid.
#[test]
fn a_changed_byte_of_any_other_file_is_found() {
    let folder = compiled();
    for name in ["manifest.json", "report.json", "manifest.json.sha256"] {
        let path = folder.path().join("out").join(name);
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by((bytes.len() / 20).max(1)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x02;
            fs::write(&path, damaged).unwrap();
            refused(folder.path(), &[]);
        }
        fs::write(&path, &bytes).unwrap();
    }
}

/// What a reader of JSON would not notice: a selector, a requirement, a figure of the report. With the seal made anew,
/// only the digest that `compile` printed tells.
#[test]
fn the_digest_covers_the_meaning_of_the_manifest_and_the_report() {
    let folder = compiled();
    let (path, out) = (folder.path(), folder.path().join("out"));
    let said = tetrafold(path, &["compile", "policy.yaml", "-o", "out"]).stdout;
    let digest = said.lines().find_map(|line| line.strip_prefix("digest ")).unwrap().to_string();
    let prefixed = format!("sha256:{digest}");
    for digest in [&digest, &prefixed] {
        tetrafold(path, &["inspect", "out", "--digest", digest])
            .expect(0, &["intact", "selectors", "was asked for"]);
    }
    tetrafold(path, &["inspect", "out", "--digest", "abc"]).expect(2, &["64"]);
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    for (from, to) in [
        ("\"values\":[\"shop\"]", "\"values\":[\"shoq\"]"),
        ("\"feature\":\"bpf-lsm\"", "\"feature\":\"kprobes\""),
        ("\"cpus\":2", "\"cpus\":3"),
    ] {
        assert!(manifest.contains(from), "{from}");
        let edited = manifest.replace(from, to);
        fs::write(out.join("manifest.json"), &edited).unwrap();
        refused(path, &["manifest.json.sha256", "digest"]);
        let seal = format!("{}  manifest.json\n", Digest::of(edited.as_bytes()));
        fs::write(out.join("manifest.json.sha256"), seal).unwrap();
        tetrafold(path, &["inspect", "out"]).expect(0, &["--digest"]);
        let ran = tetrafold(path, &["inspect", "out", "--digest", &digest]);
        assert_eq!(ran.expect(3, &["manifest.json", &digest]).stdout, "");
        fs::write(out.join("manifest.json"), &manifest).unwrap();
        fs::write(out.join("manifest.json.sha256"), format!("{digest}  manifest.json\n")).unwrap();
    }
    let report = fs::read_to_string(out.join("report.json")).unwrap();
    fs::write(out.join("report.json"), report.replace("\"policies\":1", "\"policies\":2")).unwrap();
    refused(path, &["report.json", "digest"]);
}

/// With the tools that everybody has.
#[test]
fn the_seal_is_one_that_sha256sum_takes() {
    let folder = compiled();
    let sum = Command::new("sha256sum")
        .args(["-c", "manifest.json.sha256"])
        .current_dir(folder.path().join("out"))
        .output();
    assert!(sum.unwrap().status.success());
}

#[test]
fn what_maps_and_programs_take_is_in_the_manifest() {
    let folder = compiled();
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.path().join("out").join(name)).unwrap()).unwrap()
    };
    let (manifest, report) = (json("manifest.json"), json("report.json"));
    for kind in ["maps", "programs"] {
        let sum = |of: &Value, key: &[&str]| -> u64 {
            let all = of[kind].as_array().unwrap().iter();
            all.map(|row| key.iter().fold(row, |value, key| &value[key]).as_u64().unwrap()).sum()
        };
        for key in ["memlockBytes", "chargedBytes"] {
            assert_eq!(sum(&manifest, &["forecast", key]), sum(&report, &[key]), "{kind} {key}");
            assert!(sum(&manifest, &["forecast", key]) > 0);
        }
    }
}

#[test]
fn every_form_of_inspect_is_what_it_says() {
    let folder = compiled();
    let shown = |options: &[&str]| {
        tetrafold(folder.path(), &[&["inspect", "out"], options].concat()).expect(0, &[]).stdout.clone()
    };
    for instructions in [&[][..], &["--instructions"]] {
        let form = |form: &str| shown(&[&["--format", form], instructions].concat());
        let value: Value = serde_json::from_str(&form("json")).unwrap();
        assert_eq!(value["instructions"].is_object(), !instructions.is_empty());
        assert_eq!(value["policies"][0]["name"], "shop");
        let csv = form("csv");
        assert!(csv.starts_with("table,row,field,value\nartifact,0,digest,"), "{csv}");
        assert!(csv.contains("\npolicies,0,policy,shop\n") && !csv.contains("|--"), "{csv}");
        let markdown = form("markdown");
        assert!(
            markdown.contains("\n| number | policy |") && markdown.contains("\n| 0 | shop |"),
            "{markdown}"
        );
        assert!(form("human").contains("lsm:bprm_check_security"));
    }
    assert_eq!(
        shown(&["--format", "json"]).as_bytes(),
        fs::read(folder.path().join("out/manifest.json")).unwrap()
    );
}

#[test]
fn provenance_names_the_artifact_and_its_sources_and_lies_beside_it() {
    let folder = compiled();
    let path = folder.path();
    let compile = ["compile", "policy.yaml", "-o", "out", "--provenance"];
    tetrafold(path, &[&compile[..], &["build.json"]].concat()).expect(0, &[]);
    let text = fs::read(path.join("build.json")).unwrap();
    let value: Value = serde_json::from_slice(&text).unwrap();
    let digest = Digest::of(&fs::read(path.join("out/manifest.json")).unwrap());
    assert_eq!(value["subject"][0]["digest"]["sha256"], digest.to_string());
    assert_eq!(value["predicateType"], "https://slsa.dev/provenance/v1");
    let source = &value["predicate"]["buildDefinition"]["resolvedDependencies"][0];
    let manifest: Value = serde_json::from_slice(&fs::read(path.join("out/manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (&source["name"], &source["digest"]["sha256"]),
        (&"policy.yaml#shop".into(), &manifest["policies"][0]["sha256"])
    );
    tetrafold(path, &[&compile[..], &["again.json"]].concat()).expect(0, &[]);
    assert_eq!(fs::read(path.join("again.json")).unwrap(), text);
    tetrafold(path, &[&compile[..], &["out/build.json"]].concat()).expect(2, &["--provenance"]);
    tetrafold(path, &[&compile[..], &["missing/build.json"]].concat()).expect(3, &["TF0004"]);
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
        ("\"schemaVersion\":4", "\"schemaVersion\":5"),
        ("\"schemaVersion\":4", "\"schemaVersion\":4,\"more\":1"),
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
