use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::platform::kernel::Kernel;
use crate::platform::sample;

/// The codes that stand for a reason of `REJECT.tsv`, by the words that the reason begins with.
const REASONS: [(&str, &[&str]); 26] = [
    ("schema: metadata.name is not a DNS-1123 subdomain", &["TF0111"]),
    ("schema: metadata required", &["TF0103"]),
    ("schema: metadata.name required", &["TF0111"]),
    ("schema: matchBinaries and matchActions nested", &["TF0101"]),
    ("schema: operator or action not in enum", &["TF0106"]),
    ("schema: unknown fields", &["TF0101"]),
    ("schema: more than 16 tags", &["TF0107"]),
    ("schema: arg type not in enum", &["TF0106"]),
    ("schema CEL: more than one of", &["TF0110"]),
    ("strict decode: unknown field", &["TF0101"]),
    ("yaml: syntax error", &["TF0030"]),
    ("load: list: value in InMap", &["TF0206"]),
    ("load: default syscall:true", &["TF0115"]),
    ("load: list name not found", &["TF0116"]),
    ("load: generated_ftrace list has values", &["TF0117"]),
    ("load: generated_ftrace list without pattern", &["TF0117"]),
    ("load: Override on a function", &["TF0402"]),
    ("load: empty hook name", &["TF0115"]),
    ("load: empty subsystem", &["TF0115"]),
    ("load: empty event", &["TF0115"]),
    ("load: matchReturnArgs on lsm", &["TF0213"]),
    ("load: NotifyEnforcer without spec.enforcers", &["TF0405"]),
    ("load: GetUrl/DnsLookup unsupported", &["TF0401"]),
    ("load: syscall symbol not in BTF", &["TF0115"]),
    ("load: syscall not in BTF", &[]),
    ("load: tracepoint format file missing", &[]),
];

/// Refused only with facts of a node: without them no error, and the fact is said to be unchecked.
fn host_dependent(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("HOST-DEPENDENT.tsv")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').next().unwrap().to_string())
        .collect()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("TETRAFOLD_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: TETRAFOLD_CORPUS names no folder");
    }
    folder
}

/// Each file of a part with what is said about it.
fn each(folder: &Path, part: &str, mut look: impl FnMut(&str, &str, &Diagnostics)) {
    let mut all = Vec::new();
    files(&folder.join(part), &mut all);
    assert!(!all.is_empty(), "{part} is empty");
    for path in all {
        let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, diags) = run(&text, &ResolveOptions::default());
        look(&name, &text, &diags);
    }
}

fn errors(diags: &Diagnostics) -> Vec<String> {
    let errors = diags.iter().filter(|d| d.severity == Severity::Error);
    errors.map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn what_tetragon_accepts_has_no_error() {
    let Some(folder) = corpus() else { return };
    let mut wrong = Vec::new();
    each(&folder, "accept", |name, _, diags| {
        if diags.has_errors() {
            wrong.push(format!("{name}: {:?}", errors(diags)));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What decides on a node is said to be unchecked, unless something else is said to keep it from loading.
#[test]
fn what_depends_on_the_host_is_said_to_be_unchecked() {
    let Some(folder) = corpus() else { return };
    let host_dependent = host_dependent(&folder);
    let mut wrong = Vec::new();
    for part in ["accept", "reject"] {
        each(&folder, part, |name, _, diags| {
            let is_unchecked = diags.iter().any(|d| d.code.to_string() == "TF0501");
            if host_dependent.iter().any(|other| other == name) && !is_unchecked && !diags.has_errors() {
                wrong.push(name.to_string());
            }
        });
    }
    // A null is a fact of the way of loading, and has a lint of its own.
    wrong.retain(|name| {
        name != "accept/docs/content/en/docs/concepts/tracing-policy/k8s-filtering.md.d/policy-0.yaml"
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The codes of what `HOST-DEPENDENT.tsv` says a host must provide, by words of it. Nothing here checks what has none:
/// files of a node, settings of the agent, the way of loading.
const NEEDS: [(&str, &str); 13] = [
    ("LSM hook", "TF0503"),
    ("resolve", "TF0505"),
    ("Override on", "TF0507"),
    ("enforcer", "TF0507"),
    ("loader: kernel", "TF0509"),
    ("function ", "TF0502"),
    ("generated_ftrace", "TF0508"),
    ("generated_syscalls", "TF0508"),
    // Its name is no syscall's whatever the host.
    ("refused only with data of a host: load: syscall symbol", "TF0115"),
    ("refused only with data of a host: load: syscall", "TF0502"),
    ("refused only with data of a host: load: tracepoint", "TF0504"),
    ("tracepoint", "TF0504"),
    ("kernel >=", "TF0509"),
];

/// Every row of `HOST-DEPENDENT.tsv` whose host is described: its file, what it needs, and what is found there.
fn each_host_dependent(kernel: Kernel, mut look: impl FnMut(&str, &str, &str, &[String])) {
    let Some(folder) = corpus() else { return };
    let table = std::fs::read_to_string(folder.join("HOST-DEPENDENT.tsv")).unwrap();
    let options = ResolveOptions { kernels: [kernel].into(), ..ResolveOptions::default() };
    let mut rows = 0;
    for (name, needs) in table.lines().filter_map(|line| line.split_once('\t')) {
        let Ok(text) = std::fs::read_to_string(folder.join(name)) else { continue };
        let (_, diags) = run(&text, &options);
        let found: Vec<String> =
            diags.iter().map(|d| format!("{} {} {}", d.code, d.severity.name(), d.message)).collect();
        for need in needs.split("; ") {
            if let Some((_, code)) = NEEDS.iter().find(|(words, _)| need.starts_with(words)) {
                rows += 1;
                look(name, need, code, &found);
            }
        }
    }
    assert!(rows > 30, "{rows}");
}

#[test]
fn what_a_host_lacks_is_found() {
    if corpus().is_none() {
        return;
    }
    let mut wrong = vec![];
    each_host_dependent(sample::kernel_of(sample::lacking()), |name, need, code, found| {
        if !found.iter().any(|finding| finding.starts_with(code) && !finding.contains(" note ")) {
            wrong.push(format!("{name}: {need}: {found:#?}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_host_has_is_not_found_to_be_lacking() {
    if corpus().is_none() {
        return;
    }
    let mut node = sample::description();
    // Overriding a syscall needs one, and overriding a function forbids the other.
    (node.features.kprobe_override, node.features.kprobe_multi) = (Some(true), Some(false));
    let mut wrong = vec![];
    each_host_dependent(sample::kernel_of(node), |name, need, code, found| {
        let is_rejected = name.starts_with("reject/");
        let is_found = found.iter().any(|finding| finding.starts_with(code) && !finding.contains(" note "));
        if is_found != is_rejected {
            wrong.push(format!("{name}: {need}: {found:#?}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_tetragon_rejects_is_refused_for_its_reason() {
    let Some(folder) = corpus() else { return };
    let table = std::fs::read_to_string(folder.join("REJECT.tsv")).unwrap();
    let reasons: BTreeMap<&str, &str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let host_dependent = host_dependent(&folder);
    let mut wrong = Vec::new();
    each(&folder, "reject", |name, _, diags| {
        let reason =
            reasons.get(name.strip_prefix("reject/").unwrap()).copied().unwrap_or("no reason is known");
        let found = errors(diags);
        if found.is_empty() && host_dependent.iter().any(|other| other == name) {
            return;
        }
        let codes =
            REASONS.iter().find(|(words, _)| reason.starts_with(words)).map_or(&[][..], |(_, codes)| codes);
        if !found.iter().any(|error| codes.iter().any(|code| error.starts_with(code))) {
            wrong.push(format!("{name}: {reason}, and we say {found:?}"));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What was filled in for a template can be wrong in its place; everything else has to be right.
#[test]
fn a_template_is_refused_for_its_placeholders_only() {
    let Some(folder) = corpus() else { return };
    let mut wrong = Vec::new();
    each(&folder, "templated", |name, text, diags| {
        for error in diags.iter().filter(|d| d.severity == Severity::Error) {
            let span = error.labels[0].span;
            let written = &text[span.start as usize..span.end as usize];
            let is_placeholder = ["PLACEHOLDER", "4242"].iter().any(|word| written.contains(word));
            if !is_placeholder {
                wrong.push((name.to_string(), error.code.to_string(), error.message.clone()));
            }
        }
    });
    // A template that left a list, a section or a name out, or used another type or operator than it says.
    let known = [
        ("store_test.go.d/000-testPolicyState", "TF0103"),
        ("kprobe_test.go.d/041-getMatchArgsFdCrd", "TF0208"),
        ("kprobe_test.go.d/042-getMatchArgsFileFIMCrd", "TF0208"),
        ("kprobe_test.go.d/078-testKprobeRangeOp", "TF0206"),
        ("uprobe_reg_test.go.d/001-TestUprobeOverrideRegsAction", "TF0124"),
        ("uprobe_reg_test.go.d/007-TestUprobePtRegsData", "TF0124"),
        ("uprobe_reg_test.go.d/008-testUprobePtRegsMatch", "TF0124"),
        ("uprobe_test.go.d/010-uprobeArgsMatch", "TF0208"),
        ("yaml_test.go.d/000-toplevel", "TF0111"),
    ];
    wrong.retain(|(name, code, _)| !known.iter().any(|(file, known)| name.contains(file) && code == known));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What truly is in no built-in kernel, with the reason.
const IN_NO_BUILT_IN_KERNEL: [&str; 4] = [
    // `find_module_sections` is static, and inlined.
    "accept/examples/tracingpolicy/host-changes/monitor-signed-kernel-modules.yaml",
    // `tty_write` of 5.4.
    "accept/examples/tracingpolicy/tty_54.yaml",
    "accept/pkg/sensors/tracing/kprobe_test.go.d/055-testTraceKernelModule.yaml",
    // Argument 4 of `raw_syscalls/sys_enter`, which has two. Tetragon reads whatever is behind them.
    "accept/pkg/sensors/tracing/tracepoint_validation_test.go.d/006-TestTracepointValidationValidPolicy.yaml",
];

/// Where nobody chose a kernel, and each of the built-in ones is asked.
#[test]
fn what_tetragon_accepts_is_in_a_built_in_kernel() {
    let Some(folder) = corpus() else { return };
    let built_in = crate::platform::kernel::built_in(None);
    let options = ResolveOptions { kernels: built_in.into(), ..ResolveOptions::default() };
    let mut all = Vec::new();
    files(&folder.join("accept"), &mut all);
    let mut wrong = Vec::new();
    for path in all {
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let (_, diags) = run(&std::fs::read_to_string(&path).unwrap(), &options);
        if diags.has_errors() {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, IN_NO_BUILT_IN_KERNEL);
}
