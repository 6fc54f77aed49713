//! Finds the cases, compiles their policies with the `tetrafold` program, as a user would, and packs what a virtual
//! machine needs to play them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::initramfs::Initramfs;
use crate::script::{Script, Step};
use crate::vm;

#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub directory: PathBuf,
    pub script: Script,
}

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/cases")
}

/// All cases, by name.
///
/// # Errors
/// A case that cannot be read, a file that nothing reads, a step that names a file which is not there.
pub fn find() -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let listing = std::fs::read_dir(directory()).map_err(|e| format!("{}: {e}", directory().display()))?;
    for entry in listing {
        let directory = entry.map_err(|e| e.to_string())?.path();
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cases.push(read(&name, &directory).map_err(|why| format!("case {name}: {why}"))?);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn read(name: &str, directory: &Path) -> Result<Case, String> {
    let text =
        std::fs::read_to_string(directory.join("steps.yaml")).map_err(|e| format!("steps.yaml: {e}"))?;
    let script: Script = serde_saphyr::from_str(&text).map_err(|e| format!("steps.yaml: {e}"))?;
    let script = script.expand();
    let always: &[&str] =
        if script.no_loader { &["steps.yaml"] } else { &["steps.yaml", "policy.yaml", "workloads.yaml"] };
    let mut wanted: Vec<String> = always.iter().map(|file| (*file).to_owned()).collect();
    for step in &script.steps {
        match step {
            Step::Load(load) => {
                wanted.extend((!load.policy.is_empty()).then(|| format!("policy-{}.yaml", load.policy)));
                wanted.extend(
                    (!load.workloads.is_empty()).then(|| format!("workloads-{}.yaml", load.workloads)),
                );
            }
            Step::Reload(workloads) => wanted.push(format!("workloads-{workloads}.yaml")),
            _ => {}
        }
    }
    for file in &wanted {
        if !directory.join(file).exists() {
            return Err(format!("{file} is missing"));
        }
    }
    for entry in std::fs::read_dir(directory).map_err(|e| e.to_string())? {
        let file = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
        if !wanted.contains(&file) {
            return Err(format!("nothing reads {file}"));
        }
    }
    Ok(Case { name: name.to_owned(), directory: directory.to_owned(), script })
}

impl Case {
    /// Names of the policy files, without their ending.
    fn policies(&self) -> Vec<String> {
        let mut stems: Vec<String> = std::fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter_map(|file| file.strip_suffix(".yaml").map(str::to_owned))
            .filter(|stem| stem == "policy" || stem.starts_with("policy-"))
            .collect();
        stems.sort();
        stems
    }

    /// Compiles and packs this case as `/cases/<number>/`.
    pub fn pack(&self, number: usize, into: &mut Initramfs) -> Result<(), String> {
        for stem in self.policies() {
            let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
            let out = scratch.path().join("out");
            compile(&self.directory, &[&format!("{stem}.yaml")], &out, &self.script.flags)?;
            into.tree(&format!("/cases/{number}/{stem}"), &out)?;
        }
        for entry in std::fs::read_dir(&self.directory).map_err(|e| e.to_string())?.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.starts_with("workloads") {
                let bytes = std::fs::read(entry.path()).map_err(|e| e.to_string())?;
                into.file(&format!("/cases/{number}/{file}"), bytes);
            }
        }
        Ok(())
    }
}

/// Runs `tetrafold compile` in `directory`, so that sources are named as they stand there.
pub fn compile(directory: &Path, paths: &[&str], out: &Path, flags: &[String]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetrafold"));
    command.current_dir(directory).arg("compile").args(paths).arg("-o").arg(out).args(flags);
    let ran = command.output().map_err(|e| format!("tetrafold: {e}"))?;
    if ran.status.success() {
        Ok(())
    } else {
        Err(format!("tetrafold compile ended with {}:\n{}", ran.status, String::from_utf8_lossy(&ran.stderr)))
    }
}

/// What every guest has: the test binary as its init, the loader, modules.
pub fn base(series: &str) -> Result<Initramfs, String> {
    let mut initramfs = Initramfs::default();
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    initramfs.program("/init", &own)?;
    initramfs.program("/bin/loader", &loader()?)?;
    for program in ["/usr/bin/true", "/usr/bin/busybox"] {
        let name = program.replace("/usr", "");
        initramfs.program(&name, Path::new(program)).map_err(|why| format!("{why} (run tests/setup.sh)"))?;
    }
    let module = vm::kernel_dir(series).join("overlay.ko");
    initramfs.file(
        "/modules/overlay.ko",
        std::fs::read(&module).map_err(|e| format!("{}: {e}", module.display()))?,
    );
    for directory in ["/proc", "/sys", "/dev", "/tmp"] {
        initramfs.directory(directory);
    }
    Ok(initramfs)
}

/// `cargo test` builds examples too; where it was told not to, this one is built here.
fn loader() -> Result<PathBuf, String> {
    let tetrafold = Path::new(env!("CARGO_BIN_EXE_tetrafold"));
    let loader = tetrafold.with_file_name("examples").join("loader");
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--example", "loader"])
        .args(if cfg!(debug_assertions) { None } else { Some("--release") })
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if built.success() && loader.exists() {
        Ok(loader)
    } else {
        Err("the loader example cannot be built".to_owned())
    }
}

/// What came of a case on one kernel: nothing, or everything that was wrong.
pub type Verdict = Result<(), String>;
