//! What users of such tools expect: patterns of files, several outputs, the environment, terminals without UTF-8.

use std::fs;

use super::{command, finish, folder, policy, tetrafold};

/// `set/` with a policy, one with an error, one with a warning, and what is no policy.
fn set() -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path();
    fs::create_dir_all(path.join("set/charts/templates")).unwrap();
    fs::write(path.join("set/good.yaml"), policy("good")).unwrap();
    fs::write(path.join("set/bad.yaml"), policy("bad").replace("NotEqual", "NotEquals")).unwrap();
    fs::write(path.join("set/odd.yaml"), policy("odd").replace("argError: -1}", "argError: -1, argSig: 9}"))
        .unwrap();
    let helm = policy("helm").replace("spec:\n", "spec:\n{{- if .Values.enforce }}\n") + "{{- end }}\n";
    fs::write(path.join("set/charts/templates/policy.yaml"), helm).unwrap();
    fs::write(path.join("set/charts/values.yaml"), "a: b: c\n").unwrap();
    folder
}

#[test]
fn templates_and_texts_that_are_no_policies_are_skipped_with_a_note() {
    let folder = set();
    let ran = tetrafold(folder.path(), &["check", "set", "--exclude", "bad.yaml"]);
    ran.expect(0, &["helm template", "(TF0051)", "2 policies are valid"]);
    assert!(!ran.stdout.contains("TF0030"), "{ran:#?}");
    tetrafold(folder.path(), &["check", "set/charts/templates/policy.yaml"]).expect(1, &["TF0030"]);
}

#[test]
fn what_is_excluded_is_passed_over() {
    let folder = set();
    let path = folder.path();
    tetrafold(path, &["check", "set"]).expect(1, &["TF0106"]);
    tetrafold(path, &["check", "set", "--exclude", "bad.*", "--exclude", "charts/"])
        .expect(0, &["2 policies"]);
    fs::write(path.join(".tetrafold.yaml"), "exclude: [bad.yaml]\n").unwrap();
    tetrafold(path, &["check", "set"]).expect(0, &["2 policies"]);
    fs::remove_file(path.join(".tetrafold.yaml")).unwrap();
    fs::write(path.join("set/.tetrafoldignore"), "*.yaml\n!good.yaml\n").unwrap();
    tetrafold(path, &["check", "set"]).expect(0, &["1 policy is valid"]);
    // Named, it was meant.
    tetrafold(path, &["check", "set", "set/bad.yaml"]).expect(1, &["TF0106"]);
}

#[test]
fn namespaces_are_those_that_kubernetes_takes() {
    let folder = set();
    tetrafold(folder.path(), &["check", "set", "--namespace", "Not_One"])
        .expect(2, &["--namespace", "lowercase"]);
    fs::write(folder.path().join(".tetrafold.yaml"), "namespace: a.b\n").unwrap();
    tetrafold(folder.path(), &["check", "set"]).expect(2, &["TF0061"]);
}

#[test]
fn one_run_writes_several_outputs() {
    let folder = set();
    let path = folder.path();
    let also = ["--output-file", "sarif=all.sarif", "--output-file", "junit=all.xml"];
    let ran = tetrafold(path, &[&["check", "set"], &also[..]].concat());
    ran.expect(1, &["TF0106"]);
    assert!(ran.stdout.contains("NotEquals"), "{ran:#?}");
    let sarif = fs::read(path.join("all.sarif")).unwrap();
    let sarif: serde_json::Value = serde_json::from_slice(&sarif).unwrap();
    assert!(sarif["runs"][0]["results"].as_array().unwrap().iter().any(|r| r["ruleId"] == "TF0106"));
    let junit = fs::read_to_string(path.join("all.xml")).unwrap();
    assert!(junit.contains("<testsuite name=\"set/bad.yaml\" tests=\"1\" failures=\"1\">"), "{junit}");
    assert!(junit.contains("<testcase classname=\"set/good.yaml\" name=\"valid\"/>"), "{junit}");
    let ran = tetrafold(path, &["check", "set", "--output-file", "text", "--output-file", "json=all.json"]);
    assert_eq!(ran.expect(1, &[]).stdout, "");
    assert!(fs::read_to_string(path.join("text")).unwrap().contains("TF0106"));
    assert!(fs::read_to_string(path.join("all.json")).unwrap().contains("\"code\":\"TF0106\""));
    let report = ["report", "set/good.yaml", "--max-maps", "1"];
    let also = ["--output-file", "csv=r.csv", "--output-file", "junit=r.xml", "--output-file", "r.txt"];
    assert_eq!(tetrafold(path, &[&report[..], &also].concat()).expect(4, &["TF0610"]).stdout, "");
    assert!(fs::read_to_string(path.join("r.csv")).unwrap().contains("budget,max-maps,,exceeded"));
    assert!(fs::read_to_string(path.join("r.xml")).unwrap().contains("TF0610"));
    assert!(fs::read_to_string(path.join("r.txt")).unwrap().contains("exceeded"));
    let compile = ["compile", "set/odd.yaml", "-o", "out", "--output-file", "github=gh"];
    tetrafold(path, &compile).expect(0, &[]);
    assert!(fs::read_to_string(path.join("gh")).unwrap().contains("::warning title=TF0706"));
}

#[test]
fn findings_are_limited_errors_first() {
    let folder = set();
    let path = folder.path();
    let shown = |options: &[&str]| {
        let ran = tetrafold(path, &[&["check", "set", "--max-diagnostics", "1"], options].concat());
        ran.expect(1, &[]).stdout.clone()
    };
    let text = shown(&[]);
    assert!(text.contains("TF0106") && !text.contains("TF0706") && text.contains(" more; "), "{text}");
    assert!(text.contains("1 error and 1 warning"), "{text}");
    assert_eq!(shown(&["--diagnostics", "json"]).lines().count(), 1);
}

#[test]
fn the_environment_sets_options_that_are_not_typed() {
    let folder = set();
    let run = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = command(folder.path(), args);
        command.envs(environment.iter().copied());
        finish(command, b"")
    };
    let report = ["report", "set/good.yaml"];
    let set = [("TETRAFOLD_CPUS", "8"), ("TETRAFOLD_KERNEL", "6.1")];
    run(&report, &set).expect(0, &["kernel 6.1 ", "8 CPUs"]);
    run(&[&report[..], &["--cpus", "4"]].concat(), &set).expect(0, &["kernel 6.1 ", "4 CPUs"]);
    fs::write(folder.path().join(".tetrafold.yaml"), "cpus: 16\nkernel: 6.12\n").unwrap();
    run(&report, &set).expect(0, &["kernel 6.1 ", "8 CPUs"]);
    run(&report, &[("TETRAFOLD_CPUS", "many")]).expect(2, &["--cpus"]);
    run(&["check", "set/odd.yaml"], &[("TETRAFOLD_DENY", "warnings")]).expect(1, &["1 error"]);
}

/// Names in policies stay what they are in what machines read.
#[test]
fn text_is_ascii_where_the_locale_is() {
    let folder = set();
    let path = folder.path();
    let text = policy("bad").replace("NotEqual", "NotEquals").replace("/usr/bin/true", "/\u{fc}n\u{ef}");
    fs::write(path.join("set/bad.yaml"), text).unwrap();
    let run = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = command(path, args);
        command.envs(environment.iter().copied());
        finish(command, b"")
    };
    for plain in [
        &[][..],
        &[("LANG", "C")],
        &[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")],
        &[("LC_CTYPE", "de_DE.ISO-8859-1")],
    ] {
        for args in
            [&["check", "set"][..], &["report", "set/good.yaml"], &["check", "set", "--color", "always"]]
        {
            let ran = run(args, plain);
            assert!(ran.stdout.is_ascii() && ran.stderr.is_ascii(), "{plain:?} {ran:#?}");
        }
        assert!(run(&["check", "set"], plain).stdout.contains(",-[set/bad.yaml:"), "{plain:?}");
    }
    for utf8 in [&[("LANG", "en_US.UTF-8")][..], &[("LC_ALL", "C.utf8"), ("LANG", "C")]] {
        assert!(run(&["check", "set"], utf8).stdout.contains("\u{256d}\u{2500}[set/bad.yaml:"), "{utf8:?}");
    }
}

#[test]
fn what_an_alias_stands_for_is_shown_where_it_is_used() {
    let folder = folder();
    let text = policy("a")
        .replace("{matchLabels: {app: shop}}", "{matchLabels: {app: &op NotEquals}}")
        .replace("operator: NotEqual", "operator: *op");
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let ran = tetrafold(folder.path(), &["check", "p.yaml", "--diagnostics", "json"]);
    ran.expect(1, &["unknown operator", "stands here too, through this alias"]);
}

#[test]
fn files_that_were_put_together_keep_their_marks() {
    let folder = folder();
    let text = format!("{}---\n\u{feff}{}", policy("a"), policy("b"));
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    tetrafold(folder.path(), &["check", "p.yaml"]).expect(0, &["2 policies are valid"]);
}
