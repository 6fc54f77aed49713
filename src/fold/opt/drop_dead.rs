//! Removes rules whose own conditions exclude each other.
//!
//! Turns: a rule with a condition that is true for nothing but certain texts, beginnings, ends or numbers, each of
//!        which another condition on the same subject rules out: `Equal /a` beside `NotEqual /a, /b`, or
//!        `Prefix /etc/` beside `Prefix /usr/`.
//! Into:  the list without it.
//! Law:   no value of that subject passes both, and one that cannot be read passes no condition that is not
//!        negated.
//! Gain:  an operation of which nothing else is left needs no program.

use super::{Certificate, Omission};
use crate::fold::ir::{Family, Operation, Predicate, Program, Rule, Values};
use crate::policy::Strings;
use crate::vocab::limit::{POSTFIX_BYTES, PREFIX_EFFECTIVE_BYTES};

pub(super) fn run(program: &mut Program, strings: &Strings, certificate: &mut Certificate) {
    for list in &mut program.lists {
        let operation = &program.operations[list.operation.0 as usize];
        let mut rules = std::mem::take(&mut list.rules);
        rules.retain(|rule| {
            let dead = is_dead(rule, operation, strings);
            if dead {
                certificate.omit(list, rule.selector, Omission::NeverMatches);
            }
            !dead
        });
        list.rules = rules;
    }
}

fn is_dead(rule: &Rule, operation: &Operation, strings: &Strings) -> bool {
    let predicates = || rule.predicates.iter().map(|p| operation.predicate(*p));
    predicates().filter(|p| !p.negated).any(|p| {
        let others = || predicates().filter(|q| *q != p && q.subject == p.subject);
        match &p.values {
            Values::Ints(values) => values.iter().all(|v| others().any(|q| rules_out_int(q, *v))),
            Values::Strings(values) => values.iter().all(|v| {
                let value = strings.get(*v);
                others().any(|q| match p.family {
                    Family::Equal => rules_out_text(q, value, strings),
                    Family::Prefix | Family::Postfix => rules_out_part(q, p.family, value, strings),
                    Family::Int => false,
                })
            }),
        }
    })
}

fn rules_out_int(q: &Predicate, value: u64) -> bool {
    matches!(&q.values, Values::Ints(ints) if ints.binary_search(&value).is_ok() == q.negated)
}

/// Whether `q` is false for the text `value`.
fn rules_out_text(q: &Predicate, value: &[u8], strings: &Strings) -> bool {
    let holds = match q.family {
        Family::Equal => any(q, strings, |v| v == value),
        // Conditions on an end see only so much of a text, and nothing of an empty one.
        Family::Prefix if value.len() <= PREFIX_EFFECTIVE_BYTES => {
            !value.is_empty() && any(q, strings, |v| value.starts_with(v))
        }
        Family::Postfix if value.len() <= POSTFIX_BYTES => {
            !value.is_empty() && any(q, strings, |v| value.ends_with(v))
        }
        Family::Prefix | Family::Postfix | Family::Int => return false,
    };
    holds == q.negated
}

/// Whether `q` is false for every text that begins with `value`, or that ends with it, as `family` says.
fn rules_out_part(q: &Predicate, family: Family, value: &[u8], strings: &Strings) -> bool {
    let is_part = |part: &[u8], of: &[u8]| match family {
        Family::Prefix => of.starts_with(part),
        Family::Postfix => of.ends_with(part),
        Family::Equal | Family::Int => false,
    };
    q.family == family
        && if q.negated {
            any(q, strings, |v| is_part(v, value))
        } else {
            !any(q, strings, |v| is_part(v, value) || is_part(value, v))
        }
}

fn any(q: &Predicate, strings: &Strings, test: impl Fn(&[u8]) -> bool) -> bool {
    matches!(&q.values, Values::Strings(values) if values.iter().any(|v| test(strings.get(*v))))
}
