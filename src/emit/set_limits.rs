//! How many decision words one set can have, and whether a node may meet a set of more than programs run.
//!
//! The host's set is known. Of pods an upper bound is known ([`meet`]); where that is over the limit a pod is looked
//! for that really is in so many scopes. If none is found, the loader decides.

use crate::artifact::abi::SET_WORDS_MAX;
use crate::artifact::manifest::{Scope, ScopeTerm};
use crate::artifact::node::meet;
use crate::artifact::scope_block::ScopeBlocks;
use crate::policy::PolicySet;
use crate::policy::overlap::{Witness, crowd};

/// The most that is known of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetWords {
    pub words: u64,
    /// Somebody who surely has more than [`SET_WORDS_MAX`].
    pub too_many_for: Option<Witness>,
}

/// `scopes` are the manifest's, in the order of the set's.
pub fn of(set: &PolicySet, scopes: &[Scope], blocks: &ScopeBlocks) -> SetWords {
    const END: u64 = 1;
    let limit = SET_WORDS_MAX as u64;
    let mut all: Vec<(usize, u64)> = vec![];
    for number in blocks.scopes() {
        let words = blocks.block(number).map_or(0, |block| block.words() as u64);
        all.extend(scopes.binary_search_by_key(&number, |s| s.number).map(|at| (at, words)));
    }
    let is_host = |at: usize| scopes[at].any.iter().any(|term| matches!(term, ScopeTerm::Host(_)));
    let host = END + all.iter().filter(|(at, _)| is_host(*at)).map(|(_, words)| words).sum::<u64>();
    if host > limit {
        return SetWords { words: host, too_many_for: Some(Witness::Host) };
    }
    let groups = meet::groups(all.iter().map(|(at, _)| &scopes[*at]));
    let pods = END + meet::heaviest(&groups, |at| all[at].1);
    if pods <= limit {
        return SetWords { words: host.max(pods), too_many_for: None };
    }
    all.sort_by_key(|(_, words)| std::cmp::Reverse(*words));
    let (met, witness) = crowd(all.iter().map(|(at, _)| &set.scopes[*at]));
    let words =
        END + all.iter().zip(met).filter(|(_, is_met)| *is_met).map(|((_, words), _)| words).sum::<u64>();
    SetWords { words: host.max(words), too_many_for: witness.filter(|_| words > limit) }
}
