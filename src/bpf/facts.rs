//! What an object holds, in numbers: for cost models, listings and the check on reading back.
//!
//! Instructions are counted in slots, as the kernel's limits and `xlated_prog_len` do, before the kernel's own
//! rewriting. Maps are those that a loader creates, data sections included.

use std::collections::BTreeMap;

use super::btf::{Btf, Kind, TypeId};
use super::code::{Code, Reference};
use super::error::Error;
use super::link::deepest_stack;
use super::object_file::{DataSection, Function, ObjectFile, TEXT};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    pub license: String,
    /// By name.
    pub programs: Vec<ProgramFacts>,
    /// By name.
    pub maps: Vec<MapFacts>,
    /// Global variables: section, name, bytes; by name.
    pub variables: Vec<(DataSection, String, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    pub name: String,
    pub section: String,
    /// Of the program and of every function that it reaches.
    pub insns: u32,
    /// Functions that it reaches, callbacks included: each is a hidden program for the kernel.
    pub subprograms: u32,
    /// On the deepest chain of calls, as the kernel rounds it.
    pub stack_bytes: u32,
    /// Maps that it uses, by name.
    pub maps: Vec<String>,
    /// Kernel fields, types and enumerators that a loader has to resolve, as C names them; each once, sorted.
    pub kernel_names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFacts {
    pub name: String,
    /// `enum bpf_map_type`.
    pub map_type: u32,
    pub key_bytes: u32,
    pub value_bytes: u32,
    pub max_entries: u32,
    pub flags: u32,
}

/// Reads an object's facts.
pub fn facts(bytes: &[u8]) -> Result<ObjectFacts, Error> {
    facts_of(&ObjectFile::read(bytes)?)
}

pub(super) fn facts_of(file: &ObjectFile) -> Result<ObjectFacts, Error> {
    let callees: BTreeMap<&str, &Function> =
        file.functions(TEXT).iter().map(|f| (f.name.as_str(), f)).collect();
    let mut programs = vec![];
    for (section, functions) in file.sections.iter().filter(|(name, _)| name != TEXT) {
        for function in functions {
            programs.push(program_facts(section, function, &callees, &file.btf)?);
        }
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    let maps: Result<Vec<MapFacts>, Error> =
        file.maps.iter().map(|(name, ty)| map_facts(&file.btf, name, *ty)).collect();
    let variables: Result<Vec<(DataSection, String, u32)>, Error> = file
        .variables
        .iter()
        .map(|(name, variable)| {
            let bytes = u32::try_from(file.btf.size_of(variable.ty)?);
            Ok((variable.section, name.clone(), bytes.map_err(|_| Error::TooLarge("a variable"))?))
        })
        .collect();
    Ok(ObjectFacts {
        license: file.license.clone().unwrap_or_default(),
        programs,
        maps: maps?,
        variables: variables?,
    })
}

fn program_facts(
    section: &str,
    program: &Function,
    functions: &BTreeMap<&str, &Function>,
    btf: &Btf,
) -> Result<ProgramFacts, Error> {
    let mut reached: BTreeMap<&str, &Function> = BTreeMap::new();
    let mut todo = vec![&program.code];
    let (mut maps, mut kernel_names) = (vec![], vec![]);
    let mut insns = 0;
    while let Some(code) = todo.pop() {
        for op in code.ops() {
            insns += op.slots() as u32;
            match &op.reference {
                Some(Reference::Map(name)) => maps.push(name.clone()),
                Some(Reference::Function(name)) if !reached.contains_key(name.as_str()) => {
                    let callee = functions.get(name.as_str());
                    let callee = callee.ok_or_else(|| Error::UnknownFunction(name.clone()))?;
                    reached.insert(&callee.name, callee);
                    todo.push(&callee.code);
                }
                Some(Reference::Function(_) | Reference::Variable { .. }) | None => {}
            }
            kernel_names.extend(op.core.iter().map(|core| btf.access_name(core.type_id, &core.access)));
        }
    }
    for names in [&mut maps, &mut kernel_names] {
        names.sort();
        names.dedup();
    }
    let callees: BTreeMap<&str, &Code> = reached.iter().map(|(name, f)| (*name, &f.code)).collect();
    Ok(ProgramFacts {
        name: program.name.clone(),
        section: section.to_owned(),
        insns,
        subprograms: reached.len() as u32,
        stack_bytes: deepest_stack(&program.name, &program.code, &callees, 0)?,
        maps,
        kernel_names,
    })
}

/// A map's definition struct: each member is a pointer to what it is about.
fn map_facts(btf: &Btf, name: &str, definition: TypeId) -> Result<MapFacts, Error> {
    let error = |what| Error::MapDefinition { map: name.to_owned(), what };
    let mut map = MapFacts {
        name: name.to_owned(),
        map_type: 0,
        key_bytes: 0,
        value_bytes: 0,
        max_entries: 0,
        flags: 0,
    };
    let definition = btf.get(btf.resolve(definition)?)?;
    if definition.kind != Kind::Struct {
        return Err(error("its type is not a struct"));
    }
    for member in definition.members() {
        let pointer = btf.get(btf.resolve(member.ty)?)?;
        if pointer.kind != Kind::Ptr {
            return Err(error("a member is not a pointer"));
        }
        let number = || btf.get(pointer.size_or_type).ok().and_then(|ty| ty.array()).map(|(_, count)| count);
        let size = || btf.size_of(pointer.size_or_type).ok().and_then(|bytes| u32::try_from(bytes).ok());
        let (field, value) = match member.name {
            "type" => (&mut map.map_type, number()),
            "key" => (&mut map.key_bytes, size()),
            "key_size" => (&mut map.key_bytes, number()),
            "value" => (&mut map.value_bytes, size()),
            "value_size" => (&mut map.value_bytes, number()),
            "max_entries" => (&mut map.max_entries, number()),
            "map_flags" => (&mut map.flags, number()),
            _ => return Err(error("it has a member that is not understood")),
        };
        *field = value.ok_or_else(|| error("a member points to something unexpected"))?;
    }
    Ok(map)
}
