//! Rewritten code against the code it was, both run by a small machine.

use proptest::prelude::*;

use super::super::code::{Code, Item, Label, Op};
use super::super::insn::{self, *};
use super::run;

/// Registers and a stack; loads outside the stack give 0, stores there go nowhere.
struct Machine {
    registers: [u64; 11],
    stack: [u8; 512],
}

/// What the frame pointer holds: no value that arithmetic on constants comes near.
const STACK_TOP: u64 = 0x7fff_ffff_0000_0000;

impl Machine {
    fn new(seed: u64) -> Machine {
        let mut registers = std::array::from_fn(|r| seed.rotate_left(r as u32 * 7) ^ r as u64);
        registers[FP as usize] = STACK_TOP;
        Machine { registers, stack: std::array::from_fn(|i| (seed >> (i % 8)) as u8) }
    }

    /// Runs to the exit; gives r0 and the stack.
    fn run(mut self, code: &Code) -> (u64, Vec<u8>) {
        let place = |label: Label| code.items.iter().position(|i| *i == Item::Label(label)).unwrap();
        let mut at = 0;
        loop {
            let op = match &code.items[at] {
                Item::Label(_) => {
                    at += 1;
                    continue;
                }
                Item::Op(op) => op,
            };
            at += 1;
            match op.insn.class() {
                LD => {
                    self.registers[op.insn.dst as usize] = op.insn.imm as u32 as u64 | (op.high as u64) << 32
                }
                LDX => self.registers[op.insn.dst as usize] = self.load(op.insn),
                STX => self.store(op.insn),
                ALU32 | ALU64 => self.alu(op.insn),
                _ if op.insn.is_exit() => return (self.registers[0], self.stack.to_vec()),
                _ => {
                    if op.insn.is_goto() || self.taken(op.insn) {
                        at = place(op.target.unwrap());
                    }
                }
            }
        }
    }

    fn address(&self, base: u8, off: i16) -> Option<usize> {
        let down = STACK_TOP.wrapping_sub(self.registers[base as usize].wrapping_add(off as i64 as u64));
        (8..=512).contains(&down).then(|| 512 - down as usize)
    }

    fn load(&self, insn: Insn) -> u64 {
        self.address(insn.src, insn.off)
            .map_or(0, |at| u64::from_le_bytes(self.stack[at..at + 8].try_into().unwrap()))
    }

    fn store(&mut self, insn: Insn) {
        if let Some(at) = self.address(insn.dst, insn.off) {
            self.stack[at..at + 8].copy_from_slice(&self.registers[insn.src as usize].to_le_bytes());
        }
    }

    fn operand(&self, insn: Insn) -> u64 {
        if insn.is_register_form() { self.registers[insn.src as usize] } else { insn.imm as i64 as u64 }
    }

    fn alu(&mut self, insn: Insn) {
        let (a, b) = (self.registers[insn.dst as usize], self.operand(insn));
        let narrow = insn.class() == ALU32;
        let result = match insn.operation() {
            ADD => a.wrapping_add(b),
            SUB => a.wrapping_sub(b),
            OR => a | b,
            AND => a & b,
            XOR => a ^ b,
            MOV => b,
            LSH if narrow => u64::from((a as u32) << (b & 31)),
            LSH => a << (b & 63),
            RSH if narrow => u64::from(a as u32 >> (b & 31)),
            RSH => a >> (b & 63),
            ARSH if narrow => (a as i32 >> (b & 31)) as u64,
            ARSH => (a as i64 >> (b & 63)) as u64,
            NEG => a.wrapping_neg(),
            _ => unreachable!(),
        };
        self.registers[insn.dst as usize] = if narrow { result & 0xffff_ffff } else { result };
    }

    fn taken(&self, insn: Insn) -> bool {
        let (mut a, mut b) = (self.registers[insn.dst as usize], self.operand(insn));
        if insn.class() == JMP32 {
            (a, b) = (a as i32 as u64, b as i32 as u64);
        }
        let (sa, sb) = (a as i64, b as i64);
        if insn.class() == JMP32 {
            (a, b) = (a & 0xffff_ffff, b & 0xffff_ffff);
        }
        match insn.operation() {
            JEQ => a == b,
            JNE => a != b,
            JGT => a > b,
            JLE => a <= b,
            JSGT => sa > sb,
            JSLE => sa <= sb,
            JSET => a & b != 0,
            _ => unreachable!(),
        }
    }
}

/// An operation; a branch goes so many operations forward.
#[derive(Clone, Debug)]
enum Draft {
    Plain(Op),
    Branch(Insn, usize),
}

fn arb_draft() -> impl Strategy<Value = Draft> {
    let register = prop::sample::select(vec![0u8, 0, 0, 1, 2, 6]);
    let source = prop::sample::select(vec![0u8, 1, 2, 6, FP]);
    let imm = prop::sample::select(vec![0i32, 0, 1, -1, 8, -8, 31, i32::MIN, 0x7fff_fff8]);
    let alu_class = prop::sample::select(vec![ALU64, ALU64, ALU32]);
    let alu = prop::sample::select(vec![MOV, MOV, MOV, ADD, ADD, SUB, OR, AND, XOR, LSH, RSH, ARSH, NEG]);
    let jump = prop::sample::select(vec![JEQ, JNE, JNE, JGT, JLE, JSGT, JSLE, JSET]);
    let jump_class = prop::sample::select(vec![JMP, JMP, JMP32]);
    let off = (1i16..=64).prop_map(|words| words * -8);
    prop_oneof![
        4 => (alu_class.clone(), alu.clone(), register.clone(), imm.clone()).prop_map(|(class, op, dst, imm)| {
            let imm = if matches!(op, LSH | RSH | ARSH) { imm & 31 } else { imm };
            Draft::Plain(Insn { op: class | op, dst, src: 0, off: 0, imm }.into())
        }),
        3 => (alu_class, alu, register.clone(), source.clone()).prop_map(|(class, op, dst, src)| {
            let op = if op == NEG { MOV } else { op };
            Draft::Plain(Insn { op: class | op | X, dst, src, off: 0, imm: 0 }.into())
        }),
        1 => (register.clone(), any::<i64>()).prop_map(|(dst, value)| Draft::Plain(Op::constant(dst, value))),
        2 => (register.clone(), source.clone(), off.clone())
            .prop_map(|(dst, base, off)| Draft::Plain(insn::load(dst, base, off).into())),
        2 => (source, register.clone(), off).prop_map(|(base, src, off)| Draft::Plain(insn::store(base, off, src).into())),
        3 => (jump_class, jump, register, imm, 0usize..8).prop_map(|(class, op, dst, imm, over)| {
            Draft::Branch(Insn { op: class | op, dst, src: 0, off: 0, imm }, over)
        }),
        1 => (0usize..8).prop_map(|over| Draft::Branch(GOTO, over)),
    ]
}

fn build(drafts: &[Draft]) -> Code {
    let mut code = Code::default();
    let labels: Vec<Label> = (0..=drafts.len()).map(|_| code.new_label()).collect();
    for (at, draft) in drafts.iter().enumerate() {
        code.bind(labels[at]);
        match draft {
            Draft::Plain(op) => code.push(op.clone()),
            Draft::Branch(insn, over) => {
                code.push(Op::to(*insn, labels[(at + 1 + over).min(drafts.len())]));
            }
        }
    }
    code.bind(labels[drafts.len()]);
    code.push(EXIT_INSN);
    code
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rewriting_keeps_r0_and_memory(drafts in prop::collection::vec(arb_draft(), 0..40), seed: u64) {
        let code = build(&drafts);
        let mut rewritten = code.clone();
        run(&mut rewritten, "f").unwrap();
        prop_assert_eq!(Machine::new(seed).run(&rewritten), Machine::new(seed).run(&code), "{:?}", rewritten.items);
    }

    #[test]
    fn rewriting_twice_changes_nothing_more(drafts in prop::collection::vec(arb_draft(), 0..40)) {
        let mut once = build(&drafts);
        run(&mut once, "f").unwrap();
        let mut twice = once.clone();
        run(&mut twice, "f").unwrap();
        prop_assert_eq!(once.assemble("f").unwrap().bytes, twice.assemble("f").unwrap().bytes);
    }
}

fn rewritten(build: impl FnOnce(&mut Code)) -> Vec<Insn> {
    let mut code = Code::default();
    build(&mut code);
    run(&mut code, "f").unwrap();
    code.ops().map(|op| op.insn).collect()
}

/// Others come to the label with another r2.
#[test]
fn additions_are_not_joined_over_a_label() {
    let again = |code: &mut Code| {
        let again = code.new_label();
        code.push(mov_reg(2, FP));
        code.push(add_imm(2, -64));
        code.bind(again);
        code.push(add_imm(2, -16));
        code.push(store(2, 0, 1));
        code.push(Op::to(Insn { op: JMP | JEQ, dst: 1, ..Insn::default() }, again));
        code.push(mov_imm(0, 0));
        code.push(EXIT_INSN);
    };
    assert_eq!(rewritten(again)[..3], [mov_reg(2, FP), add_imm(2, -64), add_imm(2, -16)]);
}

#[test]
fn additions_are_joined_unless_something_reads_between() {
    let additions = |between: Option<Insn>| {
        rewritten(|code| {
            code.push(mov_reg(2, 1));
            code.push(add_imm(2, -64));
            between.into_iter().for_each(|insn| code.push(insn));
            code.push(add_imm(2, -16));
            code.push(store(2, 0, 3));
            code.push(mov_imm(0, 0));
            code.push(EXIT_INSN);
        })
    };
    assert_eq!(additions(None)[..2], [mov_reg(2, 1), add_imm(2, -80)]);
    assert_eq!(additions(Some(store(FP, -8, 4)))[..3], [mov_reg(2, 1), store(FP, -8, 4), add_imm(2, -80)]);
    assert_eq!(additions(Some(mov_reg(3, 2)))[1..4], [add_imm(2, -64), mov_reg(3, 2), add_imm(2, -16)]);
}

const IF_R0: Insn = Insn { op: JMP | JNE, dst: 0, src: 0, off: 0, imm: 0 };

/// `return 1` and `return 0` of a stencil, both known: no test is left, and nothing sets r0.
#[test]
fn known_returns_need_no_test() {
    let insns = rewritten(|code| {
        let (end, zero, leave) = (code.new_label(), code.new_label(), code.new_label());
        code.push(Op::to(Insn { op: JMP | JEQ, dst: 1, ..Insn::default() }, zero));
        code.push(mov_imm(0, 1));
        code.push(Op::to(GOTO, end));
        code.bind(zero);
        code.push(mov_imm(0, 0));
        code.bind(end);
        code.push(Op::to(IF_R0, leave));
        code.push(store(FP, -8, 1));
        code.bind(leave);
        code.push(mov_imm(0, 0));
        code.push(EXIT_INSN);
    });
    assert!(insns.iter().all(|insn| insn.operation() != JNE || !insn.is_branch()), "{insns:?}");
    assert_eq!(insns.iter().filter(|insn| insn.writes() & 1 != 0).count(), 1, "{insns:?}");
}

/// One of the two returned values is unknown: its test stays.
#[test]
fn an_unknown_return_keeps_its_test() {
    let insns = rewritten(|code| {
        let leave = code.new_label();
        code.push(mov_reg(0, 1));
        code.push(Op::to(IF_R0, leave));
        code.push(store(FP, -8, 1));
        code.bind(leave);
        code.push(mov_imm(0, 0));
        code.push(EXIT_INSN);
    });
    assert_eq!(insns.len(), 5);
}

/// r0 is what the program returns.
#[test]
fn the_returned_value_is_not_dead() {
    let insns = rewritten(|code| {
        code.push(mov_imm(0, 7));
        code.push(EXIT_INSN);
    });
    assert_eq!(insns, [mov_imm(0, 7), EXIT_INSN]);
}

/// A helper reads its arguments, and leaves its result.
#[test]
fn arguments_of_helpers_are_not_dead() {
    let insns = rewritten(|code| {
        code.push(mov_imm(1, 9));
        code.push(mov_imm(7, 9));
        code.push(call_helper(109));
        code.push(EXIT_INSN);
    });
    assert_eq!(insns, [mov_imm(1, 9), call_helper(109), EXIT_INSN]);
}

#[test]
fn notes_stay_with_what_follows() {
    let mut code = Code::default();
    code.push(Op { note: Some("dead".into()), ..mov_imm(3, 1).into() });
    code.push(mov_imm(0, 0));
    code.push(EXIT_INSN);
    run(&mut code, "f").unwrap();
    assert_eq!(code.assemble("f").unwrap().notes, [(0, "dead".to_owned())]);
}
