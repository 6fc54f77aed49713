//! `target record`: what a node tells of its kernel, without privileges beyond reading /sys and /proc.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::Status;
use super::args::RecordArgs;
use super::console::{Console, NotWritten, Place};
use crate::platform::description::{
    Btf, Description, Features, Field, PreemptModel, SCHEMA_VERSION, Tracepoint,
};

pub fn record(args: &RecordArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let Some(description) = describe(Path::new("/"), !args.without_btf) else {
        console.text(Place::Stderr, "tetrafold: /proc/sys/kernel/osrelease cannot be read\n")?;
        return Ok(Status::Unreadable);
    };
    console.text(Place::file_or_stdout(args.output.as_deref()), &description.to_json())?;
    let unknown = unknown(&description);
    if !unknown.is_empty() {
        let text = format!("tetrafold: not readable here, and left open: {}\n", unknown.join(", "));
        console.text(Place::Stderr, &text)?;
    }
    Ok(Status::Done)
}

/// What is below `root`, which stands for `/`. `None` if not even the release can be read.
fn describe(root: &Path, with_btf: bool) -> Option<Description> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let release = read("proc/sys/kernel/osrelease")?.trim().to_owned();
    let machine = read("proc/sys/kernel/arch").map(|text| text.trim().to_owned());
    let symbols = Symbols::read(&root.join("proc/kallsyms"));
    let tracefs = ["sys/kernel/tracing", "sys/kernel/debug/tracing"].map(|path| root.join(path));
    let btf = fs::read(root.join("sys/kernel/btf/vmlinux")).ok();
    Some(Description {
        schema_version: SCHEMA_VERSION,
        preempt: preempt(root, &release),
        // Before 6.1 the kernel does not tell; a program runs on the machine that it was compiled for.
        machine: machine.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        release,
        lsm: read("sys/kernel/security/lsm").map(|text| text.trim().split(',').map(str::to_owned).collect()),
        features: symbols.as_ref().map(Symbols::features).unwrap_or_default(),
        syscalls: symbols.as_ref().map(|symbols| symbols.syscalls.iter().cloned().collect()),
        tracepoints: tracefs.iter().find_map(|path| tracepoints(path)),
        functions: tracefs.iter().find_map(|path| functions(&path.join("available_filter_functions"))),
        module_functions: symbols.map(|symbols| symbols.of_modules.into_iter().collect()),
        btf: btf.map(|bytes| Btf::of(&bytes, with_btf)),
    })
}

fn unknown(description: &Description) -> Vec<&'static str> {
    let Description { preempt, lsm, features, syscalls, tracepoints, functions, btf, .. } = description;
    let parts = [
        (preempt.is_some(), "how it preempts (/sys/kernel/debug/sched/preempt)"),
        (lsm.is_some(), "security modules (/sys/kernel/security/lsm)"),
        (features.kprobe_multi.is_some() && syscalls.is_some(), "symbols (/proc/kallsyms)"),
        (tracepoints.is_some(), "tracepoints (/sys/kernel/tracing/events)"),
        (
            functions.is_some(),
            "functions that can be traced (/sys/kernel/tracing/available_filter_functions)",
        ),
        (btf.is_some(), "types (/sys/kernel/btf/vmlinux)"),
    ];
    parts.into_iter().filter(|(known, _)| !known).map(|(_, part)| part).collect()
}

/// What the names in /proc/kallsyms tell; addresses, which are hidden from most, are not needed.
#[derive(Default)]
struct Symbols {
    syscalls: BTreeSet<String>,
    of_modules: BTreeSet<String>,
    marks: BTreeSet<&'static str>,
}

/// Functions that are there only if the kernel was built with something (Linux 6.1 to 6.18).
const KPROBE_OVERRIDE: &str = "bpf_override_return";
const KPROBE_MULTI: &str = "register_fprobe_ips";
const FMOD_RET: &str = "bpf_trampoline_link_prog";
const ERROR_INJECTION: &str = "within_error_injection_list";
const MARKS: [&str; 4] = [KPROBE_OVERRIDE, KPROBE_MULTI, FMOD_RET, ERROR_INJECTION];

const WRAPPERS: [&str; 3] = ["__x64_", "__ia32_", "__arm64_"];

impl Symbols {
    /// `None` without symbols, which is how a hidden list looks.
    fn read(path: &Path) -> Option<Symbols> {
        let mut symbols = Symbols::default();
        let mut any = false;
        for line in BufReader::new(File::open(path).ok()?).lines() {
            let line = line.ok()?;
            let mut words = line.split_ascii_whitespace();
            let (Some(_), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            any = true;
            if !matches!(kind, "t" | "T" | "w" | "W") {
                continue;
            }
            if words.next().is_some() {
                symbols.of_modules.insert(name.to_owned());
            } else if let Some(mark) = MARKS.iter().find(|mark| **mark == name) {
                symbols.marks.insert(mark);
            } else if let Some(rest) = WRAPPERS.iter().find_map(|prefix| name.strip_prefix(prefix))
                && (rest.starts_with("sys_") || rest.starts_with("compat_sys_"))
            {
                symbols.syscalls.insert(name.to_owned());
            }
        }
        any.then_some(symbols)
    }

    fn features(&self) -> Features {
        let has = |mark| Some(self.marks.contains(mark));
        Features {
            kprobe_override: has(KPROBE_OVERRIDE),
            kprobe_multi: has(KPROBE_MULTI),
            fmod_ret: has(FMOD_RET),
            error_injection: has(ERROR_INJECTION),
        }
    }
}

/// From the scheduler itself, else from how the kernel was built and booted.
fn preempt(root: &Path, release: &str) -> Option<PreemptModel> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let model = |word: &str| match word {
        "none" => Some(PreemptModel::None),
        "voluntary" => Some(PreemptModel::Voluntary),
        "lazy" => Some(PreemptModel::Lazy),
        "full" => Some(PreemptModel::Full),
        _ => None,
    };
    let version = read("proc/version")?;
    let built = |word: &str| version.split_ascii_whitespace().any(|part| part == word);
    if built("PREEMPT_RT") {
        return Some(PreemptModel::Full);
    }
    // `none voluntary (full)`
    let scheduler = read("sys/kernel/debug/sched/preempt");
    let chosen = scheduler.as_deref().and_then(|text| text.split('(').nth(1)?.split(')').next());
    if let Some(chosen) = chosen {
        return model(chosen);
    }
    if built("PREEMPT_DYNAMIC") {
        let boot = read("proc/cmdline")?;
        let asked =
            boot.split_ascii_whitespace().filter_map(|word| word.strip_prefix("preempt=")).next_back();
        return asked.map_or_else(|| configured(&read(&format!("boot/config-{release}"))?), model);
    }
    // Whether it yields voluntarily makes no difference to programs; that it does so is the usual build.
    Some(if built("PREEMPT") { PreemptModel::Full } else { PreemptModel::Voluntary })
}

fn configured(config: &str) -> Option<PreemptModel> {
    config.lines().find_map(|line| match line {
        "CONFIG_PREEMPT_NONE=y" => Some(PreemptModel::None),
        "CONFIG_PREEMPT_VOLUNTARY=y" => Some(PreemptModel::Voluntary),
        "CONFIG_PREEMPT_LAZY=y" => Some(PreemptModel::Lazy),
        "CONFIG_PREEMPT=y" => Some(PreemptModel::Full),
        _ => None,
    })
}

/// As Tetragon reads it: up to the first function of a module.
fn functions(path: &Path) -> Option<Vec<String>> {
    let mut functions = BTreeSet::new();
    for line in BufReader::new(File::open(path).ok()?).lines() {
        let line = line.ok()?;
        if line.contains(' ') {
            break;
        }
        if !line.contains("__ftrace_invalid_address__") {
            functions.insert(line);
        }
    }
    Some(functions.into_iter().collect())
}

fn tracepoints(tracefs: &Path) -> Option<Vec<Tracepoint>> {
    let names = |path: &Path| {
        let mut names = vec![];
        for entry in fs::read_dir(path).ok()? {
            names.push(entry.ok()?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Some(names)
    };
    let events = tracefs.join("events");
    let mut all = vec![];
    for subsystem in names(&events)? {
        // Files lie among the folders.
        for event in names(&events.join(&subsystem)).unwrap_or_default() {
            let format = events.join(&subsystem).join(&event).join("format");
            if let Ok(format) = fs::read_to_string(format) {
                all.push(Tracepoint { name: format!("{subsystem}/{event}"), fields: fields(&format) });
            }
        }
    }
    // Folders that cannot be looked into are no absence of events.
    (!all.is_empty()).then_some(all)
}

/// Lines such as `field:unsigned long args[6]; offset:16; size:48; signed:0;`.
fn fields(format: &str) -> Vec<Field> {
    let mut fields = vec![];
    for line in format.lines() {
        let Some(line) = line.trim_start().strip_prefix("field:") else { continue };
        let mut parts = line.split(';').map(str::trim);
        let declaration = parts.next().unwrap_or_default();
        let value = |name: &str| parts.clone().find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
        let (bytes, signed) = (value("size"), value("signed"));
        // `long args[6]`, but `__data_loc char[] path`.
        let (declaration, length) = match declaration.split_once('[') {
            Some((declaration, length)) if length.ends_with(']') => (declaration, format!("[{length}")),
            _ => (declaration, String::new()),
        };
        let at = declaration.rfind([' ', '*']).map_or(0, |at| at + 1);
        let (ty, name) = declaration.split_at(at);
        fields.push(Field {
            name: name.to_owned(),
            ty: format!("{}{length}", ty.trim_end()),
            bytes: bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
            signed: signed == Some("1"),
            offset: value("offset").and_then(|offset| offset.parse().ok()),
        });
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const BARE: [(&str, &str); 3] = [
        ("proc/sys/kernel/osrelease", "6.12.9-test\n"),
        ("proc/sys/kernel/arch", "aarch64\n"),
        ("proc/version", "Linux version 6.12.9-test (x@y) (gcc) #1 SMP PREEMPT_DYNAMIC Debian\n"),
    ];

    #[test]
    fn a_node_that_tells_next_to_nothing_is_described_with_what_it_tells() {
        let root = node(&BARE);
        let description = describe(root.path(), true).unwrap();
        let bare = Description {
            schema_version: SCHEMA_VERSION,
            release: "6.12.9-test".into(),
            machine: "aarch64".into(),
            ..Description::default()
        };
        assert_eq!(description, bare);
        assert_eq!(unknown(&description).len(), 6);
        assert_eq!(describe(Path::new("/nowhere"), true), None);
    }

    #[test]
    fn a_node_that_tells_all_is_described_in_full() {
        let format = "name: sys_enter\nID: 1\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n\tfield:const char * name;\toffset:16;\tsize:8;\tsigned:0;\n\tfield:unsigned long args[6];\toffset:24;\tsize:48;\tsigned:0;\n\tfield:__data_loc char[] path;\toffset:72;\tsize:4;\tsigned:1;\n";
        let mut files = BARE.to_vec();
        files.extend([
            ("proc/kallsyms", "0 T __x64_sys_read\n0 t nft_x\t[nf_tables]\n0 T register_fprobe_ips\n0 D __x64_sys_data\n0 T __arm64_compat_sys_a\n"),
            ("proc/cmdline", "quiet preempt=none preempt=full\n"),
            ("sys/kernel/security/lsm", "capability,bpf\n"),
            ("sys/kernel/tracing/available_filter_functions", "b\n__ftrace_invalid_address___1\na\nb\nnft_x [nf_tables]\nz\n"),
            ("sys/kernel/tracing/events/enable", "0\n"),
            ("sys/kernel/tracing/events/raw_syscalls/enable", "0\n"),
            ("sys/kernel/tracing/events/raw_syscalls/sys_enter/format", format),
            ("sys/kernel/btf/vmlinux", "types"),
        ]);
        let root = node(&files);
        let description = describe(root.path(), false).unwrap();
        assert_eq!(unknown(&description), Vec::<&str>::new());
        assert_eq!(description.preempt, Some(PreemptModel::Full));
        assert_eq!(description.syscalls, Some(vec!["__arm64_compat_sys_a".into(), "__x64_sys_read".into()]));
        assert_eq!(description.functions, Some(vec!["a".into(), "b".into()]));
        assert_eq!(description.module_functions, Some(vec!["nft_x".into()]));
        assert_eq!(description.features.kprobe_multi, Some(true));
        assert_eq!(description.features.kprobe_override, Some(false));
        assert_eq!(description.btf, Some(Btf::of(b"types", false)));
        let event = description.tracepoint("raw_syscalls/sys_enter").unwrap();
        let shown = |f: &Field| format!("{} {} {} {}", f.ty, f.name, f.bytes, f.offset.unwrap());
        let shown: Vec<String> = event.fields.iter().map(shown).collect();
        assert_eq!(
            shown,
            [
                "unsigned short common_type 2 0",
                "long id 8 8",
                "const char * name 8 16",
                "unsigned long[6] args 48 24",
                "__data_loc char[] path 4 72",
            ]
        );
    }

    #[test]
    fn how_it_preempts_is_told_by_the_scheduler_first() {
        let model = |files: &[(&'static str, &'static str)]| {
            let all: Vec<_> = BARE.iter().chain(files).copied().collect();
            preempt(node(&all).path(), "6.12.9-test")
        };
        let boot = ("proc/cmdline", "quiet\n");
        assert_eq!(model(&[boot]), None);
        assert_eq!(
            model(&[boot, ("boot/config-6.12.9-test", "CONFIG_PREEMPT_VOLUNTARY=y\n")]),
            Some(PreemptModel::Voluntary)
        );
        let scheduler = ("sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n");
        assert_eq!(model(&[("proc/cmdline", "preempt=none"), scheduler]), Some(PreemptModel::Full));
        assert_eq!(
            model(&[("proc/version", "Linux version 6.1 #1 SMP PREEMPT_RT x")]),
            Some(PreemptModel::Full)
        );
        assert_eq!(
            model(&[("proc/version", "Linux version 6.1 #1 SMP Debian")]),
            Some(PreemptModel::Voluntary)
        );
    }
}
