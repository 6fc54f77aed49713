//! Findings as JSON, one object a line, for tools. The keys are stable; new ones may come.

use std::io::{self, Write};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::{Diagnostic, codes};
use crate::source::{Sources, Span};

/// One line of `--diagnostics json`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    /// A stable code, such as `TF0030`; `tetrafold explain-code` has a page on each.
    code: String,
    /// `error`, `not-compiled`, `warning` or `note`.
    severity: &'static str,
    /// The name of the lint, for `--allow` and `--deny`; an error that is no lint has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<&'static str>,
    message: &'a str,
    /// The first is where it happened, the others what it has to do with.
    labels: Vec<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

/// A range of characters in a file. Lines and columns count from 1, columns in characters.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    /// Bytes from the start of the file.
    start: u32,
    end: u32,
    text: &'a str,
}

pub fn write(out: &mut dyn Write, diagnostics: &[&Diagnostic], sources: &Sources) -> io::Result<()> {
    for diagnostic in diagnostics {
        serde_json::to_writer(&mut *out, &line(diagnostic, sources))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The JSON Schema of one line.
pub fn schema() -> schemars::Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Line>()
}

/// [`schema`] as text, indented, with a newline at the end.
pub fn schema_text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a schema is plain JSON");
    text.push('\n');
    text
}

fn line<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Line<'a> {
    Line {
        code: diagnostic.code.to_string(),
        severity: diagnostic.severity.name(),
        lint: codes::row(diagnostic.code).and_then(|row| row.lint).map(|lint| lint.name),
        message: &diagnostic.message,
        labels: diagnostic.labels.iter().map(|label| place(label.span, &label.text, sources)).collect(),
        help: diagnostic.help.as_deref(),
        notes: &diagnostic.notes,
    }
}

fn place<'a>(span: Span, text: &'a str, sources: &'a Sources) -> Place<'a> {
    let source = sources.get(span.source);
    let (line, column) = source.line_column(span.start as usize);
    let (end_line, end_column) = source.line_column(span.end as usize);
    Place { file: &source.path, line, column, end_line, end_column, start: span.start, end: span.end, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Severity};

    #[test]
    fn a_line_has_the_documented_keys_and_fits_its_schema() {
        let mut sources = Sources::default();
        let id = sources.add("a \"b\".yaml", "é: 1\nü: [\n2]\n");
        let full = Diagnostic::new(Code::UNKNOWN_TAG, Severity::Warning, "m\nn")
            .label(Span::new(id, 10, 14), "here")
            .help("h")
            .note("n");
        let bare = Diagnostic::error(Code::NO_POLICY, "x");
        let mut out = Vec::new();
        write(&mut out, &[&full, &bare], &sources).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"code":"TF0039","severity":"warning","lint":"unknown-tag","message":"m\nn","labels":[{"file":"a \"b\".yaml","line":2,"column":4,"endLine":3,"endColumn":3,"start":10,"end":14,"text":"here"}],"help":"h","notes":["n"]}"#,
                r#"{"code":"TF0053","severity":"error","message":"x","labels":[]}"#,
            ]
        );
        let validator = jsonschema::validator_for(&schema().to_value()).unwrap();
        for line in lines {
            assert!(validator.is_valid(&serde_json::from_str(line).unwrap()), "{line}");
        }
        assert!(!validator.is_valid(&serde_json::json!({"code": "TF0001"})));
    }
}
