//! The printed form of a [`Program`], for `--dump-after` and snapshots.

use std::fmt::Write;

use super::{Operation, Outcome, Place, Predicate, Program};
use crate::policy::{PolicySet, RateLimit};
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
    let unreadable = if p.unreadable { " or unreadable" } else { "" };
    let test = p.values.to_text(p.negated, &set.strings);
    match subject.place {
        Place::Param(param) => format!("arg{param} {} {test}{unreadable}", subject.ty.name()),
        Place::Fact(fact) => format!("{} {test}{unreadable}", fact.name()),
    }
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
        let post = if outcome.half { "Post with its return" } else { "Post" };
        let limit = outcome.limit.map(|RateLimit { milliseconds, scope }| {
            format!(" once in {milliseconds} ms of a {}", scope.name())
        });
        parts.push(format!("{post}{}", limit.unwrap_or_default()));
    }
    if parts.is_empty() { "nothing".to_string() } else { parts.join(", ") }
}
