use super::*;
use crate::diag::{Code, Severity, codes};

/// Everything that is found in a text named on the command line, as far as `check` goes.
fn findings(text: &str) -> Vec<(Code, Severity)> {
    let input = Input { paths: vec![], threads: 1, allow_empty: false, resolve: ResolveOptions::default() };
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let mut diags = Diagnostics::default();
    policies(&sources, &input, &mut diags);
    diags.sorted().into_iter().map(|d| (d.code, d.severity)).collect()
}

/// Each code's page is true: its wrong example gives exactly that code, beside notes that weigh less, and its
/// right example nothing but what is valid and only not compiled yet.
#[test]
fn the_examples_of_every_page_give_what_the_page_says() {
    let mut untrue = Vec::new();
    for row in codes::ALL {
        if let Some(wrong) = codes::example(row.page, "## Wrong") {
            let found = findings(wrong);
            let weight =
                found.iter().filter(|(code, _)| *code == row.code).map(|(_, severity)| *severity).max();
            let others: Vec<_> = found
                .iter()
                .filter(|(code, s)| {
                    *code != row.code && weight.is_none_or(|w| *s >= w && *s > Severity::Note)
                })
                .collect();
            if weight.is_none() || !others.is_empty() {
                untrue.push(format!("{}, wrong: {found:?}", row.code));
            }
        }
        if let Some(right) = codes::example(row.page, "## Right") {
            let found = findings(right);
            if found.iter().any(|(code, severity)| *severity > Severity::NotCompiled || *code == row.code) {
                untrue.push(format!("{}, right: {found:?}", row.code));
            }
        }
    }
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

#[test]
fn no_policy_is_an_error_unless_meant() {
    let only_other = "apiVersion: v1\nkind: ConfigMap\n";
    assert_eq!(
        findings(only_other),
        [(Code::OTHER_DOCUMENT, Severity::Note), (Code::NO_POLICY, Severity::Error)]
    );
    // One cause, one finding.
    assert_eq!(findings("a: ["), [(Code::YAML_SYNTAX, Severity::Error)]);

    let input =
        |allow_empty| Input { paths: vec![], threads: 1, allow_empty, resolve: ResolveOptions::default() };
    let mut diags = Diagnostics::default();
    assert!(policies(&Sources::default(), &input(true), &mut diags).set.is_some() && diags.is_empty());
    policies(&Sources::default(), &input(false), &mut diags);
    assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::NO_POLICY]);
}
