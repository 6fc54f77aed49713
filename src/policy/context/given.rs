//! Which values a filter compares with: its own, or those that `valuesFromVariable` stands for.
//!
//! A template is resolved once on its own, with its values open, and once more for each binding, with values.
//! The second time only findings that are new are reported: a value's at the value, with a second label at
//! the filter that compares with it; any other with a second label at the binding.

use std::cell::Cell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::diag::Diagnostic;
use crate::diag::suggest::nearest;
use crate::source::{Span, Spanned};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::arg_type::ArgType;

/// Whose variables filters may name.
#[derive(Clone, Copy, Default)]
pub enum Variables<'a> {
    /// A policy: the schema refuses them.
    #[default]
    None,
    /// A template on its own.
    Declared(&'a Declared<'a>),
    /// A template with the values of a binding.
    Bound(&'a Bound<'a>),
}

/// The values that a filter compares with.
#[derive(Clone, Copy)]
pub enum Given<'v> {
    Listed(&'v List<Text<'v>>),
    /// Those of a variable, which has none here.
    Open,
    /// None are written.
    Nothing,
}

/// The variables of a template, each once.
#[derive(Default)]
pub struct Declared<'a> {
    pub(in crate::policy) all: Vec<Variable<'a>>,
    pub(in crate::policy) by_name: FxHashMap<&'a str, usize>,
    pub(in crate::policy) span: Option<Span>,
    /// Some variable may be missing.
    pub(in crate::policy) incomplete: bool,
}

pub struct Variable<'a> {
    pub name: Text<'a>,
    /// `auto` says nothing.
    pub ty: Option<Spanned<ArgType>>,
    pub(in crate::policy) used: Cell<bool>,
}

/// Values of each variable of a template, from a binding.
pub struct Bound<'a> {
    pub declared: &'a Declared<'a>,
    /// In the order of the variables; none where a value was refused.
    pub lists: Vec<Option<List<Text<'a>>>>,
    /// What was said of the template on its own.
    pub known: &'a FxHashSet<Diagnostic>,
    /// The whole binding.
    pub document: Span,
    /// The binding's name.
    pub name: Span,
    /// The filter whose values are looked at.
    pub place: Cell<Option<Span>>,
}

impl<'a> Declared<'a> {
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub fn all(&self) -> &[Variable<'a>] {
        &self.all
    }

    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    pub fn nearest(&self, name: &str) -> Option<&'a str> {
        nearest(name, self.all.iter().map(|variable| variable.name.value))
    }
}

impl<'a> Variables<'a> {
    /// The values of a filter, without a word about a variable that is not there.
    pub fn given<'v>(self, own: Option<&'v List<Text<'v>>>, variable: Option<Text<'_>>) -> Given<'v>
    where
        'a: 'v,
    {
        match (variable, self) {
            (None, _) => own.map_or(Given::Nothing, Given::Listed),
            (Some(_), Variables::None | Variables::Declared(_)) => Given::Open,
            (Some(variable), Variables::Bound(bound)) => {
                bound.place.set(Some(variable.span));
                let at = bound.declared.position(variable.value);
                at.and_then(|at| bound.lists.get(at)?.as_ref()).map_or(Given::Open, Given::Listed)
            }
        }
    }

    /// The diagnostic as it is to be reported; `None` if it was, of the template on its own.
    pub fn placed(self, diagnostic: Diagnostic) -> Option<Diagnostic> {
        let Variables::Bound(bound) = self else { return Some(diagnostic) };
        if bound.known.contains(&diagnostic) {
            return None;
        }
        let document = bound.document;
        let is_value = diagnostic.labels.first().is_some_and(|label| {
            label.span.source == document.source
                && (document.start..=document.end).contains(&label.span.start)
        });
        Some(match (is_value, bound.place.get()) {
            (true, Some(place)) => diagnostic.label(place, "the template compares with it here"),
            (true, None) => diagnostic,
            (false, _) => diagnostic.label(bound.name, "in this binding"),
        })
    }
}
