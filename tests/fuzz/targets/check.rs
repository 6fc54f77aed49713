//! Any bytes as a file of policies: what `check` does with it and what `compile` does up to the bytes, and
//! every form of what is found.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tetrafold::diag::levels::{Level, Levels, Named};
use tetrafold::diag::{Diagnostics, Severity, github, json, render, sarif};
use tetrafold::driver::{self, Input};
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::source::Sources;
use tetrafold::platform::Target;

fuzz_target!(|data: &[u8]| {
    let input =
        Input { paths: vec!["-".into()], exclude: Default::default(), threads: 1, allow_empty: false, resolve: ResolveOptions::default() };
    let mut diags = Diagnostics::default();
    let sources = driver::read(&input, &mut &*data, &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    let errors = diags.error_count();
    if let Some(set) = policies.set.as_ref().filter(|_| errors == 0) {
        driver::fold(set, &Target::default(), &[], &mut diags);
    }
    let mut levels = Levels::default();
    diags.apply(&levels);
    show(&diags, &sources);
    if diags.iter().any(|d| d.severity == Severity::Warning) {
        levels.set(Named::Warnings, Level::Deny);
        diags.apply(&levels);
        show(&diags, &sources);
    }
});

fn show(diags: &Diagnostics, sources: &Sources) {
    let sorted = diags.sorted();
    for diagnostic in &sorted {
        for label in &diagnostic.labels {
            let text = &sources.get(label.span.source).text;
            let range = label.span.start as usize..label.span.end as usize;
            assert!(text.get(range).is_some(), "a span that is no piece of the text: {diagnostic:?}");
        }
    }
    for (width, colour) in [(1, false), (61, true), (100, false), (1000, false)] {
        let options = render::Options { colour, width, ..render::Options::default() };
        let text = written(|out| render::write(out, &sorted, sources, options));
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(colour || !text.contains(steers), "control characters in text for people");
        // Notes and what is left out for being one of many have no labels to look for.
        let few = sorted.len() <= options.per_code;
        for diagnostic in sorted.iter().filter(|d| few && !colour && d.severity != Severity::Note) {
            for label in diagnostic.labels.iter().filter(|l| !sources.get(l.span.source).text.is_empty()) {
                let shown = label.text.contains(char::is_control) || text.contains(&label.text);
                assert!(shown, "a label that is not shown: {diagnostic:?}");
            }
        }
    }
    let lines = written(|out| json::write(out, &sorted, sources));
    assert_eq!(lines.lines().count(), sorted.len());
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON");
    }
    let log = written(|out| sarif::write(out, &sorted, sources));
    serde_json::from_str::<serde_json::Value>(&log).expect("a SARIF log");
    let commands = written(|out| github::write(out, &sorted, sources));
    assert!(commands.lines().all(|line| line.starts_with("::")), "a line that is no workflow command");
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes what is written");
    String::from_utf8(out).expect("text")
}
