//! Removes rules at the end of a list that neither post nor enforce.
//!
//! Turns: a list whose last rules all do nothing (NoPost alone, or an enforcing one in monitor mode with
//!        NoPost).
//! Into:  the list without them.
//! Law:   an event that reached them has the answer "nothing" either way. A quiet rule *ahead* of one that
//!        acts shields its events from it and has to stay.

use super::{Certificate, Omission};
use crate::fold::ir::Program;
use crate::policy::Strings;

pub(super) fn run(program: &mut Program, _: &Strings, certificate: &mut Certificate) {
    for list in program.lists.iter_mut().filter(|list| !list.at_return) {
        while let Some(last) = list.rules.last() {
            if !last.outcome.is_quiet() {
                break;
            }
            certificate.omit(list, last.selector, Omission::QuietTail);
            list.rules.pop();
        }
    }
}
