//! Writes an artifact to disk, whole or not at all.
//!
//! Turns the bytes of manifest, report and files into a folder. Everything is first written and synced in a new
//! folder beside the wanted one, which then takes its name in one step: by renaming if nothing stands there or
//! an empty folder, by exchanging both if an artifact does; the old one is removed afterwards. Anything else
//! there is refused and left alone. If a step fails (no room, no permission), what was written so far is
//! removed, and the wanted name still holds what it held.
//!
//! Assumes that the parts belong together; the proof has read them before. The only place that writes to disk.
//! Not here: making parent folders, and what a killed process leaves behind (a folder named `.NAME.PID-N.tmp`).

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, process};

use crate::artifact::digest::{FileKind, Files};
use crate::artifact::manifest;
use crate::artifact::read::REPORT_FILE;

/// The artifact could not be written; nothing at the wanted name has changed.
#[derive(Debug)]
pub struct WriteError {
    pub path: PathBuf,
    pub reason: Refusal,
}

#[derive(Debug)]
pub enum Refusal {
    /// Something stands there that is no artifact.
    Occupied,
    /// The path cannot name a folder: it has no last component, or no folder around it.
    NotAFolder,
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Refusal::Occupied => write!(f, "`{path}` exists and is no tetrafold artifact; it is left alone"),
            Refusal::NotAFolder => write!(f, "`{path}` cannot be made: there is no folder to make it in"),
            Refusal::Io(error) => write!(f, "`{path}` cannot be written: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// Writes or replaces the artifact at `folder`.
///
/// # Errors
/// See [`Refusal`]; nothing at `folder` has changed then.
pub fn write(folder: &Path, manifest: &[u8], report: &[u8], files: &Files) -> Result<(), WriteError> {
    let (target, standing) = look(folder)?;
    let temporary = Temporary::make(&target)?;
    temporary.fill(manifest, report, files)?;
    temporary.publish(&target, standing)
}

/// What stands at the wanted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Nothing,
    Artifact,
}

/// The folder to replace, symbolic links resolved, and what is there. An empty folder counts as nothing.
fn look(folder: &Path) -> Result<(PathBuf, Standing), WriteError> {
    let occupied = || WriteError { path: folder.into(), reason: Refusal::Occupied };
    let found = match fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((folder.to_path_buf(), Standing::Nothing));
        }
        Err(error) => return Err(failed(folder, error)),
    };
    // A link to nowhere is not ours to follow.
    let target = match found.is_symlink() {
        true => fs::canonicalize(folder).map_err(|_| occupied())?,
        false => folder.to_path_buf(),
    };
    if !target.is_dir() {
        return Err(occupied());
    }
    let target = fs::canonicalize(&target).map_err(|e| failed(folder, e))?;
    if fs::read_dir(&target).map_err(|e| failed(folder, e))?.next().is_none() {
        return Ok((target, Standing::Nothing));
    }
    if holds_artifact(&target) { Ok((target, Standing::Artifact)) } else { Err(occupied()) }
}

/// Any version's: only the tool's name is looked at.
fn holds_artifact(folder: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct AnyManifest {
        tool: AnyTool,
    }
    #[derive(serde::Deserialize)]
    struct AnyTool {
        name: String,
    }
    let path = folder.join(manifest::FILE_NAME);
    if !path.is_file() {
        return false;
    }
    let read = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<AnyManifest>(&bytes).ok());
    read.is_some_and(|found| found.tool.name == manifest::TOOL_NAME)
}

/// A folder that is removed unless it was published.
struct Temporary {
    path: PathBuf,
    published: bool,
}

const ATTEMPTS: u32 = 1000;

impl Temporary {
    /// Beside the target, so that both are on one file system.
    fn make(target: &Path) -> Result<Temporary, WriteError> {
        let not_a_folder = || WriteError { path: target.into(), reason: Refusal::NotAFolder };
        let name = target.file_name().ok_or_else(not_a_folder)?;
        let parent = parent_of(target);
        if !parent.is_dir() {
            return Err(not_a_folder());
        }
        for attempt in 0..ATTEMPTS {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.tmp", process::id()));
            let path = parent.join(hidden);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Temporary { path, published: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(target, error)),
            }
        }
        Err(failed(target, io::ErrorKind::AlreadyExists.into()))
    }

    fn fill(&self, manifest: &[u8], report: &[u8], files: &Files) -> Result<(), WriteError> {
        let folders: Vec<PathBuf> = FileKind::ALL.iter().map(|kind| self.path.join(kind.folder())).collect();
        for folder in &folders {
            fs::create_dir(folder).map_err(|e| failed(folder, e))?;
        }
        let named = [(manifest::FILE_NAME, manifest), (REPORT_FILE, report)];
        for (name, content) in files.iter().chain(named) {
            let path = self.path.join(name);
            write_synced(&path, content).map_err(|e| failed(&path, e))?;
        }
        for folder in folders.iter().chain([&self.path]) {
            sync_folder(folder).map_err(|e| failed(folder, e))?;
        }
        Ok(())
    }

    fn publish(mut self, target: &Path, standing: Standing) -> Result<(), WriteError> {
        match standing {
            Standing::Nothing => fs::rename(&self.path, target).map_err(|e| failed(target, e))?,
            Standing::Artifact => exchange(&self.path, target).map_err(|e| failed(target, e))?,
        }
        self.published = standing == Standing::Nothing;
        // The artifact is there; that its name may not survive a power cut is no reason to say it is not.
        let _ = sync_folder(&parent_of(target));
        Ok(())
    }
}

impl Drop for Temporary {
    /// Also removes an old artifact, which stands here after an exchange.
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Both names change hands in one step.
#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        // A file system that cannot (some network ones).
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => exchange_in_steps(new, old),
        result => Ok(result?),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    exchange_in_steps(new, old)
}

/// Between the first two steps nothing stands at the old name; if the second fails, the first is undone.
fn exchange_in_steps(new: &Path, old: &Path) -> io::Result<()> {
    let aside = new.with_extension("old");
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        fs::rename(&aside, old)?;
        return Err(error);
    }
    fs::rename(&aside, new)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A folder opened for reading can be synced on Unix; elsewhere its entries are not ours to sync.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn failed(path: &Path, error: io::Error) -> WriteError {
    WriteError { path: path.into(), reason: Refusal::Io(error) }
}

#[cfg(test)]
mod tests;
