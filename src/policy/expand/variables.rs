//! The variables of a template, and the filters that name them.

use std::cell::Cell;

use crate::diag::bindings as codes;
use crate::policy::context::Cx;
use crate::policy::context::given::{Declared, Given, Variable, Variables};
use crate::syntax::ast::bindings::Variable as WrittenVariable;
use crate::syntax::ast::objects::Spec;
use crate::syntax::ast::read::{List, Text};
use crate::vocab::arg_type::ArgType;

/// The variables that a template declares.
pub fn declared<'a>(spec: &'a Spec<'a>, cx: &mut Cx<'_>) -> Declared<'a> {
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

/// Assumes that every filter was looked at.
pub fn report_unused(declared: &Declared<'_>, cx: &mut Cx<'_>) {
    for variable in declared.all.iter().filter(|variable| !variable.used.get()) {
        cx.report(codes::unused_variable(variable.name.value, variable.name.span));
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
