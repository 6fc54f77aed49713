//! Rewrites of decision lists that keep their meaning.
//!
//! No pass touches the lists of returns: there every rule is its selector's own. Each pass is one file and one row of the table. What a pass does not fully understand it leaves alone.
//! Every rule that a pass leaves out stands in the [`Certificate`], with the reason, so that the proof can
//! check the omission without trusting the pass. No pass knows a byte layout.

mod drop_dead;
mod drop_quiet_tail;
mod drop_unreachable;

use crate::fold::ir::{List, Program};
use crate::policy::Strings;

/// Why a rule is not in the program any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Omission {
    /// Its conditions exclude each other.
    NeverMatches,
    /// The rule of this selector, ahead of it, matches whenever it would.
    CoveredBy { selector: u8 },
    /// Neither it nor any rule behind it does anything.
    QuietTail,
}

/// A rule that is not there: position of its policy, of the hook in the policy, and number of its selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omitted {
    pub policy: usize,
    pub hook: usize,
    pub selector: u8,
    pub why: Omission,
}

/// What was left out and why that changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    pub omitted: Vec<Omitted>,
}

impl Certificate {
    fn omit(&mut self, list: &List, selector: u8, why: Omission) {
        let of_hook = |&hook| Omitted { policy: list.policy, hook, selector, why };
        self.omitted.extend(list.hooks.iter().map(of_hook));
    }
}

/// A rewrite.
pub struct Pass {
    pub name: &'static str,
    pub what: &'static str,
    /// With the values that predicates name.
    pub run: fn(&mut Program, &Strings, &mut Certificate),
}

/// In the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: "drop-dead", what: "remove rules whose conditions exclude each other", run: drop_dead::run },
    Pass {
        name: "drop-unreachable",
        what: "remove rules behind a rule that matches whatever they match",
        run: drop_unreachable::run,
    },
    Pass {
        name: "drop-quiet-tail",
        what: "remove rules at the end of a list that do nothing",
        run: drop_quiet_tail::run,
    },
];

/// Runs every pass but those named in `skip`.
pub fn run(program: &mut Program, strings: &Strings, skip: &[String]) -> Certificate {
    let mut certificate = Certificate::default();
    for pass in PASSES.iter().filter(|p| !skip.iter().any(|s| s == p.name)) {
        (pass.run)(program, strings, &mut certificate);
    }
    certificate
}
