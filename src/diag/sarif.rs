//! Findings as SARIF 2.1.0, which code scanning services read.
//!
//! One run, the rules in order of their codes, no time and no absolute path: the same findings give the same
//! bytes. Source: the OASIS standard, SARIF 2.1.0, section 3.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::levels::Level;
use super::{Code, Diagnostic, Severity, codes};
use crate::source::{Sources, Span};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub fn write(out: &mut dyn Write, diagnostics: &[&Diagnostic], sources: &Sources) -> io::Result<()> {
    let used: BTreeSet<Code> = diagnostics.iter().map(|d| d.code).collect();
    let used: Vec<Code> = used.into_iter().collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tetrafold",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.iter().map(|&code| rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": diagnostics.iter().map(|d| result(d, &used, sources)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

fn rule(code: Code) -> Value {
    let mut rule = json!({"id": code.to_string()});
    if let Some(row) = codes::row(code) {
        if let Some(lint) = row.lint {
            rule["name"] = json!(lint.name);
            let level = match lint.default {
                Level::Allow => "none",
                Level::Note => "note",
                Level::Warn => "warning",
                Level::Deny => "error",
            };
            rule["defaultConfiguration"] = json!({"level": level});
        }
        rule["shortDescription"] = json!({"text": row.title});
        rule["help"] = json!({"text": row.page, "markdown": row.page});
    }
    rule
}

fn result(diagnostic: &Diagnostic, rules: &[Code], sources: &Sources) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning | Severity::NotCompiled => "warning",
        Severity::Note => "note",
    };
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text += &format!("\nhelp: {help}");
    }
    for note in &diagnostic.notes {
        text += &format!("\nnote: {note}");
    }
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "ruleIndex": rules.binary_search(&diagnostic.code).unwrap_or_default(),
        "level": level,
        "message": {"text": text},
    });
    let location = |label: &super::Label| json!({"physicalLocation": physical(label.span, sources), "message": {"text": label.text}});
    if let Some((first, others)) = diagnostic.labels.split_first() {
        result["locations"] = json!([location(first)]);
        if !others.is_empty() {
            result["relatedLocations"] = others.iter().map(location).collect();
        }
    }
    result
}

fn physical(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.source);
    let (line, column) = source.line_column(span.start as usize);
    let (end_line, end_column) = source.line_column(span.end as usize);
    json!({
        "artifactLocation": {"uri": uri(&source.path)},
        "region": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
    })
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters and `/` escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for &byte in path.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(byte as char);
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sarif(diagnostics: &[&Diagnostic], sources: &Sources) -> Value {
        let mut out = Vec::new();
        write(&mut out, diagnostics, sources).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn results_point_at_their_rules_and_places() {
        let mut sources = Sources::default();
        let id = sources.add("dir/a b:é.yaml", "é: 1\n");
        let tag =
            Diagnostic::new(Code::UNKNOWN_TAG, Severity::Warning, "m").label(Span::new(id, 3, 4), "here");
        let syntax = Diagnostic::error(Code::YAML_SYNTAX, "m")
            .label(Span::new(id, 0, 2), "a")
            .label(Span::new(id, 3, 6), "b")
            .help("h");
        let nowhere = Diagnostic::error(Code::NO_POLICY, "m");
        let log = sarif(&[&tag, &syntax, &nowhere], &sources);
        let run = &log["runs"][0];
        let rules: Vec<&str> = run["tool"]["driver"]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["id"].as_str().unwrap())
            .collect();
        assert_eq!(rules, ["TF0030", "TF0039", "TF0053"]);
        let results = run["results"].as_array().unwrap();
        for result in results {
            assert_eq!(result["ruleId"], rules[result["ruleIndex"].as_u64().unwrap() as usize]);
        }
        assert_eq!(results[0]["level"], "warning");
        assert_eq!(
            results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "dir/a%20b%3A%C3%A9.yaml"
        );
        let region = &results[1]["relatedLocations"][0]["physicalLocation"]["region"];
        assert_eq!(region, &json!({"startLine": 1, "startColumn": 3, "endLine": 2, "endColumn": 1}));
        assert_eq!(results[1]["message"]["text"], "m\nhelp: h");
        assert!(results[2].get("locations").is_none());
    }

    #[test]
    fn nothing_found_is_a_log_all_the_same() {
        let log = sarif(&[], &Sources::default());
        assert_eq!((&log["version"], &log["runs"][0]["results"]), (&json!("2.1.0"), &json!([])));
    }
}
