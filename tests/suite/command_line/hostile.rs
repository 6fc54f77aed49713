//! Inputs made to exhaust or confuse: each ends with a diagnostic and its status, without a panic.

use std::fs::{self, File};

use super::{POLICY, command, finish, folder, names, tetrafold};

/// Every command that reads policies says the same about them.
#[track_caller]
fn refused(text: &str, said: &[&str]) {
    let folder = folder();
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    for args in [&["check", "p.yaml"][..], &["compile", "p.yaml", "-o", "out"], &["report", "p.yaml"]] {
        tetrafold(folder.path(), args).expect(1, said);
    }
    finish(command(folder.path(), &["check", "-"]), text.as_bytes()).expect(1, &[said[0]]);
    assert_eq!(names(folder.path()), ["p.yaml"]);
}

#[test]
fn a_file_of_100_megabytes() {
    let folder = folder();
    let path = folder.path().join("large.yaml");
    File::create(&path).unwrap().set_len(100 << 20).unwrap();
    tetrafold(folder.path(), &["check", "large.yaml"]).expect(3, &["TF0003", "large.yaml"]);
    tetrafold(folder.path(), &["compile", ".", "-o", "out"]).expect(3, &["TF0003"]);
    let mut from_stdin = command(folder.path(), &["check", "-"]);
    from_stdin.stdin(File::open(&path).unwrap());
    let output = from_stdin.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("TF0003"), "{output:?}");
    assert_eq!(names(folder.path()), ["large.yaml"]);
}

#[test]
fn an_alias_bomb() {
    let mut text = "kind: TracingPolicy\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for i in 1..30 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        text += &format!("a{i}: &a{i} [{aliases}]\n");
    }
    refused(&text, &["TF0033", "p.yaml:"]);
}

#[test]
fn ten_thousand_nested_lists() {
    refused(&"[".repeat(10_000), &["TF0031"]);
    refused(&format!("a: {}{}\n", "[".repeat(10_000), "]".repeat(10_000)), &["TF0031", "p.yaml:1"]);
    refused(&format!("a: {}\n", "{b: ".repeat(10_000)), &["TF0031"]);
    let block: String = (0..10_000).map(|i| format!("{}-\n", " ".repeat(i))).collect();
    refused(&block, &["TF0031"]);
    refused(&"- ".repeat(10_000), &["TF0031"]);
}

#[test]
fn fifty_megabytes_of_nested_lists() {
    let folder = folder();
    fs::write(folder.path().join("p.yaml"), "[".repeat(50 << 20)).unwrap();
    let ran = tetrafold(folder.path(), &["check", "p.yaml"]);
    ran.expect(1, &["TF0031", "p.yaml:1:256", "1 error in 1 file"]);
    assert!(ran.stdout.len() < 2000, "{ran:#?}");
}

/// People get some of each kind and the number of the others.
#[test]
fn a_hundred_thousand_errors() {
    let folder = folder();
    fs::write(folder.path().join("p.yaml"), "--- {kind: TracingPolcy}\n".repeat(100_000)).unwrap();
    let ran = tetrafold(folder.path(), &["check", "p.yaml"]);
    let more = "TF0052 (unknown kind): 99900 more; `--diagnostics json` has all";
    ran.expect(1, &[more, "100000 errors in 1 file"]);
    assert!(ran.stdout.lines().count() < 2000);
}

/// Errors of one mapping, which must not look at each other.
#[test]
fn ten_thousand_errors_of_one_mapping() {
    let fields = |first: &str, rest: &str| -> String {
        (0..5000)
            .map(|i| format!("  {first}{i}: []\n"))
            .chain(vec![format!("  {rest}: []\n"); 5001])
            .collect()
    };
    let policy = |spec: &str| format!("kind: TracingPolicy\nmetadata: {{name: p}}\nspec:\n{spec}");
    for (text, said) in [
        (policy(&fields("kprobe", "lists")), "TF0102 (field stands twice): 4900 more"),
        (policy(&fields("\u{1f600}", "x")), "TF0101 (unknown field): 9901 more"),
    ] {
        let folder = folder();
        fs::write(folder.path().join("p.yaml"), text).unwrap();
        tetrafold(folder.path(), &["check", "p.yaml"]).expect(1, &[said]);
    }
}

#[test]
fn an_anchor_that_contains_itself() {
    refused("a: &a [*a]\n", &["TF0035"]);
}

#[test]
fn a_file_without_an_end() {
    refused("a: \"", &["TF0030"]);
    refused("%YAML 1.2", &["TF0030"]);
    refused("? ", &["TF00"]);
}

#[test]
fn a_hundred_thousand_documents_of_nothing() {
    refused(&"---\n".repeat(100_000), &["TF0050"]);
}

/// Names and values cannot steer the terminal.
#[test]
fn control_characters_are_not_printed() {
    let folder = folder();
    let text = POLICY.replace("NotEqual", "\"Not\\e[31mEqual\"");
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let ran = tetrafold(folder.path(), &["check", "p.yaml"]);
    ran.expect(1, &["TF0106"]);
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:#?}");
}

/// One line of a megabyte is shown in part.
#[test]
fn a_line_of_a_megabyte() {
    let folder = folder();
    let text = POLICY.replace("/usr/bin/true", &"x".repeat(1 << 20));
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let ran = tetrafold(folder.path(), &["check", "p.yaml"]);
    ran.expect(1, &["TF0209"]);
    assert!(ran.stdout.len() < 10_000, "{} bytes", ran.stdout.len());
}
