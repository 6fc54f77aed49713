//! Checks that the node has what the manifest requires, so that nothing is attached that would never act.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use tetrafold::artifact::manifest::{Attach, Feature, Field, Manifest, Way};
use tetrafold::artifact::node::{Host, HostNamespaces, Locks};

use crate::Outcome;

/// # Errors
/// The first requirement that the node does not meet, with the manifest's reason for it.
pub fn check(manifest: &Manifest) -> Outcome<()> {
    for requirement in &manifest.requires {
        if let Err(found) = check_feature(requirement.feature) {
            return Err(format!("{found}, but the artifact requires it: {}", requirement.reason).into());
        }
    }
    Ok(())
}

/// How something is attached on this node: the manifest's first way whose needs are met.
///
/// # Errors
/// What the node lacks for the last of them.
pub fn way(attach: &Attach) -> Outcome<&Way> {
    let mut lacking = String::new();
    for way in &attach.ways {
        let missing = way.needs.iter().find_map(|&need| match need {
            Feature::KprobeMulti => takes_many_kprobes(&attach.targets).err(),
            Feature::Tracepoints => has_fields(attach).err(),
            need => check_feature(need).err(),
        });
        match missing {
            None => return Ok(way),
            Some(missing) => lacking = missing,
        }
    }
    Err(lacking.into())
}

/// One link for many kprobes goes through ftrace: each of the functions has to be one that it knows.
fn takes_many_kprobes(targets: &[String]) -> Result<(), String> {
    static KERNEL: OnceLock<bool> = OnceLock::new();
    let has_symbol = || {
        let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
        symbols.lines().any(|line| line.ends_with(" register_fprobe_ips"))
    };
    has(*KERNEL.get_or_init(has_symbol), "the kernel has no kprobe.multi")?;
    let list = TRACEFS
        .iter()
        .find_map(|at| std::fs::read_to_string(format!("{at}/available_filter_functions")).ok());
    // Where it cannot be read, the kernel itself refuses a function that it does not know.
    let Some(list) = list else { return Ok(()) };
    let known: BTreeSet<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    match targets.iter().find(|target| !known.contains(target.as_str())) {
        Some(target) => Err(format!("`{target}` is not among the functions that ftrace knows")),
        None => Ok(()),
    }
}

const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A program reads fields at the places that the manifest has for them, and the kernel does not look: in each target's
/// format they have to be there.
fn has_fields(attach: &Attach) -> Result<(), String> {
    for target in &attach.targets {
        let read = |at: &&str| std::fs::read_to_string(format!("{at}/events/{target}/format")).ok();
        let format = TRACEFS.iter().find_map(read);
        let format = format.ok_or_else(|| format!("the format of `{target}` cannot be read in tracefs"))?;
        let lines: Vec<&str> =
            format.lines().filter(|line| line.trim_start().starts_with("field:")).collect();
        for field in &attach.fields {
            // `field:unsigned int fd; offset:16; size:8; signed:0;`
            let place = format!(";offset:{};size:{};", field.offset, field.bytes);
            let is_it = |line: &&str| {
                let line: String = line.split('\t').collect();
                let (declaration, rest) = line.split_at(line.find(';').unwrap_or(0));
                let words = declaration.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                rest.starts_with(&place) && words.clone().any(|word| word == field.name)
            };
            if !lines.get(field.index as usize).is_some_and(is_it) {
                let Field { index, name, offset, bytes } = field;
                return Err(format!(
                    "field {index} of `{target}` is not `{name}` with {bytes} bytes at offset {offset}: compile for \
                     this kernel (`tetrafold target record`, `--target`)"
                ));
            }
        }
    }
    Ok(())
}

fn check_feature(feature: Feature) -> Result<(), String> {
    match feature {
        Feature::Cgroup2Unified => cgroup2_is_unified(),
        Feature::BpfLsm => {
            let list = "/sys/kernel/security/lsm";
            let active = std::fs::read_to_string(list).map_err(|e| format!("{list} cannot be read ({e})"))?;
            has(
                active.trim().split(',').any(|lsm| lsm == "bpf"),
                &format!("`bpf` is not among the node's LSMs ({active})"),
            )
        }
        Feature::KernelBtf => has(Path::new("/sys/kernel/btf/vmlinux").exists(), "the kernel shows no BTF"),
        Feature::NoFullPreemption => not_fully_preemptible(),
        Feature::PathLocks => path_locks().map(drop).map_err(|e| e.to_string()),
        Feature::HostNamespaces => host_namespaces().map(drop).map_err(|e| e.to_string()),
        Feature::KprobeMulti => takes_many_kprobes(&[]),
        Feature::Tracepoints => {
            has(TRACEFS.iter().any(|at| Path::new(at).join("events").is_dir()), "tracefs is not mounted")
        }
        Feature::Kprobes => {
            has(Path::new("/sys/bus/event_source/devices/kprobe").exists(), "the kernel has no kprobes")
        }
    }
}

/// What the manifest wants to be in the node region of this host.
pub fn host(manifest: &Manifest) -> Outcome<Host> {
    let wants = |feature| manifest.requires.iter().any(|requirement| requirement.feature == feature);
    Ok(Host {
        locks: wants(Feature::PathLocks).then(path_locks).transpose()?,
        namespaces: wants(Feature::HostNamespaces).then(host_namespaces).transpose()?,
    })
}

/// Those of the first process: the loader has to see the host's.
fn host_namespaces() -> Outcome<HostNamespaces> {
    let mut inodes = [0; HostNamespaces::FILES.len()];
    for (inode, file) in inodes.iter_mut().zip(HostNamespaces::FILES) {
        let link = format!("/proc/1/ns/{file}");
        let found = std::fs::metadata(&link).map_err(|e| format!("{link} cannot be read ({e})"))?;
        *inode = u32::try_from(found.ino())?;
    }
    Ok(HostNamespaces(inodes))
}

fn path_locks() -> Outcome<Locks> {
    let path = "/proc/kallsyms";
    let symbols = std::fs::read_to_string(path).map_err(|e| format!("{path} cannot be read ({e})"))?;
    Ok(Locks::from_kallsyms(&symbols)?)
}

fn has(there: bool, otherwise: &str) -> Result<(), String> {
    if there { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// Source: Linux, include/uapi/linux/magic.h, CGROUP2_SUPER_MAGIC.
fn cgroup2_is_unified() -> Result<(), String> {
    let kind = crate::pins::file_system_of(Path::new(crate::workloads::CGROUPS))?;
    has(kind == 0x6367_7270, &format!("{} is not cgroup v2", crate::workloads::CGROUPS))
}

/// Kernels with PREEMPT_DYNAMIC say in debugfs which mode is on; others have it in their version.
fn not_fully_preemptible() -> Result<(), String> {
    let mode = "/sys/kernel/debug/sched/preempt";
    match std::fs::read_to_string(mode) {
        Ok(modes) => {
            has(!modes.contains("(full)") && !modes.contains("(lazy)"), "the node runs preempt=full")
        }
        Err(error) => {
            let version = std::fs::read_to_string("/proc/version").map_err(|e| e.to_string())?;
            if version.contains("PREEMPT_DYNAMIC") {
                return Err(format!(
                    "cannot tell whether the node runs preempt=full ({mode}: {error}; mount debugfs)"
                ));
            }
            has(!version.contains(" PREEMPT"), "the kernel is built fully preemptible")
        }
    }
}
