//! Asks every kernel, and reports what some of them deny or none of them tells.
//!
//! Built-in kernels that nobody chose stand for nodes that nobody knows: what all of them lack is wrong, and of what
//! only some lack the user is told.

use super::Cx;
use super::facts::{Answer, FactKind, LEFT_OPEN, On};
use crate::diag::{Diagnostic, kernels as codes, lints};
use crate::platform::builtin::Role;
use crate::platform::kernel::{Kernel, listed};
use crate::source::Span;

impl Cx<'_> {
    /// Asks every kernel. Each failure is reported once, with the kernels that it is on; that some do not tell is
    /// said once for each `name`.
    pub fn ask<F: PartialEq>(
        &mut self,
        (kind, name, span): (FactKind, &str, Span),
        question: impl Fn(&Kernel) -> Answer<F>,
        say: impl FnMut(&F, &On<'_>) -> Diagnostic,
    ) {
        let kernels = self.facts.kernels.clone();
        let untold = self.ask_each(&kernels, question, say);
        if (kernels.is_empty() || !untold.is_empty()) && self.facts.is_first(kind, name) {
            let is_left_open = !untold.is_empty() && untold.iter().all(|kernel| kernel.node.is_some());
            let told_by = if is_left_open { LEFT_OPEN } else { kind.told_by() };
            // Of a kernel that nobody named, only that nothing tells.
            let named: Vec<&Kernel> = untold.into_iter().filter(|k| k.built_in.is_none()).collect();
            self.diags.push(lints::unchecked(&listed(&named), &kind.question(name), told_by, span));
        }
    }

    /// As [`Cx::ask`], for what is so of the whole kernel: once for each `name`.
    pub fn ask_once<F: PartialEq>(
        &mut self,
        (kind, name, span): (FactKind, &str, Span),
        question: impl Fn(&Kernel) -> Answer<F>,
        say: impl FnMut(&F, &On<'_>) -> Diagnostic,
    ) {
        if !self.facts.seen[kind as usize].contains(name) {
            self.ask((kind, name, span), question, say);
            self.facts.is_first(kind, name);
        }
    }

    /// As [`Cx::ask`], for what goes with a fact that is asked for anyway.
    pub fn ask_too<F: PartialEq>(
        &mut self,
        question: impl Fn(&Kernel) -> Answer<F>,
        say: impl FnMut(&F, &On<'_>) -> Diagnostic,
    ) {
        let kernels = self.facts.kernels.clone();
        self.ask_each(&kernels, question, say);
    }

    /// Gives the kernels that do not tell.
    fn ask_each<'k, F: PartialEq>(
        &mut self,
        kernels: &'k [Kernel],
        question: impl Fn(&Kernel) -> Answer<F>,
        mut say: impl FnMut(&F, &On<'_>) -> Diagnostic,
    ) -> Vec<&'k Kernel> {
        let mut failures: Vec<(F, On<'k>)> = vec![];
        let mut untold = vec![];
        for kernel in kernels {
            match question(kernel) {
                Answer::Holds => {}
                Answer::Untold => untold.push(kernel),
                Answer::Fails(failure) => match failures.iter_mut().find(|(known, _)| *known == failure) {
                    Some((_, on)) => on.kernels.push(kernel),
                    None => failures.push((failure, On { kernels: vec![kernel] })),
                },
            }
        }
        let failing: usize = failures.iter().map(|(_, on)| on.kernels.len()).sum();
        let certain = match kernels.first().map(Kernel::role) {
            Some(Role::Assumed) => failing == kernels.len(),
            Some(Role::StandIn) => false,
            Some(Role::Chosen) | None => true,
        };
        for (failure, on) in &failures {
            let said = say(failure, on);
            self.report(if certain { said } else { codes::on_some_kernels(said) });
        }
        untold
    }

    /// Says once for each `name` that a fact that no kernel tells was not checked.
    pub fn unchecked(&mut self, kind: FactKind, name: &str, span: Span) {
        if self.facts.is_first(kind, name) {
            self.diags.push(lints::unchecked("", &kind.question(name), kind.told_by(), span));
        }
    }
}
