//! What `valuesFromVariable` stands for, and where findings about such values are shown.
//!
//! A template is resolved once on its own, with its values open, and once more for each binding, with values.
//! The second time only findings that are new are reported: a value's at the value, with a second label at
//! the filter that compares with it; any other with a second label at the binding.

use std::cell::Cell;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Cx;
use crate::diag::suggest::nearest;
use crate::diag::{Diagnostic, bindings as codes};
use crate::source::{Span, Spanned};
use crate::syntax::ast::bindings::Variable as WrittenVariable;
use crate::syntax::ast::objects::Spec;
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
    all: Vec<Variable<'a>>,
    by_name: FxHashMap<&'a str, usize>,
    span: Option<Span>,
    /// Some variable may be missing.
    incomplete: bool,
}

pub struct Variable<'a> {
    pub name: Text<'a>,
    /// `auto` says nothing.
    pub ty: Option<Spanned<ArgType>>,
    used: Cell<bool>,
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
    pub fn of(spec: &'a Spec<'a>, cx: &mut Cx<'_>) -> Declared<'a> {
        let list: Option<&List<WrittenVariable<'a>>> = spec.variables.as_ref();
        let mut declared = Declared { span: list.map(|list| list.span), ..Declared::default() };
        declared.incomplete = spec.incomplete || list.is_some_and(|list| list.poisoned);
        for variable in list.iter().flat_map(|list| &list.items) {
            let Some(name) = variable.name else {
                declared.incomplete = true;
                continue;
            };
            if let Some(&first) = declared.by_name.get(name.value) {
                cx.report(codes::duplicate_variable(name.value, declared.all[first].name.span, name.span));
                continue;
            }
            declared.by_name.insert(name.value, declared.all.len());
            let ty = variable.ty.filter(|ty| ty.value != ArgType::Auto);
            declared.all.push(Variable { name, ty, used: Cell::new(false) });
        }
        declared
    }

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

    /// Assumes that every filter was looked at.
    pub fn report_unused(&self, cx: &mut Cx<'_>) {
        for variable in self.all.iter().filter(|variable| !variable.used.get()) {
            cx.report(codes::unused_variable(variable.name.value, variable.name.span));
        }
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

impl<'a> Cx<'a> {
    /// The values that a filter compares with: its own or those of the variable that it names.
    pub fn values<'v>(&mut self, own: Option<&'v List<Text<'v>>>, variable: Option<Text<'_>>) -> Given<'v>
    where
        'a: 'v,
    {
        if let (Some(variable), Variables::Declared(declared)) = (variable, self.variables) {
            match declared.position(variable.value) {
                Some(at) => declared.all[at].used.set(true),
                None if declared.incomplete => {}
                None => {
                    let nearest = declared.nearest(variable.value);
                    let span = declared.span;
                    self.report(codes::undeclared_variable(variable.value, nearest, span, variable.span));
                }
            }
        }
        self.variables.given(own, variable)
    }

    /// Compares a variable's type with that of the argument, `None` where none is compared. Once, on the template.
    pub fn check_variable_type(&mut self, variable: Option<Text<'_>>, arg: Option<ArgType>) {
        let (Some(used), Variables::Declared(declared)) = (variable, self.variables) else { return };
        let Some(variable) = declared.position(used.value).map(|at| &declared.all[at]) else { return };
        let Some(ty) = variable.ty else { return };
        let (name, at) = (used.value, used.span);
        match arg {
            Some(arg) if arg.canonical() == ty.value.canonical() => {}
            Some(arg) => self.report(codes::variable_type(name, ty.value, ty.span, arg, at)),
            None => self.report(codes::typed_variable(name, ty.value, ty.span, at)),
        }
    }
}
