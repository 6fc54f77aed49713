//! What people see.

use super::*;
use crate::report::tests::input;
use crate::report::{Budgets, Input, forecast};

fn report(input: &Input) -> Report {
    forecast(input).unwrap()
}

#[test]
fn human_text_fits_whatever_the_names_are() {
    let mut wide = input(1000);
    wide.policies[999].name = "TracingPolicyNamespaced/".to_owned() + &"x".repeat(300);
    wide.operations[0].name = "lsm:".to_owned() + &"y".repeat(300);
    wide.operations[0].maps[0].name = "z".repeat(300);
    for text in [human(&report(&wide)), human(&report(&input(1)))] {
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn human_text_says_what_matters() {
    let text = human(&report(&input(1000)));
    for part in [
        "Debian 6.12.117",
        "2 CPUs",
        "110 pods",
        "total",
        "Tetragon 4fbfe2d loads 19 of 1,000 policies",
        "990 more",
        "499,499",
        "lsm:bprm_check_security: `TracingPolicy/fingerprint-0` and `TracingPolicy/fingerprint-1`, in a",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn names_bring_no_control_characters_and_no_markup() {
    let mut bad = input(2);
    bad.policies[0].name = "a\u{1b}[31mred\u{202e}|*x*".into();
    let report = report(&bad);
    for text in [human(&report), markdown(&report)] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }
    assert!(markdown(&report).contains("\\|\\*x\\*"));
}

#[test]
fn markdown_rows_have_as_many_cells_as_their_titles() {
    let text = markdown(&report(&input(20)));
    let mut cells = 0;
    for line in text.lines() {
        let here = line.replace("\\|", "").matches('|').count();
        if cells != 0 && here != 0 {
            assert_eq!(here, cells, "{line}");
        }
        cells = here;
    }
    assert!(text.starts_with("## Forecast"));
}

/// A report whose budgets hold, and one of which one does not.
fn with_budgets() -> (Report, Report) {
    let with = |max_maps| {
        let mut report = report(&input(3));
        let budgets =
            Budgets { max_maps: Some(max_maps), max_policy_memlock: Some(1 << 40), ..Budgets::default() };
        report.budgets = budgets.judge(&report);
        report
    };
    (with(5), with(1))
}

#[test]
fn budgets_are_shown_with_what_exceeds_them() {
    let (holds, exceeded) = with_budgets();
    for text in [human(&holds), markdown(&holds)] {
        assert!(text.contains("max-maps") && !text.contains("exceeded"), "{text}");
    }
    for text in [human(&exceeded), markdown(&exceeded)] {
        assert!(text.contains("exceeded") && text.contains("lsm:bprm"), "{text}");
    }
}

#[test]
fn csv_has_every_row_and_every_byte() {
    let mut odd = input(30);
    odd.policies[3].name = "a,\"b\"".into();
    let report = report(&odd);
    let text = csv(&report);
    assert_eq!(text.lines().count(), 1 + 1 + 3 + 3 + 1 + 5 + 30 + 2);
    assert!(text.contains("policy,\"a,\"\"b\"\"\","));
    for line in text.lines().filter(|l| !l.contains('"')) {
        assert_eq!(line.split(',').count(), 16, "{line}");
    }
    assert!(text.contains(&format!(",{},", report.totals.memory.memlock_bytes)));
    let (_, exceeded) = with_budgets();
    let text = csv(&exceeded);
    assert!(text.contains("\nbudget,max-maps,,exceeded,,,,,,,,,,,1,5\n"), "{text}");
    assert!(text.contains("\ncontributor,lsm:bprm_check_security,,max-maps,,,,,,,,,,,,2\n"), "{text}");
}
