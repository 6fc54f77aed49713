//! The stencil object: what programs are made of.
//!
//! Every function in a section `stencil/NAME` is a stencil, to be copied into a program; functions in `.text`
//! stay functions. The object that the compiler uses is embedded ([`StencilObject::embedded`]).

use std::collections::BTreeMap;

use super::btf::{Btf, Kind, TypeId};
use super::error::Error;
use super::object_file::{Function, ObjectFile, TEXT, Variable};

/// Everything that programs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StencilObject {
    pub(super) stencils: BTreeMap<String, Function>,
    pub(super) functions: BTreeMap<String, Function>,
    /// Type of each map's definition struct.
    pub(super) maps: BTreeMap<String, TypeId>,
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) btf: Btf,
}

/// Sections of stencils are named `stencil/NAME`.
const STENCIL_PREFIX: &str = "stencil/";

static EMBEDDED: &[u8] = include_bytes!("../../bpf-templates/stencils.bpf.o");

impl StencilObject {
    /// The stencils of this version of the compiler.
    pub fn embedded() -> Result<StencilObject, Error> {
        StencilObject::read(EMBEDDED)
    }

    /// # Errors
    /// Any deviation from what this linker understands; never panics, whatever the bytes.
    pub fn read(bytes: &[u8]) -> Result<StencilObject, Error> {
        let file = ObjectFile::read(bytes)?;
        let (mut stencils, mut functions) = (BTreeMap::new(), BTreeMap::new());
        for (section, found) in file.sections {
            for function in found {
                if function.prototype == 0 {
                    return Err(Error::Btf("a function has no type"));
                }
                let (into, key) = match section.strip_prefix(STENCIL_PREFIX) {
                    Some(name) => (&mut stencils, name.to_owned()),
                    None if section == TEXT => (&mut functions, function.name.clone()),
                    None => continue,
                };
                if into.contains_key(&key) {
                    return Err(Error::Elf(format!("two functions `{key}`")));
                }
                into.insert(key, without_notes(function));
            }
        }
        Ok(StencilObject { stencils, functions, maps: file.maps, variables: file.variables, btf: file.btf })
    }

    pub fn stencil_names(&self) -> impl Iterator<Item = &str> {
        self.stencils.keys().map(String::as_str)
    }

    pub fn map_names(&self) -> impl Iterator<Item = &str> {
        self.maps.keys().map(String::as_str)
    }

    /// `sizeof` a struct that the C sources use; 0 if there is none of that name.
    pub fn struct_size(&self, name: &str) -> u32 {
        let id = self.btf.find(Kind::Struct, name);
        id.and_then(|id| self.btf.size_of(id).ok()).and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(0)
    }

    /// How many immediates a stencil takes behind the frame, as its type says.
    pub fn immediates(&self, name: &str) -> Result<usize, Error> {
        let prototype = self.btf.get(self.stencil(name)?.prototype)?;
        usize::from(prototype.vlen).checked_sub(1).ok_or(Error::Btf("a stencil takes no frame"))
    }

    pub(super) fn stencil(&self, name: &str) -> Result<&Function, Error> {
        self.stencils.get(name).ok_or_else(|| Error::UnknownStencil(name.to_owned()))
    }

    pub(super) fn function(&self, name: &str) -> Result<&Function, Error> {
        self.functions.get(name).ok_or_else(|| Error::UnknownFunction(name.to_owned()))
    }
}

/// C source lines are of no use to those who see programs: glue names the stencils.
fn without_notes(mut function: Function) -> Function {
    for op in function.code.ops_mut() {
        op.note = None;
    }
    function
}
