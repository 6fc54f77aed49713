//! What other tools take from the repository: the GitHub Action, the pre-commit hook, schemas, completions, man pages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_yaml::Value;

use crate::command_line::{POLICY, Ran, finish, folder, tetrafold};

fn committed(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The steps of `action.yml`, run as a runner would with these inputs, up to the first that fails. `cargo install`
/// is played by a script that puts the program of this build where it was told to.
fn act(workspace: &Path, inputs: &[(&str, &str)]) -> Vec<Ran> {
    let action: Value = serde_yaml::from_str(&committed("action.yml")).unwrap();
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (name, input) in action["inputs"].as_mapping().unwrap() {
        given.insert(name.as_str().unwrap().into(), input["default"].as_str().unwrap().into());
    }
    for (name, value) in inputs {
        *given.get_mut(*name).unwrap() = value.to_string();
    }
    let runner = folder();
    let cargo = runner.path().join("cargo");
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = \"install --quiet --locked --path /action --root {0}/tetrafold\" ] || exit 9\n\
         mkdir -p {0}/tetrafold/bin && ln -s {1} {0}/tetrafold/bin/tetrafold\n",
        runner.path().display(),
        env!("CARGO_BIN_EXE_tetrafold"),
    );
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let expression = |text: &str| match text.strip_prefix("${{ ").and_then(|t| t.strip_suffix(" }}")) {
        Some("github.action_path") => "/action".to_string(),
        Some(name) => given[name.strip_prefix("inputs.").unwrap()].clone(),
        None => panic!("{text} is no expression that this test knows"),
    };
    let mut all = vec![];
    for step in action["runs"]["steps"].as_sequence().unwrap() {
        if let Some(condition) = step.get("if") {
            assert_eq!(condition.as_str(), Some("${{ inputs.sarif-file != '' }}"));
            if given["sarif-file"].is_empty() {
                continue;
            }
        }
        assert_eq!(step["shell"].as_str(), Some("bash"));
        let mut command = Command::new("bash");
        // As GitHub starts it.
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        let path = format!("{}:{}", runner.path().display(), std::env::var("PATH").unwrap());
        command.current_dir(workspace).env_clear().env("PATH", path).env("RUNNER_TEMP", runner.path());
        for (name, value) in step["env"].as_mapping().unwrap() {
            command.env(name.as_str().unwrap(), expression(value.as_str().unwrap()));
        }
        let ran = finish(command, b"");
        let failed = ran.status != Some(0);
        all.push(ran);
        if failed {
            break;
        }
    }
    all
}

#[test]
fn the_action_passes_what_is_valid() {
    let workspace = folder();
    fs::write(workspace.path().join("policy.yaml"), POLICY).unwrap();
    let steps = act(workspace.path(), &[]);
    assert_eq!(steps.len(), 2);
    steps[1].expect(0, &[]);
}

#[test]
fn the_action_fails_on_an_error_and_leaves_a_log() {
    let workspace = folder();
    fs::create_dir(workspace.path().join("some policies")).unwrap();
    fs::write(workspace.path().join("some policies/policy.yaml"), POLICY.replace("Override", "Overide"))
        .unwrap();
    fs::write(workspace.path().join("other.yaml"), POLICY).unwrap();
    let inputs = [
        ("paths", "some policies\nother.yaml\n"),
        ("sarif-file", "log.sarif"),
        ("args", "--namespace prod --threads 1"),
    ];
    let steps = act(workspace.path(), &inputs);
    assert_eq!(steps.len(), 3);
    steps[1].expect(0, &[]);
    steps[2].expect(1, &["::error title=TF0106", "file=some policies/policy.yaml,line=15"]);
    let log = fs::read_to_string(workspace.path().join("log.sarif")).unwrap();
    assert!(log.contains("some%20policies/policy.yaml"), "{log}");
}

#[test]
fn the_action_fails_where_nothing_can_be_read() {
    let workspace = folder();
    let steps = act(workspace.path(), &[("paths", "missing"), ("sarif-file", "log.sarif")]);
    assert_eq!(steps.len(), 2, "the log's step says it as well");
    steps[1].expect(3, &[]);
}

#[test]
fn the_pre_commit_hook_checks_a_folder() {
    let hooks: Value = serde_yaml::from_str(&committed(".pre-commit-hooks.yaml")).unwrap();
    let [hook] = hooks.as_sequence().unwrap().as_slice() else { panic!("one hook") };
    assert_eq!((hook["id"].as_str(), hook["language"].as_str()), (Some("tetrafold-check"), Some("rust")));
    let mut words = hook["entry"].as_str().unwrap().split(' ').collect::<Vec<_>>();
    assert_eq!(words.remove(0), "tetrafold");
    words.extend(hook["args"].as_sequence().unwrap().iter().map(|arg| arg.as_str().unwrap()));
    let workspace = folder();
    fs::write(workspace.path().join("policy.yaml"), POLICY).unwrap();
    fs::write(workspace.path().join("values.yaml"), "a: 1\n").unwrap();
    tetrafold(workspace.path(), &words).expect(0, &["1 policy is valid"]);
    fs::write(workspace.path().join("policy.yaml"), POLICY.replace("Override", "Overide")).unwrap();
    tetrafold(workspace.path(), &words).expect(1, &["TF0106"]);
}

#[test]
fn schemas_are_printed_as_they_are_committed() {
    let folder = folder();
    for (of, file) in [
        ("policies", "src/syntax/ast/policies.schema.json"),
        ("manifest", "src/artifact/manifest.schema.json"),
        ("report", "src/report/report.schema.json"),
        ("target", "src/platform/description.schema.json"),
    ] {
        let ran = tetrafold(folder.path(), &["schema", of]);
        ran.expect(0, &[]);
        assert!(ran.stdout == committed(file), "{of}");
    }
    tetrafold(folder.path(), &["schema", "diagnostics"]).expect(0, &["endColumn"]);
    tetrafold(folder.path(), &["schema", "nothing"]).expect(2, &["policies", "manifest"]);
}

#[test]
fn every_command_has_completions_and_a_page() {
    let folder = folder();
    let help = tetrafold(folder.path(), &["--help"]).stdout;
    let commands = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let lines = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let commands: Vec<&str> =
        lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.contains(&"check") && commands.contains(&"man"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = tetrafold(folder.path(), &["completions", shell]);
        ran.expect(0, &commands);
        ran.expect(0, &["diagnostics"]);
        if shell == "bash" {
            let mut check = Command::new("bash");
            check.arg("-n");
            finish(check, ran.stdout.as_bytes()).expect(0, &[]);
        }
    }
    for name in commands.into_iter().filter(|&name| name != "help") {
        let ran = tetrafold(folder.path(), &["man", name]);
        ran.expect(0, &[&format!(".TH tetrafold-{name}"), ".SH NAME", ".SH OPTIONS"]);
    }
    tetrafold(folder.path(), &["man"]).expect(0, &[".TH tetrafold", "Exit status"]);
    tetrafold(folder.path(), &["man", "nothing"]).expect(2, &["no such command"]);
}
