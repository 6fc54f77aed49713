//! Releases of Tetragon, and what they added to the language and took from it.
//!
//! Source: labels of the CRD in the tags v1.7.0 and v1.8.0-pre.0 and at 4fbfe2d, and the pull requests named. v1.8.0 was
//! not released when this was written: `1.8` is what `main` had for it.

/// In order of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    V1_7,
    V1_8,
    #[default]
    Main,
}

impl Release {
    pub const fn name(self) -> &'static str {
        match self {
            Release::V1_7 => "1.7",
            Release::V1_8 => "1.8",
            Release::Main => "main",
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A field that a release added, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    pub field: &'static str,
    pub since: Release,
    /// More of it, in brackets: the CRD's number, a pull request.
    pub known_by: &'static str,
}

const fn added(field: &'static str, since: Release, known_by: &'static str) -> Added {
    Added { field, since, known_by }
}

/// To add one: a row here, and the field in `syntax::ast::objects`.
pub const ADDED: [Added; 11] = [
    added("btfTypeModule", Release::V1_8, "and from releases after v1.7.1 on"),
    added("matchWorkloads", Release::V1_8, "CRD 1.8.4"),
    added("nodeSelector", Release::V1_8, "CRD 1.8.7"),
    added("binaryDigests", Release::V1_8, "CRD 1.8.9"),
    added("argNewSymbol", Release::V1_8, "CRD 1.8.10"),
    added("argNewAddr", Release::V1_8, "CRD 1.8.10"),
    added("argNewOffset", Release::V1_8, "CRD 1.8.10"),
    added("digestVerificationFailure", Release::V1_8, "CRD 1.8.12"),
    added("matchCEL", Release::V1_8, "pull request 5439"),
    added("matchCmdArgs", Release::V1_8, "pull request 5442"),
    added("matchUserCallers", Release::V1_8, "pull request 5175"),
];

/// An operator that is deprecated: since when, and what is written in its place.
pub const DEPRECATED_OPERATOR: (&str, Release, &str) = ("CelExpr", Release::V1_8, "matchCEL");
