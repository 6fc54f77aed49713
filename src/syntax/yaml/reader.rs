//! Text to documents: by [`Common`] as long as it can, then by the YAML parser's events, with recovery at the next
//! document after an error.
//!
//! Assumes that the text holds no control characters (`source::discover` refuses them).
//! Guarantees to end: each call of the parser moves forward, and what aliases add is bounded.
//! Source: granit-parser 2.2.0; where its grammar is wider than libyaml's (tabs as indentation), `tabs` narrows it.

use granit_parser::{ErrorKind, Options, Parser, ScanError, StrInput};

use super::common::{Common, Next};
use super::tabs::TabCheck;
use super::tree::{Builder, Located, Stop};
use super::{MAX_DEPTH, Node};
use crate::diag::{Diagnostics, yaml as report};
use crate::source::{SourceId, Span};

/// Reads the documents of one text, in order.
pub struct Reader<'s> {
    text: &'s str,
    source: SourceId,
    /// Reads until it meets what it does not know.
    common: Option<Common<'s>>,
    parser: Parser<'s, StrInput<'s>>,
    /// Where the parser's text starts in `text`.
    base: usize,
    builder: Builder<'s>,
    tabs: TabCheck,
    ended: bool,
}

impl<'s> Reader<'s> {
    pub fn new(source: SourceId, text: &'s str) -> Reader<'s> {
        Reader { common: Common::new(source, text), ..Reader::of_events(source, text) }
    }

    /// Gives the same documents through the parser's events alone: what [`Reader::new`] is measured against.
    pub fn of_events(source: SourceId, text: &'s str) -> Reader<'s> {
        Reader {
            text,
            source,
            common: None,
            parser: Parser::new_from_str_with_options(text, options()),
            base: 0,
            builder: Builder::new(source, text),
            tabs: TabCheck::new(text),
            ended: false,
        }
    }

    /// The next document that could be read, `None` at the end. What stands between is reported.
    pub fn next(&mut self, diags: &mut Diagnostics) -> Option<Node<'s>> {
        match self.common.as_mut().map(Common::next) {
            Some(Next::Document(node)) => return Some(node),
            Some(Next::End) => return None,
            Some(Next::StepBack(at)) => {
                self.common = None;
                self.start_parser(at);
            }
            None => {}
        }
        while !self.ended {
            match self.parser.next_event() {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.report(&error, diags);
                    self.recover(diags);
                }
                Some(Ok((event, span))) => match self.builder.take(event, &self.located(span), diags) {
                    Ok(None) => {}
                    Ok(Some(document)) => {
                        if !self.tabs.found(self.source, self.text, &document, diags) {
                            return Some(document.root);
                        }
                    }
                    Err(Stop { at }) => self.skip_from(at),
                },
            }
        }
        None
    }

    /// Where an event stands in the whole text.
    fn located(&self, span: granit_parser::Span) -> Located {
        let at =
            |marker: granit_parser::Marker| floor(self.text, self.base + marker.byte_offset().unwrap_or(0));
        let start = at(span.start);
        let tag = span.tag_span().map(|tag| (at(tag.start), at(tag.end)));
        Located { start, end: at(span.end).max(start), tag }
    }

    /// Gives up a document that is too much, without parsing the rest of it: at the start of a line, `---` and
    /// `...` end a document whatever is open.
    fn skip_from(&mut self, at: usize) {
        let ends_document = |&(line, _): &(usize, &str)| {
            let bytes = &self.text.as_bytes()[line..];
            let (marker, behind) = bytes.split_at(bytes.len().min(3));
            (marker == b"---" || marker == b"...") && behind.first().is_none_or(u8::is_ascii_whitespace)
        };
        let line_breaks = self.text[at..].match_indices('\n').map(|(i, line_break)| (at + i + 1, line_break));
        let next = line_breaks.into_iter().find(ends_document).map_or(self.text.len(), |(line, _)| line);
        self.start_parser(next);
    }

    fn start_parser(&mut self, at: usize) {
        self.parser = Parser::new_from_str_with_options(&self.text[at..], options());
        self.base = at;
        self.builder.abandon(at);
    }

    fn recover(&mut self, diags: &mut Diagnostics) {
        if let Err(error) = self.parser.proceed_next_document() {
            self.report(&error, diags);
            self.ended = true;
        }
        let next = match self.parser.peek() {
            Some(Ok((_, span))) => self.base + span.start.byte_offset().unwrap_or(0),
            Some(Err(_)) | None => self.text.len(),
        };
        self.builder.abandon(floor(self.text, next));
    }

    fn report(&self, error: &ScanError, diags: &mut Diagnostics) {
        let start = floor(self.text, self.base + error.marker().byte_offset().unwrap_or(0));
        let end = start + self.text[start..].chars().next().map_or(0, char::len_utf8);
        let span = Span::new(self.source, start, end);
        diags.push(match error.kind() {
            ErrorKind::RecursionLimitExceeded => report::nested_too_deeply(span, MAX_DEPTH),
            // granit-parser 2.2.0 calls it the end of the file.
            ErrorKind::UnexpectedEofImplicitFlowMapping if self.text[start..].starts_with(',') => {
                report::nothing_before_comma(span)
            }
            kind => {
                let label = match kind {
                    ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnclosedQuotedScalar => {
                        "opened here"
                    }
                    // All other kinds stand where the reader stopped.
                    _ => "here",
                };
                report::syntax(span, &error.info().to_string(), label, syntax_help(kind, self.line(start)))
            }
        });
    }

    fn line(&self, at: usize) -> &'s str {
        let start = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        self.text[start..].lines().next().unwrap_or("")
    }
}

fn options() -> Options {
    granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        // As libyaml, and so go-yaml v2, reads a block scalar that ends with the file.
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

/// The nearest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

fn syntax_help(kind: &ErrorKind, line: &str) -> Option<&'static str> {
    if line.contains("{{") {
        return Some("fill in templates (`{{ ... }}`) before giving the text to tetrafold");
    }
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => Some("indent with spaces"),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            Some("check the indentation; a value that contains `: ` has to be quoted")
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::SimpleKeyExpected => Some(
            "compare the indentation with the lines above: entries of one list or mapping start in the same column",
        ),
        ErrorKind::UnexpectedCharacter { .. } => Some("quote the value"),
        ErrorKind::InvalidLowSurrogate
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => Some(report::SURROGATES_HELP),
        ErrorKind::UnknownQuotedScalarEscape => Some("in single quotes, a backslash stands for itself"),
        // The parser's list of kinds may grow; the message says what it is in any case.
        _ => None,
    }
}
