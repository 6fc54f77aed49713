//! The stub: the only program that is attached, which hands every call on to the current generation.
//!
//! It tail-calls slot 0 of the PROG_ARRAY `slots`. That comes back only on failure, which the ARRAY `missed`
//! counts; the hooked call then goes on as if nothing were attached. A loader fills slot 0 before it attaches.
//! The kernel gives the target the same context, and takes its return value for the hook's.

use super::btf::{Btf, Kind, Strings, Type, TypeId, Word};
use super::code::{Code, Op};
use super::elf::{self, CodeSection, Container, DataSymbol, FunctionSymbol, Target};
use super::error::Error;
use super::insn::{self, ATOMIC, DW, FP, Insn, JEQ, JMP, STX};
use super::link::LICENSE;
use super::object_file::Linkage;

/// Name of the PROG_ARRAY with one slot.
pub const SLOTS: &str = "slots";
/// Name of the ARRAY of one u64 that counts failed tail calls.
pub const MISSED: &str = "missed";
/// Name of the program.
pub const STUB: &str = "stub";

const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_PROG_ARRAY: u32 = 3;
const HELPER_MAP_LOOKUP: i32 = 1;
const HELPER_TAIL_CALL: i32 = 12;

/// The object of the stub for a section such as `lsm/bprm_check_security`.
pub fn stub(section: &str) -> Result<Vec<u8>, Error> {
    let assembled = code().assemble(STUB)?;
    let mut btf = Btf::default();
    let mut maps = vec![];
    for (name, ty, value_bytes) in [(MISSED, MAP_TYPE_ARRAY, 8), (SLOTS, MAP_TYPE_PROG_ARRAY, 4)] {
        let definition = map_definition(&mut btf, ty, value_bytes);
        let (variable, at) = (btf.add_variable(name, definition), maps.len() as u32 * DEFINITION_BYTES);
        maps.push((variable, at, DEFINITION_BYTES, name));
    }
    let entries: Vec<(TypeId, u32, u32)> = maps.iter().map(|&(v, at, bytes, _)| (v, at, bytes)).collect();
    btf.add_section(".maps", entries.len() as u32 * DEFINITION_BYTES, &entries);
    let target = |name: &str| maps.iter().position(|(.., map)| *map == name).map(Target::Map);
    let container = Container {
        code: vec![CodeSection {
            name: section.to_owned(),
            functions: vec![FunctionSymbol {
                name: STUB.to_owned(),
                at: 0,
                bytes: assembled.bytes.len() as u32,
                linkage: Linkage::Global,
            }],
            relocations: assembled
                .references
                .iter()
                .filter_map(|(slot, reference)| match reference {
                    super::code::Reference::Map(name) => Some((*slot, target(name)?)),
                    _ => None,
                })
                .collect(),
            code: assembled.bytes,
        }],
        maps: maps
            .iter()
            .map(|&(_, at, bytes, name)| DataSymbol { name: name.to_owned(), at, bytes })
            .collect(),
        license: LICENSE,
        btf: btf.encode(&mut Strings::default()),
        ..Container::default()
    };
    elf::write(&container)
}

fn code() -> Code {
    let mut code = Code::default();
    let out = code.new_label();
    code.push(Op::map(2, SLOTS));
    code.push(insn::mov_imm(3, 0));
    code.push(insn::call_helper(HELPER_TAIL_CALL));
    code.push(insn::store_imm(insn::W, FP, -4, 0));
    code.push(insn::mov_reg(2, FP));
    code.push(insn::add_imm(2, -4));
    code.push(Op::map(1, MISSED));
    code.push(insn::call_helper(HELPER_MAP_LOOKUP));
    code.push(Op::to(Insn { op: JMP | JEQ, ..Insn::default() }, out));
    code.push(insn::mov_imm(1, 1));
    code.push(Insn { op: STX | ATOMIC | DW, dst: 0, src: 1, off: 0, imm: i32::from(insn::ADD) });
    code.bind(out);
    code.push(insn::mov_imm(0, 0));
    code.push(insn::EXIT_INSN);
    code
}

const DEFINITION_BYTES: u32 = 32;

/// `struct { type, key_size = 4, value_size, max_entries = 1 }`, as pointers to arrays of that many elements.
fn map_definition(btf: &mut Btf, ty: u32, value_bytes: u32) -> TypeId {
    let int = btf.add_int("int", 4, true);
    let mut definition = Type::new(Kind::Struct, "", DEFINITION_BYTES);
    for (index, (field, value)) in
        [("type", ty), ("key_size", 4), ("value_size", value_bytes), ("max_entries", 1)]
            .into_iter()
            .enumerate()
    {
        let array = btf.add_array(int, value);
        let pointer = btf.add_ptr(array);
        definition.words.extend([
            Word::Name(field.to_owned()),
            Word::Type(pointer),
            Word::Number(index as u32 * 64),
        ]);
        definition.vlen += 1;
    }
    btf.add(definition)
}
