//! The oracle on rules: evaluates an [`ir::Program`], as built or as rewritten, on an event.
//!
//! What the passes and the plan did must not change the answer: the property tests compare this with
//! [`super::run`] on the policies.

use super::limit::Limited;
use super::{Event, Hit, Part, Value, Verdict, applies, number, part};
use crate::fold::ir::{Operation, Place, Predicate, Program};
use crate::fold::plan::Plan;
use crate::policy::{PolicySet, Values};
use crate::vocab::arg_type::Class;

/// The meaning of `program` for `event`; `plan` says which lists are in which scope.
pub fn run_plan(set: &PolicySet, program: &Program, plan: &Plan, event: &Event) -> Verdict {
    let mut verdict = Verdict::default();
    let mut lists: Vec<usize> = vec![];
    for unit in &plan.units {
        if program.operations[unit.operation.0 as usize].attach.position(&event.attach).is_some() {
            for (scope, of_scope) in &unit.scopes {
                if applies(&set.scopes[scope.0 as usize], &event.workload) {
                    lists.extend(of_scope);
                }
            }
        }
    }
    lists.sort_unstable();
    for l in lists {
        let list = &program.lists[l];
        let operation = &program.operations[list.operation.0 as usize];
        let Some(at) = operation.attach.position(&event.attach) else { continue };
        let hook = list.hooks[at];
        let holds = |p| predicate_holds(set, operation, operation.predicate(p), event);
        let matching = list.rules.iter().filter(|r| r.predicates.iter().all(|&p| holds(p)));
        // At a return each decides for itself.
        let deciding = matching.take(if list.at_return { usize::MAX } else { 1 });
        for rule in deciding.filter(|rule| !rule.outcome.is_quiet()) {
            if let Some(v) = rule.outcome.override_value
                && verdict.value == 0
            {
                verdict.value = i32::from(v);
            }
            verdict.sigkill |= rule.outcome.sigkill;
            let policy = &set.policies[list.policy];
            let selector = policy.hooks[hook].selectors.iter().find(|s| s.number == rule.selector);
            let selector = selector.expect("a rule of a selector");
            verdict.hits.push(Hit {
                policy: policy.identity.clone(),
                place: selector.span,
                selector: rule.selector,
                post: rule.outcome.post,
                limit: rule.outcome.limit.map(|limit| {
                    let args = list.params.iter().zip(&policy.hooks[hook].args);
                    let args = args.filter(|(_, arg)| arg.ty.class().is_some());
                    let args = args.map(|(&param, arg)| (param, arg.ty)).collect();
                    Limited { milliseconds: limit.milliseconds.into(), scope: limit.scope, args }
                }),
                shown: selector.actions.shown,
            });
        }
    }
    verdict
}

fn predicate_holds(set: &PolicySet, operation: &Operation, p: &Predicate, event: &Event) -> bool {
    let subject = operation.subject(p.subject);
    let value = match subject.place {
        Place::Param(param) => event.args.get(param as usize),
        Place::Fact(fact) => event.process.get(&fact),
    };
    let found = match value {
        None | Some(Value::Unreadable) => return p.unreadable,
        Some(Value::Flow(flow)) => match part(p.projection, *flow) {
            Some(part) => fits(&p.values, part),
            None => return p.unreadable,
        },
        Some(value) => any_value(set, &p.values, subject.ty.class(), value),
    };
    found != p.negated
}

fn fits(values: &Values, part: Part) -> bool {
    match (values, part) {
        (Values::Intervals(all), Part::Number(number)) => all.iter().any(|i| i.contains(number)),
        (Values::Addresses(all), Part::Address(address)) => all.iter().any(|range| range.contains(address)),
        (_, Part::Number(_) | Part::Address(_)) => false,
    }
}

fn any_value(set: &PolicySet, values: &Values, class: Option<Class>, value: &Value) -> bool {
    match (values, value) {
        (Values::Path(values) | Values::Text(values), Value::Text(text)) => {
            values.iter().any(|&v| set.strings.get(v) == text)
        }
        (Values::Prefix(values), Value::Text(text)) => {
            let seen = &text[..text.len().min(255)];
            !text.is_empty() && values.iter().any(|&v| seen.starts_with(set.strings.get(v)))
        }
        (Values::Postfix(values), Value::Text(text)) => {
            let seen = &text[text.len() - text.len().min(127)..];
            !text.is_empty() && values.iter().any(|&v| seen.ends_with(set.strings.get(v)))
        }
        (Values::Intervals(values), Value::Int(register)) => {
            values.iter().any(|interval| interval.contains(number::at_width(*register, class)))
        }
        (Values::AnyBit(masks), Value::Int(register)) => {
            masks.iter().any(|mask| number::at_width(*register, class) & mask != 0)
        }
        (Values::Path(_) | Values::Text(_) | Values::Prefix(_) | Values::Postfix(_), Value::Int(_))
        | (Values::Intervals(_) | Values::AnyBit(_), Value::Text(_))
        | (Values::Addresses(_), Value::Int(_) | Value::Text(_))
        | (_, Value::Flow(_) | Value::Unreadable) => false,
    }
}
