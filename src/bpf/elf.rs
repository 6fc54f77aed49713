//! Writes the ELF container: sections, symbols and relocations, in a fixed order.
//!
//! Everything that has a meaning is decided before: code is encoded, types are numbered. References to data
//! and functions go through section symbols with the offset in the instruction, which is the one form that
//! libbpf, aya and cilium/ebpf 0.9 all read alike.

use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::write::{Object, Relocation, SectionId, StandardSegment, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

use super::error::Error;
use super::insn::{Insn, SLOT};
use super::object_file::{DataSection, Linkage};

/// What an instruction's relocation is against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Index into [`Container::maps`].
    Map(usize),
    /// A byte of a data section.
    Data(DataSection, u32),
    /// A byte of `.text`.
    Text(u32),
}

#[derive(Clone, Debug)]
pub struct FunctionSymbol {
    pub name: String,
    /// First byte, and number of bytes.
    pub at: u32,
    pub bytes: u32,
    pub linkage: Linkage,
}

#[derive(Clone, Debug)]
pub struct CodeSection {
    pub name: String,
    pub code: Vec<u8>,
    pub functions: Vec<FunctionSymbol>,
    /// (slot, target), ascending.
    pub relocations: Vec<(u32, Target)>,
}

/// A symbol of a data section or of `.maps`.
#[derive(Clone, Debug)]
pub struct DataSymbol {
    pub name: String,
    pub at: u32,
    pub bytes: u32,
}

/// Everything that one object holds.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// `.text` first, if there is one.
    pub code: Vec<CodeSection>,
    pub data: Vec<(DataSection, Vec<DataSymbol>)>,
    pub maps: Vec<DataSymbol>,
    pub license: &'static str,
    pub btf: Vec<u8>,
    /// Left out if empty.
    pub btf_ext: Vec<u8>,
}

/// The bytes of the object.
pub fn write(container: &Container) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        object: Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        text: None,
        data: vec![],
        maps: vec![],
    };
    let sections: Vec<SectionId> =
        container.code.iter().map(|section| writer.code_section(section)).collect();
    for (section, symbols) in &container.data {
        writer.data_section(*section, symbols);
    }
    writer.maps_section(&container.maps);
    writer.plain_section("license", SectionKind::Data, license_bytes(container.license), 1);
    writer.plain_section(".BTF", SectionKind::Other, container.btf.clone(), 8);
    if !container.btf_ext.is_empty() {
        writer.plain_section(".BTF.ext", SectionKind::Other, container.btf_ext.clone(), 8);
    }
    for (id, section) in sections.iter().zip(&container.code) {
        writer.relocate(*id, section)?;
    }
    writer.object.write().map_err(|error| Error::Elf(error.to_string()))
}

fn license_bytes(license: &str) -> Vec<u8> {
    [license.as_bytes(), &[0]].concat()
}

struct Writer<'a> {
    object: Object<'a>,
    /// Section symbols.
    text: Option<SymbolId>,
    data: Vec<(DataSection, SymbolId)>,
    maps: Vec<SymbolId>,
}

impl Writer<'_> {
    fn section(&mut self, name: &str, kind: SectionKind) -> SectionId {
        let segment = self.object.segment_name(StandardSegment::Data).to_vec();
        self.object.add_section(segment, name.as_bytes().to_vec(), kind)
    }

    fn plain_section(&mut self, name: &str, kind: SectionKind, bytes: Vec<u8>, align: u64) -> SectionId {
        let id = self.section(name, kind);
        self.object.set_section_data(id, bytes, align);
        id
    }

    fn code_section(&mut self, section: &CodeSection) -> SectionId {
        let mut code = section.code.clone();
        for (slot, target) in &section.relocations {
            put_addend(&mut code, *slot, target);
        }
        let id = self.plain_section(&section.name, SectionKind::Text, code, SLOT as u64);
        if section.name == ".text" {
            self.text = Some(self.object.section_symbol(id));
        }
        for function in &section.functions {
            let scope = match function.linkage {
                Linkage::Static => SymbolScope::Compilation,
                Linkage::Hidden => SymbolScope::Linkage,
                Linkage::Global => SymbolScope::Dynamic,
            };
            self.symbol(&function.name, SymbolKind::Text, scope, id, function.at, function.bytes);
        }
        id
    }

    fn data_section(&mut self, section: DataSection, symbols: &[DataSymbol]) {
        let bytes = symbols.iter().map(|s| u64::from(s.at) + u64::from(s.bytes)).max().unwrap_or(0);
        let id = match section {
            DataSection::Data => {
                self.plain_section(section.name(), SectionKind::Data, vec![0; bytes as usize], 8)
            }
            DataSection::Bss => {
                let id = self.section(section.name(), SectionKind::UninitializedData);
                self.object.append_section_bss(id, bytes, 8);
                id
            }
        };
        let symbol = self.object.section_symbol(id);
        self.data.push((section, symbol));
        for variable in symbols {
            self.symbol(
                &variable.name,
                SymbolKind::Data,
                SymbolScope::Dynamic,
                id,
                variable.at,
                variable.bytes,
            );
        }
    }

    fn maps_section(&mut self, maps: &[DataSymbol]) {
        let bytes = maps.iter().map(|m| m.at + m.bytes).max().unwrap_or(0);
        if bytes == 0 {
            return;
        }
        let id = self.plain_section(".maps", SectionKind::Data, vec![0; bytes as usize], 8);
        for map in maps {
            let symbol =
                self.symbol(&map.name, SymbolKind::Data, SymbolScope::Dynamic, id, map.at, map.bytes);
            self.maps.push(symbol);
        }
    }

    fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        scope: SymbolScope,
        section: SectionId,
        at: u32,
        bytes: u32,
    ) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: u64::from(at),
            size: u64::from(bytes),
            kind,
            scope,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn relocate(&mut self, id: SectionId, section: &CodeSection) -> Result<(), Error> {
        for (slot, target) in &section.relocations {
            let symbol = match target {
                Target::Map(index) => self.maps.get(*index).copied(),
                Target::Data(section, _) => {
                    self.data.iter().find(|(known, _)| known == section).map(|(_, symbol)| *symbol)
                }
                Target::Text(_) => self.text,
            };
            let symbol = symbol.ok_or_else(|| Error::Relocation {
                section: section.name.clone(),
                at: u64::from(*slot) * SLOT as u64,
                what: "its target is not in the object".to_owned(),
            })?;
            let is_call = slot_of(&section.code, *slot).is_some_and(Insn::is_call);
            let r_type = if is_call { R_BPF_64_32 } else { R_BPF_64_64 };
            let relocation = Relocation {
                offset: u64::from(*slot) * SLOT as u64,
                symbol,
                addend: 0,
                flags: RelocationFlags::Elf { r_type },
            };
            self.object.add_relocation(id, relocation).map_err(|error| Error::Elf(error.to_string()))?;
        }
        Ok(())
    }
}

fn slot_of(code: &[u8], slot: u32) -> Option<Insn> {
    Some(Insn::decode(*code.get(slot as usize * SLOT..)?.first_chunk()?))
}

/// The offset from the section symbol stands in the instruction: bytes, but for a call slots less one.
fn put_addend(code: &mut [u8], slot: u32, target: &Target) {
    let at = slot as usize * SLOT;
    let Some(place) = code.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<SLOT>) else { return };
    let mut insn = Insn::decode(*place);
    insn.imm = match target {
        Target::Map(_) => 0,
        Target::Data(_, offset) => *offset as i32,
        Target::Text(offset) if insn.is_call() => (*offset / SLOT as u32) as i32 - 1,
        Target::Text(offset) => *offset as i32,
    };
    *place = insn.encode();
}
