#!/bin/sh
# granit-parser 2.2.0: where the event says that a sequence starts which has the column of its key.
#
# Guess: at its first dash, as for a sequence that is indented.
# Seen:  behind the first dash and its space; so a range from start to end of the sequence lacks the dash.
# Who meets it: whoever shows or edits a piece of YAML by the ranges of events.
#
# Needs: cargo with crates.io. Installs nothing outside a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2021"
[dependencies]
granit-parser = "=2.2.0"
TOML
cat >src/main.rs <<'RS'
use granit_parser::{Event, Parser};

fn main() {
    for text in ["key:\n  - a\n", "key:\n- a\n"] {
        let mut parser = Parser::new_from_str(text);
        while let Some(Ok((event, span))) = parser.next_event() {
            if let Event::SequenceStart(..) = event {
                let at = span.start.byte_offset().unwrap();
                println!("{text:?}: starts at byte {at}, the dash is at {}", text.find('-').unwrap());
            }
        }
    }
}
RS
cargo run --quiet >seen
cat seen
cat >expected <<'TEXT'
"key:\n  - a\n": starts at byte 7, the dash is at 7
"key:\n- a\n": starts at byte 7, the dash is at 5
TEXT
diff expected seen
