//! Refuses tabs as indentation in block style, which the parser lets through and libyaml, and so Tetragon, refuses.
//!
//! libyaml skips a tab only in flow style or where no key can start (`yaml_parser_scan_to_next_token`). A key
//! can start at the beginning of a line and behind `- ` and `? `; a tab there is an error, also on a line
//! that holds nothing but a comment. Texts without any tab, nearly all, cost one search.

use super::tree::Document;
use crate::diag::{Diagnostics, yaml as report};
use crate::source::{SourceId, Span};

pub struct TabCheck {
    has_tabs: bool,
}

impl TabCheck {
    pub fn new(text: &str) -> TabCheck {
        TabCheck { has_tabs: text.contains('\t') }
    }

    /// Reports the first tab of `document` that stands where a key could, and says whether there is one.
    pub fn found(
        &self,
        source: SourceId,
        text: &str,
        document: &Document<'_>,
        diags: &mut Diagnostics,
    ) -> bool {
        if !self.has_tabs {
            return false;
        }
        let found = first_bad_tab(text, document);
        if let Some(at) = found {
            diags.push(report::syntax(
                Span::new(source, at, at + 1),
                "a tab cannot be used as indentation",
                Some("indent with spaces"),
            ));
        }
        found.is_some()
    }
}

fn first_bad_tab(text: &str, document: &Document<'_>) -> Option<usize> {
    let mut free = document.tab_free.clone();
    free.sort_unstable();
    let (start, end) = document.range;
    let mut next_free = 0;
    let mut free_until = 0;
    let mut line_start = start;
    let mut in_comment = false;
    for (at, byte) in text[start..end].bytes().enumerate().map(|(i, byte)| (start + i, byte)) {
        while next_free < free.len() && free[next_free].0 as usize <= at {
            free_until = free_until.max(free[next_free].1 as usize);
            next_free += 1;
        }
        if byte == b'\n' {
            line_start = at + 1;
            in_comment = false;
        } else if at >= free_until && !in_comment {
            if byte == b'#'
                && text[line_start..at].bytes().next_back().is_none_or(|b| b == b' ' || b == b'\t')
            {
                in_comment = true;
            } else if byte == b'\t' && key_can_start(&text[line_start..at]) {
                return Some(at);
            }
        }
    }
    None
}

/// `before` is the line up to a tab outside scalars, comments and flow style.
fn key_can_start(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(['-', '?'])
}
