use super::*;
use crate::diag::codes::{self, Row};

/// The codes that reading and resolving give.
fn ours() -> impl Iterator<Item = &'static Row> {
    codes::ALL.iter().filter(|row| matches!(row.code.0, 101..=509 | 701..=799))
}

fn found(example: &str) -> Vec<(String, Severity)> {
    let (_, diags) = run(example, &ResolveOptions::default());
    diags.iter().map(|d| (d.code.to_string(), d.severity)).collect()
}

#[test]
fn the_wrong_example_of_a_page_gives_its_code_and_no_other() {
    for row in ours() {
        let example = codes::example(row.page, "## Wrong")
            .unwrap_or_else(|| panic!("{} shows nothing wrong", row.code));
        let code = row.code.to_string();
        let mut codes: Vec<String> = found(example)
            .into_iter()
            .filter(|(other, severity)| *severity > Severity::Note || *other == code)
            // What is beyond the back end is so whether or not something else is wrong.
            .filter(|(other, severity)| *severity != Severity::NotCompiled || *other == code)
            .map(|(code, _)| code)
            .collect();
        codes.dedup();
        assert_eq!(codes, [code], "{}", row.code);
    }
}

#[test]
fn the_right_example_of_a_page_has_nothing_wrong() {
    for row in ours() {
        let example = codes::example(row.page, "## Right")
            .unwrap_or_else(|| panic!("{} shows nothing right", row.code));
        let code = row.code.to_string();
        let wrong: Vec<_> = found(example)
            .into_iter()
            .filter(|(other, severity)| {
                *other == code && row.code != Code::UNCHECKED
                    || !matches!(severity, Severity::Note | Severity::NotCompiled)
            })
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", row.code);
    }
}
