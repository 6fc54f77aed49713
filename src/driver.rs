//! The phases in order. Nothing else knows the order.
//!
//! Each phase takes what the one before it made and a [`Diagnostics`] to report to, and goes on past an
//! error where it can; the caller looks at what was reported between phases.

use std::io::Read;
use std::path::PathBuf;

use crate::diag::{Diagnostics, documents as report};
use crate::policy::PolicySet;
use crate::policy::resolve::{ResolveOptions, Resolver};
use crate::source::{Sources, discover};
use crate::syntax::{ast, documents};

/// What is read and how.
#[derive(Clone, Debug)]
pub struct Input {
    /// Files, folders, `-`.
    pub paths: Vec<PathBuf>,
    /// Changes no output.
    pub threads: usize,
    /// A set without any policy is meant.
    pub allow_empty: bool,
    pub resolve: ResolveOptions,
}

/// Paths to texts.
pub fn read(input: &Input, stdin: &mut dyn Read, diags: &mut Diagnostics) -> Sources {
    discover::load(&input.paths, stdin, input.threads, diags)
}

/// The policies of a run.
#[derive(Debug)]
pub struct Policies {
    /// Documents that are policies, with errors or without.
    pub documents: usize,
    /// `None` if any of them has an error.
    pub set: Option<PolicySet>,
}

/// Texts to meaning: YAML, the schema, the language's rules. Trees are let go of one by one.
pub fn policies(sources: &Sources, input: &Input, diags: &mut Diagnostics) -> Policies {
    let mut resolver = Resolver::new(input.resolve.clone());
    let mut seen = 0;
    documents::for_each(sources, input.threads, diags, &mut |document, diags| {
        seen += 1;
        if let Some(document) = ast::read(&document.root, diags) {
            resolver.add(&document, diags);
        }
    });
    // A file that could not be read or understood may be where the policies are.
    if seen == 0 && !input.allow_empty && !diags.has_errors() {
        diags.push(report::no_policy(sources.len()));
    }
    Policies { documents: seen, set: resolver.finish() }
}

#[cfg(test)]
mod tests;
