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
use crate::fold::ir::{Operation, Predicate, Program, Rule};
use crate::policy::{Interval, StrId, Strings, Values};
use crate::vocab::limit::{POSTFIX_BYTES, PREFIX_EFFECTIVE_BYTES};

pub(super) fn run(program: &mut Program, strings: &Strings, certificate: &mut Certificate) {
    for list in program.lists.iter_mut().filter(|list| !list.at_return) {
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
        let of_same = |q: &&Predicate| *q != p && (q.subject, q.projection) == (p.subject, p.projection);
        let others = || predicates().filter(of_same);
        match &p.values {
            Values::Intervals(intervals) => {
                intervals.iter().all(|interval| others().any(|q| rules_out_interval(q, *interval)))
            }
            Values::AnyBit(masks) => masks.is_empty(),
            Values::Addresses(ranges) => ranges.is_empty(),
            Values::Path(texts) | Values::Text(texts) => {
                texts.iter().all(|v| others().any(|q| rules_out_text(q, strings.get(*v), strings)))
            }
            Values::Prefix(parts) => {
                let is_part = |part: &[u8], of: &[u8]| of.starts_with(part);
                parts.iter().all(|v| others().any(|q| rules_out_part(q, p, *v, strings, is_part)))
            }
            Values::Postfix(parts) => {
                let is_part = |part: &[u8], of: &[u8]| of.ends_with(part);
                parts.iter().all(|v| others().any(|q| rules_out_part(q, p, *v, strings, is_part)))
            }
        }
    })
}

/// Whether `q` is false for every number of the interval.
fn rules_out_interval(q: &Predicate, of: Interval) -> bool {
    let Values::Intervals(intervals) = &q.values else { return false };
    if q.negated {
        intervals.iter().any(|i| i.contains(of.first) && i.contains(of.last))
    } else {
        intervals.iter().all(|i| i.last < of.first || of.last < i.first)
    }
}

/// Whether `q` is false for the text `value`.
fn rules_out_text(q: &Predicate, value: &[u8], strings: &Strings) -> bool {
    let any = |values: &[StrId], test: &dyn Fn(&[u8]) -> bool| values.iter().any(|v| test(strings.get(*v)));
    let holds = match &q.values {
        Values::Path(values) | Values::Text(values) => any(values, &|v| v == value),
        // Conditions on an end see only so much of a text, and nothing of an empty one.
        Values::Prefix(values) if value.len() <= PREFIX_EFFECTIVE_BYTES => {
            !value.is_empty() && any(values, &|v| value.starts_with(v))
        }
        Values::Postfix(values) if value.len() <= POSTFIX_BYTES => {
            !value.is_empty() && any(values, &|v| value.ends_with(v))
        }
        Values::Prefix(_)
        | Values::Postfix(_)
        | Values::Intervals(_)
        | Values::AnyBit(_)
        | Values::Addresses(_) => return false,
    };
    holds == q.negated
}

/// Whether `q` is false for every text that has `value` at the end that `p` tests, as `q` must do too.
fn rules_out_part(
    q: &Predicate,
    p: &Predicate,
    value: StrId,
    strings: &Strings,
    is_part: impl Fn(&[u8], &[u8]) -> bool,
) -> bool {
    let value = strings.get(value);
    let Some(others) = q.values.texts().filter(|_| q.values.table() == p.values.table()) else {
        return false;
    };
    let mut others = others.iter().map(|v| strings.get(*v));
    if q.negated {
        others.any(|v| is_part(v, value))
    } else {
        !others.any(|v| is_part(v, value) || is_part(value, v))
    }
}
