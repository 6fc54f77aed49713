//! Reports of artifacts and the gate: an artifact is judged as its sources are, and a budget that does not hold is in every
//! output.

use std::fs;
use std::path::Path;

use super::{Ran, compiled, files, policy, tetrafold};

fn report(folder: &Path, of: &str, options: &[&str]) -> serde_json::Value {
    let ran = tetrafold(folder, &[&["report", of, "--format", "json"], options].concat());
    serde_json::from_str(&ran.expect(0, &[]).stdout).unwrap()
}

/// All but the note that the artifact is made for another number of pods.
#[test]
fn an_artifact_is_reported_as_its_sources_are() {
    let folder = compiled();
    let path = folder.path();
    let own = fs::read_to_string(path.join("out/report.json")).unwrap();
    assert_eq!(tetrafold(path, &["report", "out", "--format", "json"]).stdout, own);
    for options in [
        &["--cpus", "96"][..],
        &["--kernel", "6.1"],
        &["--kernel", "6.6", "--cpus", "3"],
        &["--pods", "400"],
        &["--pods", "20", "--cpus", "1", "--kernel", "6.1"],
    ] {
        let (of_sources, mut of_artifact) =
            (report(path, "policy.yaml", options), report(path, "out", options));
        assert_ne!(own, of_artifact.to_string());
        if options.contains(&"--pods") {
            let notes = of_artifact["notes"].as_array_mut().unwrap();
            assert!(notes.pop().unwrap().as_str().unwrap().contains("made for 110 pods"));
        }
        assert_eq!(of_artifact, of_sources, "{options:?}");
    }
}

#[test]
fn a_gate_at_other_cpus_is_one_at_the_artifact_too() {
    let folder = compiled();
    let path = folder.path();
    let total = |cpus| report(path, "out", &["--cpus", cpus])["totals"]["memlockBytes"].as_u64().unwrap();
    assert!(total("96") > total("2"));
    let limit = total("2").to_string();
    for of in ["out", "policy.yaml"] {
        tetrafold(path, &["report", of, "--max-memlock", &limit]).expect(0, &["max-memlock", "holds"]);
        tetrafold(path, &["report", of, "--max-memlock", &limit, "--cpus", "96"]).expect(4, &["TF0610"]);
        fs::write(path.join(".tetrafold.yaml"), "cpus: 96\n").unwrap();
        tetrafold(path, &["report", of, "--max-memlock", &limit]).expect(4, &["TF0610"]);
        tetrafold(path, &["report", of, "--max-memlock", &limit, "--cpus", "2"]).expect(0, &[]);
        fs::remove_file(path.join(".tetrafold.yaml")).unwrap();
    }
}

#[test]
fn a_budget_that_does_not_hold_is_in_every_output() {
    let folder = compiled();
    let path = folder.path();
    let over = |of: &str, options: &[&str]| -> Ran {
        let ran = tetrafold(path, &[&["report", of, "--max-memlock", "1.5KiB"], options].concat());
        ran.expect(4, &["max-memlock"]);
        ran
    };
    for of in ["out", "policy.yaml"] {
        for (form, said) in [
            ("human", "`max-memlock` is 1,536 (1.5 KiB), and "),
            ("json", "{\"code\":\"TF0610\",\"severity\":\"error\""),
            ("sarif", "\"ruleId\": \"TF0610\""),
            ("github", "::error title=TF0610"),
        ] {
            let ran = over(of, &["--diagnostics", form]);
            assert!(ran.stderr.contains(said) && ran.stderr.contains("`node` ("), "{form}: {ran:#?}");
        }
        for (form, said) in [
            ("human", "exceeded"),
            ("json", "\"name\":\"max-memlock\",\"limit\":1536,"),
            ("markdown", "exceeded"),
            ("csv", "budget,max-memlock,,exceeded,"),
        ] {
            let ran = over(of, &["--format", form]);
            assert!(ran.stdout.contains(said) && ran.stdout.contains("node"), "{form}: {ran:#?}");
        }
    }
}

#[test]
fn budgets_of_each_policy_and_operation_and_in_the_configuration() {
    let folder = compiled();
    let path = folder.path();
    fs::write(path.join("policy.yaml"), [policy("a"), policy("b")].join("---\n")).unwrap();
    let old = files(&path.join("out"));
    for options in [
        &["--max-policy-memlock", "1KiB"][..],
        &["--max-policy-kernel-memory", "1KiB"],
        &["--max-operation-memlock", "1kB"],
        &["--max-operation-kernel-memory", "1000"],
        &["--max-programs", "1"],
    ] {
        let compile = [&["compile", "policy.yaml", "-o", "out"], options].concat();
        tetrafold(path, &compile).expect(4, &["TF0610", &options[0][2..]]);
        let setting = format!("{}: {}\n", &options[0][2..], options[1]);
        fs::write(path.join(".tetrafold.yaml"), setting).unwrap();
        tetrafold(path, &["compile", "policy.yaml", "-o", "out"]).expect(4, &["TF0610"]);
        tetrafold(path, &["compile", "policy.yaml", "-o", "out", options[0], "1GiB"])
            .expect(if options[0] == "--max-programs" { 2 } else { 0 }, &[]);
        fs::remove_file(path.join(".tetrafold.yaml")).unwrap();
        tetrafold(path, &["report", "policy.yaml", options[0], options[1]]).expect(4, &["TF0610"]);
    }
    assert_ne!(files(&path.join("out")), old, "a budget that holds lets it be written");
    tetrafold(path, &["report", "policy.yaml", "--max-memlock", "64K"]).expect(2, &["`KiB`"]);
    let ran = tetrafold(path, &["report", "policy.yaml", "--max-policy-memlock", "1KiB"]);
    ran.expect(4, &["2 need more, up to", "`a` (", "`b` ("]);
}

#[test]
fn a_budget_that_does_not_hold_lets_nothing_be_written() {
    let folder = compiled();
    let path = folder.path();
    let old = files(&path.join("out"));
    fs::write(path.join("policy.yaml"), policy("other")).unwrap();
    tetrafold(path, &["compile", "policy.yaml", "-o", "out", "--max-maps", "1"]).expect(4, &["TF0610"]);
    tetrafold(path, &["compile", "policy.yaml", "-o", "new", "--max-maps", "1"]).expect(4, &["TF0610"]);
    assert_eq!(files(&path.join("out")), old);
    assert!(!path.join("new").exists());
}
