//! Which modules of a crate name which others, read from the source.
//!
//! Comments and literals are passed over, items under `#[cfg(test)]` too, wherever they are; `use` trees are taken
//! apart, and `super`, `self`, `crate` and child modules are followed in every path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `["policy", "resolve"]`; the crate's root is empty.
pub type Module = Vec<String>;

/// By module: the modules that it names, each with a path that does so.
#[derive(Debug, Default)]
pub struct Imports(pub BTreeMap<Module, BTreeMap<Module, String>>);

/// Of all files below `root` but those of tests and of the folders in `without`, which are crates of their own.
pub fn read(root: &Path, without: &[&str]) -> Imports {
    let mut files: BTreeMap<Module, PathBuf> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        let Some(module) = module_of(path.strip_prefix(root).unwrap()) else { continue };
        if !module.first().is_some_and(|first| without.contains(&&**first)) {
            files.insert(module, path);
        }
    }
    let crates = without.iter().map(|name| vec![name.to_string()]);
    let known: BTreeSet<Module> = files.keys().cloned().chain(crates).collect();
    let texts = files.iter().map(|(module, path)| (module, std::fs::read_to_string(path).unwrap()));
    let mut imports = Imports::default();
    for (module, text) in texts {
        let named = imports.0.entry(module.clone()).or_default();
        for (inside, path) in paths(&text) {
            if let Some(target) = resolve(module, &inside, &path, &known)
                && target != *module
            {
                named.entry(target).or_insert_with(|| path.join("::"));
            }
        }
    }
    imports
}

fn module_of(path: &Path) -> Option<Module> {
    if path.extension().is_none_or(|ext| ext != "rs") {
        return None;
    }
    let mut module: Module =
        path.with_extension("").components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || module.len() == 1 && last == "lib") {
        module.pop();
    }
    let is_left_out = module.iter().any(|part| part == "tests") || module == ["main"];
    (!is_left_out).then_some(module)
}

/// The file that a path leads into. `None` for other crates and for what is in scope.
fn resolve(module: &Module, inside: &[String], path: &[String], known: &BTreeSet<Module>) -> Option<Module> {
    let mut target: Module = match &*path[0] {
        "crate" => vec![],
        "self" | "super" => module.iter().chain(inside).cloned().collect(),
        child => {
            let child: Module = module.iter().cloned().chain([child.to_string()]).collect();
            return known.contains(&child).then(|| longest([&child[..], &path[1..]].concat(), known));
        }
    };
    for part in path {
        match &**part {
            "crate" | "self" => {}
            "super" => _ = target.pop(),
            part => target.push(part.to_string()),
        }
    }
    Some(longest(target, known))
}

/// Without the names of items.
fn longest(mut module: Module, known: &BTreeSet<Module>) -> Module {
    while !module.is_empty() && !known.contains(&module) {
        module.pop();
    }
    module
}

/// Every path in a text, with the inline modules that it is in.
fn paths(text: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let tokens = without_tests(&tokens(text));
    let mut out = vec![];
    // Inline modules, and the depth of braces at which each began.
    let mut inside: Vec<(String, usize)> = vec![];
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let here = || inside.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match &*tokens[at] {
            "mod" if tokens.get(at + 2).is_some_and(|t| t == "{") => {
                inside.push((tokens[at + 1].clone(), depth));
                depth += 1;
                at += 3;
            }
            "{" => {
                depth += 1;
                at += 1;
            }
            "}" => {
                depth -= 1;
                if inside.last().is_some_and(|(_, began)| *began == depth) {
                    inside.pop();
                }
                at += 1;
            }
            // Not the `use<'a>` of a bound.
            "use" if tokens.get(at + 1).is_some_and(|t| t != "<") => {
                let mut trees = vec![];
                at = use_tree(&tokens, at + 1, vec![], &mut trees);
                out.extend(trees.into_iter().map(|path| (here(), path)));
            }
            word if is_word(word) && tokens.get(at + 1).is_some_and(|t| t == "::") => {
                let mut path = vec![word.to_string()];
                at += 1;
                while tokens.get(at).is_some_and(|t| t == "::")
                    && tokens.get(at + 1).is_some_and(|t| is_word(t))
                {
                    path.push(tokens[at + 1].clone());
                    at += 2;
                }
                out.push((here(), path));
                // What follows a generic argument is no path of its own.
                at += usize::from(tokens.get(at).is_some_and(|t| t == "::"));
            }
            _ => at += 1,
        }
    }
    out
}

fn use_tree(tokens: &[String], mut at: usize, mut path: Vec<String>, out: &mut Vec<Vec<String>>) -> usize {
    loop {
        match &*tokens[at] {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = use_tree(tokens, at, path.clone(), out);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "*" => {
                out.push(path);
                return at + 1;
            }
            "as" => at += 2,
            "," | "}" | ";" => {
                out.push(path);
                return at;
            }
            word => {
                // `{self, ...}` names what is in front of the braces.
                if word != "self" || path.is_empty() {
                    path.push(word.to_string());
                }
                at += 1;
            }
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Leaves out every item that is compiled for tests alone.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let is_for_tests =
        |at: usize| tokens[at..].iter().take(7).map(|t| &**t).eq(["#", "[", "cfg", "(", "test", ")", "]"]);
    let mut out = vec![];
    let mut at = 0;
    while at < tokens.len() {
        if !is_for_tests(at) {
            out.push(tokens[at].clone());
            at += 1;
            continue;
        }
        while tokens.get(at).is_some_and(|t| t == "#") {
            at = behind(tokens, at + 1);
        }
        // Up to the item's semicolon or the end of its body.
        while at < tokens.len() && tokens[at] != ";" && tokens[at] != "{" {
            at = if tokens[at] == "(" || tokens[at] == "[" { behind(tokens, at) } else { at + 1 };
        }
        at = if tokens.get(at).is_some_and(|t| t == "{") { behind(tokens, at) } else { at + 1 };
    }
    out
}

/// Behind the bracket that closes the one at `at`.
fn behind(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match &*tokens[at] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Words, `::` and single signs; comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut out = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = text_literal(rest) {
            length
        } else if first == '\'' {
            character(rest).unwrap_or(1)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(rest[..length].to_string());
            length
        } else if rest.starts_with("::") {
            out.push("::".to_string());
            2
        } else {
            if !first.is_whitespace() {
                out.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().unwrap().len_utf8();
        }
    }
    at
}

/// The length of a text, plain or raw.
fn text_literal(text: &str) -> Option<usize> {
    let behind_prefix = ["br", "b", "r", "cr", "c", ""].iter().find_map(|prefix| {
        let rest = text.strip_prefix(prefix)?;
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let is_raw = prefix.ends_with('r');
        (rest[hashes..].starts_with('"') && (is_raw || hashes == 0)).then_some((prefix.len(), hashes, is_raw))
    });
    let (prefix, hashes, is_raw) = behind_prefix?;
    let start = prefix + hashes + 1;
    if is_raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(start + text[start..].find(&end)? + end.len());
    }
    let mut escaped = false;
    let end = text[start..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(start + end + 1)
}

/// The length of a character; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(text[2..].char_indices().skip(1).find(|(_, c)| *c == '\'')?.0 + 3);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

/// Groups of modules each of which leads to all others. A module may name what is above it: its parents declare
/// the types of a room.
pub fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let modules: Vec<&Module> = imports.0.keys().collect();
    let number: BTreeMap<&Module, usize> =
        modules.iter().enumerate().map(|(i, module)| (*module, i)).collect();
    let edges: Vec<Vec<usize>> = imports
        .0
        .iter()
        .map(|(from, to)| {
            to.keys().filter(|to| !from.starts_with(to)).filter_map(|to| number.get(to).copied()).collect()
        })
        .collect();
    let reach = |from: usize| {
        let mut seen = vec![false; modules.len()];
        let mut open = edges[from].clone();
        while let Some(next) = open.pop() {
            if !std::mem::replace(&mut seen[next], true) {
                open.extend(&edges[next]);
            }
        }
        seen
    };
    let reached: Vec<Vec<bool>> = (0..modules.len()).map(reach).collect();
    let mut out: Vec<BTreeSet<String>> = vec![];
    for module in (0..modules.len()).filter(|&module| reached[module][module]) {
        let mutual = (0..modules.len()).filter(|&other| reached[module][other] && reached[other][module]);
        let circle: BTreeSet<String> = mutual.map(|other| modules[other].join("::")).collect();
        if !out.contains(&circle) {
            out.push(circle);
        }
    }
    out
}

mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        paths(text).into_iter().map(|(_, path)| path.join("::")).collect()
    }

    #[test]
    fn every_way_to_name_a_module_is_read() {
        let text = r##"
            #[cfg(test)]
            mod tests;
            use crate::{a, b::{self, C as D}, e::*};
            #[cfg(test)]
            fn only(x: [u8; 2]) { crate::hidden::f(); }
            /* crate::comment::x /* nested */ */
            const S: &str = "crate::text::x\""; const R: &str = r#"crate::raw::"x""#;
            fn u<'a>(x: &'a u8) -> impl Sized + use<'a> { x }
            fn f<'a>(x: &'a super::g::H) -> char { let c = '"'; self::i::j(crate::k::<u8>::l, 'x', '\'') }
        "##;
        let all =
            ["crate::a", "crate::b", "crate::b::C", "crate::e", "super::g::H", "self::i::j", "crate::k"];
        assert_eq!(found(text), all);
    }

    #[test]
    fn a_circle_is_one_of_modules_beside_each_other() {
        let module = |name: &str| name.split("::").map(str::to_string).collect::<Module>();
        let mut imports = Imports::default();
        let pairs = [("r::a", "r::b"), ("r::b", "r::c"), ("r::c", "r::a"), ("r::d", "r::a"), ("r", "r::d")];
        for (from, to) in pairs.into_iter().chain([("r::d", "r")]) {
            imports.0.entry(module(from)).or_default().insert(module(to), String::new());
        }
        let circle = ["r::a", "r::b", "r::c"].map(str::to_string);
        assert_eq!(circles(&imports), [BTreeSet::from(circle)]);
    }
}
