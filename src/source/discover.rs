//! Paths from the command line to [`Sources`]: files, folders and standard input.
//!
//! A folder is searched for `*.yaml`, `*.yml` and `*.json`, its files in order of the bytes of their paths.
//! Hidden names (`.git`, and the `..data` of a mounted ConfigMap) and what [`ignore`] says are passed over; symbolic
//! links are followed.
//! A file that comes up twice is read once. What cannot be read, is too large or is no text is
//! reported and kept as [`Origin::Refused`], and the others are read.
//! Not here: what is in the texts.

use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashMap;
use walkdir::{DirEntry, WalkDir};

use super::ignore::{self, Ignore};
use super::{Origin, SourceId, Sources, Span};
use crate::diag::{Diagnostics, files as report};

/// A larger input is refused before it is read.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// What outputs and diagnostics call standard input.
pub const STDIN_NAME: &str = "<stdin>";

/// Reads everything that `paths` name, on up to `threads` threads. The result does not depend on their number.
pub fn load(
    paths: &[PathBuf],
    exclude: &Ignore,
    stdin: &mut dyn Read,
    threads: usize,
    diags: &mut Diagnostics,
) -> Sources {
    let mut sources = Sources::default();
    let found = find(paths, exclude, &mut sources, diags);
    let mut from_stdin =
        found.iter().any(|input| input.path.is_none()).then(|| Text::of(read_limited(stdin, None)));
    let texts = read_all(&found, threads);
    for (input, text) in found.into_iter().zip(texts) {
        if let Some(text) = text.or_else(|| from_stdin.take()) {
            add(input, text, &mut sources, diags);
        }
    }
    sources
}

/// Reads one file, whatever its name is. A folder is not searched but refused.
pub fn load_file(path: &Path, diags: &mut Diagnostics) -> Sources {
    let mut sources = Sources::default();
    add(named(path), Text::of(read_file(path)), &mut sources, diags);
    sources
}

fn named(path: &Path) -> Input {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let shown = path.to_string_lossy().into_owned();
    Input { path: Some(path.to_path_buf()), name, shown, origin: Origin::Named }
}

/// A file to be read; `path` is `None` for standard input.
#[derive(Debug)]
struct Input {
    path: Option<PathBuf>,
    name: String,
    shown: String,
    origin: Origin,
}

fn find(paths: &[PathBuf], exclude: &Ignore, sources: &mut Sources, diags: &mut Diagnostics) -> Vec<Input> {
    let mut found: Vec<Input> = Vec::new();
    let mut seen: FxHashMap<Option<OsString>, usize> = FxHashMap::default();
    let mut add = |input: Input| match seen.entry(place(&input)) {
        Entry::Occupied(known) => {
            // Named and found: it was meant.
            if input.origin == Origin::Named {
                found[*known.get()].origin = Origin::Named;
            }
        }
        Entry::Vacant(free) => {
            free.insert(found.len());
            found.push(input);
        }
    };
    for path in paths {
        if path.as_os_str() == "-" {
            let name = STDIN_NAME.to_string();
            add(Input { path: None, name: name.clone(), shown: name, origin: Origin::Named });
        } else if path.is_dir() {
            search(path, exclude, &mut add, sources, diags);
        } else {
            add(named(path));
        }
    }
    found
}

/// The same for `./a.yaml` and `a.yaml`. `..` is kept: where it leads depends on links. Bytes, because a path compares
/// and hashes by its components, which takes long for thousands of them.
fn place(input: &Input) -> Option<OsString> {
    let components = input.path.as_ref()?.components();
    Some(components.filter(|c| *c != Component::CurDir).collect::<PathBuf>().into_os_string())
}

fn search(
    folder: &Path,
    exclude: &Ignore,
    add: &mut impl FnMut(Input),
    sources: &mut Sources,
    diags: &mut Diagnostics,
) {
    let ignore = with_ignore_file(folder, exclude, sources, diags);
    let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    let passed_over = |entry: &DirEntry| {
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        hidden(entry.file_name()) || ignore.passes_over(below, entry.file_type().is_dir())
    };
    let walk = WalkDir::new(folder).follow_links(true).into_iter();
    let mut files = Vec::new();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !passed_over(entry)) {
        match entry {
            Ok(entry) if !entry.file_type().is_dir() && is_policy_name(entry.path()) => {
                files.push(entry.into_path())
            }
            Ok(_) => {}
            Err(error) => {
                let shown = error.path().unwrap_or(folder).to_string_lossy().into_owned();
                let cause = match (error.loop_ancestor(), error.io_error()) {
                    (Some(ancestor), _) => format!("it leads back to `{}`", ancestor.to_string_lossy()),
                    (None, Some(error)) => report::io_cause(error),
                    (None, None) => "unknown error".to_string(),
                };
                let span = refuse(shown.clone(), shown.clone(), sources);
                diags.push(report::unreadable_folder(span, &shown, &cause));
            }
        }
    }
    files.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let shown = path.to_string_lossy().into_owned();
        add(Input { path: Some(path), name, shown, origin: Origin::Found });
    }
}

/// The folder's own file counts more than what was typed.
fn with_ignore_file(
    folder: &Path,
    exclude: &Ignore,
    sources: &mut Sources,
    diags: &mut Diagnostics,
) -> Ignore {
    let mut ignore = exclude.clone();
    let file = folder.join(ignore::FILE_NAME);
    match std::fs::read_to_string(&file) {
        Ok(text) => ignore.add_lines(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let shown = file.to_string_lossy().into_owned();
            let span = refuse(ignore::FILE_NAME.to_string(), shown.clone(), sources);
            diags.push(report::unreadable_file(span, &shown, &report::io_cause(&error)));
        }
    }
    ignore
}

fn is_policy_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// What reading an input gave.
#[derive(Clone, Debug)]
enum Text {
    Good(String),
    Unreadable(String),
    TooLarge(Option<u64>),
    /// The text up to the first byte that is not UTF-8, and that byte.
    NotUtf8(String, u8),
    /// Byte offset of a character that YAML does not allow.
    Control(String, usize),
}

impl Text {
    fn of(read: io::Result<Result<Vec<u8>, Option<u64>>>) -> Text {
        match read {
            Err(error) => Text::Unreadable(report::io_cause(&error)),
            Ok(Err(size)) => Text::TooLarge(size),
            Ok(Ok(bytes)) => Text::check(bytes),
        }
    }

    fn check(bytes: Vec<u8>) -> Text {
        match String::from_utf8(bytes) {
            Ok(text) => match control_character(&text) {
                Some(at) => Text::Control(text, at),
                None => Text::Good(marks_moved(text)),
            },
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                let bad = bytes[valid];
                bytes.truncate(valid);
                Text::NotUtf8(String::from_utf8(bytes).unwrap_or_default(), bad)
            }
        }
    }
}

/// A byte order mark behind `---`, as files that were put together have it, becomes blanks at the end of that line, so
/// that everything else stays where it is. The one in front of the text is the parser's.
fn marks_moved(text: String) -> String {
    const MARK: &str = "\u{feff}";
    if !text.get(1..).is_some_and(|rest| rest.contains(MARK)) {
        return text;
    }
    let mut moved = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let before = moved.lines().next_back().unwrap_or_default();
        match line.strip_prefix(MARK) {
            Some(rest) if moved.ends_with('\n') && before.trim_end() == "---" => {
                let end = moved.len() - if moved.ends_with("\r\n") { 2 } else { 1 };
                moved.insert_str(end, "   ");
                moved.push_str(rest);
            }
            _ => moved.push_str(line),
        }
    }
    moved
}

/// Texts in the order of `inputs`; `None` for standard input.
fn read_all(inputs: &[Input], threads: usize) -> Vec<Option<Text>> {
    let read = |input: &Input| input.path.as_deref().map(|path| Text::of(read_file(path)));
    let threads = threads.clamp(1, inputs.len().div_ceil(64).max(1));
    if threads == 1 {
        return inputs.iter().map(read).collect();
    }
    std::thread::scope(|scope| {
        let chunk = inputs.len().div_ceil(threads);
        let workers: Vec<_> = inputs
            .chunks(chunk)
            .map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    })
}

fn read_file(path: &Path) -> io::Result<Result<Vec<u8>, Option<u64>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let size = metadata.len();
    if size > MAX_FILE_BYTES {
        return Ok(Err(Some(size)));
    }
    read_limited(&mut &file, Some(size as usize))
}

/// The inner error is the size of what is too large, if that is known.
fn read_limited(from: &mut dyn Read, size: Option<usize>) -> io::Result<Result<Vec<u8>, Option<u64>>> {
    let mut bytes = Vec::with_capacity(size.map_or(0, |size| size + 1));
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > MAX_FILE_BYTES { Err(None) } else { Ok(bytes) })
}

/// The first character that may not stand in YAML (libyaml, `yaml_parser_update_buffer`).
fn control_character(text: &str) -> Option<usize> {
    let suspicious = |&b: &u8| b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r') || b >= 0x7f;
    if !text.as_bytes().iter().any(suspicious) {
        return None;
    }
    let forbidden = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        c => c.is_control(),
    };
    text.char_indices().find(|&(_, c)| forbidden(c)).map(|(at, _)| at)
}

fn add(input: Input, text: Text, sources: &mut Sources, diags: &mut Diagnostics) {
    let Input { name, shown, origin, .. } = input;
    match text {
        Text::Good(text) => {
            sources.add_file(name, shown, origin, text);
        }
        Text::Unreadable(cause) => {
            let span = refuse(name, shown.clone(), sources);
            diags.push(report::unreadable_file(span, &shown, &cause));
        }
        Text::TooLarge(size) => {
            let span = refuse(name, shown.clone(), sources);
            diags.push(report::file_too_large(span, &shown, size, MAX_FILE_BYTES));
        }
        Text::NotUtf8(text, byte) => {
            let at = text.len();
            let source = sources.add_file(name, shown.clone(), Origin::Refused, text);
            diags.push(report::not_utf8(Span::new(source, at, at), &shown, byte));
        }
        Text::Control(text, at) => {
            let character = text[at..].chars().next().unwrap_or('\0');
            let source = sources.add_file(name, shown, Origin::Refused, text);
            diags
                .push(report::control_character(Span::new(source, at, at + character.len_utf8()), character));
        }
    }
}

/// Keeps the name of an input without text, and gives a place in it.
fn refuse(name: String, shown: String, sources: &mut Sources) -> Span {
    let source: SourceId = sources.add_file(name, shown, Origin::Refused, String::new());
    Span::new(source, 0, 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::diag::Code;

    fn run(paths: &[&Path], stdin: &[u8], threads: usize) -> (Sources, Vec<Code>) {
        let mut diags = Diagnostics::default();
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        let sources = load(&paths, &Ignore::default(), &mut &stdin[..], threads, &mut diags);
        (sources, diags.iter().map(|d| d.code).collect())
    }

    fn names(sources: &Sources) -> Vec<(&str, Origin)> {
        sources.iter().map(|(_, source)| (source.name.as_str(), source.origin)).collect()
    }

    #[test]
    fn a_folder_is_searched_in_order_of_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["b/x.yaml", "b.yaml", "B.yml", "a.JSON", "c.txt", ".git/x.yaml", ".x.yaml", "yaml", "é.yaml"]
        {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let (sources, codes) = run(&[dir.path()], b"", 1);
        assert!(codes.is_empty());
        let found: Vec<_> = names(&sources).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["B.yml", "a.JSON", "b.yaml", "b/x.yaml", "é.yaml"]);
        assert!(names(&sources).iter().all(|&(_, origin)| origin == Origin::Found));
        let first = sources.get(SourceId(0));
        assert_eq!(
            (first.path.as_str(), first.text.as_str()),
            (dir.path().join("B.yml").to_str().unwrap(), "B.yml")
        );
    }

    #[test]
    fn what_is_excluded_is_passed_over_unless_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "charts/b.yaml", "charts/deep/c.yaml", "d.yaml", "e.yaml"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(dir.path().join(ignore::FILE_NAME), "# none of these\nd.yaml\n!e.yaml\n").unwrap();
        let mut exclude = Ignore::default();
        ["charts/", "e.yaml"].iter().for_each(|pattern| exclude.add(pattern));
        let paths = [dir.path().to_path_buf(), dir.path().join("charts/b.yaml")];
        let mut diags = Diagnostics::default();
        let sources = load(&paths, &exclude, &mut io::empty(), 1, &mut diags);
        let found: Vec<&str> = names(&sources).into_iter().map(|(name, _)| name).collect();
        assert_eq!((found, diags.len()), (vec!["a.yaml", "e.yaml", "b.yaml"], 0));
    }

    #[test]
    fn links_are_followed_and_a_loop_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let (data, loops) = (dir.path().join("mounted"), dir.path().join("loops"));
        fs::create_dir_all(data.join("..2024")).unwrap();
        fs::write(data.join("..2024/p.yaml"), "x").unwrap();
        std::os::unix::fs::symlink("..2024", data.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/p.yaml", data.join("p.yaml")).unwrap();
        let (sources, codes) = run(&[&data], b"", 1);
        assert_eq!((names(&sources), codes), (vec![("p.yaml", Origin::Found)], vec![]));

        fs::create_dir(&loops).unwrap();
        fs::write(loops.join("p.yaml"), "x").unwrap();
        std::os::unix::fs::symlink(".", loops.join("again")).unwrap();
        let (sources, codes) = run(&[&loops], b"", 1);
        assert_eq!(codes, [Code::UNREADABLE_FOLDER]);
        assert_eq!(names(&sources).last(), Some(&("p.yaml", Origin::Found)));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("good.txt");
        fs::write(&good, "a: 1").unwrap();
        fs::create_dir(dir.path().join("folder.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling.yaml")).unwrap();
        let missing = dir.path().join("missing.yaml");
        let (sources, codes) = run(&[&missing, dir.path(), &good], b"", 1);
        assert_eq!(codes.len(), 2, "{codes:?}");
        assert!(codes.iter().all(|code| code.is_io()));
        assert!(names(&sources).contains(&("missing.yaml", Origin::Refused)));
        assert!(names(&sources).contains(&("good.txt", Origin::Named)));
    }

    #[test]
    fn a_file_that_comes_up_twice_is_read_once_and_counts_as_named() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.yaml"), dir.path().join("b.yaml"));
        fs::write(&a, "").unwrap();
        fs::write(&b, "").unwrap();
        let (sources, _) = run(&[dir.path(), &b, Path::new("-"), Path::new("-")], b"in", 1);
        let expected = [("a.yaml", Origin::Found), ("b.yaml", Origin::Named), (STDIN_NAME, Origin::Named)];
        assert_eq!(names(&sources), expected);
        assert_eq!(sources.get(SourceId(2)).text, "in");
    }

    #[test]
    fn text_is_utf_8_without_control_characters() {
        let of = |bytes: &[u8]| match Text::check(bytes.to_vec()) {
            Text::Good(_) => None,
            Text::NotUtf8(text, _) => Some((Code::NOT_UTF8, text.len())),
            Text::Control(_, at) => Some((Code::CONTROL_CHARACTER, at)),
            Text::Unreadable(_) | Text::TooLarge(_) => unreachable!(),
        };
        for good in ["", "\u{feff}a: b\r\n\t", "é\u{85}\u{a0}\u{1F600}\u{2028}"] {
            assert_eq!(of(good.as_bytes()), None, "{good:?}");
        }
        assert_eq!(of(b"ab\xff"), Some((Code::NOT_UTF8, 2)));
        assert_eq!(of("é".as_bytes().split_last().unwrap().1), Some((Code::NOT_UTF8, 0)));
        for (bad, at) in
            [("a\0b", 1), ("\u{1b}", 0), ("é\u{7f}", 2), ("\u{80}", 0), ("x\u{ffff}", 1), ("\u{c}", 0)]
        {
            assert_eq!(of(bad.as_bytes()), Some((Code::CONTROL_CHARACTER, at)), "{bad:?}");
        }
    }

    #[test]
    fn a_large_input_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.yaml");
        // A hole: reading it would take no disk, but the memory.
        File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(run(&[&path], b"", 1).1, [Code::FILE_TOO_LARGE]);
        let mut endless = io::repeat(b' ');
        let mut diags = Diagnostics::default();
        load(&["-".into()], &Ignore::default(), &mut endless, 1, &mut diags);
        assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::FILE_TOO_LARGE]);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..300 {
            fs::write(
                dir.path().join(format!("{i}.yaml")),
                if i % 7 == 0 { "\0".into() } else { i.to_string() },
            )
            .unwrap();
        }
        let shown = |threads| {
            let (sources, codes) = run(&[dir.path()], b"", threads);
            format!("{:?} {codes:?}", sources.iter().map(|(_, s)| (&s.name, &s.text)).collect::<Vec<_>>())
        };
        assert_eq!(shown(1), shown(4));
    }

    #[test]
    fn a_mark_behind_a_separator_moves_nothing_else() {
        for (text, moved) in [
            ("a: b\n---\n\u{feff}c: d\n", "a: b\n---   \nc: d\n"),
            ("a: b\r\n---\r\n\u{feff}c: d\r\n", "a: b\r\n---   \r\nc: d\r\n"),
            ("--- \n\u{feff}c: d", "---    \nc: d"),
        ] {
            assert_eq!(marks_moved(text.to_string()), moved);
            assert_eq!(text.find('c'), moved.find('c'));
        }
        for same in ["\u{feff}a: b\n", "a: b\n\u{feff}c: d\n", "a: |\n  ---\n\u{feff}", "", "\u{feff}"] {
            assert_eq!(marks_moved(same.to_string()), same);
        }
    }
}
