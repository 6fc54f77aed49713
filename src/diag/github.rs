//! Findings as GitHub workflow commands, which show them beside the lines of a pull request.
//!
//! Source: GitHub's documentation of workflow commands, and `actions/toolkit` for what has to be escaped.

use std::io::{self, Write};

use super::{Diagnostic, Severity, codes};
use crate::source::Sources;

pub fn write(out: &mut dyn Write, diagnostics: &[&Diagnostic], sources: &Sources) -> io::Result<()> {
    for diagnostic in diagnostics {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning | Severity::NotCompiled => "warning",
            Severity::Note => "notice",
        };
        let title = codes::row(diagnostic.code).map_or("", |row| row.title);
        write!(out, "::{command} title={}", property(&format!("{} {title}", diagnostic.code)))?;
        if let Some(label) = diagnostic.labels.first() {
            let source = sources.get(label.span.source);
            let (line, column) = source.line_column(label.span.start as usize);
            let (end_line, end_column) = source.line_column(label.span.end as usize);
            write!(out, ",file={},line={line},endLine={end_line}", property(&source.path))?;
            // Columns are only allowed within one line.
            if line == end_line {
                write!(out, ",col={column},endColumn={end_column}")?;
            }
        }
        writeln!(out, "::{}", data(&text(diagnostic, sources)))?;
    }
    Ok(())
}

/// Message, label, help and notes: a command has one text.
fn text(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut text = diagnostic.message.clone();
    for (i, label) in diagnostic.labels.iter().enumerate() {
        if i == 0 {
            text += &format!("\n{}", label.text);
        } else {
            let source = sources.get(label.span.source);
            let (line, column) = source.line_column(label.span.start as usize);
            text += &format!("\n{}:{line}:{column}: {}", source.path, label.text);
        }
    }
    if let Some(help) = &diagnostic.help {
        text += &format!("\nhelp: {help}");
    }
    for note in &diagnostic.notes {
        text += &format!("\nnote: {note}");
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use crate::source::Span;

    #[test]
    fn commands_are_one_line_each_whatever_the_text() {
        let mut sources = Sources::default();
        let id = sources.add("a,b:c%.yaml", "x: 1\ny: [\n");
        let one = Diagnostic::error(Code::YAML_SYNTAX, "50%\r\nof: it, all")
            .label(Span::new(id, 3, 4), "here")
            .label(Span::new(id, 5, 6), "and here")
            .help("h")
            .note("n");
        let two = Diagnostic::new(Code::OTHER_DOCUMENT, Severity::Note, "m").label(Span::new(id, 0, 8), "l");
        let three = Diagnostic::new(Code::UNKNOWN_TAG, Severity::Warning, "m");
        let mut out = Vec::new();
        write(&mut out, &[&one, &two, &three], &sources).unwrap();
        let expected = "::error title=TF0030 invalid YAML,file=a%2Cb%3Ac%25.yaml,line=1,endLine=1,col=4,endColumn=5\
            ::50%25%0D%0Aof: it, all%0Ahere%0Aa,b:c%25.yaml:2:1: and here%0Ahelp: h%0Anote: n\n\
            ::notice title=TF0051 document is not a policy,file=a%2Cb%3Ac%25.yaml,line=1,endLine=2::m%0Al\n\
            ::warning title=TF0039 tag has no meaning here::m\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
