//! A program as a list of steps, to code: glue in front of and between inlined stencils.
//!
//! The program keeps `struct frame` at the top of its stack; the hook's context is stored there first, so that
//! nothing has to live in a register from one step to the next. A stencil gets the frame's address as its first
//! argument and up to four immediates; what it returns decides whether the program leaves for the step's place.
//! Assumes that the stencils' own contracts (what must run before what) are kept by whoever lists the steps.

use std::collections::BTreeMap;

use super::btf::{Btf, Kind};
use super::code::{Code, Label, Op};
use super::error::Error;
use super::inline::inline;
use super::insn::{self, ALU32, FP, Insn, JMP32, JNE};
use super::open_constant::{Patch, open_constant};
use super::peephole;
use super::stencil::StencilObject;

/// A place in a program that steps can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u16);

impl Place {
    /// The end of every program: it returns 0. Bound by the composer.
    pub const ALLOW: Place = Place(u16::MAX);
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs a stencil. `leave`: where to go if it does not return 0; `None` ignores what it returns.
    Stencil {
        name: &'static str,
        immediates: Vec<i64>,
        leave: Option<Place>,
    },
    /// `frame.args[arg] = *(u64 *)(context + offset)`
    LoadContext {
        offset: i16,
        arg: u8,
    },
    /// The same of a field of `bytes` bytes (1, 2, 4 or 8), the rest of the word zero.
    LoadField {
        offset: u16,
        bytes: u8,
        arg: u8,
    },
    Bind(Place),
    Jump(Place),
    /// Returns what the last stencil returned.
    Return,
}

impl Step {
    pub fn stencil(name: &'static str, immediates: &[i64], leave: Option<Place>) -> Step {
        Step::Stencil { name, immediates: immediates.to_vec(), leave }
    }
}

/// Where the glue's fields are in `struct frame`.
struct Frame {
    bytes: u16,
    ctx: i16,
    args: i16,
    arg_count: u32,
}

impl Frame {
    fn read(btf: &Btf) -> Result<Frame, Error> {
        let id = btf.find(Kind::Struct, "frame").ok_or(Error::Frame("is not there"))?;
        let bytes = btf.size_of(id)?;
        if bytes > 512 || !bytes.is_multiple_of(8) {
            return Err(Error::Frame("is not a number of whole words that fit the stack"));
        }
        let member = |name: &str| {
            let member = btf.get(id)?.members().find(|m| m.name == name);
            let member = member.ok_or(Error::Frame("lacks `ctx` or `args`"))?;
            if member.offset_bits % 64 != 0 || u64::from(member.offset_bits / 8) >= bytes {
                return Err(Error::Frame("has `ctx` or `args` at an odd place"));
            }
            Ok(((member.offset_bits / 8) as i16, member.ty))
        };
        let (ctx, _) = member("ctx")?;
        let (args, ty) = member("args")?;
        let (element, arg_count) =
            btf.get(btf.resolve(ty)?)?.array().ok_or(Error::Frame("`args` is no array"))?;
        if btf.size_of(element)? != 8 {
            return Err(Error::Frame("`args` is not an array of words"));
        }
        Ok(Frame { bytes: bytes as u16, ctx, args, arg_count })
    }

    /// A field, relative to the frame pointer.
    fn place(&self, field: i16) -> i16 {
        field - self.bytes as i16
    }

    fn arg(&self, arg: u8) -> Result<i16, Error> {
        if u32::from(arg) >= self.arg_count {
            return Err(Error::Frame("has fewer arguments than the steps use"));
        }
        Ok(self.place(self.args + 8 * i16::from(arg)))
    }
}

/// Composes the code of the program `name`.
pub fn compose(object: &StencilObject, name: &str, steps: &[Step]) -> Result<Code, Error> {
    let mut composer = Composer {
        object,
        frame: Frame::read(&object.btf)?,
        code: Code::default(),
        places: BTreeMap::new(),
        ctx_in_r1: true,
    };
    composer.code.push(Op {
        note: Some(name.to_owned()),
        ..insn::store(FP, composer.frame.place(composer.frame.ctx), 1).into()
    });
    for step in steps {
        composer.step(step)?;
    }
    composer.bind(Place::ALLOW);
    composer.code.push(Op { note: Some("allow".to_owned()), ..insn::mov_imm(0, 0).into() });
    composer.code.push(insn::EXIT_INSN);
    peephole::run(&mut composer.code, name)?;
    Ok(composer.code)
}

struct Composer<'a> {
    object: &'a StencilObject,
    frame: Frame,
    code: Code,
    places: BTreeMap<Place, Label>,
    /// r1 still holds the context, as on entry.
    ctx_in_r1: bool,
}

impl Composer<'_> {
    fn label(&mut self, place: Place) -> Label {
        *self.places.entry(place).or_insert_with(|| self.code.new_label())
    }

    fn bind(&mut self, place: Place) {
        let label = self.label(place);
        self.code.bind(label);
        self.ctx_in_r1 = false;
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Stencil { name, immediates, leave } => return self.stencil(name, immediates, *leave),
            Step::LoadContext { offset, arg } => self.load(insn::DW, *offset, *arg)?,
            Step::LoadField { offset, bytes, arg } => {
                let size = match bytes {
                    1 => insn::B,
                    2 => insn::H,
                    4 => insn::W,
                    8 => insn::DW,
                    _ => return Err(Error::Frame("has no words of that many bytes")),
                };
                let offset = i16::try_from(*offset).map_err(|_| Error::Frame("has a context too long"))?;
                self.load(size, offset, *arg)?;
            }
            Step::Bind(place) => self.bind(*place),
            Step::Jump(place) => {
                let label = self.label(*place);
                self.code.push(Op::to(insn::GOTO, label));
            }
            Step::Return => self.code.push(insn::EXIT_INSN),
        }
        Ok(())
    }

    fn load(&mut self, size: u8, offset: i16, arg: u8) -> Result<(), Error> {
        let arg = self.frame.arg(arg)?;
        if !self.ctx_in_r1 {
            self.code.push(insn::load(1, FP, self.frame.place(self.frame.ctx)));
            self.ctx_in_r1 = true;
        }
        self.code.push(insn::load_sized(size, 2, 1, offset));
        self.code.push(insn::store(FP, arg, 2));
        Ok(())
    }

    fn stencil(&mut self, name: &str, immediates: &[i64], leave: Option<Place>) -> Result<(), Error> {
        const ARGUMENT_REGISTERS: [u8; 4] = [2, 3, 4, 5];
        let stencil = self.object.stencil(name)?;
        let taken = self.object.immediates(name)?;
        if immediates.len() != taken || taken > ARGUMENT_REGISTERS.len() {
            return Err(Error::Immediates { stencil: name.to_owned(), given: immediates.len(), taken });
        }
        self.code.push(Op { note: Some(name.to_owned()), ..insn::mov_reg(1, FP).into() });
        self.code.push(insn::add_imm(1, -i32::from(self.frame.bytes)));
        for (register, value) in ARGUMENT_REGISTERS.into_iter().zip(immediates) {
            self.code.push(Op::constant(register, *value));
        }
        let end = self.code.new_label();
        inline(stencil, self.frame.bytes, &mut self.code, end)?;
        self.code.bind(end);
        if let Some(place) = leave {
            let label = self.label(place);
            // An `int`: what is in the upper half of r0 means nothing.
            self.code.push(Op::to(Insn { op: JMP32 | JNE, ..Insn::default() }, label));
        }
        self.ctx_in_r1 = false;
        Ok(())
    }
}

/// Puts values in place of the magic immediates of `code`.
///
/// # Errors
/// A constant without a value, or a value that its instruction cannot hold.
pub fn patch(code: &mut Code, function: &str, values: &BTreeMap<Patch, i64>) -> Result<(), Error> {
    for op in code.ops_mut() {
        let Some(patch) = open_constant(op) else { continue };
        let value = *values.get(&patch).ok_or_else(|| Error::MissingPatch {
            function: function.to_owned(),
            patch: u32::from(patch.0),
        })?;
        let fits = put_immediate(op, value);
        fits.ok_or_else(|| Error::PatchRange {
            function: function.to_owned(),
            patch: u32::from(patch.0),
            value,
        })?;
    }
    Ok(())
}

fn put_immediate(op: &mut Op, value: i64) -> Option<()> {
    const SHIFTS: [u8; 3] = [insn::LSH, insn::RSH, insn::ARSH];
    let insn = &mut op.insn;
    let width = if matches!(insn.class(), ALU32 | JMP32) { 32 } else { 64 };
    if insn.is_alu() && SHIFTS.contains(&insn.operation()) && !(0..width).contains(&value) {
        return None;
    }
    if insn.is_wide() {
        op.high = (value >> 32) as i32;
        insn.imm = value as i32;
        return Some(());
    }
    // Operations of 32 bits take the immediate as it is, those of 64 extend its sign.
    insn.imm = match (i32::try_from(value), u32::try_from(value)) {
        (Ok(value), _) => value,
        (Err(_), Ok(value)) if width == 32 => value as i32,
        _ => return None,
    };
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::insn::ALU64;
    use super::*;

    fn and(class: u8, imm: i32) -> Op {
        Insn { op: class | 0x50, dst: 1, src: 0, off: 0, imm }.into()
    }

    fn patched(op: Op, value: i64) -> Result<i32, Error> {
        let mut code = Code::default();
        code.push(op);
        patch(&mut code, "f", &BTreeMap::from([(Patch(1), value)]))?;
        Ok(code.ops().next().unwrap().insn.imm)
    }

    #[test]
    fn every_magic_immediate_gets_its_value() {
        assert_eq!(patched(and(ALU64, 0x5eed_0001), 0xfff8), Ok(0xfff8));
        assert_eq!(patched(and(ALU32, 0x5eed_0001), 0xffff_fff8), Ok(-8));
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error() {
        let range = |value| Err(Error::PatchRange { function: "f".into(), patch: 1, value });
        assert_eq!(patched(and(ALU64, 0x5eed_0001), 0xffff_fff8), range(0xffff_fff8));
        assert_eq!(patched(and(ALU32, 0x5eed_0001), 1 << 32), range(1 << 32));
        let shift = |class| Op::from(Insn { op: class | 0x70, dst: 1, src: 0, off: 0, imm: 0x5eed_0001 });
        assert_eq!(patched(shift(ALU64), 53), Ok(53));
        assert_eq!(patched(shift(ALU64), 64), range(64));
        assert_eq!(patched(shift(ALU32), 32), range(32));
        assert_eq!(patched(shift(ALU64), -1), range(-1));
    }

    #[test]
    fn a_constant_without_a_value_is_an_error() {
        let missing = Err(Error::MissingPatch { function: "f".into(), patch: 2 });
        assert_eq!(patched(and(ALU64, 0x5eed_0002), 0), missing);
    }

    /// Numbers that only look alike: a register form, a helper's number, a CO-RE offset.
    #[test]
    fn what_is_no_operand_is_left_alone() {
        let magic = 0x5eed_0001;
        let register = Op::from(Insn { op: ALU64 | 0x50 | insn::X, dst: 1, src: 2, off: 0, imm: magic });
        assert_eq!(patched(register, 7), Ok(magic));
        assert_eq!(patched(insn::call_helper(magic).into(), 7), Ok(magic));
        assert_eq!(patched(and(ALU64, 0x5eed_0000), 7), Ok(0x5eed_0000));
        assert_eq!(patched(and(ALU64, 0x5eec_0001), 7), Ok(0x5eec_0001));
    }
}
