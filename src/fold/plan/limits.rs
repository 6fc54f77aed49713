//! Checks offline what would otherwise fail on a node.

use indexmap::IndexMap;

use super::{MAX_DIMENSIONS, Plan, Unit};
use crate::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::fold::ir::{Program, Subject};
use crate::vocab::arg_type::{ArgType, Class};

/// Whether every unit is within what a program can hold.
pub(super) fn check(program: &Program, plan: &Plan, diags: &mut Diagnostics) -> bool {
    let mut fine = true;
    for unit in &plan.units {
        fine &= check_dimensions(program, unit, diags);
        fine &= check_readings(program, unit, diags);
        fine &= check_selectors(program, unit, diags);
    }
    fine
}

/// TF0601.
fn check_dimensions(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    if unit.dimensions.len() <= MAX_DIMENSIONS {
        return true;
    }
    let operation = &program.operations[unit.operation.0 as usize];
    let first = program.lists.iter().find(|l| l.operation == unit.operation).expect("a unit has lists");
    diags.push(
        Diagnostic::new(
            Code(601),
            Severity::NotCompiled,
            format!(
                "policies test `{}` in {} different ways; one program holds {MAX_DIMENSIONS}",
                operation.attach.target,
                unit.dimensions.len()
            ),
        )
        .label(first.span, "one of the hooks")
        .help("test fewer arguments, or with fewer kinds of operators"),
    );
    false
}

/// TF0602: two policies read one parameter as things of different kinds.
fn check_readings(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let mut by_param: IndexMap<u8, Vec<Subject>> = IndexMap::new();
    for &subject in &operation.subjects {
        by_param.entry(subject.param).or_default().push(subject);
    }
    let mut fine = true;
    for (param, subjects) in by_param {
        let Some(other) = subjects.iter().find(|s| !same_reading(s.ty, subjects[0].ty)) else { continue };
        fine = false;
        let place =
            program.lists.iter().find(|l| l.operation == unit.operation).expect("a unit has lists").span;
        diags.push(
            Diagnostic::new(
                Code(602),
                Severity::NotCompiled,
                format!(
                    "argument {param} of `{}` is declared `{}` by one policy and `{}` by another",
                    operation.attach.target,
                    subjects[0].ty.name(),
                    other.ty.name()
                ),
            )
            .label(place, "one of the hooks")
            .help("declare the argument with one type in all policies"),
        );
    }
    fine
}

/// TF0604: events count the selectors of a policy at an operation in eight bits.
fn check_selectors(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let lists = unit.scopes.values().flatten().map(|&l| &program.lists[l]);
    let mut fine = true;
    for list in lists.filter(|l| l.first_selector as usize + MAX_SELECTORS_OF_A_HOOK > 256) {
        fine = false;
        let target = &program.operations[unit.operation.0 as usize].attach.target;
        diags.push(
            Diagnostic::new(
                Code(604),
                Severity::NotCompiled,
                format!("a policy has more than 256 selectors at `{target}`"),
            )
            .label(list.span, "with this hook")
            .help("split the policy"),
        );
    }
    fine
}

/// Tetragon's limit.
const MAX_SELECTORS_OF_A_HOOK: usize = 5;

fn same_reading(a: ArgType, b: ArgType) -> bool {
    match (a.class(), b.class()) {
        // The same bytes of a register; each policy shows them with its own sign.
        (Some(Class::Int { bytes: a, .. }), Some(Class::Int { bytes: b, .. })) => a == b,
        (Some(Class::Text | Class::Path | Class::Int { .. }) | None, _) => a == b,
    }
}
