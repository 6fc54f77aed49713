//! Code with names instead of distances: what is edited between reading and writing.
//!
//! [`lift`] turns encoded instructions and what the object says about them into a list of operations and
//! labels; [`Code::assemble`] turns such a list into bytes and what has to be said about them. Between the two
//! operations may be added, dropped and moved: jumps name labels, calls and loads name what they refer to, and
//! CO-RE records and notes travel with their operation.

use std::collections::BTreeMap;

use super::error::Error;
use super::insn::{self, Insn, SLOT};

/// A place in one [`Code`]; meaningless in any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub(super) u32);

/// What an instruction refers to by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    Map(String),
    /// The address `addend` bytes behind the beginning of a global variable.
    Variable {
        name: String,
        addend: i32,
    },
    /// A called function, or one whose address is taken (a `bpf_loop` callback).
    Function(String),
}

/// A field, type or enumerator of the running kernel that a loader resolves into an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreRecord {
    /// In the BTF of the object that the code was read from.
    pub type_id: u32,
    /// Path of member numbers, such as `0:3:1`.
    pub access: String,
    /// `enum bpf_core_relo_kind`.
    pub kind: u32,
}

/// One operation; a load of a 64-bit immediate is one, though it takes two slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Op {
    /// `off` of a branch means nothing here: `target` does.
    pub insn: Insn,
    /// Upper half of a 64-bit immediate.
    pub high: i32,
    pub target: Option<Label>,
    pub reference: Option<Reference>,
    pub core: Option<CoreRecord>,
    /// Text that listings and verifier logs show from here on.
    pub note: Option<String>,
}

impl From<Insn> for Op {
    fn from(insn: Insn) -> Op {
        Op { insn, ..Op::default() }
    }
}

impl Op {
    pub fn to(insn: Insn, target: Label) -> Op {
        Op { insn, target: Some(target), ..Op::default() }
    }

    /// `dst = value`, in the shortest form.
    pub fn constant(dst: u8, value: i64) -> Op {
        match i32::try_from(value) {
            Ok(imm) => insn::mov_imm(dst, imm).into(),
            Err(_) => Op {
                insn: Insn { op: insn::LD_IMM64, dst, src: 0, off: 0, imm: value as i32 },
                high: (value >> 32) as i32,
                ..Op::default()
            },
        }
    }

    /// `dst = &map`
    pub fn map(dst: u8, name: &str) -> Op {
        Op {
            insn: Insn { op: insn::LD_IMM64, dst, src: 0, off: 0, imm: 0 },
            reference: Some(Reference::Map(name.to_owned())),
            ..Op::default()
        }
    }

    pub fn slots(&self) -> usize {
        if self.insn.is_wide() { 2 } else { 1 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Label(Label),
    Op(Op),
}

/// Operations in order, and the labels between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    pub items: Vec<Item>,
    labels: u32,
}

/// Encoded instructions and, by slot number, what has to be said about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembled {
    pub bytes: Vec<u8>,
    pub references: Vec<(u32, Reference)>,
    pub core: Vec<(u32, CoreRecord)>,
    pub notes: Vec<(u32, String)>,
}

impl Code {
    pub fn new_label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.items.push(Item::Label(label));
    }

    pub fn push(&mut self, op: impl Into<Op>) {
        self.items.push(Item::Op(op.into()));
    }

    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.items.iter().filter_map(|item| match item {
            Item::Op(op) => Some(op),
            Item::Label(_) => None,
        })
    }

    pub fn ops_mut(&mut self) -> impl Iterator<Item = &mut Op> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Op(op) => Some(op),
            Item::Label(_) => None,
        })
    }

    /// Functions that it calls or takes the address of, in order, each as often as it stands there.
    pub fn called(&self) -> impl Iterator<Item = &str> {
        self.ops().filter_map(|op| match &op.reference {
            Some(Reference::Function(name)) => Some(name.as_str()),
            Some(Reference::Map(_) | Reference::Variable { .. }) | None => None,
        })
    }

    /// Number of labels handed out; label numbers are below it.
    pub fn label_count(&self) -> usize {
        self.labels as usize
    }

    /// Reserves room for all labels of `other`; its label `n` is `Label(result + n)` here.
    pub(super) fn import_labels(&mut self, other: &Code) -> u32 {
        let base = self.labels;
        self.labels += other.labels;
        base
    }

    /// Item number of each bound label.
    pub(super) fn label_items(&self, function: &str) -> Result<Vec<Option<usize>>, Error> {
        let mut places = vec![None; self.labels as usize];
        for (at, item) in self.items.iter().enumerate() {
            if let Item::Label(label) = item
                && places[label.0 as usize].replace(at).is_some()
            {
                return Err(Error::LabelBoundTwice { function: function.to_owned() });
            }
        }
        Ok(places)
    }

    /// Encodes the code of `function` (named in errors only).
    pub fn assemble(&self, function: &str) -> Result<Assembled, Error> {
        let mut places = vec![None; self.labels as usize];
        let mut slot = 0usize;
        for item in &self.items {
            match item {
                Item::Op(op) => slot += op.slots(),
                Item::Label(label) => {
                    if places[label.0 as usize].replace(slot).is_some() {
                        return Err(Error::LabelBoundTwice { function: function.to_owned() });
                    }
                }
            }
        }
        let mut out = Assembled { bytes: Vec::with_capacity(slot * SLOT), ..Assembled::default() };
        for op in self.ops() {
            let here = out.bytes.len() / SLOT;
            let mut insn = op.insn;
            if let Some(label) = op.target {
                let place = places[label.0 as usize]
                    .ok_or_else(|| Error::UnboundLabel { function: function.to_owned() })?;
                let distance = place as i64 - here as i64 - 1;
                insn.off = i16::try_from(distance)
                    .map_err(|_| Error::JumpRange { function: function.to_owned(), distance })?;
            }
            out.bytes.extend(insn.encode());
            if insn.is_wide() {
                out.bytes.extend(Insn { imm: op.high, ..Insn::default() }.encode());
            }
            let here = here as u32;
            out.references.extend(op.reference.clone().map(|r| (here, r)));
            out.core.extend(op.core.clone().map(|c| (here, c)));
            out.notes.extend(op.note.clone().map(|n| (here, n)));
        }
        Ok(out)
    }
}

/// Reads the code of `function`: its encoded instructions, and by slot number what they refer to.
///
/// Every jump must stay inside the function, and the last instruction must not fall out of it.
pub fn lift(
    function: &str,
    bytes: &[u8],
    references: &BTreeMap<u32, Reference>,
    core: &BTreeMap<u32, CoreRecord>,
) -> Result<Code, Error> {
    let error = |at: usize, what| Error::Code { function: function.to_owned(), at, what };
    let (slots, rest) = bytes.as_chunks::<SLOT>();
    if !rest.is_empty() || slots.is_empty() {
        return Err(error(slots.len(), "the code is not a number of whole instructions"));
    }
    let starts = check_slots(slots).map_err(|(at, what)| error(at, what))?;

    let mut code = Code::default();
    let mut labels: BTreeMap<usize, Label> = BTreeMap::new();
    for (at, slot) in slots.iter().enumerate().filter(|(at, _)| starts[*at]) {
        let insn = Insn::decode(*slot);
        if insn.is_branch() {
            let to = at as i64 + 1 + i64::from(insn.off);
            let inside = usize::try_from(to).ok().filter(|to| starts.get(*to) == Some(&true));
            let to = inside.ok_or_else(|| error(at, "jumps out of the function"))?;
            labels.entry(to).or_insert_with(|| code.new_label());
        }
    }

    let mut last = Insn::default();
    for (at, slot) in slots.iter().enumerate() {
        let here = at as u32;
        if !starts[at] {
            if references.contains_key(&here) || core.contains_key(&here) {
                return Err(error(at, "a relocation names the second half of an instruction"));
            }
            continue;
        }
        if let Some(label) = labels.get(&at) {
            code.bind(*label);
        }
        last = Insn::decode(*slot);
        let target = last.is_branch().then(|| labels[&((at as i64 + 1 + i64::from(last.off)) as usize)]);
        code.push(Op {
            insn: last,
            high: if last.is_wide() { Insn::decode(slots[at + 1]).imm } else { 0 },
            target,
            reference: references.get(&here).cloned(),
            core: core.get(&here).cloned(),
            note: None,
        });
    }
    if last.falls_through() {
        return Err(error(slots.len(), "execution runs past the end"));
    }
    Ok(code)
}

/// Which slots begin an instruction; fails at the first one that is none.
fn check_slots(slots: &[[u8; SLOT]]) -> Result<Vec<bool>, (usize, &'static str)> {
    let mut starts = vec![true; slots.len()];
    for (at, slot) in slots.iter().enumerate() {
        if !starts[at] {
            continue;
        }
        let insn = Insn::decode(*slot);
        insn.check().map_err(|what| (at, what))?;
        if insn.is_wide() {
            let second = slots.get(at + 1).ok_or((at, "half a 64-bit load"))?;
            let second = Insn::decode(*second);
            if second != (Insn { imm: second.imm, ..Insn::default() }) {
                return Err((at, "half a 64-bit load"));
            }
            starts[at + 1] = false;
        }
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{EXIT_INSN, GOTO, add_imm, mov_imm};

    fn lift_plain(bytes: &[u8]) -> Result<Code, Error> {
        lift("f", bytes, &BTreeMap::new(), &BTreeMap::new())
    }

    fn sample() -> Code {
        let mut code = Code::default();
        let (top, end) = (code.new_label(), code.new_label());
        code.push(mov_imm(1, 10));
        code.bind(top);
        code.push(Op::constant(2, 0x1234_5678_9abc));
        code.push(add_imm(1, -1));
        code.push(Op::to(Insn { op: insn::JMP | insn::JEQ, dst: 1, ..Insn::default() }, end));
        code.push(Op::to(GOTO, top));
        code.bind(end);
        code.push(mov_imm(0, 0));
        code.push(EXIT_INSN);
        code
    }

    #[test]
    fn assembling_what_was_lifted_gives_the_same_bytes() {
        let bytes = sample().assemble("f").unwrap().bytes;
        assert_eq!(bytes.len(), 8 * SLOT);
        let lifted = lift_plain(&bytes).unwrap();
        assert_eq!(lifted.assemble("f").unwrap().bytes, bytes);
    }

    #[test]
    fn records_follow_their_instruction() {
        let mut code = sample();
        let Some(Item::Op(op)) = code.items.get_mut(2) else { panic!() };
        op.core = Some(CoreRecord { type_id: 1, access: "0:1".into(), kind: 0 });
        code.items.insert(0, Item::Op(mov_imm(3, 3).into()));
        assert_eq!(code.assemble("f").unwrap().core[0].0, 2);
    }

    #[test]
    fn a_jump_out_of_the_function_is_refused() {
        for off in [-3i16, 2, 100] {
            let jump = Insn { off, ..GOTO };
            let bytes = [jump.encode(), EXIT_INSN.encode()].concat();
            assert!(matches!(lift_plain(&bytes), Err(Error::Code { at: 0, .. })), "{off}");
        }
        let jump = Insn { off: 0, ..GOTO };
        assert!(lift_plain(&[jump.encode(), EXIT_INSN.encode()].concat()).is_ok());
    }

    #[test]
    fn a_jump_into_a_wide_load_is_refused() {
        let wide = Op::constant(1, i64::MAX);
        let mut code = Code::default();
        code.push(Insn { off: 1, ..GOTO });
        code.push(wide);
        code.push(EXIT_INSN);
        let bytes = code.assemble("f").unwrap().bytes;
        assert!(matches!(lift_plain(&bytes), Err(Error::Code { at: 0, .. })));
    }

    #[test]
    fn code_without_an_end_is_refused() {
        assert!(lift_plain(&mov_imm(0, 0).encode()).is_err());
        assert!(lift_plain(&[]).is_err());
        assert!(lift_plain(&EXIT_INSN.encode()[..7]).is_err());
        let half = Insn { op: insn::LD_IMM64, ..Insn::default() };
        assert!(lift_plain(&[EXIT_INSN.encode(), half.encode()].concat()).is_err());
    }

    #[test]
    fn a_jump_too_far_is_an_error() {
        let mut code = Code::default();
        let end = code.new_label();
        code.push(Op::to(GOTO, end));
        for _ in 0..i16::MAX {
            code.push(mov_imm(0, 0));
        }
        let mut near = code.clone();
        near.bind(end);
        near.push(EXIT_INSN);
        assert!(near.assemble("f").is_ok());
        code.push(mov_imm(0, 0));
        code.bind(end);
        code.push(EXIT_INSN);
        assert_eq!(code.assemble("f"), Err(Error::JumpRange { function: "f".into(), distance: 32768 }));
    }

    #[test]
    fn labels_are_bound_exactly_once() {
        let mut code = Code::default();
        let label = code.new_label();
        code.push(Op::to(GOTO, label));
        assert!(matches!(code.assemble("f"), Err(Error::UnboundLabel { .. })));
        code.bind(label);
        code.push(EXIT_INSN);
        assert!(code.assemble("f").is_ok());
        code.bind(label);
        assert!(matches!(code.assemble("f"), Err(Error::LabelBoundTwice { .. })));
    }
}
