//! Copies a stencil's body into a program, in place of a call.
//!
//! A stencil is compiled as a function: it returns by `exit` and keeps its locals at the top of its own stack
//! frame. Inside a program the frame shared by all stencils is there. So its returns become jumps to a label,
//! its locals move down by the size of the shared frame, and its labels are renumbered. Registers need nothing:
//! the glue keeps no value in any.
//! What reads the frame pointer in a way that is not one of those that clang makes is refused.

use super::code::Label;
use super::code::{Code, Item, Op};
use super::error::Error;
use super::insn::{self, ALU64, FP, GOTO, LDX, MOV, ST, STX, X};
use super::object_file::Function;

/// Appends `stencil`'s body to `program`, with its locals `frame_bytes` further down; it goes on at `end`,
/// which the caller binds.
pub fn inline(stencil: &Function, frame_bytes: u16, program: &mut Code, end: Label) -> Result<(), Error> {
    let base = program.import_labels(&stencil.code);
    for (at, item) in stencil.code.items.iter().enumerate() {
        let op = match item {
            Item::Label(label) => {
                program.bind(Label(label.0 + base));
                continue;
            }
            Item::Op(op) => op,
        };
        if op.insn.is_exit() {
            program.push(Op { note: op.note.clone(), ..Op::to(GOTO, end) });
            continue;
        }
        let moved = move_locals(op, frame_bytes).map_err(|what| Error::Code {
            function: stencil.name.clone(),
            at,
            what,
        })?;
        for mut op in moved.into_iter().flatten() {
            op.target = op.target.map(|label| Label(label.0 + base));
            program.push(op);
        }
    }
    Ok(())
}

/// The operation for a stack that begins `bytes` further down, and one that has to follow it.
fn move_locals(op: &Op, bytes: u16) -> Result<[Option<Op>; 2], &'static str> {
    if op.insn.reads() & 1 << FP == 0 {
        return Ok([Some(op.clone()), None]);
    }
    if op.core.is_some() {
        return Err("a CO-RE relocation of a local variable");
    }
    let mut op = op.clone();
    match op.insn.class() {
        STX if op.insn.src == FP => Err("the frame pointer is stored"),
        LDX | ST | STX => {
            let down = i32::from(op.insn.off) - i32::from(bytes);
            op.insn.off = i16::try_from(down).map_err(|_| "a local variable is too far away")?;
            Ok([Some(op), None])
        }
        ALU64 if op.insn.op == ALU64 | MOV | X => {
            let adjust = insn::add_imm(op.insn.dst, -i32::from(bytes)).into();
            Ok([Some(op), Some(adjust)])
        }
        _ => Err("the frame pointer is computed with"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::insn::{EXIT_INSN, JEQ, JMP, add_imm, load, mov_reg, store};
    use super::super::object_file::Linkage;
    use super::super::peephole;
    use super::*;
    use crate::insn::Insn;

    fn stencil(build: impl FnOnce(&mut Code)) -> Function {
        let mut code = Code::default();
        build(&mut code);
        Function { name: "s".into(), code, prototype: 1, linkage: Linkage::Global }
    }

    fn inlined(stencil: &Function) -> Result<Vec<Insn>, Error> {
        let mut program = Code::default();
        let end = program.new_label();
        inline(stencil, 64, &mut program, end)?;
        program.bind(end);
        program.push(EXIT_INSN);
        Ok(program.ops().map(|op| op.insn).collect())
    }

    #[test]
    fn locals_move_below_the_frame() {
        let s = stencil(|code| {
            code.push(store(FP, -8, 1));
            code.push(mov_reg(2, FP));
            code.push(add_imm(2, -16));
            code.push(load(0, FP, -8));
            code.push(store(2, 0, 0));
            code.push(EXIT_INSN);
        });
        let expected = [
            store(FP, -72, 1),
            mov_reg(2, FP),
            add_imm(2, -64),
            add_imm(2, -16),
            load(0, FP, -72),
            store(2, 0, 0),
        ];
        assert_eq!(inlined(&s).unwrap()[..6], expected);
    }

    #[test]
    fn every_exit_goes_to_the_end_and_the_last_falls_through() {
        let s = stencil(|code| {
            let other = code.new_label();
            code.push(Op::to(Insn { op: JMP | JEQ, dst: 2, ..Insn::default() }, other));
            code.push(mov_reg(0, 3));
            code.push(EXIT_INSN);
            code.bind(other);
            code.push(mov_reg(0, 4));
            code.push(EXIT_INSN);
        });
        let mut program = Code::default();
        let end = program.new_label();
        inline(&s, 64, &mut program, end).unwrap();
        program.bind(end);
        program.push(EXIT_INSN);
        peephole::run(&mut program, "p").unwrap();
        let assembled = program.assemble("p").unwrap();
        let insns: Vec<Insn> = assembled.bytes.as_chunks().0.iter().map(|s| Insn::decode(*s)).collect();
        assert_eq!(insns.len(), 5);
        assert_eq!((insns[0].off, insns[2].off), (2, 1));
        assert_eq!(insns[4], EXIT_INSN);
    }

    #[test]
    fn the_frame_pointer_as_a_value_is_refused() {
        for bad in [
            store(1, 0, FP),
            Insn { op: ALU64 | X, dst: 1, src: FP, off: 0, imm: 0 },
            Insn { op: JMP | JEQ | X, dst: 1, src: FP, off: 0, imm: 0 },
            store(FP, i16::MIN, 1),
        ] {
            let s = stencil(|code| {
                code.push(bad);
                code.push(EXIT_INSN);
            });
            assert!(matches!(inlined(&s), Err(Error::Code { at: 0, .. })), "{bad:?}");
        }
    }
}
