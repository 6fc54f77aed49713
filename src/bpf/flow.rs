//! Where execution can go in a piece of code, and which registers matter there.
//!
//! Answers are per item of a [`Code`], and hold until it is edited. Assumes every target is bound
//! ([`Flow::new`] checks it). Calls are taken to read all five argument registers.

use super::code::{Code, Item, Label, Op};
use super::error::Error;

/// Control flow of one [`Code`].
pub struct Flow {
    /// Item number of each label.
    places: Vec<Option<usize>>,
}

impl Flow {
    /// # Errors
    /// A label that is jumped to and nowhere, or bound twice.
    pub fn new(code: &Code, function: &str) -> Result<Flow, Error> {
        let flow = Flow { places: code.label_items(function)? };
        let unbound = code.ops().filter_map(|op| op.target).any(|t| flow.places[t.0 as usize].is_none());
        if unbound { Err(Error::UnboundLabel { function: function.to_owned() }) } else { Ok(flow) }
    }

    /// Item number of a bound label.
    pub fn place(&self, label: Label) -> usize {
        self.places[label.0 as usize].unwrap_or(usize::MAX)
    }

    /// The first operation that executes from item `at` on, over labels and unconditional jumps.
    /// `None` for the end of the code and for a jump to itself.
    pub fn landing<'c>(&self, code: &'c Code, mut at: usize) -> Option<(usize, &'c Op)> {
        for _ in 0..=code.items.len() {
            match code.items.get(at)? {
                Item::Label(_) => at += 1,
                Item::Op(op) if op.insn.is_goto() => at = self.place(op.target?),
                Item::Op(op) => return Some((at, op)),
            }
        }
        None
    }

    /// Items that can execute next: the following one, and the target.
    pub fn successors(&self, code: &Code, at: usize) -> [Option<usize>; 2] {
        match &code.items[at] {
            Item::Label(_) => [Some(at + 1), None],
            Item::Op(op) => {
                let next = op.insn.falls_through().then_some(at + 1);
                [next, op.target.map(|t| self.place(t))]
            }
        }
    }

    /// Which items can be executed, from the first one on.
    pub fn reachable(&self, code: &Code) -> Vec<bool> {
        let mut reached = vec![false; code.items.len()];
        let mut todo = vec![0];
        while let Some(at) = todo.pop() {
            if at < reached.len() && !std::mem::replace(&mut reached[at], true) {
                todo.extend(self.successors(code, at).into_iter().flatten());
            }
        }
        reached
    }

    /// Registers whose value may still be read *behind* each item, as bit sets.
    pub fn live_after(&self, code: &Code) -> Vec<u16> {
        let mut before = vec![0u16; code.items.len() + 1];
        let mut after = vec![0u16; code.items.len()];
        loop {
            let mut changed = false;
            for at in (0..code.items.len()).rev() {
                let live = self
                    .successors(code, at)
                    .into_iter()
                    .flatten()
                    .fold(0, |live, next| live | before.get(next).copied().unwrap_or(0));
                after[at] = live;
                let needed = match &code.items[at] {
                    Item::Label(_) => live,
                    Item::Op(op) => live & !op.insn.writes() | op.insn.reads(),
                };
                changed |= needed != before[at];
                before[at] = needed;
            }
            if !changed {
                return after;
            }
        }
    }
}
