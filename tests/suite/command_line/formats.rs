//! The formats as `examples/reader` documents them: its bytes are those of an artifact, and its reader, in another
//! language, reads artifacts.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Ran, finish, folder, tetrafold};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reader");

fn document() -> String {
    fs::read_to_string(Path::new(FOLDER).join("FORMATS.md")).unwrap()
}

/// The text fenced as `kind`.
fn fenced<'d>(document: &'d str, kind: &str) -> &'d str {
    let (_, rest) = document.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn manifest(artifact: &Path) -> Value {
    serde_json::from_slice(&fs::read(artifact.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn the_bytes_of_the_document_are_those_of_its_policy() {
    let (folder, document) = (folder(), document());
    let artifact = folder.path().join("out");
    fs::write(folder.path().join("policy.yaml"), fenced(&document, "yaml")).unwrap();
    tetrafold(folder.path(), &["compile", "policy.yaml", "-o", "out"]).expect(0, &[]);
    let operation = &manifest(&artifact)["operations"][0];
    for kind in ["tables", "scopeBlocks"] {
        let written = fenced(&document, &format!("hex {kind}"));
        let bytes = written.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
        let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let path = operation[kind]["path"].as_str().unwrap();
        assert_eq!(bytes, fs::read(artifact.join(path)).unwrap(), "{kind}");
    }
}

fn reader(artifact: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new("python3");
    command.arg(Path::new(FOLDER).join("reader.py")).arg(artifact).args(arguments);
    finish(command, b"")
}

/// A policy with a table of every kind.
const POLICY: &str = r#"apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: all-tables}
spec:
  podSelector: {}
  kprobes:
  - call: sys_openat
    args:
    - {index: 1, type: string}
    - {index: 2, type: int}
    - {index: 3, type: uint16}
    selectors:
    - {matchArgs: [{index: 1, operator: Equal, values: [/etc/a, /etc/b]}]}
    - {matchArgs: [{index: 1, operator: Prefix, values: [/srv/, /srv/x/]}, {index: 2, operator: InRange, values: ["1:5", "9:9"]}]}
    - {matchArgs: [{index: 1, operator: Postfix, values: [.key]}], matchActions: [{action: Sigkill}]}
    - {matchArgs: [{index: 3, operator: Mask, values: ["6"]}]}
---
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: paths}
spec:
  podSelector: {matchLabels: {app: b}}
  lsmhooks:
  - hook: bprm_creds_for_exec
    args: [{index: 0, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 0, operator: NotEqual, values: [/bin/a, /bin/b, /bin/c, /bin/d, /bin/e, /usr/bin/a]}]
      matchActions: [{action: Override, argError: -13}]
"#;

#[test]
fn a_reader_in_another_language_decides_as_policies_say() {
    let folder = folder();
    let artifact = folder.path().join("out");
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    tetrafold(folder.path(), &["compile", "policy.yaml", "-o", "out", "--no-config"]).expect(0, &[]);
    let manifest = manifest(&artifact);
    reader(&artifact, &[]).expect(0, &["lsm:bprm_creds_for_exec: 1 scopes, 1 lists"]);

    let operation = |part: &str| {
        let all = manifest["operations"].as_array().unwrap();
        all.iter().find(|operation| operation["name"].as_str().unwrap().contains(part)).unwrap()
    };
    let scope = |policy: &str| {
        let all = manifest["policies"].as_array().unwrap();
        all.iter().find(|known| known["name"] == policy).unwrap()["scope"].to_string()
    };
    // What acts, given the values of arguments: the numbers of selectors.
    let selectors = |part: &str, policy: &str, values: &[(u64, &str)]| {
        let operation = operation(part);
        let dimensions = operation["dimensions"].as_array().unwrap();
        let of = |dimension: &Value| {
            let argument = dimension["subject"]["argument"].as_u64().unwrap();
            values.iter().find(|(index, _)| *index == argument).unwrap().1.to_string()
        };
        let scope = scope(policy);
        let mut arguments = vec!["decide", operation["name"].as_str().unwrap(), &scope];
        let given: Vec<String> = dimensions.iter().map(of).collect();
        arguments.extend(given.iter().map(String::as_str));
        let ran = reader(&artifact, &arguments);
        ran.expect(0, &[]);
        let acts = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        acts.map(|act| (act["selector"].as_u64().unwrap(), act["kill"] == true, act["returns"].clone()))
            .collect::<Vec<_>>()
    };
    for (path, number, mask, acts) in [
        ("/etc/a", "0", "0", Some((0, false))),
        ("/etc/ab", "0", "0", None),
        ("/srv/x/y", "5", "0", Some((1, false))),
        ("/srv/x", "9", "0", Some((1, false))),
        ("/srv/x", "6", "0", None),
        ("/srv/a.key", "8", "0", Some((2, true))),
        ("/srv/a.keys", "8", "4", Some((3, false))),
        ("/srv/a.keys", "8", "9", None),
    ] {
        let found = selectors("openat", "all-tables", &[(1, path), (2, number), (3, mask)]);
        let expected: Vec<_> =
            acts.map(|(selector, kill)| (selector, kill, Value::Null)).into_iter().collect();
        assert_eq!(found, expected, "{path} {number} {mask}");
    }
    let denied = vec![(0, false, Value::from(-13))];
    for (path, acts) in
        [("/bin/c", &vec![]), ("/usr/bin/a", &vec![]), ("/usr/bin/b", &denied), ("-", &denied)]
    {
        assert_eq!(&selectors("lsm", "paths", &[(0, path)]), acts, "{path}");
    }
    reader(&artifact, &["decide", "no-such", "0", "x"]);
    let header = manifest["events"]["headerBytes"].as_u64().unwrap() as usize;
    reader(&artifact, &["event", &"00".repeat(header)]).expect(0, &["\"operation\": 0"]);
}

#[test]
fn the_reader_refuses_what_was_changed_and_is_short() {
    let folder = folder();
    let artifact = folder.path().join("out");
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    tetrafold(folder.path(), &["compile", "policy.yaml", "-o", "out", "--no-config"]).expect(0, &[]);
    let path = manifest(&artifact)["operations"][0]["tables"]["path"].as_str().unwrap().to_string();
    let mut bytes = fs::read(artifact.join(&path)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(artifact.join(&path), bytes).unwrap();
    reader(&artifact, &[]).expect(1, &["AssertionError", &path]);
    let text = fs::read_to_string(Path::new(FOLDER).join("reader.py")).unwrap();
    assert!(text.lines().count() < 200);
}
