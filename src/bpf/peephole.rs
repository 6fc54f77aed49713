//! Small rewrites of composed code, until none applies any more.
//!
//! Turns code into code that does the same to memory, to r0 at exits and to whatever is called. Every rewrite
//! needs a proof from [`Flow`] or [`constants`]. What remains is free of unreachable instructions, which the kernel's verifier refuses.
//! Not here: anything that needs to know memory, and moving instructions.

use super::code::{Code, Item, Label, Op};
use super::constants::{self, Registers};
use super::error::Error;
use super::flow::Flow;
use super::insn::{self, ADD, ALU32, ALU64, GOTO};
use super::specialise;

/// Rewrites in order; each says whether it changed anything.
const REWRITES: [fn(&mut Code, &Flow) -> bool; 6] =
    [specialise::run, decide_tests, drop_unreachable, drop_jumps_to_next, join_additions, drop_dead_writes];

/// More rounds than any composition has needed; each one is worth having on its own.
const ROUNDS: usize = 32;

pub fn run(code: &mut Code, function: &str) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let mut changed = false;
        for rewrite in REWRITES {
            changed |= rewrite(code, &Flow::new(code, function)?);
        }
        if !changed {
            break;
        }
    }
    Ok(())
}

/// A stencil that leaves with a constant goes straight to where the test of that constant would send it; and
/// what jumps to a jump goes to its target.
fn decide_tests(code: &mut Code, flow: &Flow) -> bool {
    let before = constants::before(code, flow);
    let mut behind: Vec<(usize, Label)> = vec![];
    let mut detours: Vec<(usize, Label)> = vec![];
    let mut targets: Vec<(usize, Label)> = vec![];
    let mut decide = |code: &mut Code, from: usize, known: &Registers| -> Option<Label> {
        let (at, test) = flow.landing(code, from)?;
        if !test.insn.is_branch() {
            return None;
        }
        if known.outcome(test)? {
            return test.target;
        }
        let known = behind.iter().find(|(test, _)| *test == at).map(|(_, label)| *label);
        Some(known.unwrap_or_else(|| {
            let label = code.new_label();
            behind.push((at, label));
            label
        }))
    };
    for at in 0..code.items.len() {
        let (Item::Op(op), Some(known)) = (&code.items[at], before[at]) else { continue };
        let (insn, target, after) = (op.insn, op.target, known.after(op));
        if let Some(target) = target {
            let through = jump_chain_end(code, flow, target);
            let decided = decide(code, flow.place(through), &after).unwrap_or(through);
            if decided != target {
                targets.push((at, decided));
            }
        }
        // What falls into the test, over labels, with a value that others who come there may not have.
        let next = code.items[at + 1..].iter().position(|i| matches!(i, Item::Op(_))).map(|n| at + 1 + n);
        if let (true, Some(next)) = (insn.falls_through(), next)
            && flow.landing(code, at + 1).is_some_and(|(landing, _)| landing == next)
            && let Some(label) = decide(code, at + 1, &after)
        {
            detours.push((at, label));
        }
    }
    let changed = !targets.is_empty() || !detours.is_empty();
    for (at, label) in targets {
        if let Item::Op(op) = &mut code.items[at] {
            op.target = Some(label);
        }
    }
    let mut inserts: Vec<(usize, Item)> =
        behind.into_iter().map(|(at, l)| (at + 1, Item::Label(l))).collect();
    inserts.extend(detours.into_iter().map(|(at, label)| (at + 1, Item::Op(Op::to(GOTO, label)))));
    // Stable, so that a label behind a test stays in front of a jump inserted at the same place.
    inserts.sort_by_key(|(at, _)| *at);
    for (at, item) in inserts.into_iter().rev() {
        code.items.insert(at, item);
    }
    changed
}

/// The last label of a chain of unconditional jumps.
fn jump_chain_end(code: &Code, flow: &Flow, mut label: Label) -> Label {
    for _ in 0..code.items.len() {
        let first = code.items[flow.place(label)..].iter().find_map(|item| match item {
            Item::Op(op) => Some(op),
            Item::Label(_) => None,
        });
        match first {
            Some(Op { insn, target: Some(next), .. }) if insn.is_goto() && *next != label => label = *next,
            _ => break,
        }
    }
    label
}

fn drop_unreachable(code: &mut Code, flow: &Flow) -> bool {
    let reachable = flow.reachable(code);
    let mut wanted = vec![false; code.label_count()];
    for (at, item) in code.items.iter().enumerate() {
        if let (Item::Op(Op { target: Some(target), .. }), true) = (item, reachable[at]) {
            wanted[target.0 as usize] = true;
        }
    }
    let len = code.items.len();
    let mut at = 0;
    code.items.retain(|item| {
        at += 1;
        match item {
            Item::Op(_) => reachable[at - 1],
            Item::Label(label) => wanted[label.0 as usize],
        }
    });
    code.items.len() != len
}

fn drop_jumps_to_next(code: &mut Code, flow: &Flow) -> bool {
    let goes_nowhere = |at: usize, op: &Op| {
        let Some(target) = op.target else { return false };
        let place = flow.place(target);
        place > at && code.items[at + 1..place].iter().all(|item| matches!(item, Item::Label(_)))
    };
    let dropped: Vec<usize> = code
        .items
        .iter()
        .enumerate()
        .filter(|(at, item)| matches!(item, Item::Op(op) if op.insn.is_branch() && goes_nowhere(*at, op)))
        .map(|(at, _)| at)
        .collect();
    drop_items(code, &dropped)
}

/// `r += a` and `r += b` become one addition, if nothing between them touches r.
fn join_additions(code: &mut Code, _: &Flow) -> bool {
    let is_addition = |op: &Op| {
        op.insn.op == ALU64 | ADD && op.core.is_none() && op.target.is_none() && op.reference.is_none()
    };
    let mut dropped = vec![];
    for at in 0..code.items.len() {
        let Item::Op(first) = &code.items[at] else { continue };
        if !is_addition(first) || dropped.contains(&at) {
            continue;
        }
        let (register, first) = (first.insn.dst, first.insn.imm);
        let touches = |op: &Op| (op.insn.reads() | op.insn.writes()) & 1 << register != 0;
        let ends_block = |item: &Item| match item {
            Item::Label(_) => true,
            Item::Op(op) => op.target.is_some() || !op.insn.falls_through() || touches(op),
        };
        let Some(behind) = code.items[at + 1..].iter().position(ends_block).map(|n| at + 1 + n) else {
            continue;
        };
        let Item::Op(second) = &mut code.items[behind] else { continue };
        if !is_addition(second) || second.insn.dst != register {
            continue;
        }
        if let Some(sum) = first.checked_add(second.insn.imm) {
            second.insn.imm = sum;
            dropped.push(at);
        }
    }
    drop_items(code, &dropped)
}

/// Results of arithmetic that nobody reads afterwards.
fn drop_dead_writes(code: &mut Code, flow: &Flow) -> bool {
    let live = flow.live_after(code);
    let only_computes = |op: &Op| match op.insn.class() {
        ALU32 | ALU64 | insn::LD => true,
        _ => false,
    };
    let dropped: Vec<usize> = code
        .items
        .iter()
        .enumerate()
        .filter(|(at, item)| match item {
            Item::Op(op) => only_computes(op) && live[*at] & 1 << op.insn.dst == 0,
            Item::Label(_) => false,
        })
        .map(|(at, _)| at)
        .collect();
    drop_items(code, &dropped)
}

/// Removes items (ascending numbers); a note moves on to what then stands there.
fn drop_items(code: &mut Code, dropped: &[usize]) -> bool {
    for &at in dropped.iter().rev() {
        if let Item::Op(Op { note: Some(note), .. }) = code.items.remove(at) {
            let heir = code.items[at..].iter_mut().find_map(|item| match item {
                Item::Op(op) => Some(op),
                Item::Label(_) => None,
            });
            if let Some(heir @ Op { note: None, .. }) = heir {
                heir.note = Some(note);
            }
        }
    }
    !dropped.is_empty()
}
