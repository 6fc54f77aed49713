//! Which posts of an operation are limited, and which arguments their keys have.

use std::collections::{BTreeMap, BTreeSet};

use crate::artifact::abi::{LIMIT_SOCKET_WORDS, LIMIT_TEXT_WORDS};
use crate::artifact::manifest::Form;
use crate::fold::ir::{List, Operation, Outcome, Program};
use crate::policy::RateLimit;
use crate::vocab::arg_type::Class;

/// Limits of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    /// Each once; the first has number 1.
    pub all: Vec<PostLimit>,
    /// Words that the key has of each argument, by its parameter.
    pub key: BTreeMap<u8, u32>,
}

/// Events are counted together by the values of these parameters: those of the hook's own arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostLimit {
    pub limit: RateLimit,
    pub params: BTreeSet<u8>,
}

pub(super) fn of<'a>(
    program: &Program,
    operation: &Operation,
    lists: impl Iterator<Item = &'a usize>,
) -> Limited {
    let mut all = BTreeSet::new();
    let mut key = BTreeMap::new();
    for list in lists.map(|&l| &program.lists[l]) {
        for limit in list.rules.iter().filter_map(|rule| limit(operation, list, rule.outcome)) {
            all.insert(limit);
            key.extend(params(operation, list));
        }
    }
    Limited { all: all.into_iter().collect(), key }
}

/// What limits the posts of a rule of `list`.
fn limit(operation: &Operation, list: &List, outcome: Outcome) -> Option<PostLimit> {
    let limit = outcome.limit?;
    Some(PostLimit { limit, params: params(operation, list).map(|(param, _)| param).collect() })
}

/// The parameters that a list's hook declares and events show, with their words.
fn params(operation: &Operation, list: &List) -> impl Iterator<Item = (u8, u32)> {
    list.params.iter().zip(&list.subjects).filter_map(|(&param, &id)| {
        let words = match operation.subject(id).ty.class()? {
            Class::Int { .. } => 1,
            Class::Text | Class::Path => LIMIT_TEXT_WORDS,
            Class::Flow => LIMIT_SOCKET_WORDS,
            Class::Structure(structure) => Form::Structure(structure).tail_words()?,
        };
        Some((param, words))
    })
}

impl Limited {
    /// Number of the limit of a rule of `list`, from 1.
    pub fn number(&self, operation: &Operation, list: &List, outcome: Outcome) -> Option<u32> {
        let limit = limit(operation, list, outcome)?;
        self.all.iter().position(|known| *known == limit).map(|at| at as u32 + 1)
    }

    /// Words of a key.
    pub fn words(&self) -> u32 {
        self.key.values().sum()
    }

    /// Each parameter of the key with its first word and their number.
    pub fn places(&self) -> impl Iterator<Item = (u8, u32, u32)> {
        self.key.iter().scan(0, |next, (&param, &words)| {
            let at = *next;
            *next += words;
            Some((param, at, words))
        })
    }
}
