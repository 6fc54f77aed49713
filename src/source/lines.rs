//! Where the lines of a text start, so that many places of one text are found in little time.
//!
//! Columns count characters. Beside the line starts, every [`BLOCK`] bytes hold the number of characters
//! before them, so that a line of megabytes costs no more than a short one.

const BLOCK: usize = 1024;

#[derive(Clone, Debug)]
pub struct LineIndex {
    /// Byte offset of each line's first byte; never empty.
    starts: Vec<u32>,
    /// Characters before each block of bytes; empty if every character is one byte.
    chars: Vec<u32>,
}

impl LineIndex {
    pub fn new(text: &str) -> LineIndex {
        let breaks = text.bytes().enumerate().filter(|&(_, b)| b == b'\n').map(|(i, _)| i as u32 + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        let chars = if text.is_ascii() {
            Vec::new()
        } else {
            let mut before = 0;
            let mut add = |block: &[u8]| {
                let result = before;
                before += count_chars(block);
                result
            };
            text.as_bytes().chunks(BLOCK).map(&mut add).collect()
        };
        LineIndex { starts, chars }
    }

    pub fn count(&self) -> usize {
        self.starts.len()
    }

    pub fn line_column(&self, text: &str, at: usize) -> (usize, usize) {
        let at = at.min(text.len());
        let line = self.starts.partition_point(|&start| start as usize <= at);
        let start = self.starts[line - 1] as usize;
        (line, self.chars_before(text, at) - self.chars_before(text, start) + 1)
    }

    pub fn range(&self, text: &str, line: usize) -> std::ops::Range<usize> {
        let line = line.clamp(1, self.starts.len());
        let start = self.starts[line - 1] as usize;
        let Some(&next) = self.starts.get(line) else { return start..text.len() };
        let end = next as usize - 1;
        start..start + text[start..end].strip_suffix('\r').map_or(end - start, str::len)
    }

    fn chars_before(&self, text: &str, at: usize) -> usize {
        if self.chars.is_empty() {
            return at;
        }
        let block = (at / BLOCK).min(self.chars.len() - 1);
        self.chars[block] as usize + count_chars(&text.as_bytes()[block * BLOCK..at]) as usize
    }
}

/// Characters that start in `bytes`: all bytes but the continuations of UTF-8.
fn count_chars(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|&&b| b & 0xc0 != 0x80).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the index must say, the slow way.
    fn counted(text: &str, at: usize) -> (usize, usize) {
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    #[test]
    fn every_place_is_found_in_ascii_and_beyond() {
        let long = format!("{}é\n{}\n", "x".repeat(3000), "ü\u{1F600}a".repeat(1500));
        for text in ["", "a", "\n", "a\nbc\n\nd", "é\nß\u{1F600}x\r\ny", &long] {
            let index = LineIndex::new(text);
            for at in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
                assert_eq!(
                    index.line_column(text, at),
                    counted(text, at),
                    "{at} of {:?}",
                    &text[..text.len().min(20)]
                );
            }
        }
    }

    #[test]
    fn a_line_is_without_its_break() {
        let text = "a\r\nbc\n\nd";
        let index = LineIndex::new(text);
        let lines: Vec<&str> = (1..=index.count()).map(|line| &text[index.range(text, line)]).collect();
        assert_eq!(lines, ["a", "bc", "", "d"]);
        assert_eq!(&text[index.range(text, 99)], "d");
        let text = "a\r\r\nb\r";
        let index = LineIndex::new(text);
        assert_eq!((&text[index.range(text, 1)], &text[index.range(text, 2)]), ("a\r", "b\r"));
    }
}
