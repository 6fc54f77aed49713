//! What is known and said while a document is looked at: findings, kernels, values of variables.
//!
//! [`Cx`] takes the findings of one document; [`facts`] and [`kernels`] ask the kernels that were given; [`given`]
//! says which values a filter compares with. Knows nothing of what a document means.

mod ask;
pub mod facts;
pub mod field_path;
pub mod given;
pub mod kernels;
pub mod reported;

use self::facts::Facts;
use self::given::Variables;
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::policy::Strings;

/// What the concerns share while one document is resolved.
pub struct Cx<'a> {
    pub diags: &'a mut Diagnostics,
    pub strings: &'a mut Strings,
    pub facts: &'a mut Facts,
    /// Something is wrong with the document.
    pub refused: bool,
    /// Something of it cannot be compiled.
    pub blocked: bool,
    pub variables: Variables<'a>,
}

impl<'a> Cx<'a> {
    pub fn new(diags: &'a mut Diagnostics, strings: &'a mut Strings, facts: &'a mut Facts) -> Cx<'a> {
        Cx { diags, strings, facts, refused: false, blocked: false, variables: Variables::None }
    }

    /// Of a template, of which a binding says for whom it is.
    pub fn is_template(&self) -> bool {
        !matches!(self.variables, Variables::None)
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.refused = true,
            Severity::NotCompiled => self.blocked = true,
            Severity::Warning | Severity::Note => {}
        }
        if let Some(diagnostic) = self.variables.placed(diagnostic) {
            self.diags.push(diagnostic);
        }
    }
}
