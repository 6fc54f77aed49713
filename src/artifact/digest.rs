//! SHA-256 digests and the names that follow from them.
//!
//! A file of an artifact is named by its content, so a name that a manifest gives can be checked without
//! looking at any path: it either is the one that follows from the digest, or it is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest; 64 lowercase hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Only the form that [`fmt::Display`] gives: upper case is refused, so that one digest has one name.
    pub fn parse(text: &str) -> Option<Digest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            write!(text, "{byte:02x}")?;
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Digest::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"a SHA-256 digest in lowercase hexadecimal")
        })
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

/// What a content-addressed file holds; decides its folder and ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    Object,
    Image,
}

impl FileKind {
    pub const ALL: [FileKind; 2] = [FileKind::Object, FileKind::Image];

    pub fn folder(self) -> &'static str {
        match self {
            FileKind::Object => "objects",
            FileKind::Image => "maps",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            FileKind::Object => ".bpf.o",
            FileKind::Image => ".img",
        }
    }
}

/// One file of an artifact: where it stands, what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileRef {
    /// `objects/<sha256>.bpf.o` or `maps/<sha256>.img`, and nothing else.
    pub path: String,
    pub sha256: Digest,
    pub bytes: u64,
}

impl FileRef {
    pub fn of(kind: FileKind, content: &[u8]) -> FileRef {
        let sha256 = Digest::of(content);
        FileRef { path: path_of(kind, sha256), sha256, bytes: content.len() as u64 }
    }

    /// Whether the path is the one that kind and digest give; so it cannot lead outside the artifact.
    pub fn is_canonical(&self, kind: FileKind) -> bool {
        self.path == path_of(kind, self.sha256)
    }

    pub fn holds(&self, content: &[u8]) -> bool {
        self.bytes == content.len() as u64 && self.sha256 == Digest::of(content)
    }
}

/// The content-addressed files of an artifact, by path; equal contents stand once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    all: BTreeMap<String, Vec<u8>>,
}

impl Files {
    pub fn add(&mut self, kind: FileKind, content: Vec<u8>) -> FileRef {
        let file = FileRef::of(kind, &content);
        self.all.entry(file.path.clone()).or_insert(content);
        file
    }

    pub fn get(&self, file: &FileRef) -> Option<&[u8]> {
        self.all.get(&file.path).map(Vec::as_slice)
    }

    /// In order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.all.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// For a reader that has checked the content against the digest.
    pub(super) fn insert(&mut self, file: &FileRef, content: Vec<u8>) {
        self.all.insert(file.path.clone(), content);
    }
}

/// Whether `path` is one that [`FileRef::of`] could give.
pub fn is_content_name(path: &str) -> bool {
    FileKind::ALL.iter().any(|&kind| {
        let name = path.strip_prefix(kind.folder()).and_then(|rest| rest.strip_prefix('/'));
        name.and_then(|name| name.strip_suffix(kind.ending())).and_then(Digest::parse).is_some()
    })
}

fn path_of(kind: FileKind, digest: Digest) -> String {
    format!("{}/{digest}{}", kind.folder(), kind.ending())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"");
        let text = digest.to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::parse(&text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase()), None);
        assert_eq!(Digest::parse(&text[1..]), None);
        assert_eq!(Digest::parse(&format!("{}g", &text[1..])), None);
    }

    #[test]
    fn only_the_name_that_follows_from_the_content_is_canonical() {
        let file = FileRef::of(FileKind::Object, b"elf");
        assert!(file.is_canonical(FileKind::Object) && file.holds(b"elf"));
        assert!(!file.is_canonical(FileKind::Image));
        assert!(!file.holds(b"elF") && !file.holds(b"elf "));
        assert!(is_content_name(&file.path));
        for other in ["", "objects/", "manifest.json", &file.path[1..], &file.path.replace("objects", "maps")]
        {
            assert!(!is_content_name(other), "{other}");
        }
        let outside = FileRef { path: format!("objects/../{}", file.path), ..file };
        assert!(!is_content_name(&outside.path));
        assert!(!outside.is_canonical(FileKind::Object));
    }
}
