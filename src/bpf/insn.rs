//! Instructions as the kernel encodes them: bytes to fields and back, and what each one reads and writes.
//!
//! Knows the instruction set up to `-mcpu=v3`, which Linux 5.1 takes: no sign-extending moves and loads, no
//! `gotol`. What is not known is refused on decoding, never passed on.
//! Source: Linux 6.12, Documentation/bpf/standardization/instruction-set.rst and include/uapi/linux/bpf.h.

/// Bytes of one instruction slot; `ld_imm64` takes two slots.
pub const SLOT: usize = 8;

// Classes.
pub const LD: u8 = 0x00;
pub const LDX: u8 = 0x01;
pub const ST: u8 = 0x02;
pub const STX: u8 = 0x03;
pub const ALU32: u8 = 0x04;
pub const JMP: u8 = 0x05;
pub const JMP32: u8 = 0x06;
pub const ALU64: u8 = 0x07;

// Sizes and modes of loads and stores.
pub const W: u8 = 0x00;
pub const H: u8 = 0x08;
pub const B: u8 = 0x10;
pub const DW: u8 = 0x18;
pub const MEM: u8 = 0x60;
pub const ATOMIC: u8 = 0xc0;

/// Operand is a register instead of the immediate.
pub const X: u8 = 0x08;

// Operations of the ALU classes.
pub const ADD: u8 = 0x00;
pub const SUB: u8 = 0x10;
pub const MUL: u8 = 0x20;
pub const DIV: u8 = 0x30;
pub const OR: u8 = 0x40;
pub const AND: u8 = 0x50;
pub const LSH: u8 = 0x60;
pub const RSH: u8 = 0x70;
pub const NEG: u8 = 0x80;
pub const MOD: u8 = 0x90;
pub const XOR: u8 = 0xa0;
pub const MOV: u8 = 0xb0;
pub const ARSH: u8 = 0xc0;
pub const END: u8 = 0xd0;

// Operations of the jump classes.
pub const JA: u8 = 0x00;
pub const JEQ: u8 = 0x10;
pub const JGT: u8 = 0x20;
pub const JGE: u8 = 0x30;
pub const JSET: u8 = 0x40;
pub const JNE: u8 = 0x50;
pub const JSGT: u8 = 0x60;
pub const JSGE: u8 = 0x70;
pub const CALL: u8 = 0x80;
pub const EXIT: u8 = 0x90;
pub const JLT: u8 = 0xa0;
pub const JLE: u8 = 0xb0;
pub const JSLT: u8 = 0xc0;
pub const JSLE: u8 = 0xd0;

/// Opcode of the two-slot load of a 64-bit immediate.
pub const LD_IMM64: u8 = LD | DW;

/// Source register of a CALL whose immediate is a distance rather than a helper's number. (That of an LD_IMM64
/// is 0 in an object, whatever it refers to: loaders fill it in.)
pub const PSEUDO_CALL: u8 = 1;

/// The frame pointer; read-only.
pub const FP: u8 = 10;

/// One instruction slot, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Insn {
    pub op: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

impl Insn {
    pub const fn decode(slot: [u8; SLOT]) -> Insn {
        let [op, regs, off0, off1, imm @ ..] = slot;
        Insn {
            op,
            dst: regs & 0xf,
            src: regs >> 4,
            off: i16::from_le_bytes([off0, off1]),
            imm: i32::from_le_bytes(imm),
        }
    }

    pub const fn encode(self) -> [u8; SLOT] {
        let off = self.off.to_le_bytes();
        let imm = self.imm.to_le_bytes();
        [self.op, self.dst & 0xf | self.src << 4, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
    }

    pub const fn class(self) -> u8 {
        self.op & 0x07
    }

    /// Whether the verifier may put several instructions in its place: a helper call, or a division by a
    /// register.
    pub const fn may_be_replaced(self) -> bool {
        let helper = self.op == JMP | CALL && self.src != PSEUDO_CALL;
        let divides = matches!(self.class(), ALU32 | ALU64) && matches!(self.operation(), DIV | MOD);
        helper || divides && self.op & X != 0
    }

    /// Operation of the ALU and jump classes.
    pub const fn operation(self) -> u8 {
        self.op & 0xf0
    }

    /// Addressing mode of the load and store classes.
    pub const fn mode(self) -> u8 {
        self.op & 0xe0
    }

    /// Whether the second operand is `src` rather than `imm` (ALU and jump classes).
    pub const fn is_register_form(self) -> bool {
        self.op & X != 0
    }

    pub const fn is_alu(self) -> bool {
        matches!(self.class(), ALU32 | ALU64)
    }

    pub const fn is_jump_class(self) -> bool {
        matches!(self.class(), JMP | JMP32)
    }

    pub const fn is_wide(self) -> bool {
        self.op == LD_IMM64
    }

    pub const fn is_exit(self) -> bool {
        self.op == JMP | EXIT
    }

    pub const fn is_goto(self) -> bool {
        self.op == JMP | JA
    }

    pub const fn is_call(self) -> bool {
        self.op == JMP | CALL
    }

    /// Whether it may continue at its jump offset.
    pub const fn is_branch(self) -> bool {
        self.is_jump_class() && !matches!(self.operation(), CALL | EXIT)
    }

    /// Whether execution can go on at the next instruction.
    pub const fn falls_through(self) -> bool {
        !self.is_exit() && !self.is_goto()
    }

    /// Whether `imm` is an operand that the program computes with or stores.
    pub const fn has_immediate_operand(self) -> bool {
        match self.class() {
            ALU32 | ALU64 => !self.is_register_form() && !matches!(self.operation(), NEG | END),
            JMP | JMP32 => !self.is_register_form() && self.is_branch() && !self.is_goto(),
            ST => true,
            _ => self.is_wide() && self.src == 0,
        }
    }

    /// What is wrong with it, if it is not an instruction that this linker understands.
    pub fn check(self) -> Result<(), &'static str> {
        let registers_exist = self.dst <= FP && self.src <= FP;
        if !registers_exist {
            return Err("there is no such register");
        }
        match self.class() {
            LD | LDX if self.dst == FP => Err("the frame pointer is read-only"),
            LD if self.is_wide() => Ok(()),
            LD => Err("legacy packet loads are not supported"),
            LDX | ST if self.mode() == MEM => Ok(()),
            STX if matches!(self.mode(), MEM | ATOMIC) => Ok(()),
            LDX | ST | STX => Err("unknown addressing mode"),
            ALU32 | ALU64 if self.operation() > END => Err("unknown ALU operation"),
            ALU64 if self.operation() == END => {
                Err("unconditional byte swaps are newer than the oldest kernel")
            }
            ALU32 | ALU64 if self.off != 0 => Err("signed ALU operations are newer than the oldest kernel"),
            ALU32 | ALU64 if self.dst == FP => Err("the frame pointer is read-only"),
            ALU32 | ALU64 => Ok(()),
            JMP if self.is_call() && self.src > PSEUDO_CALL => Err("kernel functions cannot be called"),
            JMP if self.operation() > 0xd0 => Err("unknown jump"),
            JMP if (self.is_goto() || self.is_call() || self.is_exit()) || self.is_branch() => Ok(()),
            JMP32 if self.is_branch() && self.operation() != JA && self.operation() <= 0xd0 => Ok(()),
            _ => Err("unknown jump"),
        }
    }

    /// Registers that it reads, as a bit set.
    pub const fn reads(self) -> u16 {
        let (dst, src) = (1u16 << self.dst, 1u16 << self.src);
        match self.class() {
            LDX => src,
            ST => dst,
            STX if self.mode() == ATOMIC && self.imm == CMPXCHG => dst | src | 1,
            STX => dst | src,
            ALU32 | ALU64 => {
                let operand = if self.is_register_form() && self.operation() != END { src } else { 0 };
                if self.operation() == MOV { operand } else { operand | dst }
            }
            JMP | JMP32 => match self.operation() {
                _ if self.is_goto() => 0,
                CALL => 0b11_1110,
                EXIT => 1,
                _ if self.is_register_form() => dst | src,
                _ => dst,
            },
            _ => 0,
        }
    }

    /// Registers that it writes or leaves without a value, as a bit set.
    pub const fn writes(self) -> u16 {
        match self.class() {
            LD | LDX | ALU32 | ALU64 => 1 << self.dst,
            STX if self.mode() == ATOMIC && self.imm == CMPXCHG => 1,
            STX if self.mode() == ATOMIC && self.imm & FETCH != 0 => 1 << self.src,
            JMP if self.is_call() => 0b11_1111,
            _ => 0,
        }
    }
}

/// Flag in the immediate of an atomic operation: the old value is put into `src`.
pub const FETCH: i32 = 0x01;
pub const XCHG: i32 = 0xe0 | FETCH;
pub const CMPXCHG: i32 = 0xf0 | FETCH;

// Constructors for the glue.

pub const fn mov_reg(dst: u8, src: u8) -> Insn {
    Insn { op: ALU64 | MOV | X, dst, src, off: 0, imm: 0 }
}

pub const fn mov_imm(dst: u8, imm: i32) -> Insn {
    Insn { op: ALU64 | MOV, dst, src: 0, off: 0, imm }
}

pub const fn add_imm(dst: u8, imm: i32) -> Insn {
    Insn { op: ALU64 | ADD, dst, src: 0, off: 0, imm }
}

/// `dst = *(u64 *)(base + off)`
pub const fn load(dst: u8, base: u8, off: i16) -> Insn {
    Insn { op: LDX | MEM | DW, dst, src: base, off, imm: 0 }
}

/// `dst = *(size *)(base + off)`
pub const fn load_sized(size: u8, dst: u8, base: u8, off: i16) -> Insn {
    Insn { op: LDX | MEM | size, dst, src: base, off, imm: 0 }
}

/// `*(u64 *)(base + off) = src`
pub const fn store(base: u8, off: i16, src: u8) -> Insn {
    Insn { op: STX | MEM | DW, dst: base, src, off, imm: 0 }
}

/// `*(size *)(base + off) = imm`
pub const fn store_imm(size: u8, base: u8, off: i16, imm: i32) -> Insn {
    Insn { op: ST | MEM | size, dst: base, src: 0, off, imm }
}

pub const fn call_helper(number: i32) -> Insn {
    Insn { op: JMP | CALL, dst: 0, src: 0, off: 0, imm: number }
}

pub const EXIT_INSN: Insn = Insn { op: JMP | EXIT, dst: 0, src: 0, off: 0, imm: 0 };
/// Its target is a label.
pub const GOTO: Insn = Insn { op: JMP | JA, dst: 0, src: 0, off: 0, imm: 0 };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_slot_round_trips(slot: [u8; SLOT]) {
            prop_assert_eq!(Insn::decode(slot).encode(), slot);
        }
    }

    #[test]
    fn fields_stand_where_the_kernel_has_them() {
        let insn = Insn { op: 0x7b, dst: 10, src: 1, off: -8, imm: 0x1234_5678 };
        assert_eq!(insn.encode(), [0x7b, 0x1a, 0xf8, 0xff, 0x78, 0x56, 0x34, 0x12]);
    }

    #[test]
    fn foreign_instructions_are_refused() {
        let refused = [
            Insn { op: 0x20, ..Insn::default() },          // LD_ABS
            Insn { op: 0xe5, ..Insn::default() },          // no such jump
            Insn { op: 0x06, ..Insn::default() },          // gotol, v4
            Insn { op: 0x81, ..Insn::default() },          // sign-extending load, v4
            Insn { op: 0x3f, off: 1, ..Insn::default() },  // signed division, v4
            Insn { op: 0xd7, imm: 16, ..Insn::default() }, // bswap, v4
            Insn { op: 0x85, src: 2, ..Insn::default() },  // kfunc
            Insn { op: 0xb7, dst: 11, ..Insn::default() }, // r11
            Insn { op: 0xb7, dst: FP, ..Insn::default() }, // r10 = 0
        ];
        for insn in refused {
            assert!(insn.check().is_err(), "{insn:?}");
        }
        for insn in [mov_reg(1, FP), load(1, 1, 8), GOTO, EXIT_INSN, call_helper(1), add_imm(3, -1)] {
            assert_eq!(insn.check(), Ok(()), "{insn:?}");
        }
    }

    #[test]
    fn operands_are_known() {
        assert_eq!((mov_reg(3, 4).reads(), mov_reg(3, 4).writes()), (1 << 4, 1 << 3));
        assert_eq!((add_imm(3, 1).reads(), add_imm(3, 1).writes()), (1 << 3, 1 << 3));
        assert_eq!((store(10, -8, 2).reads(), store(10, -8, 2).writes()), (1 << 10 | 1 << 2, 0));
        assert_eq!(call_helper(1).writes(), 0x3f);
        let xchg = Insn { op: STX | ATOMIC | DW, dst: 1, src: 2, off: 0, imm: XCHG };
        assert_eq!((xchg.reads(), xchg.writes()), (0b110, 0b100));
        let cmpxchg = Insn { imm: CMPXCHG, ..xchg };
        assert_eq!((cmpxchg.reads(), cmpxchg.writes()), (0b111, 1));
        let swap = Insn { op: ALU32 | END | X, dst: 5, src: 0, off: 0, imm: 64 };
        assert_eq!((swap.reads(), swap.writes()), (1 << 5, 1 << 5));
    }
}
