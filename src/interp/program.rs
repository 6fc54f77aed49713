//! The oracle on rules: evaluates an [`ir::Program`], as built or as rewritten, on an event.
//!
//! What the passes and the plan did must not change the answer: the property tests compare this with
//! [`super::run`] on the policies.

use super::{Event, Hit, Value, Verdict, applies, at_width};
use crate::fold::ir::{Family, Operation, Predicate, Program, Values};
use crate::fold::plan::Plan;
use crate::policy::PolicySet;

/// The meaning of `program` for `event`; `plan` says which lists are in which scope.
pub fn run_plan(set: &PolicySet, program: &Program, plan: &Plan, event: &Event) -> Verdict {
    let mut verdict = Verdict::default();
    let mut lists: Vec<usize> = vec![];
    for unit in &plan.units {
        if program.operations[unit.operation.0 as usize].attach == event.attach {
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
        let holds = |p| predicate_holds(set, operation, operation.predicate(p), event);
        let Some(rule) = list.rules.iter().find(|r| r.predicates.iter().all(|&p| holds(p))) else { continue };
        if rule.outcome.is_quiet() {
            continue;
        }
        if let Some(v) = rule.outcome.override_value
            && verdict.value == 0
        {
            verdict.value = i32::from(v);
        }
        verdict.sigkill |= rule.outcome.sigkill;
        let policy = &set.policies[list.policy];
        let selector = &policy.hooks[list.hook].selectors[rule.selector as usize];
        let position = set.written.policies[list.policy].position(selector.span);
        verdict.hits.push(Hit {
            policy: policy.identity.clone(),
            place: selector.span,
            selector: position.expect("a selector of the document") as u8,
            post: rule.outcome.post,
            shown: selector.actions.shown,
        });
    }
    verdict
}

fn predicate_holds(set: &PolicySet, operation: &Operation, p: &Predicate, event: &Event) -> bool {
    let subject = operation.subject(p.subject);
    let any = |test: &dyn Fn(&[u8]) -> bool| match &p.values {
        Values::Strings(v) => v.iter().any(|&s| test(set.strings.get(s))),
        Values::Ints(_) => false,
    };
    let found = match (p.family, event.args.get(subject.param as usize)) {
        (_, None | Some(Value::Unreadable)) => return p.unreadable,
        (Family::Int, Some(Value::Int(register))) => match &p.values {
            Values::Ints(v) => v.binary_search(&at_width(subject.ty.class(), *register)).is_ok(),
            Values::Strings(_) => false,
        },
        (Family::Equal, Some(Value::Text(t))) => any(&|v| v == t),
        (Family::Prefix, Some(Value::Text(t))) => {
            !t.is_empty() && any(&|v| t[..t.len().min(255)].starts_with(v))
        }
        (Family::Postfix, Some(Value::Text(t))) => {
            !t.is_empty() && any(&|v| t[t.len() - t.len().min(127)..].ends_with(v))
        }
        (Family::Int, Some(Value::Text(_)))
        | (Family::Equal | Family::Prefix | Family::Postfix, Some(Value::Int(_))) => false,
    };
    found != p.negated
}
