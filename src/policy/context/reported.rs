//! A condition cannot vanish in silence: who has none to give must show that this was reported.

use super::Cx;
use super::given::Variables;
use crate::diag::{Diagnostic, Severity, schema};
use crate::source::Span;

/// Proof that the document was reported not to be compiled. Only this module makes one, and only where a diagnostic
/// keeps the document out of the set.
#[derive(Clone, Copy, Debug)]
pub struct Reported(());

impl Cx<'_> {
    /// Reports what keeps the document out of the set.
    pub fn refuse(&mut self, diagnostic: Diagnostic) -> Reported {
        debug_assert!(diagnostic.severity >= Severity::NotCompiled, "a lint refuses nothing");
        self.report(diagnostic);
        Reported(())
    }

    pub fn not_compiled(&mut self, what: &str, span: Span) -> Reported {
        self.refuse(schema::not_compiled(what, span))
    }

    /// For what an earlier finding leaves without an answer. If there was none, this is one.
    pub fn reported(&mut self, span: Span) -> Reported {
        // A template is no policy: its bindings are, with values of their own.
        let is_template = matches!(self.variables, Variables::Declared(_));
        if self.refused || self.blocked || is_template {
            return Reported(());
        }
        self.not_compiled("this condition", span)
    }
}

/// All of them, or the proof that one is missing. Everything was looked at before.
pub fn all<T>(parts: Vec<Result<T, Reported>>) -> Result<Vec<T>, Reported> {
    parts.into_iter().collect()
}
