//! Bindings of one template that may select one workload: an error, or the one of higher priority applies.
//!
//! The lower one is left with what it selects and no higher one does, which is a scope again; so later phases
//! know nothing of priorities.

use std::ops::ControlFlow;

use indexmap::IndexMap;

use super::binding::Binding;
use crate::diag::Diagnostics;
use crate::diag::overlap::{self as codes, ConflictReason};
use crate::diag::workload::selects_no_pod;
use crate::policy::Scope;
use crate::policy::overlap::{algebra, index, witness};
use crate::source::Span;

/// Conflicts that are shown of one template.
const MOST_SHOWN: usize = 20;
/// Pairs of bindings of one template in which one takes over from the other.
const MOST_OVERRIDES: usize = 1_000_000;

/// What is in the way.
enum Pair {
    Error(ConflictReason),
    /// The first one applies where both select.
    Overrides(usize, usize),
}

/// Takes from each binding of one template what others of higher priority select; a scope that cannot be written
/// down, and those of a template with errors, become `None`. Gives each loser with each that takes over from it.
pub fn settle(
    bindings: &[Binding],
    of_template: &[usize],
    scopes: &mut [Option<Scope>],
    template: (&str, Span),
    diags: &mut Diagnostics,
) -> Result<Vec<(usize, usize)>, Refused> {
    // Bindings of equal scopes are compared with each other, and each scope once with the others.
    let mut classes: IndexMap<&Scope, Vec<usize>> = IndexMap::new();
    for &b in of_template {
        if let Some(scope) = &scopes[b] {
            classes.entry(scope).or_default().push(b);
        }
    }
    let mut search = Search { bindings, template, shown: 0, further: 0, overrides: vec![] };
    for (scope, members) in &classes {
        if members.len() > 1 && witness(scope, scope).is_some() {
            for (i, &b) in members.iter().enumerate() {
                if members[..i].iter().try_for_each(|&a| search.pair(a, b, scope, scope, diags)).is_break() {
                    break;
                }
            }
        }
    }
    let of_class: Vec<&Scope> = classes.keys().copied().collect();
    let mut visit = |x: usize, y: usize| {
        let (a, b) = (of_class[x.min(y)], of_class[x.max(y)]);
        classes[a].iter().try_for_each(|&of_a| {
            classes[b].iter().try_for_each(|&of_b| search.pair(of_a, of_b, a, b, diags))
        })
    };
    index::pairs(&of_class, &|_| true, &|_, _| true, &mut visit, u64::MAX);
    let Search { shown, further, mut overrides, .. } = search;
    if further > 0 {
        diags.push(codes::further_binding_conflicts(further, template.0, template.1));
    }
    if shown > 0 {
        of_template.iter().for_each(|&b| scopes[b] = None);
        return Err(Refused);
    }
    if overrides.len() > MOST_OVERRIDES {
        diags.push(codes::overrides_not_compiled(template.0, MOST_OVERRIDES, template.1));
        of_template.iter().for_each(|&b| scopes[b] = None);
        return Ok(vec![]);
    }
    overrides.sort_unstable();
    let mut left: Vec<(usize, Option<Scope>)> = vec![];
    for of_loser in overrides.chunk_by(|a, b| a.0 == b.0) {
        let loser = of_loser[0].0;
        let Some(scope) = &scopes[loser] else { continue };
        let winners = of_loser.iter().filter_map(|(_, winner)| scopes[*winner].as_ref());
        left.push((loser, algebra::subtract(scope, winners)));
    }
    for (loser, scope) in left {
        let (name, span) = name(&bindings[loser]);
        match &scope {
            None => diags.push(codes::priorities_not_compiled(name, algebra::MAX_TERMS, span)),
            Some(scope) if scope.any.is_empty() => {
                let why = "bindings of higher priority apply to all of its pods";
                diags.push(selects_no_pod("the binding", why, span));
            }
            Some(_) => {}
        }
        scopes[loser] = scope;
    }
    Ok(overrides)
}

/// There was an error, which was reported.
pub struct Refused;

struct Search<'a> {
    bindings: &'a [Binding],
    template: (&'a str, Span),
    shown: usize,
    further: usize,
    /// Loser and winner.
    overrides: Vec<(usize, usize)>,
}

impl Search<'_> {
    /// Two bindings that meet.
    fn pair(
        &mut self,
        a: usize,
        b: usize,
        of_a: &Scope,
        of_b: &Scope,
        diags: &mut Diagnostics,
    ) -> ControlFlow<()> {
        let (earlier, later) = (a.min(b), a.max(b));
        match judge(self.bindings, earlier, later) {
            Pair::Overrides(winner, loser) => {
                self.overrides.push((loser, winner));
                if self.overrides.len() > MOST_OVERRIDES {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
            Pair::Error(_) if self.shown == MOST_SHOWN => {
                // Enough is wrong; the rest need not be counted.
                self.further += 1;
                ControlFlow::Break(())
            }
            Pair::Error(reason) => {
                if let Some(witness) = witness(of_a, of_b) {
                    self.shown += 1;
                    let names = [name(&self.bindings[later]), name(&self.bindings[earlier])];
                    diags.push(codes::binding_conflict(names, self.template.0, &witness, reason));
                }
                ControlFlow::Continue(())
            }
        }
    }
}

fn judge(bindings: &[Binding], a: usize, b: usize) -> Pair {
    let (of_a, of_b) = (&bindings[a], &bindings[b]);
    let strict = [of_a, of_b].into_iter().find(|binding| !binding.override_allowed);
    match (strict, of_a.priority.cmp(&of_b.priority)) {
        (Some(strict), _) => Pair::Error(ConflictReason::NotAllowed(strict.override_span)),
        (None, std::cmp::Ordering::Equal) => Pair::Error(ConflictReason::SamePriority(of_a.priority)),
        (None, std::cmp::Ordering::Greater) => Pair::Overrides(a, b),
        (None, std::cmp::Ordering::Less) => Pair::Overrides(b, a),
    }
}

fn name(binding: &Binding) -> (&str, Span) {
    binding.name.as_ref().map_or(("", binding.document), |(identity, span)| (&identity.name, *span))
}
