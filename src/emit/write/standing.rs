//! What is in an artifact's folder before it is written: which of it a compile wrote, and what one left that was killed.
//!
//! Only what a manifest lists counts as written by a compile, and only under names that follow from a digest, so
//! that no manifest can make anything else be removed. Everything else is the user's: the folder is refused, with
//! the names. Manifests of other versions are understood too.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::{FOLLOWERS, Refusal, WriteError, failed};
use crate::artifact::digest::{FileKind, is_content_name};
use crate::artifact::manifest;
use crate::artifact::read::STAGING;

/// In [`STAGING`]: the manifest of the artifact that is being replaced.
pub(super) const REPLACED: &str = "replaced.json";
/// What file systems put into a volume's root.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Of the artifact that is there.
    pub manifest: Option<Vec<u8>>,
    /// The files that it lists, below the folder.
    pub files: BTreeSet<String>,
    /// A run was killed.
    pub staging: bool,
    /// Files that only the killed run lists.
    leftovers: BTreeSet<String>,
}

impl Standing {
    /// # Errors
    /// If something is there that no compile wrote.
    pub fn look(folder: &Path) -> Result<Standing, WriteError> {
        let io = |e| failed(folder, e);
        let mut standing = Standing::default();
        if let Some((bytes, files)) = listed(&folder.join(manifest::FILE_NAME)) {
            standing.manifest = Some(bytes);
            standing.files = files;
        }
        let staging = folder.join(STAGING);
        if is_real_folder(&staging) {
            standing.staging = true;
            for name in [manifest::FILE_NAME, REPLACED] {
                let files = listed(&staging.join(name)).map(|(_, files)| files).unwrap_or_default();
                standing.leftovers.extend(files.difference(&standing.files).cloned());
            }
        }
        let mut foreign = vec![];
        for entry in fs::read_dir(folder).map_err(io)? {
            let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
            standing.judge(folder, name, &mut foreign).map_err(io)?;
        }
        foreign.sort();
        if foreign.is_empty() {
            return Ok(standing);
        }
        Err(WriteError { path: folder.into(), reason: Refusal::Foreign(foreign) })
    }

    fn judge(&self, folder: &Path, name: String, foreign: &mut Vec<String>) -> io::Result<()> {
        let path = folder.join(&name);
        let is_ours = match name.as_str() {
            manifest::FILE_NAME => self.manifest.is_some(),
            name if FOLLOWERS.contains(&name) => (self.manifest.is_some() || self.staging) && !path.is_dir(),
            STAGING => self.staging,
            OF_THE_FILE_SYSTEM => is_real_folder(&path),
            kind if FileKind::ALL.iter().any(|k| k.folder() == kind) && is_real_folder(&path) => {
                for entry in fs::read_dir(&path)? {
                    let inside = format!("{name}/{}", entry?.file_name().to_string_lossy());
                    let is_listed = self.files.contains(&inside) || self.leftovers.contains(&inside);
                    if !is_listed || folder.join(&inside).is_dir() {
                        foreign.push(inside);
                    }
                }
                true
            }
            _ => false,
        };
        if !is_ours {
            foreign.push(name);
        }
        Ok(())
    }

    /// Finishes what a killed run had committed, or undoes what it had not.
    pub fn recover(&mut self, folder: &Path) -> io::Result<()> {
        if !std::mem::take(&mut self.staging) {
            return Ok(());
        }
        let staging = folder.join(STAGING);
        // They are written behind the manifest, so that alone they mean that the manifest has its place.
        for name in FOLLOWERS {
            if staging.join(name).is_file() && !staging.join(manifest::FILE_NAME).exists() {
                fs::rename(staging.join(name), folder.join(name))?;
            }
        }
        remove_files(folder, std::mem::take(&mut self.leftovers).iter())?;
        fs::remove_dir_all(staging)
    }

    /// Whether the artifact that is there has this very file.
    pub fn holds(&self, folder: &Path, path: &str, content: &[u8]) -> bool {
        let found = folder.join(path);
        self.files.contains(path)
            && fs::symlink_metadata(&found).is_ok_and(|m| m.is_file() && m.len() == content.len() as u64)
            && fs::read(&found).is_ok_and(|bytes| bytes == content)
    }
}

/// Those that are there.
pub(super) fn remove_files<'a>(folder: &Path, names: impl Iterator<Item = &'a String>) -> io::Result<()> {
    for name in names {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Not a link to one: what is behind it is not ours.
fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The bytes of a manifest of any version, and the content-addressed files that it names.
fn listed(path: &Path) -> Option<(Vec<u8>, BTreeSet<String>)> {
    if !path.is_file() {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    let found: AnyManifest = serde_json::from_slice(&bytes).ok()?;
    if found.tool.name != manifest::TOOL_NAME {
        return None;
    }
    let objects = found.programs.into_iter().map(|p| p.object);
    let images = found.maps.into_iter().filter_map(|m| m.image);
    let operations = found.operations.into_iter().flat_map(|o| [o.tables, o.scope_blocks]);
    let paths = objects.chain(images).chain(operations).map(|file| file.path);
    let files = paths.filter(|path| is_content_name(path)).collect();
    Some((bytes, files))
}

/// What has stayed the same since the first version.
#[derive(Deserialize)]
struct AnyManifest {
    tool: AnyTool,
    #[serde(default)]
    operations: Vec<AnyOperation>,
    #[serde(default)]
    programs: Vec<AnyProgram>,
    #[serde(default)]
    maps: Vec<AnyMap>,
}

#[derive(Deserialize)]
struct AnyTool {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyOperation {
    tables: AnyFile,
    scope_blocks: AnyFile,
}

#[derive(Deserialize)]
struct AnyProgram {
    object: AnyFile,
}

#[derive(Deserialize)]
struct AnyMap {
    image: Option<AnyFile>,
}

#[derive(Deserialize)]
struct AnyFile {
    path: String,
}
