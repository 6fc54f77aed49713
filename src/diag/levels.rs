//! How much each lint weighs in a run: its default, then what the configuration says, then the command line.
//!
//! A lint is a code whose findings are accepted by Tetragon and can be meant. Only these have a name and a
//! level; an error has none, so that nothing can allow it.

use super::codes::{self, Row};
use super::suggest::nearest;
use super::{Code, Diagnostic, Diagnostics, Severity};

/// What becomes of the findings of a lint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Not reported.
    Allow,
    /// Reported in one line; never changes an exit status.
    Note,
    Warn,
    /// An error.
    Deny,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Level::Allow => "allow",
            Level::Note => "note",
            Level::Warn => "warn",
            Level::Deny => "deny",
        }
    }

    /// Of a finding that is reported.
    const fn severity(self) -> Option<Severity> {
        match self {
            Level::Allow => None,
            Level::Note => Some(Severity::Note),
            Level::Warn => Some(Severity::Warning),
            Level::Deny => Some(Severity::Error),
        }
    }
}

/// A row that is a lint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Lowercase words with dashes.
    pub name: &'static str,
    pub default: Level,
}

/// What an option or a line of the configuration gives a level to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Every lint that is a warning by then.
    Warnings,
    Lint(Code),
}

/// The word for [`Named::Warnings`].
pub const WARNINGS: &str = "warnings";

impl Named {
    /// Reads a lint's name, its code (`TF0704`) or `warnings`.
    ///
    /// # Errors
    /// Says what is wrong with it, and what was probably meant.
    pub fn parse(text: &str) -> Result<Named, String> {
        if text == WARNINGS {
            return Ok(Named::Warnings);
        }
        let is_named = |row: &&Row| row.lint.is_some_and(|lint| lint.name == text);
        let shown = super::schema::shown(text);
        match codes::ALL.iter().find(is_named).or_else(|| codes::parse(text)) {
            Some(row) if row.lint.is_some() => Ok(Named::Lint(row.code)),
            Some(row) => Err(format!("`{shown}` ({}) is no lint and always an error", row.title)),
            None => Err(match nearest(text, names()) {
                Some(meant) => format!("there is no lint `{shown}`; did you mean `{meant}`?"),
                None => format!("there is no lint `{shown}`; `tetrafold explain-code` lists all"),
            }),
        }
    }
}

/// Everything that can be named, lints in order of their codes.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(WARNINGS).chain(codes::ALL.iter().filter_map(|row| row.lint.map(|lint| lint.name)))
}

/// The level of every lint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// In order of codes.
    all: Vec<(Code, Level)>,
}

impl Default for Levels {
    fn default() -> Levels {
        let lints = codes::ALL.iter().filter_map(|row| Some((row.code, row.lint?.default)));
        Levels { all: lints.collect() }
    }
}

impl Levels {
    /// What is set later counts.
    pub fn set(&mut self, named: Named, level: Level) {
        for (code, current) in &mut self.all {
            let is_meant = match named {
                Named::Warnings => *current == Level::Warn,
                Named::Lint(lint) => *code == lint,
            };
            if is_meant {
                *current = level;
            }
        }
    }

    fn of(&self, diagnostic: &Diagnostic) -> Option<Level> {
        // Some codes are lints in one place and errors in another.
        if diagnostic.severity > Severity::Warning {
            return None;
        }
        let at = self.all.binary_search_by_key(&diagnostic.code, |(code, _)| *code).ok()?;
        Some(self.all[at].1)
    }
}

impl Diagnostic {
    /// A finding of a lint, at the lint's default level.
    pub fn lint(code: Code, message: impl Into<String>) -> Diagnostic {
        let default = codes::row(code).and_then(|row| row.lint).map_or(Level::Deny, |lint| lint.default);
        // What is allowed by default is found all the same, and then let go of.
        Diagnostic::new(code, default.severity().unwrap_or(Severity::Note), message)
    }
}

impl Diagnostics {
    /// Gives findings of lints the level of the run; what is allowed is let go of.
    pub fn apply(&mut self, levels: &Levels) {
        self.place_aliases();
        self.found.retain_mut(|diagnostic| match levels.of(diagnostic).map(Level::severity) {
            None => true,
            Some(None) => false,
            Some(Some(severity)) => {
                diagnostic.severity = severity;
                true
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(levels: &Levels, code: Code) -> Option<Severity> {
        let mut diags = Diagnostics::default();
        diags.push(Diagnostic::lint(code, "m"));
        diags.apply(levels);
        diags.iter().next().map(|d| d.severity)
    }

    #[test]
    fn the_last_setting_counts() {
        let mut levels = Levels::default();
        assert_eq!(severity(&levels, Code::NEVER_MATCHES), Some(Severity::Warning));
        levels.set(Named::Lint(Code::NEVER_MATCHES), Level::Allow);
        assert_eq!(severity(&levels, Code::NEVER_MATCHES), None);
        levels.set(Named::Lint(Code::NEVER_MATCHES), Level::Deny);
        assert_eq!(severity(&levels, Code::NEVER_MATCHES), Some(Severity::Error));
        assert_eq!(severity(&levels, Code::IGNORED), Some(Severity::Warning));
    }

    /// `--allow never-matches --deny warnings` leaves the one allowed, and notes stay notes.
    #[test]
    fn warnings_are_those_lints_that_warn_by_then() {
        let mut levels = Levels::default();
        levels.set(Named::Lint(Code::NEVER_MATCHES), Level::Allow);
        levels.set(Named::Warnings, Level::Deny);
        levels.set(Named::Lint(Code::NO_EFFECT), Level::Warn);
        assert_eq!(severity(&levels, Code::NEVER_MATCHES), None);
        assert_eq!(severity(&levels, Code::NO_EFFECT), Some(Severity::Warning));
        assert_eq!(severity(&levels, Code::IGNORED), Some(Severity::Error));
        assert_eq!(severity(&levels, Code::UNCHECKED), Some(Severity::Note));
        levels.set(Named::Lint(Code::UNCHECKED), Level::Warn);
        levels.set(Named::Warnings, Level::Deny);
        assert_eq!(severity(&levels, Code::UNCHECKED), Some(Severity::Error));
    }

    #[test]
    fn an_error_and_what_is_not_compiled_have_no_level() {
        let mut levels = Levels::default();
        for (code, _) in levels.all.clone() {
            levels.set(Named::Lint(code), Level::Allow);
        }
        let mut diags = Diagnostics::default();
        diags.push(Diagnostic::error(Code::UNKNOWN_FIELD, "m"));
        diags.push(Diagnostic::new(Code::NOT_COMPILED, Severity::NotCompiled, "m"));
        diags.push(Diagnostic::new(Code::NO_KIND, Severity::Note, "m"));
        let before = diags.clone();
        diags.apply(&levels);
        assert_eq!(diags.sorted(), before.sorted());
    }

    #[test]
    fn a_lint_has_a_name_and_a_code() {
        assert_eq!(Named::parse("warnings"), Ok(Named::Warnings));
        for name in ["never-matches", "TF0704", "tf0704", "704"] {
            assert_eq!(Named::parse(name), Ok(Named::Lint(Code::NEVER_MATCHES)), "{name}");
        }
        for (name, said) in [
            ("nevermatches", "did you mean `never-matches`?"),
            ("warning", "did you mean `warnings`?"),
            ("xyzzy", "explain-code"),
            ("", "explain-code"),
            ("TF0101", "`TF0101` (unknown field) is no lint"),
        ] {
            let error = Named::parse(name).unwrap_err();
            assert!(error.contains(said), "{name}: {error}");
        }
    }
}
