//! Reads the part of YAML that most policies are written in, to the tree that the parser's events would give,
//! in a sixth of the instructions.
//!
//! Whatever is outside the grammar below makes [`Common::next`] step back to the start of the document, where the
//! parser takes over: errors, too, are the parser's. So the grammar may be narrow, and must never be wider than
//! YAML's. `common/tests.rs` compares both readers on random edits of real documents.
//!
//! ```text
//! text      = document*      no tab, no carriage return, no byte order mark, no Unicode line break
//! document  = [ "---" end ] node
//! node      = sequence | mapping | value        all of it to the right of its parent's column
//! sequence  = ( "-" " "+ node | "-" end node )+ each dash in the same column
//! mapping   = ( key ":" " "+ value | key ":" end node )+   each key in the same column; the node may be a
//!                                               sequence in the column of the keys
//! key       = quoted | plain                    on one line, at most 1000 bytes, not "<<"
//! value     = ( quoted | plain | flow ) end     on one line
//! quoted    = '"' ... '"' without escapes | "'" ... "'" without "''"
//! plain     = a plain scalar that ends with its line, holds no ": " and no " #", and starts with no
//!                                               indicator and no "..."
//! flow      = "[" [ item ( "," item )* ] "]" | "{" [ word ":" " " item ( "," word ":" " " item )* ] "}"
//! item      = quoted | word | flow
//! word      = letters, digits and "_/.-"        a quoted key is a word, too
//! end       = " "* [ " #" comment ] line break, then blank lines and lines of comment
//! ```

use std::borrow::Cow;

use super::{MAX_NODES, Node, NodeKind, Style};
use crate::source::{SourceId, Span};

/// Deeper nesting is the parser's: this reader recurs.
const MAX_DEPTH: u32 = 64;

/// The parser gives up looking for the colon of a key behind 1024 characters.
const MAX_KEY_BYTES: u32 = 1000;

/// Reads the documents of one text, in order.
pub struct Common<'s> {
    text: &'s str,
    bytes: &'s [u8],
    source: SourceId,
    /// Where reading goes on. Between nodes: the first byte of content of a line, or the end of the text.
    at: usize,
    /// Between nodes: the column of `at`.
    column: usize,
    depth: u32,
    /// Of the current document.
    nodes: usize,
}

/// What there is at a place where a document may start.
pub enum Next<'s> {
    Document(Node<'s>),
    End,
    /// Not for this reader: the parser goes on at this byte, to the end of the text.
    StepBack(usize),
}

/// Something that is not of the grammar.
struct Unusual;
type Read<T> = Result<T, Unusual>;

impl<'s> Common<'s> {
    /// `None` for texts of which no document would be read.
    pub fn new(source: SourceId, text: &'s str) -> Option<Common<'s>> {
        let bytes = text.as_bytes();
        let other_line_breaks = |text: &str| text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']);
        if bytes.iter().any(|&byte| matches!(byte, b'\t' | b'\r'))
            || !text.is_ascii() && other_line_breaks(text)
        {
            return None;
        }
        Some(Common { text, bytes, source, at: 0, column: 0, depth: 0, nodes: 0 })
    }

    pub fn next(&mut self) -> Next<'s> {
        let start = self.at;
        self.nodes = 0;
        self.depth = 0;
        match self.document() {
            Ok(Some(node)) => Next::Document(node),
            Ok(None) => Next::End,
            Err(Unusual) => Next::StepBack(start),
        }
    }

    /// Ends in front of the `---` of the next document.
    fn document(&mut self) -> Read<Option<Node<'s>>> {
        let first = self.at == 0;
        self.skip_to_content();
        if self.at_end() {
            return Ok(None);
        }
        if self.at_marker() {
            self.at += 3;
            self.line_end()?;
            if self.at_end() || self.at_marker() {
                return Err(Unusual);
            }
        } else if !first {
            return Err(Unusual);
        }
        let node = self.node(None)?;
        if self.at_end() || self.at_marker() { Ok(Some(node)) } else { Err(Unusual) }
    }

    /// A node that starts here, in `self.column`, to the right of its parent's column.
    fn node(&mut self, parent: Option<usize>) -> Read<Node<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unusual);
        }
        let node = if self.at_dash() {
            self.sequence(false)?
        } else if self.starts_with_key()? {
            self.mapping()?
        } else {
            self.value(parent)?
        };
        self.depth -= 1;
        Ok(node)
    }

    /// `in_key_column`: the dashes have the column of the key that they belong to.
    fn sequence(&mut self, in_key_column: bool) -> Read<Node<'s>> {
        let (start, column) = (self.at, self.column);
        let mut items: Vec<Node<'s>> = Vec::new();
        loop {
            let dash = self.at;
            self.at += 1;
            self.skip_spaces();
            if matches!(self.bytes.get(self.at), None | Some(b'\n' | b'#')) {
                self.line_end()?;
                // Where the parser puts the start of a sequence without indentation is not followed that far.
                if self.at_end() || self.column <= column || in_key_column && items.is_empty() {
                    return Err(Unusual);
                }
            } else {
                self.column = column + (self.at - dash);
            }
            items.push(self.node(Some(column))?);
            if self.at_end() || self.column < column {
                break;
            }
            if self.column > column {
                return Err(Unusual);
            }
            if !self.at_dash() {
                break;
            }
        }
        self.count()?;
        let first = items[0].span.start as usize;
        let end = items[items.len() - 1].span.end as usize;
        // So does the parser: without indentation the sequence starts behind its first dash.
        let span = Span::new(self.source, if in_key_column { first } else { start }, end);
        Ok(Node { span, kind: NodeKind::Sequence(items) })
    }

    fn mapping(&mut self) -> Read<Node<'s>> {
        let (start, column) = (self.at, self.column);
        let mut entries: Vec<(Node<'s>, Node<'s>)> = Vec::new();
        loop {
            let key = match self.bytes[self.at] {
                b'"' | b'\'' => self.quoted()?,
                _ => self.plain(true)?,
            };
            if !self.at_colon() || !is_usual_key(&key) {
                return Err(Unusual);
            }
            self.at += 1;
            self.skip_spaces();
            let value = if matches!(self.bytes.get(self.at), None | Some(b'\n' | b'#')) {
                self.line_end()?;
                if self.at_end() {
                    return Err(Unusual);
                }
                if self.column > column {
                    self.node(Some(column))?
                } else if self.column == column && self.at_dash() {
                    self.sequence(true)?
                } else {
                    return Err(Unusual);
                }
            } else {
                self.value(Some(column))?
            };
            entries.push((key, value));
            if self.at_end() || self.column < column || column == 0 && self.at_marker() {
                break;
            }
            if self.column > column || self.at_dash() {
                return Err(Unusual);
            }
        }
        self.count()?;
        let end = entries[entries.len() - 1].1.span.end as usize;
        Ok(Node { span: Span::new(self.source, start, end), kind: NodeKind::Mapping(entries) })
    }

    /// What is on this line and ends with it: the next content is not to the right of the parent's column, or it
    /// would belong to it.
    fn value(&mut self, parent: Option<usize>) -> Read<Node<'s>> {
        let node = match self.bytes[self.at] {
            b'"' | b'\'' => self.quoted()?,
            b'[' | b'{' => self.flow()?,
            _ => self.plain(false)?,
        };
        self.line_end()?;
        if !self.at_end() && parent.is_none_or(|parent| self.column > parent) {
            return Err(Unusual);
        }
        Ok(node)
    }

    fn quoted(&mut self) -> Read<Node<'s>> {
        let start = self.at;
        self.at = quoted_end(self.bytes, start)?;
        let style = if self.bytes[start] == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
        self.scalar(start, start + 1..self.at - 1, style)
    }

    /// A plain scalar outside flow collections: a key, up to its colon, or all that is left of the line.
    fn plain(&mut self, is_key: bool) -> Read<Node<'s>> {
        let (bytes, start) = (self.bytes, self.at);
        match bytes[start] {
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' => {
                return Err(Unusual);
            }
            b'-' | b'?' | b':' if matches!(bytes.get(start + 1), None | Some(b' ' | b'\n')) => {
                return Err(Unusual);
            }
            // At the start of a line it ends a document.
            b'.' if bytes[start..].starts_with(b"...") => return Err(Unusual),
            _ => {}
        }
        // Behind the last byte that is no space.
        let mut end = start;
        let mut at = start;
        let ends_as_key = loop {
            match bytes.get(at) {
                None | Some(b'\n') => break false,
                Some(b' ') => at += 1,
                Some(b'#') if at > end => break false,
                Some(b':') if matches!(bytes.get(at + 1), None | Some(b' ' | b'\n')) => break true,
                Some(_) => {
                    at += 1;
                    end = at;
                }
            }
        };
        if ends_as_key != is_key || is_key && (at > end || &bytes[start..end] == b"<<") {
            return Err(Unusual);
        }
        self.at = end;
        self.scalar(start, start..end, Style::Plain)
    }

    fn flow(&mut self) -> Read<Node<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unusual);
        }
        let start = self.at;
        self.at += 1;
        self.skip_spaces();
        let kind = if self.bytes[start] == b'[' {
            let mut items = Vec::new();
            while self.goes_on(b']', items.is_empty())? {
                items.push(self.flow_item()?);
            }
            NodeKind::Sequence(items)
        } else {
            let mut entries = Vec::new();
            while self.goes_on(b'}', entries.is_empty())? {
                let key = self.flow_scalar()?;
                if !is_usual_key(&key) || !self.bytes[self.at..].starts_with(b": ") {
                    return Err(Unusual);
                }
                self.at += 1;
                self.skip_spaces();
                entries.push((key, self.flow_item()?));
            }
            NodeKind::Mapping(entries)
        };
        self.depth -= 1;
        self.count()?;
        Ok(Node { span: Span::new(self.source, start, self.at), kind })
    }

    /// Whether an item follows, behind its comma; if not, goes behind the closing bracket.
    fn goes_on(&mut self, close: u8, is_first: bool) -> Read<bool> {
        self.skip_spaces();
        match self.bytes.get(self.at) {
            Some(&byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                self.skip_spaces();
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(Unusual),
        }
    }

    fn flow_item(&mut self) -> Read<Node<'s>> {
        match self.bytes.get(self.at) {
            Some(b'[' | b'{') => self.flow(),
            _ => self.flow_scalar(),
        }
    }

    fn flow_scalar(&mut self) -> Read<Node<'s>> {
        let (bytes, start) = (self.bytes, self.at);
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'.' | b'-');
        match bytes.get(start) {
            Some(b'"' | b'\'') => return self.quoted(),
            Some(b'-') if !bytes.get(start + 1).is_some_and(u8::is_ascii_alphanumeric) => {
                return Err(Unusual);
            }
            _ => {}
        }
        let end = start + bytes[start..].iter().take_while(is_word).count();
        if end == start {
            return Err(Unusual);
        }
        self.at = end;
        self.scalar(start, start..end, Style::Plain)
    }

    fn scalar(&mut self, start: usize, text: std::ops::Range<usize>, style: Style) -> Read<Node<'s>> {
        self.count()?;
        let span = Span::new(self.source, start, self.at);
        Ok(Node { span, kind: NodeKind::Scalar { text: Cow::Borrowed(&self.text[text]), style } })
    }

    fn count(&mut self) -> Read<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(Unusual) } else { Ok(()) }
    }

    /// Whether the content that starts here is a key with its colon.
    fn starts_with_key(&self) -> Read<bool> {
        let bytes = self.bytes;
        match bytes[self.at] {
            b'[' | b'{' => Ok(false),
            b'"' | b'\'' => {
                let behind = quoted_end(bytes, self.at)?;
                let colon = behind + bytes[behind..].iter().take_while(|&&byte| byte == b' ').count();
                match bytes.get(colon) {
                    Some(b':') if colon == behind => Ok(true),
                    Some(b':') => Err(Unusual),
                    _ => Ok(false),
                }
            }
            _ => {
                let mut before = b' ';
                for (at, &byte) in bytes.iter().enumerate().skip(self.at) {
                    match byte {
                        b'\n' => break,
                        b'#' if before == b' ' && at > self.at => break,
                        b':' if matches!(bytes.get(at + 1), None | Some(b' ' | b'\n')) => return Ok(true),
                        _ => before = byte,
                    }
                }
                Ok(false)
            }
        }
    }

    /// Spaces and a comment up to the end of the line, then on to the next content.
    fn line_end(&mut self) -> Read<()> {
        let before = self.at;
        self.skip_spaces();
        match self.bytes.get(self.at) {
            None => self.column = 0,
            Some(b'\n') => {
                self.at += 1;
                self.skip_to_content();
            }
            Some(b'#') if self.at > before || self.bytes[before - 1] == b' ' => {
                self.at = line_break(self.bytes, self.at);
                self.skip_to_content();
            }
            Some(_) => return Err(Unusual),
        }
        Ok(())
    }

    /// From the start or the end of a line over blank lines and comments.
    fn skip_to_content(&mut self) {
        loop {
            let line = self.at;
            self.skip_spaces();
            match self.bytes.get(self.at) {
                Some(b'\n') => self.at += 1,
                Some(b'#') => self.at = line_break(self.bytes, self.at),
                _ => {
                    self.column = self.at - line;
                    return;
                }
            }
        }
    }

    fn skip_spaces(&mut self) {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn at_dash(&self) -> bool {
        self.bytes.get(self.at) == Some(&b'-')
            && matches!(self.bytes.get(self.at + 1), None | Some(b' ' | b'\n'))
    }

    fn at_colon(&self) -> bool {
        self.bytes.get(self.at) == Some(&b':')
            && matches!(self.bytes.get(self.at + 1), None | Some(b' ' | b'\n'))
    }

    /// `---` that starts a document. `...` and `---x` are left to the parser by what comes behind.
    fn at_marker(&self) -> bool {
        self.column == 0
            && self.bytes[self.at..].starts_with(b"---")
            && matches!(self.bytes.get(self.at + 3), None | Some(b' ' | b'\n'))
    }
}

/// Of any length that the parser takes, and of a kind that is a key.
fn is_usual_key(key: &Node<'_>) -> bool {
    key.span.end - key.span.start <= MAX_KEY_BYTES && key.key_text().is_some()
}

/// Behind the closing quote.
fn quoted_end(bytes: &[u8], start: usize) -> Read<usize> {
    let quote = bytes[start];
    for (at, &byte) in bytes.iter().enumerate().skip(start + 1) {
        match byte {
            b'\n' | b'\\' if byte == b'\n' || quote == b'"' => return Err(Unusual),
            _ if byte != quote => {}
            _ if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => return Err(Unusual),
            _ => return Ok(at + 1),
        }
    }
    Err(Unusual)
}

/// The next line break, or the end.
fn line_break(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |i| from + i)
}

#[cfg(test)]
mod tests;
