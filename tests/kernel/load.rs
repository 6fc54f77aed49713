//! Every object of the example artifacts passes the verifier of each kernel, loaded by libbpf's own tool and, where
//! it knows the program type, by aya.
//!
//! Nothing is attached. Which loaders an object is for stands in the manifest, and it must load with all of those
//! that are tried here; one that none can take is a failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use aya::programs::Program;
use libbpf_rs::query::ProgInfoIter;
use libtest_mimic::{Failed, Trial};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::case;
use crate::guest::Port;
use crate::script::{Report, Task};
use crate::vm::{self, Boot};

/// One object and how it is to be loaded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Object {
    /// Its file in the guest.
    pub path: String,
    /// Hook or function of its only program.
    pub target: String,
    pub loaders: Vec<String>,
}

pub fn trial(series: &'static str) -> Trial {
    Trial::test(format!("kernel-{series}::load-every-object"), move || load(series).map_err(Failed::from))
}

/// Every object of the examples and of the cases, each once.
fn all_objects() -> Result<BTreeMap<String, (Vec<u8>, Object)>, String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let out = scratch.path().join("out");
    case::compile(Path::new(env!("CARGO_MANIFEST_DIR")), &["examples"], &out, &[])?;
    let mut objects = artifact_objects(&out)?;
    for case in case::find()?.into_iter().filter(|case| !case.script.no_loader) {
        let out = scratch.path().join(&case.name);
        case::compile(&case.directory, &["policy.yaml"], &out, &case.script.flags)?;
        objects.extend(artifact_objects(&out)?);
    }
    Ok(objects)
}

/// Debian's package stands where Go looks for it without modules.
fn cilium_ebpf_parses() -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut go = Command::new("go");
    go.envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", ""), ("GOPROXY", "off")]);
    go.env("GOCACHE", scratch.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    go.args(["run", "./tests/kernel/cilium/main.go"]);
    for (number, (bytes, _)) in all_objects()?.values().enumerate() {
        let file = scratch.path().join(format!("{number}.bpf.o"));
        std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
        go.arg(file);
    }
    let ran = go.output().map_err(|e| format!("go: {e} (run tests/setup.sh)"))?;
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if ran.status.success() { Ok(()) } else { Err(said) }
}

pub fn cilium_trial() -> Trial {
    Trial::test("cilium-ebpf-parses-every-object", || cilium_ebpf_parses().map_err(Failed::from))
}

fn load(series: &'static str) -> Result<(), String> {
    let mut initramfs = case::base(series)?;
    initramfs.program("/bin/bpftool", &bpftool()?)?;
    let objects = all_objects()?;
    for (path, (bytes, _)) in &objects {
        initramfs.file(path, bytes.clone());
    }
    let task = Task::Load { objects: objects.values().map(|(_, object)| object.clone()).collect() };
    initramfs.file("/task.json", serde_json::to_vec(&task).map_err(|e| e.to_string())?);

    let (mut wrong, mut loaded, mut verified) = (Vec::new(), 0, (0, String::new()));
    let ended = vm::run(&Boot::new(series), &initramfs, |line| match serde_json::from_str(line) {
        Ok(Report::Data { value, .. }) => match value.get("error").and_then(Value::as_str) {
            Some(error) => wrong.push(format!("{}: {error}", value["object"])),
            None => {
                loaded += 1;
                let of = (value["verified"].as_u64().unwrap_or(0), value["object"].to_string());
                if of > verified {
                    verified = of;
                }
            }
        },
        _ => wrong.push(line.to_owned()),
    });
    ended.result?;
    eprintln!("kernel {series}: at most {} instructions verified, for {}", verified.0, verified.1);
    let expected: usize = objects.values().map(|(_, object)| object.loaders.len()).sum();
    if expected == 0 {
        wrong.push("there was nothing to load".to_owned());
    } else if loaded != expected {
        wrong.push(format!("{loaded} of {expected} loads went well"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// By path in the guest; the name is the digest, so that equal objects are loaded once.
fn artifact_objects(artifact: &Path) -> Result<BTreeMap<String, (Vec<u8>, Object)>, String> {
    let manifest = std::fs::read(artifact.join("manifest.json")).map_err(|e| e.to_string())?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|e| e.to_string())?;
    let mut objects = BTreeMap::new();
    for program in manifest["programs"].as_array().ok_or("no programs in the manifest")? {
        let text =
            |value: &Value| value.as_str().map(str::to_owned).ok_or(format!("not a string in {program}"));
        let file = text(&program["object"]["path"])?;
        let bytes = std::fs::read(artifact.join(&file)).map_err(|e| format!("{file}: {e}"))?;
        let path = format!("/{file}");
        let loaders = program["loaders"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let loaders = loaders.filter(|name| ["libbpf", "aya"].contains(name)).map(str::to_owned).collect();
        let mut operations = manifest["operations"].as_array().into_iter().flatten();
        let operation = operations.find(|o| o["number"] == program["operation"]).ok_or("no operation")?;
        let target = text(&operation["attach"]["targets"][0])?;
        let object = Object { path: path.clone(), target, loaders };
        objects.insert(path, (bytes, object));
    }
    Ok(objects)
}

fn bpftool() -> Result<std::path::PathBuf, String> {
    ["/usr/sbin/bpftool", "/usr/bin/bpftool", "/sbin/bpftool"]
        .map(std::path::PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| "bpftool is missing: run tests/setup.sh".to_owned())
}

pub fn guest(port: &Port, objects: &[Object]) {
    let folder = |number: usize| format!("/sys/fs/bpf/load-{number}");
    for (number, object) in objects.iter().enumerate() {
        for loader in &object.loaders {
            let loaded = match loader.as_str() {
                "libbpf" => with_bpftool(object, &folder(number)),
                _ => with_aya(object),
            };
            let verified = newest_program();
            port.data(
                "load",
                json!({"object": object.path, "loader": loader, "error": loaded.err(), "verified": verified}),
            );
        }
    }
}

/// Instructions that the verifier went through for the program that was loaded last.
fn newest_program() -> Option<u32> {
    ProgInfoIter::default().max_by_key(|program| program.id).map(|program| program.verified_insns)
}

fn with_bpftool(object: &Object, pins: &str) -> Result<(), String> {
    let ran = Command::new("/bin/bpftool").args(["prog", "loadall", &object.path, pins]).output();
    let ran = ran.map_err(|e| format!("bpftool: {e}"))?;
    if ran.status.success() {
        return std::fs::read_dir(pins).map_err(|e| e.to_string()).and_then(|mut pinned| {
            if pinned.next().is_some() { Ok(()) } else { Err("bpftool pinned nothing".to_owned()) }
        });
    }
    let words = String::from_utf8_lossy(&ran.stderr);
    let last: Vec<&str> = words.lines().rev().take(25).collect();
    Err(format!("bpftool: {}", last.into_iter().rev().collect::<Vec<_>>().join("\n")))
}

fn with_aya(object: &Object) -> Result<(), String> {
    let describe = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text.push_str(&format!(": {inner}"));
            source = inner.source();
        }
        format!(
            "aya: {}",
            text.chars().rev().take(2000).collect::<Vec<_>>().into_iter().rev().collect::<String>()
        )
    };
    let mut loaded = aya::EbpfLoader::new().load_file(&object.path).map_err(|e| describe(&e))?;
    let btf = aya::Btf::from_sys_fs().map_err(|e| describe(&e))?;
    let mut programs = 0;
    for (name, program) in loaded.programs_mut() {
        match program {
            Program::Lsm(lsm) => lsm.load(&object.target, &btf).map_err(|e| describe(&e))?,
            Program::KProbe(kprobe) => kprobe.load().map_err(|e| describe(&e))?,
            Program::TracePoint(tracepoint) => tracepoint.load().map_err(|e| describe(&e))?,
            Program::RawTracePoint(tracepoint) => tracepoint.load().map_err(|e| describe(&e))?,
            _ => return Err(format!("aya: {name} is of a type that no artifact has")),
        }
        programs += 1;
    }
    if programs == 0 { Err("aya: no program".to_owned()) } else { Ok(()) }
}
