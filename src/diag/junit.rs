//! Findings as JUnit XML, which CI servers show as tests.
//!
//! A test suite for each input: a test case that passes if nothing was found in it that is more than a note, else one for
//! each finding, of which errors fail and the others only say something. What has no place is in a suite of the
//! program. No time and no host.
//!
//! Source: the schema of Apache Ant's JUnit task, as Jenkins and GitLab read it.

use std::io::{self, Write};

use super::{Diagnostic, Severity, codes};
use crate::source::{SourceId, Sources};

pub fn write(out: &mut dyn Write, diagnostics: &[&Diagnostic], sources: &Sources) -> io::Result<()> {
    let of = |id: Option<SourceId>| -> Vec<&Diagnostic> {
        let all = diagnostics.iter().filter(|d| d.severity != Severity::Note);
        all.filter(|d| d.labels.first().map(|label| label.span.source) == id).copied().collect()
    };
    let mut suites: Vec<(&str, Vec<&Diagnostic>)> =
        sources.iter().map(|(id, source)| (source.path.as_str(), of(Some(id)))).collect();
    let elsewhere = of(None);
    if !elsewhere.is_empty() {
        suites.push(("tetrafold", elsewhere));
    }
    let tests: usize = suites.iter().map(|(_, found)| found.len().max(1)).sum();
    let failures: usize = suites.iter().map(|(_, found)| failing(found)).sum();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"tetrafold\" tests=\"{tests}\" failures=\"{failures}\">")?;
    for (name, found) in suites {
        let (name, tests, failures) = (escaped(name), found.len().max(1), failing(&found));
        writeln!(out, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">")?;
        if found.is_empty() {
            writeln!(out, "    <testcase classname=\"{name}\" name=\"valid\"/>")?;
        }
        for diagnostic in found {
            case(out, &name, diagnostic, sources)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn fails(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity >= Severity::NotCompiled
}

fn failing(found: &[&Diagnostic]) -> usize {
    found.iter().filter(|d| fails(d)).count()
}

fn case(out: &mut dyn Write, suite: &str, diagnostic: &Diagnostic, sources: &Sources) -> io::Result<()> {
    let title = codes::row(diagnostic.code).map_or("", |row| row.title);
    let places: Vec<String> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let source = sources.get(label.span.source);
            let (line, column) = source.line_column(label.span.start as usize);
            format!("{}:{line}:{column}: {}", source.path, label.text)
        })
        .collect();
    let first = places.first().and_then(|place| place.rsplit_once(": ")).map_or("", |(place, _)| place);
    let name = escaped(format!("{} {title} {first}", diagnostic.code).trim_end());
    writeln!(out, "    <testcase classname=\"{suite}\" name=\"{name}\">")?;
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let notes = diagnostic.notes.iter().map(|note| format!("note: {note}"));
    let text: Vec<String> = places.into_iter().chain(help).chain(notes).collect();
    let (message, text) = (escaped(&diagnostic.message), escaped(&text.join("\n")));
    if fails(diagnostic) {
        let kind = diagnostic.severity.name();
        writeln!(out, "      <failure type=\"{kind}\" message=\"{message}\">{text}</failure>")?;
    } else {
        writeln!(out, "      <system-out>{message}\n{text}</system-out>")?;
    }
    writeln!(out, "    </testcase>")
}

/// Characters that XML 1.0 cannot hold at all become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c < ' ' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}')
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use crate::source::Span;

    #[test]
    fn inputs_are_suites_and_errors_fail() {
        let mut sources = Sources::default();
        let id = sources.add("a<b>.yaml", "x: 1\n");
        sources.add("fine.yaml", "");
        let error =
            Diagnostic::error(Code::YAML_SYNTAX, "bad \"&\"").label(Span::new(id, 3, 4), "here").help("h");
        let warning =
            Diagnostic::new(Code::UNKNOWN_TAG, Severity::Warning, "odd\u{1}").label(Span::new(id, 0, 1), "t");
        let nowhere = Diagnostic::error(Code::NO_POLICY, "none");
        let note = Diagnostic::new(Code::OTHER_DOCUMENT, Severity::Note, "n").label(Span::new(id, 0, 1), "t");
        let mut out = vec![];
        write(&mut out, &[&note, &warning, &error, &nowhere], &sources).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "<testsuites name=\"tetrafold\" tests=\"4\" failures=\"2\">",
            "<testsuite name=\"a&lt;b&gt;.yaml\" tests=\"2\" failures=\"1\">",
            "<failure type=\"error\" message=\"bad &quot;&amp;&quot;\">a&lt;b&gt;.yaml:1:4: here&#10;help: h</failure>",
            "<system-out>odd\u{fffd}",
            "<testcase classname=\"fine.yaml\" name=\"valid\"/>",
            "<testsuite name=\"tetrafold\" tests=\"1\" failures=\"1\">",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
