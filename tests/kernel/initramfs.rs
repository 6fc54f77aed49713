//! Builds the file tree that a test kernel starts with, as an uncompressed cpio archive ("newc").
//!
//! Turns: files of this machine and bytes into one archive. Programs bring the shared libraries that `ldd` names,
//! so that nothing has to be linked statically. Guarantees that parent directories come before what is in them.
//! Source of the format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

#[derive(Clone, Default)]
pub struct Initramfs {
    /// By absolute path without the leading slash; the order of a map puts parents first.
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Initramfs {
    /// Puts a file that cannot be executed at `path`.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>) {
        self.insert(path, FILE, bytes);
    }

    pub fn directory(&mut self, path: &str) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            self.entries.entry(path[..at].to_owned()).or_insert((DIRECTORY, Vec::new()));
        }
        self.entries.entry(path.to_owned()).or_insert((DIRECTORY, Vec::new()));
    }

    /// Puts the program `from` at `path`, without its debug sections, and its libraries where its loader looks.
    pub fn program(&mut self, path: &str, from: &Path) -> Result<(), String> {
        self.insert(path, PROGRAM, stripped(from)?);
        let ldd = Command::new("ldd").arg(from).output().map_err(|e| format!("ldd: {e}"))?;
        for line in String::from_utf8_lossy(&ldd.stdout).lines() {
            let Some(library) = line.split_whitespace().find(|word| word.starts_with('/')) else { continue };
            if line.contains("not found") {
                return Err(format!("{}: {}", from.display(), line.trim()));
            }
            if !self.entries.contains_key(library.trim_start_matches('/')) {
                self.insert(library, PROGRAM, read(Path::new(library))?);
            }
        }
        Ok(())
    }

    /// Copies a directory with all that is in it.
    pub fn tree(&mut self, path: &str, from: &Path) -> Result<(), String> {
        self.directory(path);
        let listing = std::fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))?;
        for entry in listing {
            let entry = entry.map_err(|e| format!("{}: {e}", from.display()))?;
            let inner = format!("{path}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self.tree(&inner, &entry.path())?;
            } else {
                self.file(&inner, read(&entry.path())?);
            }
        }
        Ok(())
    }

    pub fn to_cpio(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (name, (mode, bytes))) in self.entries.iter().enumerate() {
            append(&mut out, inode + 1, name, *mode, bytes);
        }
        append(&mut out, 0, "TRAILER!!!", 0, &[]);
        out
    }

    fn insert(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        match path.rsplit_once('/') {
            None | Some(("", _)) => {}
            Some((parent, _)) => self.directory(parent),
        }
        self.entries.insert(path.trim_start_matches('/').to_owned(), (mode, bytes));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Debug builds are several times as large as what the guest needs, and the emulated machine copies every byte.
fn stripped(program: &Path) -> Result<Vec<u8>, String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let strip = Command::new("strip").args(["--strip-debug", "-o"]).arg(file.path()).arg(program).status();
    match strip {
        Ok(status) if status.success() => read(file.path()),
        _ => read(program),
    }
}

fn append(out: &mut Vec<u8>, inode: usize, name: &str, mode: u32, bytes: &[u8]) {
    let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    let header = format!(
        "070701{inode:08x}{mode:08x}{uid:08x}{gid:08x}{links:08x}{mtime:08x}{size:08x}{zero:08x}{zero:08x}{zero:08x}{zero:08x}{name_size:08x}{zero:08x}",
        uid = 0,
        gid = 0,
        mtime = 0,
        size = bytes.len(),
        zero = 0,
        name_size = name.len() + 1,
    );
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(bytes);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
