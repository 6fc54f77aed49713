//! Each rule of the grammar and each way out of it; then both readers on random edits of real documents.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::Reader;
use super::*;
use crate::diag::Diagnostics;

/// Documents, and whether the parser had to take over.
fn read(text: &str) -> (Vec<Node<'_>>, bool) {
    let Some(mut common) = Common::new(SourceId(0), text) else { return (vec![], true) };
    let mut nodes = vec![];
    loop {
        match common.next() {
            Next::Document(node) => nodes.push(node),
            Next::End => return (nodes, false),
            Next::StepBack(_) => return (nodes, true),
        }
    }
}

/// What the parser's events say: documents, and the number of errors in front of each end.
fn of_events(text: &str) -> (Vec<Node<'_>>, Diagnostics) {
    let mut diags = Diagnostics::default();
    let mut reader = Reader::of_events(SourceId(0), text);
    let nodes = std::iter::from_fn(|| reader.next(&mut diags)).collect();
    (nodes, diags)
}

/// Both ways give the same; whether the whole text was read without the parser.
fn same(text: &str) -> bool {
    let (expected, reported) = of_events(text);
    let mut diags = Diagnostics::default();
    let mut reader = Reader::new(SourceId(0), text);
    let nodes: Vec<_> = std::iter::from_fn(|| reader.next(&mut diags)).collect();
    assert!(nodes == expected, "{text:?}");
    assert!(format!("{diags:?}") == format!("{reported:?}"), "{text:?}");
    !read(text).1
}

#[test]
fn the_grammar_is_read_without_the_parser() {
    for text in [
        "",
        "# nothing but a comment\n\n",
        "a: b",
        "a: b # c\n",
        "---\na: b\n--- # next\nc: d\n",
        "a:\n  b: c\n  d: e\nf: g\n",
        "a:\n- b\n- c: d\n  e: f\ng: h\n",
        "a:\n  - b\n  -   c: d\n      e:\n      - f\n",
        "- - a\n  - b\n-\n  c: d\n",
        "\"a\": 'b'\n'c': \"d\"\n",
        "a: [b, \"c\", 1, -1, [d], {e: f}]\nb: {}\nc: []\nd: { e: f, \"g\": [h] }\n",
        "a: b c  d\nurl: http://x/y#z\nb: a:b\n",
        "  a: b\n  c: d\n",
        "a: é # ü\n",
        "b: ---\nc: -x\nd: ?x\ne: :x\n",
        "\n\n   \na:\n\n  # c\n\n  b: c\n   # d\n",
        "a",
        "[a, b]",
    ] {
        assert!(same(text), "{text:?}");
    }
}

#[test]
fn whatever_is_outside_the_grammar_is_the_parsers() {
    for text in [
        // White space and line breaks.
        "a:\tb\n",
        "a: b\r\n",
        "\u{feff}a: b\n",
        "a: b\u{85}c\n",
        "a: b\u{2028}c\n",
        // Between documents.
        "---\n",
        "---\n---\na: b\n",
        "--- a\n",
        "---\t\n",
        "a: b\n...\n",
        "...\n",
        "... x\n",
        "%YAML 1.2\n---\na: b\n",
        "a: b\n---x\n",
        "a\n---\nb\n",
        "---x: y\n---\n",
        // Properties and indicators.
        "a: &b c\n",
        "a: *b\n",
        "a: !!str c\n",
        "a: |\n  b\n",
        "a: >-\n  b\n",
        "? a\n: b\n",
        "a: @b\n",
        "a: `b\n",
        "a: %b\n",
        "- ? b\n",
        "a: - b\n",
        "<<: {a: b}\n",
        "a: ,b\n",
        "a: ]\n",
        "a: }\n",
        // Values that are missing or go on.
        "a:\n",
        "a:\nb: c\n",
        "-\n- a\n",
        "a: b\n  c\n",
        "- a\n  b\n",
        "a\nb\n",
        "a: \"b\n  c\"\n",
        "a: 'b\n  c'\n",
        "a: [b,\n  c]\n",
        "a: {b: c,\n  d: e}\n",
        "a:\n- \n  b: c\n",
        // Quotes.
        "a: \"\\n\"\n",
        "a: 'b''c'\n",
        "a: \"b\" c\n",
        "a: \"b\"#c\n",
        "\"a\" : b\n",
        "\"a\"b: c\n",
        "\"\\n\": a\n",
        // Colons and columns.
        "a : b\n",
        "a: b: c\n",
        "a: b:\n",
        "a: b\n c: d\n",
        "  a: b\n c: d\n",
        "- a\n - b\n",
        "a:\n  - b\n - c\n",
        "a: b\n- c\n",
        "- a\nb: c\n",
        "a:\nb\n",
        // Flow collections.
        "[a, ]\n",
        "[a b]\n",
        "[a: b]\n",
        "{a}\n",
        "{a:b}\n",
        "{\"a\":b}\n",
        "{a: }\n",
        "[,a]\n",
        "[a,,b]\n",
        "[#a]\n",
        "[a]: b\n",
        "{a: b}: c\n",
        "[a] b\n",
        "[a]#b\n",
        "[-]\n",
        "[--a]\n",
        "[*a]\n",
        "{? a: b}\n",
        "{[a]: b}\n",
        "[a\n",
    ] {
        assert!(!same(text), "{text:?}");
    }
    let long = "k".repeat(1001);
    for text in
        [format!("{long}: a\n"), format!("\"{long}\": a\n"), format!("{{{long}: a}}\n"), "[".repeat(65)]
    {
        assert!(!same(&text), "{text:?}");
    }
}

#[test]
fn the_parser_takes_over_at_the_document_that_it_is_needed_for() {
    let text = "a: b\n---\nc: d\n---\ne: |\n  f\n---\ng: [\n---\nh: i\n";
    let (nodes, stepped_back) = read(text);
    assert_eq!((nodes.len(), stepped_back), (2, true));
    same(text);
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    files.map(|entry| entry.into_path()).filter(is_yaml).collect()
}

fn texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = yaml_files(&root.join("examples"));
    files.extend(yaml_files(&root.join("tests/cases")));
    if let Some(corpus) = std::env::var_os("TETRAFOLD_CORPUS") {
        files.extend(yaml_files(Path::new(&corpus)));
    }
    files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}

#[test]
fn most_real_documents_are_read_without_the_parser() {
    let texts = texts();
    let read = texts.iter().filter(|text| same(text)).count();
    assert!(read * 10 >= texts.len() * 8, "{read} of {}", texts.len());
}

/// What means something in YAML, alone and together.
const PIECES: &[&str] = &[
    " ", "  ", "\n", ":", ": ", "-", "- ", "\n- ", "#", " #", "\"", "'", "[", "]", "{", "}", ",", "?", "? ",
    "&a", "*a", "!", "|", ">", "%", "@", "`", "\\", "\t", "\r", "---\n", "\n---\n", "...", "<<", "<<: ", "~",
    "é", "\u{feff}", "a", "0",
];

#[derive(Clone, Debug)]
struct Edit {
    at: prop::sample::Index,
    remove: usize,
    insert: &'static str,
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut text = text.to_string();
    for edit in edits {
        let from = text.floor_char_boundary(edit.at.index(text.len() + 1));
        let to = text.floor_char_boundary((from + edit.remove).min(text.len()).max(from));
        text.replace_range(from..to.max(from), edit.insert);
    }
    text
}

fn edit() -> impl Strategy<Value = Edit> {
    let insert = prop_oneof![1 => Just(""), 4 => prop::sample::select(PIECES)];
    (any::<prop::sample::Index>(), 0usize..6, insert).prop_map(|(at, remove, insert)| Edit {
        at,
        remove,
        insert,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("TETRAFOLD_CASES").map_or(3000, |n| n.parse().unwrap())))]

    #[test]
    fn both_readers_agree_on_damaged_documents(of in any::<prop::sample::Index>(), edits in prop::collection::vec(edit(), 1..5)) {
        use std::sync::LazyLock;
        static TEXTS: LazyLock<Vec<String>> = LazyLock::new(texts);
        let text: &String = of.get(&TEXTS);
        same(&edited(text, &edits));
    }

    #[test]
    fn both_readers_agree_on_any_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        same(&pieces.concat());
    }
}
