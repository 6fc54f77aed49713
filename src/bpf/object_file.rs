//! An eBPF object, clang's or ours, taken apart: functions, maps and variables under their names.
//!
//! Reading resolves each relocation to a name, so that nothing later knows sections, symbols or offsets.
//! What is not understood is refused: constants in `.rodata` (each would cost a map), kernel functions, weak
//! and undefined symbols. Never panics, whatever the bytes.
//! Sources: clang 14 `-target bpf` output; libbpf 1.5, src/libbpf.c, for what relocations mean.

use std::collections::BTreeMap;

use object::elf::{EM_BPF, ET_REL, R_BPF_64_32, R_BPF_64_64};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget,
    SectionIndex, SectionKind, SymbolKind, SymbolScope,
};

use super::btf::{Btf, Kind, TypeId};
use super::btf_ext::{self, ExtSection};
use super::code::{Code, CoreRecord, Reference, lift};
use super::error::Error;
use super::insn::{Insn, PSEUDO_CALL, SLOT};

pub(super) type Elf<'a> = ElfFile64<'a, LittleEndian>;

/// Who sees a function, and with that how the kernel verifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// Verified anew for every caller's state.
    Static,
    /// Global in ELF, verified like a static one (`__hidden`).
    Hidden,
    /// Verified once, for any arguments.
    Global,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub code: Code,
    /// Its FUNC_PROTO; 0 if the object does not say.
    pub prototype: TypeId,
    pub linkage: Linkage,
}

/// Where a global variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataSection {
    Data,
    Bss,
}

impl DataSection {
    pub fn name(self) -> &'static str {
        match self {
            DataSection::Data => ".data",
            DataSection::Bss => ".bss",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub section: DataSection,
    /// Its type, as the C source has it.
    pub ty: TypeId,
}

/// An object by names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFile {
    /// Sections with code in the order of the file, each with its functions by address.
    pub sections: Vec<(String, Vec<Function>)>,
    /// Type of each map's definition struct.
    pub maps: BTreeMap<String, TypeId>,
    pub variables: BTreeMap<String, Variable>,
    pub license: Option<String>,
    pub btf: Btf,
}

pub const TEXT: &str = ".text";

impl ObjectFile {
    /// # Errors
    /// Any deviation from what this linker understands.
    pub fn read(bytes: &[u8]) -> Result<ObjectFile, Error> {
        let elf = parse_elf(bytes)?;
        let (btf, strings) = Btf::parse(section_data(&elf, ".BTF")?)?;
        let said = match elf.section_by_name(".BTF.ext") {
            Some(section) => btf_ext::parse(section.data().map_err(elf_error)?, strings)?,
            None => vec![],
        };
        let symbols = Symbols::read(&elf, &btf)?;
        let mut sections = vec![];
        for section in elf.sections().filter(|s| s.kind() == SectionKind::Text) {
            let name = section.name().map_err(elf_error)?;
            let reader = CodeSection::read(&elf, &section, &symbols, said.iter().find(|s| s.name == name))?;
            let functions: Result<Vec<Function>, Error> =
                symbols.functions_of(section.index()).map(|symbol| reader.function(symbol, &btf)).collect();
            sections.push((name.to_owned(), functions?));
        }
        let variables = symbols.variables.iter().map(|(name, v)| (name.clone(), v.variable)).collect();
        let license = read_license(&elf)?;
        Ok(ObjectFile { sections, maps: symbols.maps, variables, license, btf })
    }

    /// Functions in a section.
    pub fn functions(&self, section: &str) -> &[Function] {
        self.sections.iter().find(|(name, _)| name == section).map_or(&[], |(_, functions)| functions)
    }
}

fn read_license(elf: &Elf) -> Result<Option<String>, Error> {
    let Some(section) = elf.section_by_name("license") else { return Ok(None) };
    let data = section.data().map_err(elf_error)?;
    let text = std::ffi::CStr::from_bytes_with_nul(data).ok().and_then(|text| text.to_str().ok());
    Ok(Some(text.ok_or_else(|| Error::Elf("the license is no text".to_owned()))?.to_owned()))
}

pub(super) fn elf_error(error: object::Error) -> Error {
    Error::Elf(error.to_string())
}

/// Opens a relocatable eBPF object.
pub(super) fn parse_elf(bytes: &[u8]) -> Result<Elf<'_>, Error> {
    let elf = Elf::parse(bytes).map_err(elf_error)?;
    let header = elf.elf_header();
    if header.e_machine(LittleEndian) != EM_BPF || header.e_type(LittleEndian) != ET_REL {
        return Err(Error::NotBpf);
    }
    Ok(elf)
}

pub(super) fn section_data<'a>(elf: &Elf<'a>, name: &str) -> Result<&'a [u8], Error> {
    let section = elf.section_by_name(name).ok_or_else(|| Error::MissingSection(name.to_owned()))?;
    section.data().map_err(elf_error)
}

/// A function symbol: where its code is.
struct FunctionSymbol {
    name: String,
    section: SectionIndex,
    address: u64,
    size: u64,
    linkage: Linkage,
}

struct PlacedVariable {
    variable: Variable,
    address: u64,
    size: u64,
}

/// Symbols by what they stand for.
struct Symbols {
    functions: Vec<FunctionSymbol>,
    maps: BTreeMap<String, TypeId>,
    variables: BTreeMap<String, PlacedVariable>,
    text: Option<SectionIndex>,
}

impl Symbols {
    fn read(elf: &Elf, btf: &Btf) -> Result<Symbols, Error> {
        let text = elf.section_by_name(TEXT).map(|s| s.index());
        let mut symbols =
            Symbols { functions: vec![], maps: BTreeMap::new(), variables: BTreeMap::new(), text };
        for symbol in elf.symbols() {
            let Some(index) = symbol.section_index() else { continue };
            let section = elf.section_by_index(index).map_err(elf_error)?;
            let section_name = section.name().map_err(elf_error)?;
            let name = symbol.name().map_err(elf_error)?.to_owned();
            match (symbol.kind(), section_name) {
                (SymbolKind::Text, _) => symbols.functions.push(FunctionSymbol {
                    name,
                    section: index,
                    address: symbol.address(),
                    size: symbol.size(),
                    linkage: match symbol.scope() {
                        SymbolScope::Dynamic => Linkage::Global,
                        SymbolScope::Linkage => Linkage::Hidden,
                        SymbolScope::Compilation | SymbolScope::Unknown => Linkage::Static,
                    },
                }),
                (SymbolKind::Data, ".maps") => {
                    let var = variable_type(btf, &name)?;
                    symbols.maps.insert(name, var);
                }
                (SymbolKind::Data, ".data" | ".bss") => {
                    let data = section_name == ".data";
                    let variable = Variable {
                        section: if data { DataSection::Data } else { DataSection::Bss },
                        ty: variable_type(btf, &name)?,
                    };
                    let placed = PlacedVariable { variable, address: symbol.address(), size: symbol.size() };
                    symbols.variables.insert(name, placed);
                }
                _ => {}
            }
        }
        Ok(symbols)
    }

    fn functions_of(&self, section: SectionIndex) -> impl Iterator<Item = &FunctionSymbol> {
        self.functions.iter().filter(move |f| f.section == section)
    }

    /// The `.text` function that begins at a byte.
    fn text_function(&self, address: i64) -> Option<Reference> {
        let text = self.text?;
        let at = u64::try_from(address).ok()?;
        let function = self.functions_of(text).find(|f| f.address == at)?;
        Some(Reference::Function(function.name.clone()))
    }

    /// The address `offset` bytes into a data section, as one relative to its variable.
    fn variable_at(&self, section: DataSection, offset: i64) -> Option<Reference> {
        let at = u64::try_from(offset).ok()?;
        let inside =
            |v: &&PlacedVariable| v.variable.section == section && at >= v.address && at - v.address < v.size;
        let (name, variable) = self.variables.iter().find(|(_, v)| inside(v))?;
        let addend = i32::try_from(at - variable.address).ok()?;
        Some(Reference::Variable { name: name.clone(), addend })
    }
}

/// The type of a global variable or map.
fn variable_type(btf: &Btf, name: &str) -> Result<TypeId, Error> {
    let var = btf.find(Kind::Var, name).ok_or(Error::Btf("a variable has no type"))?;
    Ok(btf.get(var)?.size_or_type)
}

/// A code section with its relocations resolved, by slot number within the section.
struct CodeSection<'a> {
    data: &'a [u8],
    references: BTreeMap<u32, Reference>,
    said: Option<&'a ExtSection>,
}

impl<'a> CodeSection<'a> {
    fn read(
        elf: &Elf<'a>,
        section: &object::read::elf::ElfSection64<'a, '_, LittleEndian>,
        symbols: &Symbols,
        said: Option<&'a ExtSection>,
    ) -> Result<CodeSection<'a>, Error> {
        let data = section.data().map_err(elf_error)?;
        let name = section.name().map_err(elf_error)?;
        let mut references = BTreeMap::new();
        for (at, relocation) in section.relocations() {
            let error =
                |what: &str| Error::Relocation { section: name.to_owned(), at, what: what.to_owned() };
            let insn = slot_at(data, at).ok_or_else(|| error("names no instruction"))?;
            let RelocationTarget::Symbol(index) = relocation.target() else {
                return Err(error("has no symbol"));
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                return Err(error("has no type"));
            };
            if !(r_type == R_BPF_64_64 && insn.is_wide() || r_type == R_BPF_64_32 && insn.is_call()) {
                return Err(error("has a type that does not go with its instruction"));
            }
            let symbol = elf.symbol_by_index(index).map_err(elf_error)?;
            let target = symbol.section_index().and_then(|index| elf.section_by_index(index).ok());
            let target = target.ok_or_else(|| error("names something outside this object"))?;
            let target = target.name().map_err(elf_error)?;
            let name = symbol.name().map_err(elf_error)?;
            let reference = refer(insn, symbol.kind(), name, symbol.address(), target, symbols);
            references.insert(
                (at / 8) as u32,
                reference.ok_or_else(|| error(&format!("names `{target}` {name}")))?,
            );
        }
        if symbols.text == Some(section.index()) {
            add_local_calls(data, symbols, &mut references)?;
        }
        Ok(CodeSection { data, references, said })
    }

    /// Type of the function that begins in a slot; 0 if nothing is said about it.
    fn prototype(&self, first: u32, btf: &Btf) -> Result<TypeId, Error> {
        let func = self.said.and_then(|said| said.functions.iter().find(|(at, _)| *at == first));
        let Some((_, func)) = func else { return Ok(0) };
        let func = btf.get(*func)?;
        if func.kind != Kind::Func || btf.get(func.size_or_type)?.kind != Kind::FuncProto {
            return Err(Error::Btf("a function's type is not one of functions"));
        }
        Ok(func.size_or_type)
    }

    fn function(&self, symbol: &FunctionSymbol, btf: &Btf) -> Result<Function, Error> {
        let wrong = |what| Error::Code { function: symbol.name.clone(), at: 0, what };
        let end = symbol.address.checked_add(symbol.size);
        let range = end.and_then(|end| self.data.get(symbol.address as usize..end as usize));
        let bytes = range.ok_or_else(|| wrong("the symbol leaves its section"))?;
        if symbol.address % SLOT as u64 != 0 {
            return Err(wrong("the symbol is about half an instruction"));
        }
        let first = (symbol.address / 8) as u32;
        let slots = first..first + (bytes.len() / SLOT) as u32;
        let references =
            self.references.range(slots.clone()).map(|(at, r)| (at - first, r.clone())).collect();
        let core: BTreeMap<u32, CoreRecord> = self
            .said
            .iter()
            .flat_map(|said| &said.core)
            .filter(|(at, _)| slots.contains(at))
            .map(|(at, core)| (at - first, core.clone()))
            .collect();
        for record in core.values() {
            btf.get(record.type_id)?;
        }
        let mut code = lift(&symbol.name, bytes, &references, &core)?;
        for op in code.ops_mut().filter(|op| op.reference.is_some()) {
            // The reference says it all; the offset is put back on writing.
            op.insn.imm = 0;
        }
        for (at, text) in self.said.iter().flat_map(|said| &said.lines).map(|line| (line.slot, &line.text)) {
            if slots.contains(&at) {
                set_note(&mut code, at - first, text);
            }
        }
        let prototype = self.prototype(first, btf)?;
        Ok(Function { name: symbol.name.clone(), code, prototype, linkage: symbol.linkage })
    }
}

/// Notes the text of a source line at the operation in slot `slot`.
fn set_note(code: &mut Code, slot: u32, text: &str) {
    let mut at = 0;
    for op in code.ops_mut() {
        if at == slot {
            op.note = Some(text.to_owned());
        }
        at += op.slots() as u32;
    }
}

fn slot_at(data: &[u8], at: u64) -> Option<Insn> {
    if at % SLOT as u64 != 0 {
        return None;
    }
    Some(Insn::decode(*data.get(usize::try_from(at).ok()?..)?.first_chunk()?))
}

/// What a relocated instruction refers to: `target` is the section of the symbol.
fn refer(
    insn: Insn,
    kind: SymbolKind,
    name: &str,
    address: u64,
    target: &str,
    symbols: &Symbols,
) -> Option<Reference> {
    let imm = i64::from(insn.imm);
    let base = if kind == SymbolKind::Section { 0 } else { i64::try_from(address).ok()? };
    match (target, kind) {
        (TEXT, SymbolKind::Section | SymbolKind::Text) if insn.is_call() && insn.src == PSEUDO_CALL => {
            symbols.text_function(base.checked_add((imm + 1) * 8)?)
        }
        (TEXT, SymbolKind::Section | SymbolKind::Text) if insn.is_wide() && insn.src == 0 => {
            symbols.text_function(base.checked_add(imm)?)
        }
        (".maps", SymbolKind::Data) if insn.is_wide() && insn.imm == 0 && insn.src == 0 => {
            Some(Reference::Map(name.to_owned()))
        }
        (".data", _) if insn.is_wide() && insn.src == 0 => {
            symbols.variable_at(DataSection::Data, base.checked_add(imm)?)
        }
        (".bss", _) if insn.is_wide() && insn.src == 0 => {
            symbols.variable_at(DataSection::Bss, base.checked_add(imm)?)
        }
        _ => None,
    }
}

/// Calls within one section have no relocation: the immediate is a distance.
fn add_local_calls(
    data: &[u8],
    symbols: &Symbols,
    references: &mut BTreeMap<u32, Reference>,
) -> Result<(), Error> {
    for (at, slot) in data.as_chunks::<SLOT>().0.iter().enumerate() {
        let insn = Insn::decode(*slot);
        if insn.is_call() && insn.src == PSEUDO_CALL && !references.contains_key(&(at as u32)) {
            let to = (at as i64 + 1 + i64::from(insn.imm)) * 8;
            let function = symbols.text_function(to).ok_or_else(|| Error::Relocation {
                section: TEXT.to_owned(),
                at: at as u64 * 8,
                what: "calls something that is no function".to_owned(),
            })?;
            references.insert(at as u32, function);
        }
    }
    Ok(())
}
