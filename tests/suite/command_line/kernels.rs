//! Kernels that policies are checked against: files that are used, files that cannot be, and what a node writes.

use std::fs;

use super::{POLICY, folder, tetrafold};

fn described(name: &str) -> String {
    format!("{}/tests/targets/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_file_that_cannot_be_used_ends_with_status_3_and_its_name() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("policy.yaml"), POLICY).unwrap();
    fs::write(path.join("x.btf"), "no types").unwrap();
    fs::write(path.join("x.json"), "{\"schemaVersion\": 99}").unwrap();
    for (options, said) in [
        (["--btf", "x.btf"], "not a kernel's BTF: unknown magic or version"),
        (["--btf", "missing"], "no such file"),
        (["--target", "x.json"], "schema version 99 is not known"),
        (["--target", "x.btf"], "cannot use `x.btf`"),
    ] {
        for command in [&["check"][..], &["compile", "-o", "out"], &["report"]] {
            let args = [command, &["policy.yaml"], &options].concat();
            tetrafold(path, &args).expect(3, &["TF0510", options[1], said]);
        }
        assert!(!path.join("out").exists());
    }
}

#[test]
fn what_a_target_does_not_have_is_an_error_of_the_policy() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("policy.yaml"), POLICY).unwrap();
    let (whole, lacking) = (described("whole"), described("lacking"));
    tetrafold(path, &["check", "--for", "tetragon", "policy.yaml", "--target", &whole])
        .expect(0, &["1 policy is valid"]);
    tetrafold(path, &["check", "policy.yaml", "--target", &whole, "--target", &lacking])
        .expect(1, &["TF0503", "on 5.10.0-test: no BPF programs run at LSM hooks"]);
}

#[test]
fn a_kernel_of_another_machine_is_checked_against_and_not_compiled_for() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("policy.yaml"), POLICY).unwrap();
    let node = fs::read_to_string(described("whole")).unwrap();
    assert!(node.contains(r#""machine": "x86_64""#));
    fs::write(path.join("node.json"), node.replace(r#""x86_64""#, r#""aarch64""#)).unwrap();
    let said = "the kernel is for aarch64, and artifacts are for x86_64 alone";
    let check = |whom| tetrafold(path, &["check", "--for", whom, "policy.yaml", "--target", "node.json"]);
    check("tetragon").expect(0, &["TF0513", said]);
    check("compile").expect(1, &["TF0513", said]);
    let ran = tetrafold(path, &["compile", "policy.yaml", "-o", "out", "--target", "node.json"]);
    ran.expect(1, &["TF0513", said]);
    assert!(!path.join("out").exists() && !ran.stderr.contains("TF0509"), "{ran:#?}");
}

#[test]
fn without_files_the_built_in_kernels_are_asked() {
    let folder = folder();
    let path = folder.path();
    let write = |hook: &str, ty: &str| {
        let text = POLICY.replace("hook: bprm_check_security", &format!("hook: {hook}"));
        fs::write(path.join("policy.yaml"), text.replace("type: linux_binprm", &format!("type: {ty}")))
            .unwrap();
    };
    write("bprm_check_security", "linux_binprm");
    let ran = tetrafold(path, &["check", "policy.yaml"]);
    ran.expect(0, &["1 policy is valid"]);
    assert!(!ran.stdout.contains("the LSM hook"), "{ran:#?}");
    write("bprm_check_securty", "linux_binprm");
    tetrafold(path, &["check", "policy.yaml"])
        .expect(1, &["TF0503", "on 6.1 and 6.12", "did you mean `bprm_check_security`?"]);
    tetrafold(path, &["check", "policy.yaml", "--kernel", "6.12"]).expect(1, &["TF0503", "on 6.12: there"]);
    // A kernel that is not built in may have it.
    tetrafold(path, &["check", "--for", "tetragon", "policy.yaml", "--kernel", "6.6"])
        .expect(0, &["TF0514", "--btf FILE"]);
    fs::write(path.join(".tetrafold.yaml"), "kernel: 6.1\n").unwrap();
    tetrafold(path, &["check", "policy.yaml"]).expect(1, &["TF0503", "on 6.1: there"]);
    fs::remove_file(path.join(".tetrafold.yaml")).unwrap();
    // What a file tells counts, and nothing else.
    let whole = described("whole");
    tetrafold(path, &["check", "policy.yaml", "--target", &whole]).expect(1, &["on 6.12.0-test: there"]);

    write("bprm_check_security", "string");
    tetrafold(path, &["compile", "policy.yaml", "-o", "out"])
        .expect(1, &["TF0506", "argument 0 of `bprm_check_security` is `struct linux_binprm *`"]);
    assert!(!path.join("out").exists());
}

#[test]
fn what_one_built_in_kernel_has_is_no_error_until_the_other_is_chosen() {
    let folder = folder();
    let path = folder.path();
    let hook = "kprobes: [{call: security_bpf_map_create, syscall: false}]";
    let text = format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: a}}\nspec: {{{hook}}}\n"
    );
    fs::write(path.join("policy.yaml"), text).unwrap();
    tetrafold(path, &["check", "policy.yaml"]).expect(0, &["TF0514", "on 6.1: there is no function"]);
    tetrafold(path, &["check", "policy.yaml", "--kernel", "6.1"]).expect(1, &["TF0502"]);
    let ran = tetrafold(path, &["check", "policy.yaml", "--kernel", "6.12"]);
    ran.expect(0, &["1 policy is valid"]);
    assert!(!ran.stdout.contains("TF0514"), "{ran:#?}");
}

/// On whatever machine this runs: what it tells of itself can be read again.
#[test]
fn what_target_record_writes_can_be_given_to_check() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("policy.yaml"), POLICY.replace("bprm_check_security", "no_such_hook")).unwrap();
    tetrafold(path, &["target", "record", "--without-btf", "-o", "node.json"]).expect(0, &[]);
    let ran = tetrafold(path, &["check", "policy.yaml", "--target", "node.json"]);
    assert!(matches!(ran.status, Some(0 | 1)) && !ran.stdout.contains("TF0510"), "{ran:#?}");
    let again = tetrafold(path, &["target", "record", "--without-btf"]);
    assert_eq!(again.stdout, fs::read_to_string(path.join("node.json")).unwrap());
}
