//! Findings as text for people. The only place that names miette.
//!
//! Notes take one line. Bounds what it prints: so many findings of one code, one line of each label, a piece of a line that is
//! too long. Control characters in names and values are shown as escapes, so that no input can steer the
//! terminal. What it leaves out is in the JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::{Code, Counts, Diagnostic, Label, Severity, codes};
use crate::source::{Origin, Source, SourceId, Sources, Span};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub colour: bool,
    /// Columns that text is wrapped to.
    pub width: usize,
    /// Findings of one code that are printed; the others are counted.
    pub per_code: usize,
    /// Lines and other signs beyond ASCII can be shown.
    pub unicode: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { colour: false, width: 100, per_code: 100, unicode: true }
    }
}

/// Lines longer than this are shown in part.
const MAX_LINE_BYTES: usize = 240;
/// Bytes shown in front of and behind the start of a label on such a line.
const WINDOW: usize = 60;

/// Writes `diagnostics`, which are sorted, and a line that counts them.
pub fn write(
    out: &mut dyn Write,
    diagnostics: &[&Diagnostic],
    sources: &Sources,
    options: Options,
) -> io::Result<()> {
    findings(out, diagnostics, sources, options)?;
    summary(out, diagnostics)
}

/// The line that counts them, if there is anything but notes.
pub fn summary(out: &mut dyn Write, diagnostics: &[&Diagnostic]) -> io::Result<()> {
    match Counts::of(diagnostics).summary() {
        Some(summary) => writeln!(out, "{summary}"),
        None => Ok(()),
    }
}

/// As a terminal without UTF-8 can show it: a character for each, so that columns stay where they are.
pub fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii() => c,
        '\u{2264}' => '<',
        '\u{2026}' => '~',
        '\u{b7}' => '.',
        _ => '?',
    };
    text.chars().map(plain).collect()
}

/// [`write`] without the last line.
pub fn findings(
    out: &mut dyn Write,
    diagnostics: &[&Diagnostic],
    sources: &Sources,
    options: Options,
) -> io::Result<()> {
    let theme = match (options.unicode, options.colour) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(options.width.max(40))
        .without_cause_chain()
        .without_syntax_highlighting()
        .with_links(false);
    let mut seen: BTreeMap<Code, usize> = BTreeMap::new();
    for diagnostic in diagnostics {
        let seen = seen.entry(diagnostic.code).or_default();
        *seen += 1;
        if *seen <= options.per_code {
            let text = match diagnostic.severity {
                Severity::Note => note(diagnostic, sources),
                Severity::Warning | Severity::NotCompiled | Severity::Error => {
                    one(&handler, diagnostic, sources, options)
                }
            };
            let text = if options.unicode { text } else { ascii(&text) };
            out.write_all(text.as_bytes())?;
        }
    }
    for (code, count) in seen.into_iter().filter(|&(_, count)| count > options.per_code) {
        let title = codes::row(code).map_or("", |row| row.title);
        writeln!(out, "{code} ({title}): {} more; `--diagnostics json` has all", count - options.per_code)?;
    }
    Ok(())
}

/// `a.yaml:1:2: note: message: label (TF0051)`
fn note(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut line = String::new();
    if let Some(label) = diagnostic.labels.first() {
        let source = sources.get(label.span.source);
        let (row, column) = source.line_column(label.span.start as usize);
        let _ = write!(line, "{}:{row}:{column}: ", shown(&source.path));
    }
    let _ = write!(line, "note: {}", shown(&diagnostic.message));
    if let Some(label) = diagnostic.labels.first().filter(|label| !label.text.is_empty()) {
        let _ = write!(line, ": {}", shown(&label.text));
    }
    let _ = writeln!(line, " ({})", diagnostic.code);
    line
}

fn one(
    handler: &GraphicalReportHandler,
    diagnostic: &Diagnostic,
    sources: &Sources,
    options: Options,
) -> String {
    let mut text = String::new();
    let snippets = snippets(diagnostic, sources);
    let (first, others) = match snippets.split_first() {
        Some((first, others)) => (Some(first), others),
        None => (None, &[][..]),
    };
    let report = Report { diagnostic, snippet: first, message: shown(&diagnostic.message) };
    // Writing to a string cannot fail, and every label lies inside its snippet.
    let _ = handler.render_report(&mut text, &report);
    for snippet in others {
        let mut part = String::new();
        let report = Report { diagnostic, snippet: Some(snippet), message: String::new() };
        let _ = handler.render_report(&mut part, &report);
        // Only the snippet: the lines in front of it repeat the head.
        let start = part
            .find(if options.unicode { "╭─" } else { ",-[" })
            .map_or(0, |frame| part[..frame].rfind('\n').map_or(0, |i| i + 1));
        text.truncate(text.trim_end_matches('\n').len());
        let _ = writeln!(text, "\n{}", part[start..].trim_end_matches('\n'));
    }
    for (word, note) in
        diagnostic.help.iter().map(|h| ("help", h)).chain(diagnostic.notes.iter().map(|n| ("note", n)))
    {
        wrap(&mut text, word, &shown(note), options);
    }
    text.push('\n');
    text
}

/// `  help: text`, wrapped, later lines indented below the first.
fn wrap(out: &mut String, word: &str, text: &str, options: Options) {
    let indent = word.len() + 4;
    let (on, off) = if options.colour { ("\u{1b}[36m", "\u{1b}[0m") } else { ("", "") };
    let _ = write!(out, "  {on}{word}:{off}");
    for (i, line) in text.lines().enumerate() {
        if i > 0 {
            let _ = write!(out, "\n{:indent$}", "");
        }
        let mut column = indent;
        for (j, piece) in line.split(' ').enumerate() {
            let width = piece.chars().count() + 1;
            if j > 0 && column + width > options.width + 1 {
                let _ = write!(out, "\n{:indent$}", "");
                column = indent;
            }
            let space = if i == 0 && j == 0 || column > indent { " " } else { "" };
            let _ = write!(out, "{space}{piece}");
            column += width;
        }
    }
    out.push('\n');
}

/// Control characters as escapes; line breaks stay.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Labels of one source that are shown together.
#[derive(Debug)]
struct Snippet<'a> {
    path: String,
    text: SnippetText<'a>,
    /// Byte ranges in the snippet's text.
    labels: Vec<(usize, usize, String)>,
}

#[derive(Debug)]
enum SnippetText<'a> {
    Source(&'a Source),
    /// A piece of a long line, its 1-based line, and the characters in front of it.
    Window {
        text: String,
        line: usize,
        column: usize,
    },
}

/// The first snippet is that of the first label; the others follow in order of their labels.
fn snippets<'a>(diagnostic: &Diagnostic, sources: &'a Sources) -> Vec<Snippet<'a>> {
    let mut snippets: Vec<Snippet<'a>> = Vec::new();
    let mut of_source: BTreeMap<SourceId, usize> = BTreeMap::new();
    for Label { span, text } in &diagnostic.labels {
        let source = sources.get(span.source);
        if source.text.is_empty() {
            continue;
        }
        let (line, _) = source.line_column(span.start as usize);
        let near = line.saturating_sub(1).max(1)..=(line + 1).min(source.line_count());
        // A text that was refused may hold anything, and behind the last character miette shows no label.
        let is_at_end = span.start as usize == source.text.len();
        if is_at_end || source.origin == Origin::Refused || near.clone().any(|line| !is_plain(source, line)) {
            snippets.push(window(source, *span, line, shown(text)));
            continue;
        }
        let end = (span.end as usize).min(source.line_range(line).end).max(span.start as usize);
        let label = (span.start as usize, end, shown(text));
        match of_source.get(&span.source) {
            Some(&i) => snippets[i].labels.push(label),
            None => {
                of_source.insert(span.source, snippets.len());
                let path = shown(&source.path);
                snippets.push(Snippet { path, text: SnippetText::Source(source), labels: vec![label] });
            }
        }
    }
    snippets
}

/// Whether a line can be shown as it stands: short, and without what a terminal takes for more than a character.
fn is_plain(source: &Source, line: usize) -> bool {
    let range = source.line_range(line);
    let steers = |c: char| c.is_control() && c != '\t';
    range.len() <= MAX_LINE_BYTES && !source.text[range].contains(steers)
}

fn window(source: &Source, span: Span, line: usize, label: String) -> Snippet<'static> {
    let text = &source.text;
    let range = source.line_range(line);
    let start = span.start as usize;
    let from = text.ceil_char_boundary(start.saturating_sub(WINDOW).clamp(range.start, range.end));
    let to = text.floor_char_boundary((start + WINDOW).min(range.end)).max(start.min(range.end));
    let before = shown(&text[from..start.min(to)]);
    let end = (span.end as usize).clamp(start, to.max(start));
    let labelled = shown(&text[start.min(to)..end.min(to)]);
    let after = shown(&text[end.min(to)..to]);
    let (cut_left, cut_right) =
        (if from > range.start { "…" } else { "" }, if to < range.end { "…" } else { "" });
    let label_start = cut_left.len() + before.len();
    let labels = vec![(label_start, label_start + labelled.len(), label)];
    let column = source.line_column(from).1 - 1;
    let column = column.saturating_sub(cut_left.chars().count());
    // A place for a label behind the last character.
    let behind =
        if label_start == cut_left.len() + before.len() + labelled.len() + after.len() { " " } else { "" };
    let text = format!("{cut_left}{before}{labelled}{after}{behind}{cut_right}");
    Snippet { path: shown(&source.path), text: SnippetText::Window { text, line, column }, labels }
}

/// A finding in the form that miette takes.
#[derive(Debug)]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    snippet: Option<&'a Snippet<'a>>,
    message: String,
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn std::fmt::Display + 'b>> {
        let code = self.diagnostic.code;
        Some(match (codes::row(code).and_then(|row| row.lint), self.diagnostic.severity) {
            (Some(lint), _) => Box::new(format!("{code} ({})", lint.name)),
            (None, Severity::NotCompiled) => Box::new(format!("{code} (valid, but not compiled yet)")),
            (None, Severity::Note | Severity::Warning | Severity::Error) => Box::new(code),
        })
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning | Severity::NotCompiled => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.map(|snippet| snippet as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = &self.snippet?.labels;
        Some(Box::new(labels.iter().enumerate().map(|(i, (start, end, text))| {
            let text = (!text.is_empty()).then(|| text.clone());
            let span = SourceSpan::from(*start..*end);
            if i == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            }
        })))
    }
}

impl SourceCode for Snippet<'_> {
    /// As miette's own for strings, but by the line index instead of a pass over the text.
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let (text, range, line, column) = match &self.text {
            SnippetText::Source(source) => lines_around(source, span, before, after),
            SnippetText::Window { text, line, column } => {
                let start = if before == 0 { span.offset().min(text.len()) } else { 0 };
                let skipped = text.get(..start).map_or(0, |skipped| skipped.chars().count());
                let column = if before == 0 { column + skipped } else { 0 };
                (text.as_str(), start..text.len(), line - 1, column)
            }
        };
        let data = text.get(range.clone()).ok_or(MietteError::OutOfBounds)?;
        let lines = data.matches('\n').count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            data.as_bytes(),
            SourceSpan::from(range),
            line,
            column,
            lines,
        )))
    }
}

/// Text, byte range, 0-based line and column of a span with lines around it.
fn lines_around<'a>(
    source: &'a Source,
    span: &SourceSpan,
    before: usize,
    after: usize,
) -> (&'a str, std::ops::Range<usize>, usize, usize) {
    let (line, column) = source.line_column(span.offset());
    let last = source.line_column(span.offset() + span.len()).0;
    let end_line = (last + after).min(source.line_count());
    // With its line break, so that the last line counts as one.
    let end = if end_line < source.line_count() {
        source.line_range(end_line + 1).start
    } else {
        source.text.len()
    };
    if before == 0 {
        return (&source.text, span.offset()..end.max(span.offset()), line - 1, column - 1);
    }
    let first = line.saturating_sub(before).max(1);
    (&source.text, source.line_range(first).start..end, first - 1, 0)
}

#[cfg(test)]
mod tests;
