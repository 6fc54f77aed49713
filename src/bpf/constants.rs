//! Which registers hold a known constant, and which branches that decides.
//!
//! The same reasoning as the kernel's verifier, less of it: constants only, no ranges, nothing about memory.
//! So whatever is unreachable here is unreachable there; the converse does not hold. An immediate with a CO-RE
//! record is unknown until it is resolved.

use super::code::{Code, Item, Op};
use super::flow::Flow;
use super::insn::{self, ALU32, ALU64, Insn, JMP32, MOV};

/// What is known of each register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers([Option<i64>; 11]);

const UNKNOWN: Registers = Registers([None; 11]);

impl Registers {
    pub fn get(&self, register: u8) -> Option<i64> {
        self.0.get(register as usize).copied().flatten()
    }

    fn join(&self, other: &Registers) -> Registers {
        Registers(std::array::from_fn(|r| self.0[r].filter(|value| other.0[r] == Some(*value))))
    }

    /// Behind an operation.
    pub fn after(mut self, op: &Op) -> Registers {
        let result = self.result(op);
        for register in 0..11u8 {
            if op.insn.writes() & 1 << register != 0 {
                self.0[register as usize] = result.filter(|_| register == op.insn.dst);
            }
        }
        self
    }

    /// The second operand of an ALU operation or a branch.
    fn operand(&self, op: &Op) -> Option<i64> {
        if op.core.is_some() || op.reference.is_some() {
            return None;
        }
        if op.insn.is_register_form() { self.get(op.insn.src) } else { Some(i64::from(op.insn.imm)) }
    }

    /// What an operation puts into its destination register.
    fn result(&self, op: &Op) -> Option<i64> {
        match op.insn.class() {
            ALU64 => self.compute(op),
            ALU32 if op.insn.operation() == insn::END => None,
            ALU32 => self.compute(op).map(|value| i64::from(value as u32)),
            insn::LD if op.core.is_none() && op.reference.is_none() => {
                Some(i64::from(op.insn.imm as u32) | i64::from(op.high) << 32)
            }
            _ => None,
        }
    }

    /// Operations whose lower half does not depend on their operands' upper halves.
    fn compute(&self, op: &Op) -> Option<i64> {
        let operand = self.operand(op)?;
        if op.insn.operation() == MOV {
            return Some(operand);
        }
        let value = self.get(op.insn.dst)?;
        match op.insn.operation() {
            insn::ADD => Some(value.wrapping_add(operand)),
            insn::SUB => Some(value.wrapping_sub(operand)),
            insn::OR => Some(value | operand),
            insn::AND => Some(value & operand),
            insn::XOR => Some(value ^ operand),
            _ => None,
        }
    }

    /// Whether a conditional branch is taken, if that is known.
    pub fn outcome(&self, op: &Op) -> Option<bool> {
        let (a, b) = (self.get(op.insn.dst)?, self.operand(op)?);
        if op.insn.class() == JMP32 {
            return compare(
                op.insn,
                i64::from(a as i32),
                i64::from(b as i32),
                u64::from(a as u32),
                u64::from(b as u32),
            );
        }
        compare(op.insn, a, b, a as u64, b as u64)
    }
}

fn compare(branch: Insn, a: i64, b: i64, unsigned_a: u64, unsigned_b: u64) -> Option<bool> {
    Some(match branch.operation() {
        insn::JEQ => a == b,
        insn::JNE => a != b,
        insn::JGT => unsigned_a > unsigned_b,
        insn::JGE => unsigned_a >= unsigned_b,
        insn::JLT => unsigned_a < unsigned_b,
        insn::JLE => unsigned_a <= unsigned_b,
        insn::JSGT => a > b,
        insn::JSGE => a >= b,
        insn::JSLT => a < b,
        insn::JSLE => a <= b,
        insn::JSET => a & b != 0,
        _ => return None,
    })
}

/// What is known in front of each item; `None` where execution cannot come.
pub fn before(code: &Code, flow: &Flow) -> Vec<Option<Registers>> {
    let mut before: Vec<Option<Registers>> = vec![None; code.items.len()];
    let mut todo = vec![(0, UNKNOWN)];
    while let Some((at, incoming)) = todo.pop() {
        let (Some(item), Some(known)) = (code.items.get(at), before.get_mut(at)) else { continue };
        let joined = known.map_or(incoming, |known| known.join(&incoming));
        if *known == Some(joined) {
            continue;
        }
        *known = Some(joined);
        let [next, target] = flow.successors(code, at);
        let (after, taken) = match item {
            Item::Label(_) => (joined, None),
            Item::Op(op) if op.insn.is_goto() => (joined, Some(true)),
            Item::Op(op) if op.insn.is_branch() => (joined, joined.outcome(op)),
            Item::Op(op) => (joined.after(op), None),
        };
        todo.extend(next.filter(|_| taken != Some(true)).map(|next| (next, after)));
        todo.extend(target.filter(|_| taken != Some(false)).map(|target| (target, after)));
    }
    before
}

#[cfg(test)]
mod tests {
    use super::super::code::CoreRecord;
    use super::super::insn::{EXIT_INSN, JEQ, JMP, add_imm, mov_imm, mov_reg};
    use super::*;

    /// Whether the instruction behind `setup` and a branch on r1 can be reached.
    fn falls_through(setup: &[Op], branch: Insn) -> bool {
        let mut code = Code::default();
        let end = code.new_label();
        for op in setup {
            code.push(op.clone());
        }
        code.push(Op::to(branch, end));
        let behind = code.items.len();
        code.push(mov_imm(0, 1));
        code.bind(end);
        code.push(EXIT_INSN);
        let flow = Flow::new(&code, "f").unwrap();
        before(&code, &flow)[behind].is_some()
    }

    const IF_ZERO: Insn = Insn { op: JMP | JEQ, dst: 1, src: 0, off: 0, imm: 0 };

    #[test]
    fn a_known_constant_decides() {
        assert!(!falls_through(&[mov_imm(1, 0).into()], IF_ZERO));
        assert!(falls_through(&[mov_imm(1, 1).into()], IF_ZERO));
        assert!(!falls_through(
            &[mov_imm(2, 5).into(), mov_reg(1, 2).into(), add_imm(1, -5).into()],
            IF_ZERO
        ));
    }

    #[test]
    fn what_is_unknown_decides_nothing() {
        assert!(falls_through(&[], IF_ZERO));
        let core = CoreRecord { type_id: 1, access: "0".into(), kind: 2 };
        assert!(falls_through(&[Op { core: Some(core), ..mov_imm(1, 0).into() }], IF_ZERO));
        assert!(falls_through(&[mov_imm(1, 0).into(), insn::call_helper(1).into()], IF_ZERO));
    }

    #[test]
    fn halves_of_registers_are_told_apart() {
        let minus_one = |class| Op::from(Insn { op: class | MOV, dst: 1, src: 0, off: 0, imm: -1 });
        let is_minus_one = |class| Insn { op: class | JEQ, dst: 1, src: 0, off: 0, imm: -1 };
        assert!(falls_through(&[minus_one(ALU32)], is_minus_one(JMP)));
        assert!(!falls_through(&[minus_one(ALU32)], is_minus_one(JMP32)));
        assert!(!falls_through(&[minus_one(ALU64)], is_minus_one(JMP)));
    }

    #[test]
    fn different_values_from_two_sides_are_unknown() {
        let mut code = Code::default();
        let (other, join) = (code.new_label(), code.new_label());
        code.push(Op::to(IF_ZERO, other));
        code.push(mov_imm(2, 1));
        code.push(mov_imm(3, 1));
        code.push(Op::to(insn::GOTO, join));
        code.bind(other);
        code.push(mov_imm(2, 2));
        code.push(mov_imm(3, 1));
        code.bind(join);
        code.push(EXIT_INSN);
        let flow = Flow::new(&code, "f").unwrap();
        let at_exit = before(&code, &flow).pop().unwrap().unwrap();
        assert_eq!((at_exit.get(2), at_exit.get(3)), (None, Some(1)));
    }
}
