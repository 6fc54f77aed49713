//! Checks offline what would otherwise fail on a node.

use indexmap::IndexMap;

use super::{Dimension, Plan, Unit};
use crate::artifact::abi::{ACT_LIMIT_MAX, DIMENSIONS, EVENT_ENTRIES, EVENT_TAIL, LIMIT_WORDS, MASKS_MAX};
use crate::artifact::manifest::Form;
use crate::diag::{Diagnostics, target as report};
use crate::fold::ir::{List, Place, Predicate, Program, Subject, SubjectId};
use crate::policy::Values;
use crate::source::Span;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::Table;
use crate::vocab::fact::Fact;

/// Whether every unit is within what a program can hold.
pub(super) fn check(program: &Program, plan: &Plan, diags: &mut Diagnostics) -> bool {
    let mut fine = true;
    for unit in &plan.units {
        // What is read in two ways has the dimensions of both.
        let is_within = check_readings(program, unit, diags) && check_dimensions(program, unit, diags);
        fine &= is_within && check_masks(program, unit, diags) & check_verifier(program, unit, diags);
        fine &= check_selectors(program, unit, diags) & check_binary(program, unit, diags);
        fine &= check_values(program, unit, diags) & check_rate_limits(program, unit, diags);
    }
    fine
}

/// Two policies read one parameter as things of different kinds.
fn check_readings(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let mut by_param: IndexMap<u8, Vec<Subject>> = IndexMap::new();
    // An argument that is only counted (`nop`) is not read.
    for &subject in operation.subjects.iter().filter(|s| s.ty.class().is_some()) {
        if let Place::Param(param) = subject.place {
            by_param.entry(param).or_default().push(subject);
        }
    }
    let mut fine = true;
    for (param, subjects) in by_param {
        let Some(other) = subjects.iter().find(|s| !same_reading(s.ty, subjects[0].ty)) else { continue };
        fine = false;
        let place = |subject: Subject| {
            let of_unit = unit.scopes.values().flatten().map(|&l| &program.lists[l]);
            let declares = |l: &&List| l.subjects.iter().any(|&s| operation.subject(s) == subject);
            of_unit.clone().find(declares).or_else(|| of_unit.clone().next()).expect("a unit has lists").span
        };
        diags.push(report::different_readings(
            &operation.attach.shown(),
            param,
            [subjects[0].ty.name(), other.ty.name()],
            [place(subjects[0]), place(*other)],
        ));
    }
    fine
}

/// Events count the selectors of a policy at an operation in eight bits.
fn check_selectors(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let lists = unit.scopes.values().flatten().map(|&l| &program.lists[l]);
    let mut fine = true;
    for list in lists.filter(|l| l.first_selector as usize + MAX_SELECTORS_OF_A_HOOK > 256) {
        fine = false;
        let target = program.operations[unit.operation.0 as usize].attach.shown();
        diags.push(report::too_many_selectors(&target, list.span));
    }
    fine
}

/// Words of an event that its values of a fixed length may take, each with its header: the rest is for actions.
const VALUE_WORDS: u32 = EVENT_TAIL - EVENT_ENTRIES;

/// A tracepoint may have more fields than an event has room for; packets and structures are large.
fn check_values(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let words = |subject: &Subject| {
        let form = match subject.ty.class()? {
            Class::Int { .. } => Form::Unsigned,
            Class::Flow | Class::Structure(_) => subject.ty.object_form()?,
            Class::Text | Class::Path => return None,
        };
        Some((subject.param()?, form.tail_words()?))
    };
    // Of one parameter there is one value.
    let params: IndexMap<u8, u32> = operation.subjects.iter().filter_map(words).collect();
    let all: u32 = params.values().sum();
    if all <= VALUE_WORDS {
        return true;
    }
    let list = unit.scopes.values().flatten().next().expect("a unit has lists");
    let bytes = [all, VALUE_WORDS].map(|words| words * 8);
    diags.push(report::too_many_values(
        &operation.attach.shown(),
        params.len(),
        bytes,
        program.lists[*list].span,
    ));
    false
}

/// Keys of rate limits have as many words, and decision words as many numbers, as a program has.
fn check_rate_limits(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let limited = |list: &&List| list.rules.iter().any(|rule| rule.outcome.limit.is_some());
    let lists = unit.scopes.values().flatten().map(|&l| &program.lists[l]).filter(limited);
    let at: Vec<Span> = lists.clone().map(|list| list.span).collect();
    let target = operation.attach.shown();
    let (numbers, words) = (unit.limited.all.len() as u32, unit.limited.words());
    let mut why = vec![];
    if numbers > ACT_LIMIT_MAX {
        why.push(format!("they are {numbers} different ones, and a program tells {ACT_LIMIT_MAX} apart"));
    }
    if words > LIMIT_WORDS {
        why.push(format!(
            "their hooks declare arguments of {words} words together, and a key has {LIMIT_WORDS}"
        ));
    }
    // An event shows a number as its widest type has it: bytes that the limited policy does not look at would count.
    let is_wider = |list: &List| {
        let widths = list.params.iter().zip(&list.widths);
        let mut wider = widths.filter(|(param, width)| {
            width.is_some_and(|width| {
                operation.shown_integers.get(*param).is_some_and(|shown| shown.0 != width)
            })
        });
        wider.next().map(|(&param, _)| param)
    };
    if let Some(param) = lists.clone().find_map(is_wider) {
        why.push(format!("argument {param} is a wider number in another policy"));
    }
    for why in &why {
        diags.push(report::rate_limits(&target, why, &at));
    }
    why.is_empty()
}

/// A program has a place for the atom of each dimension.
fn check_dimensions(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let most = DIMENSIONS as usize;
    if unit.dimensions.len() <= most {
        return true;
    }
    let operation = &program.operations[unit.operation.0 as usize];
    let of_dimension = |dimension: &Dimension| {
        let key = (dimension.subject, dimension.projection, dimension.table());
        users(program, unit, |p| (p.subject, p.projection, p.values.table()) == key)
    };
    // What the fewest hooks need is changed most easily.
    let rarest = unit.dimensions.iter().map(|d| (of_dimension(d), d)).min_by_key(|(users, _)| users.len());
    let Some((users, dimension)) = rarest else { return true };
    let subject = operation.subject(dimension.subject);
    diags.push(report::too_many_dimensions(
        &operation.attach.shown(),
        [unit.dimensions.len(), most],
        (&subject.place.spelt(), subject.ty, dimension.table().name()),
        &users,
    ));
    false
}

/// The path of the process's file takes the place of an argument.
fn check_binary(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let is_binary = |id: SubjectId| operation.subject(id).place == Place::Fact(Fact::Binary);
    if operation.free_slot().is_some() || !unit.dimensions.iter().any(|d| is_binary(d.subject)) {
        return true;
    }
    let at = users(program, unit, |p| is_binary(p.subject));
    diags.push(report::no_place_for_binary(&operation.attach.shown(), &at));
    false
}

/// An atom has one bit for each mask that policies name for one argument.
fn check_masks(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let mut fine = true;
    for dimension in &unit.dimensions {
        let Values::AnyBit(masks) = &dimension.values else { continue };
        if masks.len() <= MASKS_MAX as usize {
            continue;
        }
        fine = false;
        let what = operation.subject(dimension.subject).place.spelt();
        let users = users(program, unit, |predicate| {
            predicate.subject == dimension.subject && predicate.values.table() == Table::AnyBit
        });
        let most = MASKS_MAX as usize;
        diags.push(report::too_many_masks(&operation.attach.shown(), &what, [masks.len(), most], &users));
    }
    fine
}

/// Where the hooks are that have such a predicate.
fn users(program: &Program, unit: &Unit, has: impl Fn(&Predicate) -> bool) -> Vec<Span> {
    let operation = &program.operations[unit.operation.0 as usize];
    let lists = unit.scopes.values().flatten().map(|&l| &program.lists[l]);
    let uses = |list: &&List| {
        list.rules.iter().flat_map(|rule| &rule.predicates).any(|&p| has(operation.predicate(p)))
    };
    lists.filter(uses).map(|list| list.span).collect()
}

/// Tetragon's limit.
const MAX_SELECTORS_OF_A_HOOK: usize = 5;

/// Most ways to test texts, by the number of text arguments, that kernels were seen to verify. Beyond that, 6.1 comes
/// near its limit of a million instructions: 583 400 for four strings in twelve ways, 404 900 for five in ten.
const MAX_TEXT_TESTS: [usize; 6] = [0, 3, 6, 9, 12, 10];

/// The verifier follows each way through a program.
fn check_verifier(program: &Program, unit: &Unit, diags: &mut Diagnostics) -> bool {
    let operation = &program.operations[unit.operation.0 as usize];
    let tests = unit.dimensions.iter().filter(|d| operation.subject(d.subject).is_text()).count();
    let texts = unit.texts.len();
    let most = MAX_TEXT_TESTS.get(texts).copied().unwrap_or(0);
    if tests <= most && texts < MAX_TEXT_TESTS.len() {
        return true;
    }
    let list = unit.scopes.values().flatten().next().expect("a unit has lists");
    diags.push(report::too_many_text_tests(
        &operation.attach.shown(),
        [texts, tests, most],
        program.lists[*list].span,
    ));
    false
}

fn same_reading(a: ArgType, b: ArgType) -> bool {
    match (a.class(), b.class()) {
        // The same register, of which each policy compares and shows what its own type says.
        (Some(Class::Int { .. }), Some(Class::Int { .. })) => true,
        (
            Some(Class::Text | Class::Path | Class::Flow | Class::Int { .. } | Class::Structure(_)) | None,
            _,
        ) => a == b,
    }
}
