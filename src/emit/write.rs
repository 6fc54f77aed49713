//! Writes an artifact to disk: a reader finds the old one or the new one, and nothing of the user's is touched.
//!
//! Turns the bytes of manifest, report and files into a folder, in place: the folder may be a mount point, or stand
//! where nothing can be made beside it. Everything is first written and synced in [`STAGING`] inside the folder.
//! Then the files get their names, which follow from their content, so that none of the old artifact's changes;
//! then the manifest takes its name in one step, and with that the new artifact is the one that is read. Report and
//! seal follow (until then a reader finds them in [`STAGING`]), and what only the old artifact had is removed.
//!
//! A step that fails before the manifest's undoes those before it. A run that is killed leaves [`STAGING`], which
//! lists in its manifests what else it may have left; the next run finishes or undoes it. The folder is locked
//! meanwhile, so that runs that race come one after the other.
//!
//! Assumes that the parts belong together; the proof has read them before. The only place that writes to disk.
//! Not here: what may be in the folder at all ([`standing`]).

mod standing;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::artifact::digest::{Digest, FileKind, Files};
use crate::artifact::manifest;
use crate::artifact::read::{self, REPORT_FILE, SEAL_FILE, STAGING};
use standing::{REPLACED, Standing};

/// The artifact could not be written; what was in the folder is as it was.
#[derive(Debug)]
pub struct WriteError {
    pub path: PathBuf,
    pub reason: Refusal,
}

#[derive(Debug)]
pub enum Refusal {
    /// Something is there that is no folder.
    NotAFolder,
    /// The folder holds these, which no compile has written.
    Foreign(Vec<String>),
    /// Another run writes there, or one was killed, on a file system that knows no locks.
    Staging,
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Refusal::NotAFolder => write!(f, "`{path}` is no folder"),
            Refusal::Foreign(names) => {
                write!(f, "`{path}` holds what no compile wrote: {}", names.join(", "))
            }
            Refusal::Staging => write!(f, "`{path}` holds `{STAGING}`"),
            Refusal::Io(error) => write!(f, "`{path}` cannot be written: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// Writes or replaces the artifact in `folder`, which is made if it is missing. Gives its digest.
///
/// # Errors
/// See [`Refusal`]; `folder` is as before then.
pub fn write(folder: &Path, manifest: &[u8], report: &[u8], files: &Files) -> Result<Digest, WriteError> {
    let mut run = Run::start(folder)?;
    run.stage(manifest, report, files)?;
    run.place_files(files)?;
    run.commit()?;
    run.clean_up(files);
    Ok(Digest::of(manifest))
}

/// What gets its place behind the manifest.
const FOLLOWERS: [&str; 2] = [REPORT_FILE, SEAL_FILE];

/// One write on its way; undone when it is dropped before [`Run::commit`].
struct Run {
    folder: PathBuf,
    /// Folders that had to be made, outermost first.
    made: Vec<PathBuf>,
    /// The folder, while it is ours alone; `None` on a file system without locks.
    lock: Option<File>,
    standing: Standing,
    staged: bool,
    /// Files that got their names, below the folder.
    placed: Vec<String>,
    committed: bool,
}

impl Run {
    fn start(folder: &Path) -> Result<Run, WriteError> {
        let (made, lock) = claim(folder)?;
        let mut run = Run {
            folder: folder.to_path_buf(),
            made,
            lock,
            standing: Standing::default(),
            staged: false,
            placed: vec![],
            committed: false,
        };
        run.standing = Standing::look(folder)?;
        if run.standing.staging && run.lock.is_none() {
            return Err(WriteError { path: folder.into(), reason: Refusal::Staging });
        }
        run.standing.recover(folder).map_err(|e| failed(folder, e))?;
        Ok(run)
    }

    fn staging(&self) -> PathBuf {
        self.folder.join(STAGING)
    }

    /// Everything on disk, nothing in its place. The manifests come first: they say what the files are.
    fn stage(&mut self, manifest: &[u8], report: &[u8], files: &Files) -> Result<(), WriteError> {
        let staging = self.staging();
        let refused = |e: io::Error| match e.kind() {
            io::ErrorKind::AlreadyExists => {
                WriteError { path: self.folder.clone(), reason: Refusal::Staging }
            }
            _ => failed(&staging, e),
        };
        fs::create_dir(&staging).map_err(refused)?;
        self.staged = true;
        let old = self.standing.manifest.take();
        let seal = read::seal(Digest::of(manifest));
        let named = [(manifest::FILE_NAME, manifest), (REPORT_FILE, report), (SEAL_FILE, &seal)];
        let replaced = old.iter().map(|old| (REPLACED, old.as_slice()));
        let contents =
            files.iter().filter(|(path, content)| !self.standing.holds(&self.folder, path, content));
        let contents = contents.map(|(path, content)| (file_name(path), content));
        for (name, content) in replaced.chain(named).chain(contents) {
            let path = staging.join(name);
            write_synced(&path, content).map_err(|e| failed(&path, e))?;
        }
        sync_folder(&staging).map_err(|e| failed(&staging, e))
    }

    fn place_files(&mut self, files: &Files) -> Result<(), WriteError> {
        let staging = self.staging();
        for kind in FileKind::ALL {
            let path = self.folder.join(kind.folder());
            match fs::create_dir(&path) {
                Ok(()) => self.placed.push(kind.folder().to_string()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, error)),
            }
        }
        for (name, _) in files.iter() {
            let (from, to) = (staging.join(file_name(name)), self.folder.join(name));
            match fs::rename(&from, &to) {
                Ok(()) if self.standing.files.contains(name) => {}
                Ok(()) => self.placed.push(name.to_string()),
                // It was there before.
                Err(error) if error.kind() == io::ErrorKind::NotFound && to.is_file() => {}
                Err(error) => return Err(failed(&to, error)),
            }
        }
        for path in FileKind::ALL.map(|kind| self.folder.join(kind.folder())) {
            sync_folder(&path).map_err(|e| failed(&path, e))?;
        }
        Ok(())
    }

    /// From the first step on the new artifact is the one that is there.
    fn commit(&mut self) -> Result<(), WriteError> {
        let manifest = self.folder.join(manifest::FILE_NAME);
        fs::rename(self.staging().join(manifest::FILE_NAME), &manifest).map_err(|e| failed(&manifest, e))?;
        self.committed = true;
        for name in FOLLOWERS {
            let path = self.folder.join(name);
            fs::rename(self.staging().join(name), &path).map_err(|e| failed(&path, e))?;
        }
        // That its name may not survive a power cut is no reason to say that it is not there.
        let _ = sync_folder(&self.folder);
        Ok(())
    }

    /// What only the old artifact had. If something cannot be removed, the list of it stays for the next run.
    fn clean_up(&self, files: &Files) {
        let new: BTreeSet<&str> = files.iter().map(|(path, _)| path).collect();
        let old = self.standing.files.iter().filter(|path| !new.contains(path.as_str()));
        if standing::remove_files(&self.folder, old).is_ok() {
            let _ = fs::remove_dir_all(self.staging());
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // Best effort: the error that matters is the first.
        for name in self.placed.iter().rev() {
            let path = self.folder.join(name);
            let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        }
        if self.staged {
            let _ = fs::remove_dir_all(self.staging());
        }
        remove_folders(&self.made);
    }
}

/// Makes `folder` and those around it, and locks it. Gives what was made, and the lock where there are locks.
fn claim(folder: &Path) -> Result<(Vec<PathBuf>, Option<File>), WriteError> {
    loop {
        let made = make_folders(folder)?;
        let handle = File::open(folder).and_then(|handle| handle.lock().map(|()| handle)).ok();
        match &handle {
            // A run that failed has removed it meanwhile.
            Some(handle) if !is_still(handle, folder) => {}
            Some(_) | None => return Ok((made, handle)),
        }
    }
}

#[cfg(unix)]
fn is_still(handle: &File, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    handle.metadata().map(place).ok() == fs::metadata(folder).map(place).ok()
}

#[cfg(not(unix))]
fn is_still(_: &File, folder: &Path) -> bool {
    folder.is_dir()
}

fn make_folders(folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut missing = vec![];
    for path in folder.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(WriteError { path: path.into(), reason: Refusal::NotAFolder }),
            // Also of a path below a file, which comes up itself then.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                missing.push(path);
            }
            Err(error) => return Err(failed(path, error)),
        }
    }
    let mut made = vec![];
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => made.push(path.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => {
                remove_folders(&made);
                let reason = match error.kind() {
                    // A link to nowhere.
                    io::ErrorKind::AlreadyExists => Refusal::NotAFolder,
                    _ => Refusal::Io(error),
                };
                return Err(WriteError { path: path.into(), reason });
            }
        }
    }
    Ok(made)
}

/// Those that are empty.
fn remove_folders(made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = fs::remove_dir(path);
    }
}

/// Of a content-addressed file; unique, since it holds the digest.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A folder opened for reading can be synced on Unix; elsewhere its entries are not ours to sync.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn failed(path: &Path, error: io::Error) -> WriteError {
    WriteError { path: path.into(), reason: Refusal::Io(error) }
}

#[cfg(test)]
mod tests;
