//! Opens an artifact: from a folder or from memory, everything checked before anything is used.
//!
//! Turns the bytes of an artifact into its manifest, files and scope blocks. Guarantees: the manifest passed
//! [`Manifest::check`], the report and every file it names are there with the digest it gives, images are of the
//! map or operation they belong to, and decision lists name policies and selectors that exist. Files that the
//! manifest does not name are not looked at. Damage is an [`ArtifactError`] with file and reason.
//!
//! **The digest of an artifact** is the SHA-256 digest of `manifest.json`, which has those of all other files. It
//! stands in [`SEAL_FILE`] as well, so that damage is found without knowing it; that nobody changed the artifact
//! on purpose shows only against a digest from elsewhere.
//!
//! Reads files here and nowhere else in this folder. What programs do is not judged (the proof does that).

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::abi::Word;
use super::digest::{Digest, FileRef, Files};
use super::image::{self, ImageError, MapImage, refused};
use super::manifest::{self, Manifest, Map, Operation, PolicyHook, Role};
use super::node::Part;
use super::scope_block::{DecisionList, ScopeBlocks};

/// Name of the report in the artifact's folder.
pub const REPORT_FILE: &str = "report.json";
/// The artifact's digest, as `sha256sum -c` takes it.
pub const SEAL_FILE: &str = "manifest.json.sha256";
/// Folder inside the artifact's, while a compile writes. A report or seal that is not in its place yet is there.
pub const STAGING: &str = ".tetrafold-new";
/// Manifests and reports are JSON that is read at once; none is as long as this.
const JSON_MAX_BYTES: u64 = 1 << 30;

/// What is wrong with an artifact, and in which of its files.
#[derive(Debug)]
pub struct ArtifactError {
    /// Below the artifact's folder.
    pub file: String,
    pub reason: Reason,
}

#[derive(Debug)]
pub enum Reason {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is not what it has to be.
    Damaged(String),
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Unreadable(error) => write!(f, "`{}` cannot be read: {error}", self.file),
            Reason::Damaged(reason) => write!(f, "`{}` is damaged: {reason}", self.file),
        }
    }
}

impl std::error::Error for ArtifactError {}

/// An artifact that is intact.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Of `manifest.json`, and with that of everything.
    pub digest: Digest,
    pub manifest: Manifest,
    /// JSON.
    pub report: Vec<u8>,
    pub files: Files,
    /// Of the manifest's operations, in their order.
    pub scope_blocks: Arc<[ScopeBlocks]>,
}

impl Artifact {
    /// If a compile replaces the artifact meanwhile, it is the old one or the new one.
    ///
    /// # Errors
    /// The first file that cannot be read or is damaged.
    pub fn open(folder: &Path) -> Result<Artifact, ArtifactError> {
        let mut manifest = read_file(folder, manifest::FILE_NAME, None)?;
        loop {
            let opened = Artifact::of_manifest(folder, &manifest);
            if opened.is_ok() {
                return opened;
            }
            // Files of the old one go away once the new manifest is there.
            let now = read_file(folder, manifest::FILE_NAME, None)?;
            if now == manifest {
                return opened;
            }
            manifest = now;
        }
    }

    /// The artifact that has this digest and no other.
    ///
    /// # Errors
    /// As [`Artifact::open`], and if it has another digest.
    pub fn open_digest(folder: &Path, digest: Digest) -> Result<Artifact, ArtifactError> {
        // Before anything in it is taken at its word.
        let found = Digest::of(&read_file(folder, manifest::FILE_NAME, None)?);
        if found == digest {
            let artifact = Artifact::open(folder)?;
            if artifact.digest == digest {
                return Ok(artifact);
            }
        }
        Err(damaged(manifest::FILE_NAME, format!("the artifact's digest is {found}, not {digest}")))
    }

    fn of_manifest(folder: &Path, manifest: &[u8]) -> Result<Artifact, ArtifactError> {
        let digest = Digest::of(manifest);
        let manifest = parse(manifest)?;
        let seal = read_settled(folder, SEAL_FILE, |bytes| bytes == seal(digest))?;
        if seal != self::seal(digest) {
            return Err(damaged(SEAL_FILE, format!("it does not give {digest}, the digest of the manifest")));
        }
        let report = read_settled(folder, REPORT_FILE, |bytes| Digest::of(bytes) == manifest.report_sha256)?;
        Artifact::build(digest, manifest, report, |file| read_file(folder, &file.path, Some(file.bytes)))
    }

    /// From the bytes of manifest and report, and a way to get the other files; each is asked for once.
    ///
    /// # Errors
    /// As [`Artifact::open`].
    pub fn from_parts(
        manifest: &[u8],
        report: Vec<u8>,
        get: impl FnMut(&FileRef) -> Result<Vec<u8>, ArtifactError>,
    ) -> Result<Artifact, ArtifactError> {
        Artifact::build(Digest::of(manifest), parse(manifest)?, report, get)
    }

    fn build(
        digest: Digest,
        manifest: Manifest,
        report: Vec<u8>,
        mut get: impl FnMut(&FileRef) -> Result<Vec<u8>, ArtifactError>,
    ) -> Result<Artifact, ArtifactError> {
        if Digest::of(&report) != manifest.report_sha256 {
            return Err(damaged(REPORT_FILE, "its SHA-256 digest is not the one in the manifest"));
        }
        if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&report) {
            return Err(damaged(REPORT_FILE, error.to_string()));
        }
        let mut files = Files::default();
        for file in named_files(&manifest) {
            match files.get(file) {
                Some(content) if content.len() as u64 == file.bytes => continue,
                Some(_) => return Err(damaged(&file.path, "the manifest gives it two sizes")),
                None => {}
            }
            let content = get(file)?;
            if content.len() as u64 != file.bytes {
                return Err(wrong_size(&file.path, content.len() as u64, file.bytes));
            }
            if !file.holds(&content) {
                return Err(damaged(&file.path, "its SHA-256 digest is not the one in the manifest"));
            }
            files.insert(file, content);
        }
        check_maps(&manifest, &files)?;
        check_constants(&manifest, &files)?;
        let blocks = manifest.operations.iter().map(|operation| scope_blocks(&manifest, operation, &files));
        let scope_blocks = blocks.collect::<Result<_, _>>()?;
        Ok(Artifact { digest, manifest, report, files, scope_blocks })
    }

    /// The same artifact for a node region with twice as much of what was full ([`NodeError::Full`]); it is to be loaded
    /// as a generation of its own. Its objects are not those of the digests any more. `None` if they do not say where
    /// the region's numbers are, or if programs could not index so large a region.
    ///
    /// [`NodeError::Full`]: super::node::NodeError::Full
    pub fn grown(&self, part: Part) -> Option<Artifact> {
        let manifest = self.manifest.grown(part)?;
        let mut files = self.files.clone();
        for program in manifest.programs.iter().filter(|program| program.role == Role::Body) {
            if program.region_constants.is_empty() {
                return None;
            }
            let mut object = files.get(&program.object)?.to_vec();
            manifest.put_constants(program, &mut object);
            files.insert(&program.object, object);
        }
        let (report, scope_blocks) = (self.report.clone(), self.scope_blocks.clone());
        Some(Artifact { digest: self.digest, manifest, report, files, scope_blocks })
    }

    /// Content of a file that the manifest names; empty for another one.
    pub fn content(&self, file: &FileRef) -> &[u8] {
        self.files.get(file).unwrap_or_default()
    }
}

/// What [`SEAL_FILE`] holds.
pub fn seal(digest: Digest) -> Vec<u8> {
    format!("{digest}  {}\n", manifest::FILE_NAME).into_bytes()
}

fn parse(manifest: &[u8]) -> Result<Manifest, ArtifactError> {
    Manifest::from_json(manifest).map_err(|e| damaged(manifest::FILE_NAME, e.to_string()))
}

fn named_files(manifest: &Manifest) -> impl Iterator<Item = &FileRef> {
    let objects = manifest.programs.iter().map(|program| &program.object);
    let images = manifest.maps.iter().filter_map(|map| map.image.as_ref());
    let operations = manifest.operations.iter().flat_map(|o| [&o.tables, &o.scope_blocks]);
    objects.chain(images).chain(operations)
}

/// The image of an operation's map `tables` is a value; every other one is a map image.
fn check_maps(manifest: &Manifest, files: &Files) -> Result<(), ArtifactError> {
    for operation in &manifest.operations {
        let map = manifest.maps.iter().find(|map| is_tables(map, operation)).ok_or_else(|| {
            damaged(manifest::FILE_NAME, format!("operation {} has no map of its tables", operation.number))
        })?;
        let content = files.get(&operation.tables).unwrap_or_default();
        image::check_tables(content, map.value_size).map_err(|e| damaged(&operation.tables.path, e.0))?;
    }
    for map in &manifest.maps {
        let Some(file) = &map.image else { continue };
        if manifest.operations.iter().any(|operation| is_tables(map, operation)) {
            continue;
        }
        let read = MapImage::read(files.get(file).unwrap_or_default());
        let image = read.map_err(|e| damaged(&file.path, e.0))?;
        let shape = image::Shape {
            ty: map.ty,
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: map.max_entries,
        };
        if image.shape != shape {
            return Err(damaged(&file.path, format!("not an image of the map `{}`", map.name)));
        }
    }
    Ok(())
}

/// The numbers of the region are in the objects where the manifest says.
fn check_constants(manifest: &Manifest, files: &Files) -> Result<(), ArtifactError> {
    for program in &manifest.programs {
        let object = files.get(&program.object).unwrap_or_default();
        for (at, bytes) in manifest.constants(program) {
            if object.get(at..).and_then(|rest| rest.first_chunk()) != Some(&bytes) {
                let reason = format!("no number of the node region at byte {at}");
                return Err(damaged(&program.object.path, reason));
            }
        }
    }
    Ok(())
}

fn is_tables(map: &Map, operation: &Operation) -> bool {
    map.operation == Some(operation.number) && map.image.as_ref() == Some(&operation.tables)
}

fn scope_blocks(
    manifest: &Manifest,
    operation: &Operation,
    files: &Files,
) -> Result<ScopeBlocks, ArtifactError> {
    let file = &operation.scope_blocks;
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let read = ScopeBlocks::read(files.get(file).unwrap_or_default(), operation.number, &atoms);
    let checked = read.and_then(|blocks| check_blocks(manifest, operation, &blocks).map(|()| blocks));
    checked.map_err(|e| damaged(&file.path, e.0))
}

/// Every list belongs to a policy of its scope, and its actions name that policy's selectors.
fn check_blocks(manifest: &Manifest, operation: &Operation, blocks: &ScopeBlocks) -> Result<(), ImageError> {
    for scope in blocks.scopes() {
        if manifest.scope(scope).is_none() {
            return Err(ImageError(format!("the manifest has no scope {scope}")));
        }
        let lists = blocks.block(scope).unwrap_or_default().lists;
        for list in lists {
            check_list(manifest, operation.number, scope, &list)
                .map_err(|e| ImageError(format!("block of scope {scope}: {e}")))?;
        }
    }
    Ok(())
}

fn check_list(
    manifest: &Manifest,
    operation: u32,
    scope: u32,
    list: &DecisionList,
) -> Result<(), ImageError> {
    let policy = manifest.policies.get(list.rank as usize);
    let policy = policy.ok_or_else(|| refused("a list of a policy that the scope does not have"))?;
    let of_scope: Vec<&PolicyHook> = policy
        .hooks
        .iter()
        .filter(|hook| hook.operation == operation && hook.scope.unwrap_or(policy.scope) == scope)
        .filter(|hook| hook.first_selector == list.first_selector)
        .collect();
    if of_scope.is_empty() {
        return Err(refused("a list of a policy that the scope does not have"));
    }
    let mut words = list.words.iter();
    while let Some(&word) = words.next() {
        let Some(Word::Act(act)) = Word::decode(word) else { continue };
        // The count behind it.
        words.next();
        if !of_scope.iter().any(|hook| hook.selector(act.record).is_some()) {
            return Err(refused("an action of a selector that its policy does not have"));
        }
    }
    Ok(())
}

/// A file that gets its place behind the manifest: the one that fits, wherever it is on its way. What does not fit
/// is given too, for the caller to say why.
fn read_settled(folder: &Path, file: &str, fits: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, ArtifactError> {
    let staging = folder.join(STAGING);
    for place in [folder, &staging] {
        if let Some(bytes) = read_file(place, file, None).ok().filter(|bytes| fits(bytes)) {
            return Ok(bytes);
        }
    }
    // It may have moved between the two.
    read_file(folder, file, None)
}

fn read_file(folder: &Path, file: &str, bytes: Option<u64>) -> Result<Vec<u8>, ArtifactError> {
    let unreadable = |error| ArtifactError { file: file.into(), reason: Reason::Unreadable(error) };
    let path = folder.join(file);
    // Before it is opened, which would wait for ever if it were a pipe.
    let found = fs::metadata(&path).map_err(unreadable)?;
    if !found.is_file() {
        return Err(damaged(file, "not a regular file"));
    }
    match bytes {
        Some(bytes) if found.len() != bytes => return Err(wrong_size(file, found.len(), bytes)),
        None if found.len() > JSON_MAX_BYTES => {
            return Err(damaged(file, "longer than any such file can be"));
        }
        Some(_) | None => {}
    }
    let mut content = Vec::new();
    // A file that grows meanwhile is noticed by its size.
    let opened = fs::File::open(&path).map_err(unreadable)?;
    opened.take(found.len() + 1).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

fn wrong_size(file: &str, found: u64, expected: u64) -> ArtifactError {
    damaged(file, format!("it has {found} bytes, the manifest says {expected}"))
}

fn damaged(file: &str, reason: impl Into<String>) -> ArtifactError {
    ArtifactError { file: file.into(), reason: Reason::Damaged(reason.into()) }
}

#[cfg(test)]
mod tests;
