//! Rewrites instructions by what is known of their registers.
//!
//! A stencil is compiled for any frame and any immediates; once inlined, both are known. Sums of constants
//! become constants, constants in registers become immediates, and fields of the frame are addressed from the
//! frame pointer. What that leaves without a reader is dropped by [`super::peephole`].
//! Not here: stores of constants. Linux 6.1 forgets the value that an immediate store puts on the stack.

use super::code::{Code, Item, Op};
use super::constants::{self, Registers, Value};
use super::flow::Flow;
use super::insn::{self, ALU32, ALU64, END, FP, Insn, LDX, MOV, NEG, ST, STX, X};

/// Whether anything changed.
pub fn run(code: &mut Code, flow: &Flow) -> bool {
    let known = constants::before(code, flow);
    let mut changed = false;
    for (item, known) in code.items.iter_mut().zip(known) {
        let (Item::Op(op), Some(known)) = (item, known) else { continue };
        if op.core.is_some() || op.reference.is_some() {
            continue;
        }
        if let Some(insn) = specialised(op, &known)
            && insn != op.insn
        {
            op.insn = insn;
            changed = true;
        }
    }
    changed
}

fn specialised(op: &Op, known: &Registers) -> Option<Insn> {
    match op.insn.class() {
        ALU32 | ALU64 => constant_result(op, known).or_else(|| immediate_operand(op, known)),
        insn::JMP | insn::JMP32 if op.insn.is_branch() => immediate_operand(op, known),
        LDX => from_frame_pointer(op.insn, op.insn.src, known).map(|off| Insn { src: FP, off, ..op.insn }),
        ST | STX => {
            from_frame_pointer(op.insn, op.insn.dst, known).map(|off| Insn { dst: FP, off, ..op.insn })
        }
        _ => None,
    }
}

/// `r = constant` for an operation whose result is known.
fn constant_result(op: &Op, known: &Registers) -> Option<Insn> {
    let Value::Constant(value) = known.result(op)? else { return None };
    let (class, imm) = match (i32::try_from(value), u32::try_from(value)) {
        (Ok(imm), _) if op.insn.class() == ALU64 || imm >= 0 => (op.insn.class(), imm),
        (_, Ok(imm)) => (ALU32, imm as i32),
        _ => return None,
    };
    Some(Insn { op: class | MOV, dst: op.insn.dst, src: 0, off: 0, imm })
}

/// The same with an immediate, if the second operand is a register that holds a constant.
fn immediate_operand(op: &Op, known: &Registers) -> Option<Insn> {
    let insn = op.insn;
    if !insn.is_register_form() || insn.is_alu() && matches!(insn.operation(), NEG | END) {
        return None;
    }
    let value = known.constant(insn.src)?;
    let narrow = matches!(insn.class(), ALU32 | insn::JMP32);
    let imm = if narrow { value as i32 } else { i32::try_from(value).ok()? };
    let bits = if narrow { 32 } else { 64 };
    let is_shift = matches!(insn.operation(), insn::LSH | insn::RSH | insn::ARSH);
    let is_division = matches!(insn.operation(), insn::DIV | insn::MOD);
    if insn.is_alu() && (is_shift && !(0..bits).contains(&imm) || is_division && imm == 0) {
        return None;
    }
    Some(Insn { op: insn.op & !X, src: 0, imm, ..insn })
}

/// The offset from the frame pointer, for an access through another register that points into the stack.
fn from_frame_pointer(insn: Insn, base: u8, known: &Registers) -> Option<i16> {
    let Value::Stack(place) = known.get(base)? else { return None };
    let off = place.checked_add(i64::from(insn.off))?;
    (base != FP && (-512..0).contains(&off)).then_some(off as i16)
}

#[cfg(test)]
mod tests {
    use super::super::code::CoreRecord;
    use super::super::insn::{EXIT_INSN, add_imm, load, mov_imm, mov_reg, store};
    use super::*;

    fn run_on(ops: &[Op]) -> Vec<Insn> {
        let mut code = Code::default();
        for op in ops {
            code.push(op.clone());
        }
        code.push(EXIT_INSN);
        let flow = Flow::new(&code, "f").unwrap();
        run(&mut code, &flow);
        code.ops().map(|op| op.insn).collect()
    }

    #[test]
    fn fields_of_the_frame_are_addressed_directly() {
        let out = run_on(&[
            mov_reg(1, FP).into(),
            add_imm(1, -152).into(),
            load(2, 1, 24).into(),
            store(1, 8, 2).into(),
        ]);
        assert_eq!(out[2..4], [load(2, FP, -128), store(FP, -144, 2)]);
    }

    /// Behind the frame there is nothing of ours.
    #[test]
    fn what_is_outside_the_stack_stays() {
        let out = run_on(&[
            mov_reg(1, FP).into(),
            load(2, 1, 0).into(),
            add_imm(1, -520).into(),
            load(2, 1, 0).into(),
        ]);
        assert_eq!((out[1], out[3]), (load(2, 1, 0), load(2, 1, 0)));
    }

    #[test]
    fn immediates_are_computed_with() {
        let shift = Insn { op: ALU64 | insn::LSH, dst: 2, src: 0, off: 0, imm: 3 };
        let add = Insn { op: ALU64 | insn::ADD | X, dst: 1, src: 2, off: 0, imm: 0 };
        let out = run_on(&[mov_imm(2, 2).into(), shift.into(), add.into()]);
        assert_eq!(out[1..3], [mov_imm(2, 16), add_imm(1, 16)]);
    }

    #[test]
    fn a_core_offset_is_unknown() {
        let core = CoreRecord { type_id: 1, access: "0:1".into(), kind: 0 };
        let offset = Op { core: Some(core), ..mov_imm(2, 8).into() };
        let add = Insn { op: ALU64 | insn::ADD | X, dst: 1, src: 2, off: 0, imm: 0 };
        assert_eq!(run_on(&[offset, add.into()])[1], add);
    }

    #[test]
    fn wide_and_odd_operands_stay() {
        let wide = Op::constant(2, 1 << 40);
        let and = Insn { op: ALU64 | insn::AND | X, dst: 1, src: 2, off: 0, imm: 0 };
        assert_eq!(run_on(&[wide, and.into()])[1], and);
        let shift = Insn { op: ALU64 | insn::RSH | X, dst: 1, src: 2, off: 0, imm: 0 };
        assert_eq!(run_on(&[mov_imm(2, 64).into(), shift.into()])[1], shift);
        let divide = Insn { op: ALU64 | insn::DIV | X, dst: 1, src: 2, off: 0, imm: 0 };
        assert_eq!(run_on(&[mov_imm(2, 0).into(), divide.into()])[1], divide);
    }

    #[test]
    fn upper_halves_are_right() {
        let not = Insn { op: ALU32 | insn::XOR, dst: 1, src: 0, off: 0, imm: -1 };
        let out = run_on(&[mov_imm(1, 0).into(), not.into()]);
        assert_eq!(out[1], Insn { op: ALU32 | MOV, dst: 1, src: 0, off: 0, imm: -1 });
        let copy = Insn { op: ALU64 | MOV | X, dst: 2, src: 1, off: 0, imm: 0 };
        let out = run_on(&[mov_imm(1, 0).into(), not.into(), copy.into()]);
        assert_eq!(out[2], Insn { op: ALU32 | MOV, dst: 2, src: 0, off: 0, imm: -1 });
    }
}
