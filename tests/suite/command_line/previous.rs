//! `--previous`: numbers stay the same from build to build.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{files, folder, policy, tetrafold};

/// Compiles policies of these names to `out` and gives their numbers, and the operation's.
fn build(folder: &Path, names: &[&str], out: &str, previous: Option<&str>) -> (BTreeMap<String, u64>, Value) {
    let text: Vec<String> =
        names.iter().map(|name| policy(name).replace("app: shop", &format!("app: {name}"))).collect();
    fs::write(folder.join("policies.yaml"), text.join("---\n")).unwrap();
    let previous: Vec<&str> = previous.iter().flat_map(|dir| ["--previous", dir]).collect();
    tetrafold(folder, &[&["compile", "policies.yaml", "-o", out], &previous[..]].concat()).expect(0, &[]);
    tetrafold(folder, &["inspect", out]).expect(0, &["intact"]);
    tetrafold(folder, &["report", out]).expect(0, &[]);
    let manifest = fs::read(folder.join(out).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for policy in manifest["policies"].as_array().unwrap() {
        // Each has one selector, so that its action record is new when it is.
        assert_eq!(policy["hooks"][0]["selectors"][0]["record"], policy["number"], "{}", policy["name"]);
    }
    let policies = manifest["policies"].as_array().unwrap().iter();
    let numbers = policies.map(|p| (p["name"].as_str().unwrap().to_string(), p["number"].as_u64().unwrap()));
    (numbers.collect(), manifest)
}

#[test]
fn policies_that_stay_keep_their_numbers_and_none_is_given_twice() {
    let folder = folder();
    let path = folder.path();
    let numbers = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
        pairs.iter().map(|&(name, number)| (name.to_string(), number)).collect()
    };
    let (first, _) = build(path, &["b", "d", "f"], "one", None);
    assert_eq!(first, numbers(&[("b", 0), ("d", 1), ("f", 2)]));
    let (second, manifest) = build(path, &["a", "b", "e"], "two", Some("one"));
    assert_eq!(second, numbers(&[("a", 3), ("b", 0), ("e", 4)]));
    let scopes: Vec<u64> =
        manifest["scopes"].as_array().unwrap().iter().map(|s| s["number"].as_u64().unwrap()).collect();
    assert_eq!(scopes, [0, 3, 4], "the scope of b is kept, those of d and f are gone");
    // What is gone has lost its number; in the order of identity all the same.
    let (third, manifest) = build(path, &["f", "e", "c"], "two", Some("two"));
    assert_eq!(third, numbers(&[("c", 5), ("e", 4), ("f", 6)]));
    let names: Vec<&Value> = manifest["policies"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["c", "e", "f"]);
}

#[test]
fn the_same_set_on_top_of_itself_is_the_same_artifact() {
    let folder = folder();
    let path = folder.path();
    build(path, &["a", "b"], "one", None);
    build(path, &["a", "b"], "two", Some("one"));
    assert_eq!(files(&path.join("one")), files(&path.join("two")));
}

#[test]
fn a_previous_artifact_that_is_none_is_an_error() {
    let folder = folder();
    let path = folder.path();
    build(path, &["a"], "one", None);
    let compile = ["compile", "policies.yaml", "-o", "two", "--previous"];
    tetrafold(path, &[&compile[..], &["missing"]].concat()).expect(3, &["missing", "manifest.json"]);
    fs::write(path.join("one/report.json"), "{}").unwrap();
    tetrafold(path, &[&compile[..], &["one"]].concat()).expect(3, &["one", "report.json"]);
    assert!(!path.join("two").exists());
}
