//! A program's specification and the stencils it needs, to the bytes of one object.
//!
//! Only what is reachable gets in: called functions, maps, variables and types. Bytes depend on the stencil
//! object and the specification alone. The object is whole for libbpf, aya and cilium/ebpf: BTF with the
//! program's and its functions' types, map definitions with the sizes asked for, function and line records, and
//! CO-RE records for whatever the stencils read from the kernel.
//! Not here: what a program means, and whether a section name is one that a kernel can attach.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::btf::{Btf, Kind, Strings, Type, TypeId, Word};
use super::btf_ext::{self, ExtSection, Line};
use super::code::{Code, Reference};
use super::compose::{Step, compose, patch};
use super::elf::{self, CodeSection, Container, DataSymbol, FunctionSymbol, Target};
use super::error::Error;
use super::insn::SLOT;
use super::object_file::{DataSection, Function, Linkage};
use super::open_constant::Patch;
use super::stack;
use super::stencil::StencilObject;

pub const LICENSE: &str = "Dual BSD/GPL";
/// The file name in line records: bytes must not depend on paths.
const FILE: &str = "tetrafold";

/// The verifier follows offsets into one value up to 512 MiB (measured on Linux 6.1 and 6.12).
pub(super) const DATA_MAX: u32 = 512 << 20;

/// How large a map is to be; what is `None` stays as the C source has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapSize {
    pub key_bytes: Option<u32>,
    pub value_bytes: Option<u32>,
    pub max_entries: Option<u32>,
}

/// One program and everything that is open in the stencils it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramSpec {
    /// A C identifier; the kernel shows its first 15 bytes.
    pub name: String,
    /// Such as `lsm/bprm_check_security`.
    pub section: String,
    pub steps: Vec<Step>,
    pub patches: BTreeMap<Patch, i64>,
    /// Bytes of global variables (`tables`, `node`).
    pub variables: BTreeMap<String, u32>,
    pub maps: BTreeMap<String, MapSize>,
}

/// Links the program into an object of its own.
pub fn link(object: &StencilObject, spec: &ProgramSpec) -> Result<Vec<u8>, Error> {
    check_name(&spec.name)?;
    let mut entry = compose(object, &spec.name, &spec.steps)?;
    patch(&mut entry, &spec.name, &spec.patches)?;
    let callees = reachable_functions(object, &entry, &spec.patches)?;
    check_stack(&spec.name, &entry, &callees)?;
    let mut linker = Linker::new(object, spec, &entry, &callees)?;
    linker.add_text(&callees)?;
    linker.add_program(&entry)?;
    linker.finish()
}

/// The kernel takes letters, digits and underscores.
fn check_name(name: &str) -> Result<(), Error> {
    let first_is_no_digit = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if first_is_no_digit && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok(())
    } else {
        Err(Error::UnknownFunction(name.to_owned()))
    }
}

/// Functions that `entry` reaches, patched; those that it calls itself in order of first reference.
fn reachable_functions(
    object: &StencilObject,
    entry: &Code,
    patches: &BTreeMap<Patch, i64>,
) -> Result<Vec<Function>, Error> {
    let mut reached: IndexMap<String, Function, FxBuildHasher> = IndexMap::default();
    let mut todo: Vec<String> = entry.called().map(str::to_owned).collect();
    todo.reverse();
    while let Some(name) = todo.pop() {
        if reached.contains_key(&name) {
            continue;
        }
        let mut function = object.function(&name)?.clone();
        patch(&mut function.code, &name, patches)?;
        todo.extend(function.code.called().map(str::to_owned));
        reached.insert(name, function);
    }
    Ok(reached.into_values().collect())
}

fn check_stack(name: &str, entry: &Code, callees: &[Function]) -> Result<(), Error> {
    let callees = callees.iter().map(|f| (f.name.as_str(), &f.code)).collect();
    let bytes = stack::deepest(name, entry, &callees)?;
    if bytes > stack::MAX { Err(Error::Stack { function: name.to_owned(), bytes }) } else { Ok(()) }
}

struct Linker<'a> {
    spec: &'a ProgramSpec,
    /// The stencils' types and the new ones; pruned at the end.
    btf: Btf,
    roots: Vec<TypeId>,
    container: Container,
    said: Vec<ExtSection>,
    /// First byte in `.text`.
    functions: BTreeMap<String, u32>,
    /// Section and first byte.
    variables: BTreeMap<String, (DataSection, u32)>,
    lines: u32,
}

impl<'a> Linker<'a> {
    fn new(
        object: &StencilObject,
        spec: &'a ProgramSpec,
        entry: &Code,
        callees: &[Function],
    ) -> Result<Linker<'a>, Error> {
        let mut linker = Linker {
            spec,
            btf: object.btf.clone(),
            roots: vec![],
            container: Container { license: LICENSE, ..Container::default() },
            said: vec![],
            functions: BTreeMap::new(),
            variables: BTreeMap::new(),
            lines: 0,
        };
        let (mut maps, mut variables) = (BTreeMap::new(), BTreeMap::new());
        let all = callees.iter().map(|f| &f.code).chain([entry]);
        for reference in all.flat_map(Code::ops).filter_map(|op| op.reference.as_ref()) {
            match reference {
                Reference::Map(name) => {
                    let ty = object.maps.get(name).ok_or_else(|| Error::UnknownMap(name.clone()))?;
                    maps.insert(name.as_str(), *ty);
                }
                Reference::Variable { name, .. } => {
                    let known = object.variables.get(name);
                    let known = known.ok_or_else(|| Error::UnknownVariable(name.clone()))?;
                    variables.insert((known.section, name.as_str()), known.ty);
                }
                Reference::Function(_) => {}
            }
        }
        linker.add_maps(&maps)?;
        linker.add_variables(&variables)?;
        Ok(linker)
    }

    fn add_maps(&mut self, maps: &BTreeMap<&str, TypeId>) -> Result<(), Error> {
        let mut at = 0;
        let mut entries = vec![];
        for (name, ty) in maps {
            let size = self.spec.maps.get(*name).copied().unwrap_or_default();
            let ty = resize_map(&mut self.btf, name, *ty, size)?;
            let bytes = self.btf.size_of(ty)? as u32;
            entries.push((self.btf.add_variable(name, ty), at, bytes));
            self.container.maps.push(DataSymbol { name: (*name).to_owned(), at, bytes });
            at += bytes;
        }
        if !entries.is_empty() {
            let section = self.btf.add_section(".maps", at, &entries);
            self.roots.push(section);
        }
        Ok(())
    }

    fn add_variables(&mut self, variables: &BTreeMap<(DataSection, &str), TypeId>) -> Result<(), Error> {
        for section in [DataSection::Data, DataSection::Bss] {
            let mut at = 0u32;
            let (mut entries, mut symbols) = (vec![], vec![]);
            for ((_, name), ty) in variables.iter().filter(|((s, _), _)| *s == section) {
                let (ty, bytes) = self.resize_variable(name, *ty)?;
                entries.push((self.btf.add_variable(name, ty), at, bytes));
                symbols.push(DataSymbol { name: (*name).to_owned(), at, bytes });
                self.variables.insert((*name).to_owned(), (section, at));
                let end = at.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(8));
                at = end.filter(|end| *end <= DATA_MAX).ok_or(Error::TooLarge("a data section"))?;
            }
            if let Some((_, last, bytes)) = entries.last() {
                let id = self.btf.add_section(section.name(), last + bytes, &entries);
                self.roots.push(id);
                self.container.data.push((section, symbols));
            }
        }
        Ok(())
    }

    /// Type and size of a variable: an array of bytes of the size asked for, or what the source has.
    fn resize_variable(&mut self, name: &str, ty: TypeId) -> Result<(TypeId, u32), Error> {
        let Some(bytes) = self.spec.variables.get(name).copied() else {
            let bytes = self.btf.size_of(ty)?;
            return Ok((ty, u32::try_from(bytes).map_err(|_| Error::TooLarge("a variable"))?));
        };
        let array = self.btf.get(self.btf.resolve(ty)?)?.array();
        match array {
            Some((element, _)) if self.btf.size_of(element)? == 1 => {
                Ok((self.btf.add_array(element, bytes), bytes))
            }
            _ => Err(Error::UnknownVariable(name.to_owned())),
        }
    }

    /// `.text` with the functions that stay functions.
    fn add_text(&mut self, callees: &[Function]) -> Result<(), Error> {
        let mut at = 0;
        for function in callees {
            self.functions.insert(function.name.clone(), at);
            at += function.code.ops().map(|op| op.slots() as u32).sum::<u32>() * SLOT as u32;
        }
        if callees.is_empty() {
            return Ok(());
        }
        let mut section = SectionBuilder::new(".text");
        for function in callees {
            self.append(&mut section, function)?;
        }
        self.push_section(section);
        Ok(())
    }

    fn add_program(&mut self, entry: &Code) -> Result<(), Error> {
        let word = self.btf.add_int("unsigned long long", 8, false);
        let int = self.btf.add_int("int", 4, true);
        let ctx = self.btf.add_ptr(word);
        let mut prototype = Type::new(Kind::FuncProto, "", int);
        prototype.vlen = 1;
        prototype.words = vec![Word::Name("ctx".to_owned()), Word::Type(ctx)];
        let program = Function {
            name: self.spec.name.clone(),
            code: entry.clone(),
            prototype: self.btf.add(prototype),
            linkage: Linkage::Global,
        };
        let mut section = SectionBuilder::new(&self.spec.section);
        self.append(&mut section, &program)?;
        self.push_section(section);
        Ok(())
    }

    /// Appends a function's code to a section, with everything that is said about it.
    fn append(&mut self, section: &mut SectionBuilder, function: &Function) -> Result<(), Error> {
        let assembled = function.code.assemble(&function.name)?;
        let first = (section.code.code.len() / SLOT) as u32;
        let func = self.add_func_type(function);
        self.roots.push(func);
        section.said.functions.push((first, func));
        let named_start = assembled.notes.first().is_some_and(|(slot, _)| *slot == 0);
        let start = (!named_start).then(|| (0, function.name.clone()));
        for (slot, text) in start.into_iter().chain(assembled.notes) {
            self.lines += 1;
            let line = Line { slot: first + slot, file: FILE.to_owned(), text, number: self.lines };
            section.said.lines.push(line);
        }
        for (slot, record) in assembled.core {
            self.roots.push(record.type_id);
            section.said.core.push((first + slot, record));
        }
        for (slot, reference) in assembled.references {
            section.code.relocations.push((first + slot, self.target(&reference)?));
        }
        section.code.functions.push(FunctionSymbol {
            name: function.name.clone(),
            at: first * SLOT as u32,
            bytes: assembled.bytes.len() as u32,
            linkage: function.linkage,
        });
        section.code.code.extend(assembled.bytes);
        Ok(())
    }

    fn add_func_type(&mut self, function: &Function) -> TypeId {
        let mut func = Type::new(Kind::Func, &function.name, function.prototype);
        func.vlen = match function.linkage {
            Linkage::Static => 0,
            Linkage::Hidden | Linkage::Global => 1,
        };
        self.btf.add(func)
    }

    fn target(&self, reference: &Reference) -> Result<Target, Error> {
        match reference {
            Reference::Map(name) => {
                let index = self.container.maps.iter().position(|map| map.name == *name);
                Ok(Target::Map(index.ok_or_else(|| Error::UnknownMap(name.clone()))?))
            }
            Reference::Variable { name, addend } => {
                let place = self.variables.get(name);
                let (section, at) = place.ok_or_else(|| Error::UnknownVariable(name.clone()))?;
                let at = i64::from(*at) + i64::from(*addend);
                let at = u32::try_from(at).map_err(|_| Error::TooLarge("an address in a variable"))?;
                Ok(Target::Data(*section, at))
            }
            Reference::Function(name) => {
                let at = self.functions.get(name).ok_or_else(|| Error::UnknownFunction(name.clone()))?;
                Ok(Target::Text(*at))
            }
        }
    }

    fn push_section(&mut self, section: SectionBuilder) {
        self.container.code.push(section.code);
        self.said.push(section.said);
    }

    fn finish(mut self) -> Result<Vec<u8>, Error> {
        let new_ids = self.btf.prune(self.roots)?;
        for section in &mut self.said {
            for (_, func) in &mut section.functions {
                *func = new_ids.new_id(*func)?;
            }
            for (_, record) in &mut section.core {
                record.type_id = new_ids.new_id(record.type_id)?;
            }
        }
        let mut strings = Strings::default();
        self.container.btf_ext = btf_ext::encode(&self.said, &mut strings);
        self.container.btf = self.btf.encode(&mut strings);
        elf::write(&self.container)
    }
}

struct SectionBuilder {
    code: CodeSection,
    said: ExtSection,
}

impl SectionBuilder {
    fn new(name: &str) -> SectionBuilder {
        SectionBuilder {
            code: CodeSection { name: name.to_owned(), code: vec![], functions: vec![], relocations: vec![] },
            said: ExtSection { name: name.to_owned(), ..ExtSection::default() },
        }
    }
}

/// A map's definition struct with other sizes. Numbers are pointers to arrays of that many elements, as libbpf
/// wants them; clang shares those arrays between maps, so that they are made anew.
fn resize_map(btf: &mut Btf, map: &str, definition: TypeId, size: MapSize) -> Result<TypeId, Error> {
    let error = |what| Error::MapDefinition { map: map.to_owned(), what };
    let id = btf.resolve(definition)?;
    let mut ty = btf.get(id)?.clone();
    if ty.kind != Kind::Struct {
        return Err(error("its type is not a struct"));
    }
    let mut fields = vec![];
    fields.extend(size.max_entries.map(|entries| ("max_entries", None, entries)));
    if size.key_bytes.is_some() || size.value_bytes.is_some() {
        // The kernel takes the types of both key and value, or of none.
        for (field, typed, bytes) in
            [("key_size", "key", size.key_bytes), ("value_size", "value", size.value_bytes)]
        {
            let bytes = bytes.map_or_else(|| typed_bytes(btf, &ty, typed), |bytes| Ok(Some(bytes)))?;
            fields.extend(bytes.map(|bytes| (field, Some(typed), bytes)));
        }
    }
    let int = btf.add_int("int", 4, true);
    for (field, typed, value) in fields {
        let array = btf.add_array(int, value);
        let number = btf.add_ptr(array);
        let is_field = |name: &str| name == field || Some(name) == typed;
        let member = ty.words.chunks_exact_mut(3).find(|m| matches!(&m[0], Word::Name(n) if is_field(n)));
        let member = member.ok_or_else(|| error("has no field for that size"))?;
        member[0] = Word::Name(field.to_owned());
        member[1] = Word::Type(number);
    }
    Ok(btf.add(ty))
}

/// Size of the key or the value, if a map's definition gives its type.
fn typed_bytes(btf: &Btf, definition: &Type, field: &str) -> Result<Option<u32>, Error> {
    let Some(typed) = definition.members().find(|member| member.name == field) else { return Ok(None) };
    let pointer = btf.get(btf.resolve(typed.ty)?)?;
    if pointer.kind != Kind::Ptr {
        return Err(Error::Btf("the key or the value of a map is not given by a pointer"));
    }
    let bytes = btf.size_of(pointer.size_or_type)?;
    Ok(Some(u32::try_from(bytes).map_err(|_| Error::TooLarge("the key or the value of a map"))?))
}
