//! Constructors of TF0311 and TF0312: policies that select the same workloads and do not go together.

use std::fmt::Display;

use super::schema::shown;
use super::{Code, Diagnostic, Severity};
use crate::source::Span;

/// Why two bindings of one template cannot both select a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictReason {
    /// One of them, whose `overrideAllowed` or name is here, lets no other one take over.
    NotAllowed(Span),
    SamePriority(i32),
}

/// Names of bindings with their places; the later one first.
pub fn binding_conflict(
    [later, earlier]: [(&str, Span); 2],
    template: &str,
    witness: &dyn Display,
    reason: ConflictReason,
) -> Diagnostic {
    let message = format!(
        "bindings `{}` and `{}` of template `{}` select the same workload",
        shown(earlier.0),
        shown(later.0),
        shown(template)
    );
    let diagnostic = Diagnostic::error(Code::BINDING_CONFLICT, message)
        .label(later.1, "one of them")
        .label(earlier.1, "the other one")
        .note(format!("both select {witness}"));
    match reason {
        ConflictReason::NotAllowed(span) => diagnostic
            .label(span, "this one lets no other take over")
            .note("`overrideAllowed` is false unless it is written"),
        ConflictReason::SamePriority(priority) => {
            diagnostic.note(format!("both have `overridePriority` {priority}, so none of them comes first"))
        }
    }
}

pub fn further_binding_conflicts(further: usize, template: &str, span: Span) -> Diagnostic {
    let message = format!(
        "at least {further} more pairs of bindings of template `{}` are in conflict",
        shown(template)
    );
    Diagnostic::error(Code::BINDING_CONFLICT, message).label(span, "the template")
}

/// What is left of a binding behind others of higher priority takes too many selectors.
pub fn priorities_not_compiled(name: &str, most: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::NOT_COMPILED,
        Severity::NotCompiled,
        format!("binding `{}` is valid, but not compiled yet", shown(name)),
    )
    .label(span, format!("what bindings of higher priority leave to it takes more than {most} selectors"))
}

pub fn overrides_not_compiled(template: &str, most: usize, span: Span) -> Diagnostic {
    let message = format!("template `{}` is valid, but not compiled yet", shown(template));
    Diagnostic::new(Code::NOT_COMPILED, Severity::NotCompiled, message)
        .label(span, format!("more than {most} pairs of its bindings select one workload"))
}

/// One of two policies that override one call.
#[derive(Clone, Copy, Debug)]
pub struct Override<'a> {
    pub policy: &'a str,
    pub value: i32,
    /// Of the selector.
    pub span: Span,
    /// Of the policy's name, where the selector is in a template.
    pub binding: Option<Span>,
}

pub fn contradictory_overrides(
    operation: &str,
    winner: Override<'_>,
    loser: Override<'_>,
    witness: &dyn Display,
    alike: u64,
) -> Diagnostic {
    let message = format!(
        "policies `{}` and `{}` may override one call of `{operation}` with different values",
        shown(winner.policy),
        shown(loser.policy)
    );
    let mut diagnostic = Diagnostic::lint(Code::CONTRADICTORY_OVERRIDES, message)
        .label(loser.span, format!("returns {}", loser.value))
        .label(winner.span, format!("returns {}, and wins", winner.value));
    for (policy, what) in [(loser, "the policy that returns"), (winner, "the policy that wins with")] {
        if let Some(span) = policy.binding {
            diagnostic = diagnostic.label(span, format!("{what} {}", policy.value));
        }
    }
    diagnostic = diagnostic
        .note(format!("both select {witness}"))
        .note("of several overrides the first one counts, in order of kind, namespace and name");
    match alike {
        0 => diagnostic,
        1 => diagnostic.note("1 more pair of policies has the same scopes and values"),
        n => diagnostic.note(format!("{n} more pairs of policies have the same scopes and values")),
    }
}

pub fn further_contradictions(operation: &str, further: u64, stopped: bool, span: Span) -> Diagnostic {
    let more = match (further, stopped) {
        (n, true) => format!("at least {n} more pairs of policies"),
        (1, false) => "1 more pair of policies".to_string(),
        (n, false) => format!("{n} more pairs of policies"),
    };
    let message = format!("{more} may override one call of `{operation}` with different values");
    Diagnostic::lint(Code::CONTRADICTORY_OVERRIDES, message)
        .label(span, "the first of them is described on its own")
}
