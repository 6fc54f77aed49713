//! Constants that stencils leave open.

use super::code::Op;

/// A constant that the stencils leave open; its number is the low half of the magic immediate that stands for
/// it (`bpf-templates/patch.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Patch(pub u16);

const MAGIC: u32 = 0x5eed_0000;

/// The constant whose place the instruction's immediate takes, until the linker puts its value there.
pub(super) fn open_constant(op: &Op) -> Option<Patch> {
    let magic = op.insn.imm as u32;
    let is_magic = magic & 0xffff_0000 == MAGIC && magic != MAGIC;
    let is_open = is_magic && op.insn.has_immediate_operand() && op.core.is_none() && op.reference.is_none();
    is_open.then_some(Patch(magic as u16))
}
