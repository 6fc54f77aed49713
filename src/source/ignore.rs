//! Which files of a folder are passed over: patterns as in a `.gitignore`, from `--exclude`, the configuration and the
//! folder's [`FILE_NAME`].
//!
//! Paths are judged below the folder that is searched. A pattern with a `/` before its end counts from there, any other
//! one at every depth; a `/` at its end makes it one for folders; `*` and `?` stay within a name, `**` does not;
//! `[a-z]` and `[!a-z]` are one character; `!` in front takes back. The last pattern that fits counts, and what is in a
//! folder that is passed over is not looked at. A `.gitignore` itself is not read: what git leaves out may be policies.

use std::path::{Component, Path};

pub const FILE_NAME: &str = ".tetrafoldignore";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    takes_back: bool,
    folders_only: bool,
    parts: Vec<Vec<char>>,
}

impl Ignore {
    pub fn add(&mut self, pattern: &str) {
        let (takes_back, rest) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => {
                (false, pattern.strip_prefix('\\').filter(|r| r.starts_with(['!', '#'])).unwrap_or(pattern))
            }
        };
        let (folders_only, rest) = rest.strip_suffix('/').map_or((false, rest), |rest| (true, rest));
        if rest.is_empty() {
            return;
        }
        let from_here = rest.contains('/');
        let names = rest.split('/').filter(|name| !name.is_empty() && *name != ".");
        let mut parts: Vec<Vec<char>> = names.map(|name| name.chars().collect()).collect();
        if !from_here {
            parts.insert(0, vec!['*', '*']);
        }
        self.patterns.push(Pattern { takes_back, folders_only, parts });
    }

    /// The lines of an ignore file; empty ones and those behind `#` say nothing.
    pub fn add_lines(&mut self, text: &str) {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).for_each(|line| self.add(line));
    }

    /// `path` is below the folder; whoever asks has asked about the folders above it.
    pub fn passes_over(&self, path: &Path, is_folder: bool) -> bool {
        let names: Vec<Vec<char>> = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy().chars().collect()),
                _ => None,
            })
            .collect();
        let fits =
            |pattern: &&Pattern| (is_folder || !pattern.folders_only) && path_fits(&pattern.parts, &names);
        self.patterns.iter().rev().find(fits).is_some_and(|pattern| !pattern.takes_back)
    }
}

/// One row of what is reached for each part, so that no pattern takes more than its length times the path's.
fn path_fits(parts: &[Vec<char>], names: &[Vec<char>]) -> bool {
    let is_any = |part: &[char]| part == ['*', '*'];
    reaches(parts.len(), names.len(), |p| is_any(&parts[p]), |p, n| name_fits(&parts[p], &names[n]))
}

fn name_fits(pattern: &[char], name: &[char]) -> bool {
    let tokens = tokens(pattern);
    reaches(
        tokens.len(),
        name.len(),
        |t| matches!(tokens[t], Token::Any),
        |t, n| match &tokens[t] {
            Token::Any => false,
            Token::One => true,
            Token::Char(c) => *c == name[n],
            Token::Class { negated, ranges } => {
                ranges.iter().any(|&(low, high)| (low..=high).contains(&name[n])) != *negated
            }
        },
    )
}

/// Whether a sequence of patterns fits a whole sequence of things: `is_any` fits any number of them, others fit one.
fn reaches(
    patterns: usize,
    things: usize,
    is_any: impl Fn(usize) -> bool,
    fits: impl Fn(usize, usize) -> bool,
) -> bool {
    let mut reached = vec![false; things + 1];
    reached[0] = true;
    for pattern in 0..patterns {
        if is_any(pattern) {
            let first = reached.iter().position(|&r| r).unwrap_or(things + 1);
            reached.iter_mut().enumerate().for_each(|(n, r)| *r = n >= first);
        } else {
            for n in (0..things).rev() {
                reached[n + 1] = reached[n] && fits(pattern, n);
            }
            reached[0] = false;
        }
    }
    reached[things]
}

enum Token {
    Any,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn tokens(pattern: &[char]) -> Vec<Token> {
    let mut out = vec![];
    let mut at = 0;
    while let Some(&c) = pattern.get(at) {
        at += 1;
        out.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' if at < pattern.len() => {
                at += 1;
                Token::Char(pattern[at - 1])
            }
            '[' => match class(&pattern[at..]) {
                Some((token, length)) => {
                    at += length;
                    token
                }
                // Without an end it is no class.
                None => Token::Char('['),
            },
            c => Token::Char(c),
        });
    }
    out
}

/// What is behind a `[`, and how many characters it takes.
fn class(rest: &[char]) -> Option<(Token, usize)> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let start = usize::from(negated);
    // A `]` that comes first is a member.
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|&c| c == ']')?;
    let members = &rest[start..end];
    let (mut ranges, mut i) = (vec![], 0);
    while i < members.len() {
        let is_range = i + 2 < members.len() && members[i + 1] == '-';
        ranges.push(if is_range { (members[i], members[i + 2]) } else { (members[i], members[i]) });
        i += if is_range { 3 } else { 1 };
    }
    Some((Token::Class { negated, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_over(patterns: &[&str], path: &str) -> bool {
        let mut ignore = Ignore::default();
        patterns.iter().for_each(|pattern| ignore.add(pattern));
        ignore.passes_over(Path::new(path.trim_end_matches('/')), path.ends_with('/'))
    }

    #[test]
    fn patterns_fit_as_in_a_gitignore() {
        for (pattern, yes, no) in [
            ("a.yaml", &["a.yaml", "x/a.yaml", "x/y/a.yaml"][..], &["b.yaml", "a.yaml.yaml"][..]),
            ("/a.yaml", &["a.yaml"], &["x/a.yaml"]),
            ("x/a.yaml", &["x/a.yaml"], &["y/x/a.yaml", "a.yaml"]),
            ("*.yaml", &["a.yaml", "x/.yaml"], &["a.yml"]),
            ("a?.y*", &["ab.yaml", "x/ab.y"], &["a.yaml", "abc.yaml"]),
            ("charts/", &["charts/", "x/charts/"], &["charts"]),
            ("x/*/a", &["x/y/a"], &["x/a", "x/y/z/a"]),
            ("x/**/a", &["x/a", "x/y/a", "x/y/z/a"], &["a", "y/x/a"]),
            ("**/a", &["a", "x/y/a"], &["ab"]),
            ("x/**", &["x/a", "x/y/a"], &["y/a"]),
            ("[a-c]?[!0-9]", &["axy", "c1-"], &["dxy", "ax9"]),
            ("[]]a", &["]a"], &["a"]),
            ("[ab", &["[ab"], &["a"]),
            ("\\!a", &["!a"], &["a"]),
            ("\\*", &["*"], &["a"]),
            ("\u{e9}*", &["\u{e9}t\u{e9}"], &["e"]),
        ] {
            yes.iter().for_each(|path| assert!(passed_over(&[pattern], path), "{pattern} {path}"));
            no.iter().for_each(|path| assert!(!passed_over(&[pattern], path), "{pattern} {path}"));
        }
    }

    #[test]
    fn the_last_pattern_that_fits_counts() {
        assert!(passed_over(&["*.yaml", "!a.yaml", "a.*"], "a.yaml"));
        assert!(!passed_over(&["*.yaml", "!a.yaml"], "a.yaml"));
        assert!(!passed_over(&["/", "", "!"], "a"));
        let mut ignore = Ignore::default();
        ignore.add_lines("\u{feff}# no\n\n  \na  \r\n");
        assert_eq!(ignore.patterns.len(), 1);
        assert!(ignore.passes_over(Path::new("a"), false));
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_it_is() {
        assert!(!passed_over(&[&"*a".repeat(2000)], &"a".repeat(1999)));
        assert!(passed_over(&[&"**/".repeat(200)[..599]], &"a/".repeat(300)));
    }
}
