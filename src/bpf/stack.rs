//! How much stack a program needs, as the kernel counts it, or more.
//!
//! A function needs what lies below its frame pointer; a chain of calls, callbacks included, shares 512 bytes.
//! Source: Linux 6.12, kernel/bpf/verifier.c, check_max_stack_depth.

use std::collections::BTreeMap;

use super::code::{Code, Op};
use super::error::Error;
use super::insn::{self, ADD, ALU64, FP};

/// What the kernel gives one chain of calls.
pub const MAX: u32 = 512;
/// To which each frame is rounded up.
const UNIT: u32 = 32;
/// Frames of one chain.
const CALL_FRAMES: usize = 8;

/// Bytes of stack on the deepest chain of calls from a function; `callees` are all that it can reach.
///
/// # Errors
/// A circle of calls, or a chain of more calls than the kernel takes.
pub fn deepest(name: &str, code: &Code, callees: &BTreeMap<&str, &Code>) -> Result<u32, Error> {
    Search { callees, known: BTreeMap::new() }.deepest(name, code, 0).map(|found| found.0)
}

struct Search<'a> {
    callees: &'a BTreeMap<&'a str, &'a Code>,
    /// Bytes and frames of chains from functions that were looked at.
    known: BTreeMap<&'a str, (u32, usize)>,
}

impl<'a> Search<'a> {
    fn deepest(&mut self, name: &str, code: &'a Code, depth: usize) -> Result<(u32, usize), Error> {
        let too_deep = || Error::Recursion(name.to_owned());
        if depth >= CALL_FRAMES {
            return Err(too_deep());
        }
        let (mut bytes, mut frames) = (0, 0);
        for callee in code.called() {
            let found = match self.known.get(callee) {
                Some(found) => *found,
                None => {
                    let code = self.callees.get(callee);
                    let code = code.ok_or_else(|| Error::UnknownFunction(callee.to_owned()))?;
                    let found = self.deepest(callee, code, depth + 1)?;
                    self.known.insert(callee, found);
                    found
                }
            };
            (bytes, frames) = (bytes.max(found.0), frames.max(found.1));
        }
        if depth + 1 + frames > CALL_FRAMES {
            return Err(too_deep());
        }
        Ok((own(code).max(1).next_multiple_of(UNIT).saturating_add(bytes), frames + 1))
    }
}

/// Bytes of a function's own frame.
pub fn own(code: &Code) -> u32 {
    let ops: Vec<&Op> = code.ops().collect();
    let lowest = ops.iter().enumerate().map(|(at, op)| {
        let insn = op.insn;
        match insn.class() {
            insn::LDX if insn.src == FP => i32::from(insn.off),
            insn::ST | insn::STX if insn.dst == FP => i32::from(insn.off),
            ALU64 if insn.reads() & 1 << FP != 0 => address_offset(&ops[at + 1..], insn.dst),
            _ => 0,
        }
    });
    lowest.min().unwrap_or(0).min(0).unsigned_abs()
}

/// The constant that is added to a register which holds the frame pointer, before anything else uses it.
fn address_offset(ops: &[&Op], register: u8) -> i32 {
    ops.iter()
        .find(|op| (op.insn.reads() | op.insn.writes()) & 1 << register != 0)
        .filter(|op| op.insn.op == ALU64 | ADD)
        .map_or(0, |op| op.insn.imm)
}

#[cfg(test)]
mod tests {
    use super::super::code::Reference;
    use super::super::insn::{EXIT_INSN, Insn, add_imm, load, mov_reg, store};
    use super::*;

    fn code(ops: &[Insn], calls: &[&str]) -> Code {
        let mut code = Code::default();
        for op in ops {
            code.push(*op);
        }
        for call in calls {
            let reference = Some(Reference::Function((*call).to_owned()));
            code.push(Op { reference, ..insn::call_helper(0).into() });
        }
        code.push(EXIT_INSN);
        code
    }

    #[test]
    fn a_frame_reaches_down_to_its_lowest_access() {
        assert_eq!(own(&code(&[], &[])), 0);
        assert_eq!(own(&code(&[store(FP, -24, 1), load(1, FP, -8)], &[])), 24);
        assert_eq!(own(&code(&[mov_reg(2, FP), mov_reg(3, 1), add_imm(2, -72)], &[])), 72);
        assert_eq!(own(&code(&[store(1, -24, 1)], &[])), 0);
    }

    #[test]
    fn the_deepest_chain_counts() {
        let (small, large) = (code(&[store(FP, -8, 1)], &[]), code(&[store(FP, -40, 1)], &["small"]));
        let callees = BTreeMap::from([("small", &small), ("large", &large)]);
        assert_eq!(deepest("f", &code(&[], &[]), &callees), Ok(32));
        assert_eq!(deepest("f", &code(&[], &["small"]), &callees), Ok(64));
        assert_eq!(deepest("f", &code(&[], &["small", "large", "small"]), &callees), Ok(128));
    }

    #[test]
    fn circles_and_long_chains_are_errors() {
        let own = code(&[], &["f"]);
        assert!(deepest("f", &own, &BTreeMap::from([("f", &own)])).is_err());
        let names: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let codes: Vec<Code> =
            (0..9).map(|n| if n == 8 { code(&[], &[]) } else { code(&[], &[&names[n + 1]]) }).collect();
        let callees: BTreeMap<&str, &Code> = names.iter().map(String::as_str).zip(&codes).collect();
        assert!(deepest("0", &codes[0], &callees).is_err());
        assert_eq!(deepest("1", &codes[1], &callees), Ok(256));
        // The long chain comes second, when its end is known already.
        assert!(deepest("e", &code(&[], &["5", "1"]), &callees).is_err());
    }
}
