//! `--partial`: files that can be compiled are, the others are named.

use std::fs;
use std::path::Path;

use super::{POLICY, files, folder, policy, tetrafold};

/// Valid, and not compiled: a probe in a program of user space.
const UPROBE: &str = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: readline
spec:
  uprobes:
  - path: /bin/bash
    symbols: [readline]
"#;

fn write(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder.join("set")).unwrap();
    fs::write(folder.join("set").join(name), text).unwrap();
}

fn manifest(folder: &Path, output: &str) -> serde_json::Value {
    let text = fs::read(folder.join(output).join("manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn what_cannot_be_compiled_is_left_out_and_named() {
    let folder = folder();
    let path = folder.path();
    write(path, "a.yaml", POLICY);
    write(path, "b.yaml", UPROBE);
    tetrafold(path, &["compile", "set", "-o", "out"]).expect(1, &["TF0199"]);
    assert!(!path.join("out").exists());
    let said = ["out: 1 policy", "left to Tetragon: 1 file", "TF0199"];
    tetrafold(path, &["compile", "--partial", "set", "-o", "out", "--left-out", "left"]).expect(0, &said);
    assert_eq!(fs::read_to_string(path.join("left")).unwrap(), "set/b.yaml\n");
    let left = &manifest(path, "out")["leftOut"];
    assert_eq!(left[0]["file"], "b.yaml");
    assert_eq!(left[0]["reasons"][0]["source"], "b.yaml:6");
    assert_eq!(left[0]["reasons"][0]["code"], "TF0199");
    tetrafold(path, &["inspect", "out"]).expect(0, &["left to Tetragon", "b.yaml:6"]);
    tetrafold(path, &["report", "--partial", "set"]).expect(0, &["programs"]);
}

/// Objects and images are those of the remaining files; only the manifest knows more.
#[test]
fn the_artifact_is_that_of_the_remaining_files() {
    let folder = folder();
    let path = folder.path();
    write(path, "a.yaml", POLICY);
    write(path, "c.yaml", &policy("third"));
    tetrafold(path, &["compile", "--partial", "set", "-o", "whole"]).expect(0, &["2 policies"]);
    tetrafold(path, &["compile", "set", "-o", "plain"]).expect(0, &["2 policies"]);
    assert_eq!(files(&path.join("whole")), files(&path.join("plain")));
    write(path, "b.yaml", UPROBE);
    tetrafold(path, &["compile", "--partial", "set", "-o", "part"]).expect(0, &["2 policies"]);
    let without_manifest = |output: &str| {
        let mut all = files(&path.join(output));
        all.retain(|name, _| !name.starts_with("manifest.json"));
        all
    };
    assert_eq!(without_manifest("part"), without_manifest("plain"));
    let mut part = manifest(path, "part");
    part.as_object_mut().unwrap().remove("leftOut");
    assert_eq!(part, manifest(path, "plain"));
}

#[test]
fn a_file_stays_whole() {
    let folder = folder();
    let path = folder.path();
    write(path, "a.yaml", &policy("first"));
    write(path, "b.yaml", &format!("{}---\n{UPROBE}", policy("second")));
    tetrafold(path, &["compile", "--partial", "set", "-o", "out"]).expect(0, &["out: 1 policy"]);
    assert_eq!(manifest(path, "out")["policies"][0]["name"], "first");
    // Nothing is left.
    fs::remove_file(path.join("set/a.yaml")).unwrap();
    let said = ["TF0053", "the only file stays with Tetragon"];
    tetrafold(path, &["compile", "--partial", "set", "-o", "out"]).expect(1, &said);
    tetrafold(path, &["compile", "--partial", "--allow-empty", "set", "-o", "none"])
        .expect(0, &["0 policies"]);
}

#[test]
fn an_error_is_an_error_still() {
    let folder = folder();
    let path = folder.path();
    write(path, "a.yaml", POLICY);
    write(path, "b.yaml", UPROBE);
    write(path, "c.yaml", &policy("third").replace("NotEqual", "NotEquals"));
    tetrafold(path, &["compile", "--partial", "set", "-o", "out"]).expect(1, &["TF0106"]);
    assert!(!path.join("out").exists());
    tetrafold(path, &["compile", "set", "-o", "out", "--left-out", "left"]).expect(2, &["--partial"]);
}

/// A limit of the whole set takes one file at a time.
#[test]
fn what_two_files_cannot_have_together_one_of_them_has() {
    let folder = folder();
    let path = folder.path();
    write(path, "a.yaml", &policy("first"));
    let other = policy("second").replace("type: linux_binprm", "type: uint64");
    write(path, "b.yaml", &other.replace(r#"["/usr/bin/true", "/usr/bin/env"]"#, r#"["5"]"#));
    tetrafold(path, &["compile", "set", "-o", "out"]).expect(1, &["TF0602"]);
    let said = ["out: 1 policy", "left to Tetragon: 1 file", "TF0602"];
    tetrafold(path, &["compile", "--partial", "set", "-o", "out"]).expect(0, &said);
}

/// A binding is nothing without its template.
#[test]
fn what_needs_a_file_that_stays_stays() {
    let folder = folder();
    let path = folder.path();
    let template = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicyTemplate
metadata:
  name: readers
spec:
  variables:
  - {name: programs, type: linux_binprm}
  lsmhooks:
  - hook: bprm_check_security
    args:
    - {index: 0, type: linux_binprm}
    selectors:
    - matchArgs:
      - {index: 0, operator: Equal, valuesFromVariable: programs}
"#;
    let binding = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicyBinding
metadata:
  name: readers-shop
spec:
  templateRef: {name: readers}
  bindings:
  - {name: programs, values: ["/usr/bin/true"]}
"#;
    write(path, "a.yaml", POLICY);
    write(path, "b.yaml", binding);
    write(path, "t.yaml", template);
    tetrafold(path, &["compile", "set", "-o", "out"]).expect(0, &["out: 2 policies"]);
    write(path, "t.yaml", &format!("{template}---\n{UPROBE}"));
    let said = ["out: 1 policy", "left to Tetragon: 2 files"];
    tetrafold(path, &["compile", "--partial", "set", "-o", "out"]).expect(0, &said);
}
