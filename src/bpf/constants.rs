//! Which registers hold a known constant or a known place on the stack, and which branches that decides.
//!
//! The same reasoning as the kernel's verifier, less of it: no ranges, and nothing about memory. So whatever is
//! unreachable here is unreachable there; the converse does not hold. An immediate with a CO-RE record is
//! unknown until it is resolved, and so is one that the linker has yet to put its value into.

use super::code::{Code, Item, Op};
use super::flow::Flow;
use super::insn::{self, ALU32, ALU64, FP, Insn, JMP32, MOV};
use super::open_constant::open_constant;

/// What is known of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Constant(i64),
    /// The frame pointer and so many bytes.
    Stack(i64),
}

/// What is known of each register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers([Option<Value>; 11]);

impl Registers {
    /// On entry to a function.
    fn at_entry() -> Registers {
        let mut registers = Registers([None; 11]);
        registers.0[FP as usize] = Some(Value::Stack(0));
        registers
    }

    pub fn get(&self, register: u8) -> Option<Value> {
        self.0.get(register as usize).copied().flatten()
    }

    pub fn constant(&self, register: u8) -> Option<i64> {
        match self.get(register)? {
            Value::Constant(value) => Some(value),
            Value::Stack(_) => None,
        }
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
    fn operand(&self, op: &Op) -> Option<Value> {
        if op.core.is_some() || op.reference.is_some() || open_constant(op).is_some() {
            return None;
        }
        if op.insn.is_register_form() {
            self.get(op.insn.src)
        } else {
            Some(Value::Constant(i64::from(op.insn.imm)))
        }
    }

    /// What an operation puts into its destination register.
    pub fn result(&self, op: &Op) -> Option<Value> {
        match op.insn.class() {
            ALU64 => self.compute(op),
            ALU32 if op.insn.operation() == insn::END => None,
            ALU32 => self.compute32(op).map(|value| Value::Constant(i64::from(value))),
            insn::LD if op.core.is_none() && op.reference.is_none() && open_constant(op).is_none() => {
                Some(Value::Constant(i64::from(op.insn.imm as u32) | i64::from(op.high) << 32))
            }
            _ => None,
        }
    }

    fn compute(&self, op: &Op) -> Option<Value> {
        use Value::{Constant, Stack};
        let operand = self.operand(op)?;
        if op.insn.operation() == MOV {
            return Some(operand);
        }
        let value = self.get(op.insn.dst)?;
        Some(match (op.insn.operation(), value, operand) {
            (insn::ADD, Constant(a), Constant(b)) => Constant(a.wrapping_add(b)),
            (insn::ADD, Stack(a), Constant(b)) | (insn::ADD, Constant(a), Stack(b)) => {
                Stack(a.checked_add(b)?)
            }
            (insn::SUB, Constant(a), Constant(b)) => Constant(a.wrapping_sub(b)),
            (insn::OR, Constant(a), Constant(b)) => Constant(a | b),
            (insn::AND, Constant(a), Constant(b)) => Constant(a & b),
            (insn::XOR, Constant(a), Constant(b)) => Constant(a ^ b),
            (insn::LSH, Constant(a), Constant(b)) => Constant(a.wrapping_shl(b as u32)),
            (insn::RSH, Constant(a), Constant(b)) => Constant((a as u64).wrapping_shr(b as u32) as i64),
            (insn::ARSH, Constant(a), Constant(b)) => Constant(a.wrapping_shr(b as u32)),
            _ => return None,
        })
    }

    fn compute32(&self, op: &Op) -> Option<u32> {
        let Some(Value::Constant(operand)) = self.operand(op) else { return None };
        let operand = operand as u32;
        if op.insn.operation() == MOV {
            return Some(operand);
        }
        let value = self.constant(op.insn.dst)? as u32;
        Some(match op.insn.operation() {
            insn::ADD => value.wrapping_add(operand),
            insn::SUB => value.wrapping_sub(operand),
            insn::OR => value | operand,
            insn::AND => value & operand,
            insn::XOR => value ^ operand,
            insn::LSH => value.wrapping_shl(operand),
            insn::RSH => value.wrapping_shr(operand),
            insn::ARSH => (value as i32).wrapping_shr(operand) as u32,
            _ => return None,
        })
    }

    /// Whether a conditional branch is taken, if that is known.
    pub fn outcome(&self, op: &Op) -> Option<bool> {
        let (a, Value::Constant(b)) = (self.constant(op.insn.dst)?, self.operand(op)?) else { return None };
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
    let mut todo = vec![(0, Registers::at_entry())];
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
    fn arithmetic_is_the_kernel_s() {
        let result = |class: u8, operation: u8, a: i64, b: i32| {
            let registers = Registers::at_entry().after(&Op::constant(1, a));
            let op = Insn { op: class | operation, dst: 1, src: 0, off: 0, imm: b };
            registers.after(&op.into()).constant(1)
        };
        assert_eq!(result(ALU64, insn::LSH, 3, 3), Some(24));
        assert_eq!(result(ALU64, insn::RSH, -1, 60), Some(15));
        assert_eq!(result(ALU64, insn::ARSH, -16, 2), Some(-4));
        assert_eq!(result(ALU64, insn::AND, -1, -8), Some(-8));
        assert_eq!(result(ALU32, insn::ADD, 0xffff_ffff, 1), Some(0));
        assert_eq!(result(ALU32, insn::ARSH, 0x8000_0000, 31), Some(0xffff_ffff));
        assert_eq!(result(ALU32, insn::OR, 1 << 40, 2), Some(2));
        assert_eq!(result(ALU64, insn::DIV, 8, 2), None);
    }

    #[test]
    fn places_on_the_stack_are_followed() {
        let at_entry = Registers::at_entry();
        let moved = at_entry.after(&mov_reg(1, FP).into()).after(&add_imm(1, -8).into());
        assert_eq!(moved.get(1), Some(Value::Stack(-8)));
        assert_eq!(moved.constant(1), None);
        assert_eq!(moved.after(&insn::load(1, 1, 0).into()).get(1), None);
        let half = Insn { op: ALU32 | MOV | insn::X, dst: 1, src: FP, off: 0, imm: 0 };
        assert_eq!(at_entry.after(&half.into()).get(1), None);
    }

    #[test]
    fn what_is_unknown_decides_nothing() {
        assert!(falls_through(&[], IF_ZERO));
        let core = CoreRecord { type_id: 1, access: "0".into(), kind: 2 };
        assert!(falls_through(&[Op { core: Some(core), ..mov_imm(1, 0).into() }], IF_ZERO));
        assert!(falls_through(&[mov_imm(1, 0).into(), insn::call_helper(1).into()], IF_ZERO));
    }

    /// Else a known offset would be masked by the magic number and not by the mask.
    #[test]
    fn a_constant_that_is_still_open_is_unknown() {
        let magic = Insn { op: ALU64 | insn::AND, dst: 1, src: 0, off: 0, imm: 0x5eed_0001 };
        let registers = Registers::at_entry().after(&mov_imm(1, 80).into());
        assert_eq!(registers.after(&magic.into()).constant(1), None);
        assert_eq!(registers.after(&Insn { imm: 0xf8, ..magic }.into()).constant(1), Some(80));
        assert_eq!(registers.after(&mov_imm(1, 0x5eed_0001).into()).constant(1), None);
        assert!(falls_through(&[mov_imm(1, 0).into()], Insn { imm: 0x5eed_0001, ..IF_ZERO }));
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
        assert_eq!((at_exit.constant(2), at_exit.constant(3)), (None, Some(1)));
    }
}
