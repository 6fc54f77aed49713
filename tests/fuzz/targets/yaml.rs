//! Any text read twice: by the reader of common YAML with the parser behind it, and by the parser alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tetrafold::diag::Diagnostics;
use tetrafold::source::SourceId;
use tetrafold::syntax::yaml::Reader;

fuzz_target!(|text: &str| {
    // `source::discover` refuses them before anything is read.
    if text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) {
        return;
    }
    let source = SourceId(0);
    let (nodes, found) = read(Reader::new(source, text));
    let (expected, reported) = read(Reader::of_events(source, text));
    assert!(nodes == expected && found == reported, "the readers differ");
});

/// The trees and what was reported, as text.
fn read(mut reader: Reader<'_>) -> (Vec<String>, String) {
    let mut diags = Diagnostics::default();
    let nodes = std::iter::from_fn(|| reader.next(&mut diags)).map(|node| format!("{node:?}")).collect();
    (nodes, format!("{diags:?}"))
}
