//! The printed form of a [`Program`], for `--dump-after` and snapshots.

use std::fmt::Write;

use super::{Family, Operation, Outcome, Predicate, Program, Values};
use crate::policy::PolicySet;
use crate::source::Sources;

impl Program {
    /// One line a rule, in order; the same program always prints the same text.
    pub fn to_text(&self, set: &PolicySet, sources: &Sources) -> String {
        let mut out = String::new();
        for (o, operation) in self.operations.iter().enumerate() {
            let a = &operation.attach;
            let _ = writeln!(out, "operation {o}  {} {}", a.kind.name(), a.targets.join(", "));
            for list in self.lists.iter().filter(|l| l.operation.0 as usize == o) {
                let policy = &set.policies[list.policy];
                let _ = writeln!(
                    out,
                    "  list  {}  scope {}  {}",
                    policy.identity.name,
                    list.scope.0,
                    sources.place(list.span)
                );
                for rule in &list.rules {
                    let tests: Vec<String> = rule
                        .predicates
                        .iter()
                        .map(|&p| predicate_text(operation, operation.predicate(p), set))
                        .collect();
                    let tests = if tests.is_empty() { "always".to_string() } else { tests.join(" and ") };
                    let _ =
                        writeln!(out, "    {}  {tests}  -> {}", rule.selector, outcome_text(rule.outcome));
                }
            }
        }
        out
    }
}

fn predicate_text(operation: &Operation, p: &Predicate, set: &PolicySet) -> String {
    let subject = operation.subject(p.subject);
    let family = match (p.family, p.negated) {
        (Family::Equal | Family::Int, false) => "in",
        (Family::Equal | Family::Int, true) => "not in",
        (Family::Prefix, false) => "begins with",
        (Family::Prefix, true) => "does not begin with",
        (Family::Postfix, false) => "ends with",
        (Family::Postfix, true) => "does not end with",
    };
    let mut values: Vec<String> = match &p.values {
        Values::Strings(ids) => {
            ids.iter().map(|&s| String::from_utf8_lossy(set.strings.get(s)).into_owned()).collect()
        }
        Values::Ints(v) => v.iter().map(|&v| (v as i64).to_string()).collect(),
    };
    values.sort();
    let unreadable = if p.unreadable { " or unreadable" } else { "" };
    format!("arg{} {} {family} {{{}}}{unreadable}", subject.param, subject.ty.name(), values.join(", "))
}

pub(super) fn outcome_text(outcome: Outcome) -> String {
    let mut parts = vec![];
    if let Some(v) = outcome.override_value {
        parts.push(format!("Override({v})"));
    }
    if outcome.sigkill {
        parts.push("Sigkill".to_string());
    }
    if outcome.post {
        parts.push("Post".to_string());
    }
    if parts.is_empty() { "nothing".to_string() } else { parts.join(", ") }
}
