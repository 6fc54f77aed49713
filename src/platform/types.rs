//! A kernel's type information: its functions with their prototypes, its structures with their members.
//!
//! The bytes of `/sys/kernel/btf/vmlinux` stay as they are; two tables by name are built once. The records are read
//! by [`crate::bpf::btf::records`], as those of objects are: [`crate::bpf::btf::Btf`] itself, made to be changed,
//! would copy a million words and names of which a run asks for a dozen.
//! Assumes nothing about the bytes; guarantees after [`KernelTypes::parse`] that every id is that of a type and
//! every name is text. Chains and circles end ([`DEEPEST`]).

pub mod c_type;
pub mod fit;
pub mod path;

use crate::bpf::btf::records::{Kind, Record, Section, Slot, TypeId};

/// Typedefs, qualifiers and pointers that are followed; compilers nest none that deep.
const DEEPEST: usize = 64;

/// Why bytes are no kernel's type information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTypes(pub &'static str);

impl std::fmt::Display for BadTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl From<crate::bpf::Error> for BadTypes {
    fn from(error: crate::bpf::Error) -> BadTypes {
        match error {
            crate::bpf::Error::Btf(what) => BadTypes(what),
            _ => BadTypes("it is no BTF"),
        }
    }
}

/// The types of one kernel.
pub struct KernelTypes {
    bytes: Vec<u8>,
    /// Where the record of each type begins, by id less one.
    at: Vec<u32>,
    /// In order of name, then of id.
    functions: Vec<TypeId>,
    structs: Vec<TypeId>,
    typedefs: Vec<TypeId>,
}

impl std::fmt::Debug for KernelTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} types", self.at.len())
    }
}

/// A parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    pub name: &'a str,
    pub ty: TypeId,
}

/// A member of a structure or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    pub name: &'a str,
    pub ty: TypeId,
}

/// A type without its typedefs and qualifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape<'a> {
    Void,
    /// Enumerations as well.
    Int {
        bytes: u32,
        signed: bool,
    },
    Pointer(TypeId),
    /// A structure or union.
    Record {
        is_union: bool,
        name: &'a str,
    },
    Array {
        element: TypeId,
        /// 0 where the length is open.
        count: u32,
    },
    Other,
}

impl KernelTypes {
    /// Reads a raw `.BTF`.
    ///
    /// # Errors
    /// Not BTF, damaged, or that of a module, which only counts on from the kernel's own.
    pub fn parse(bytes: Vec<u8>) -> Result<KernelTypes, BadTypes> {
        let section = Section::read(&bytes)?;
        let (mut at, mut functions, mut structs, mut typedefs) = (vec![], vec![], vec![], vec![]);
        let mut highest = 0;
        for record in section.records() {
            let record = record?;
            at.push(record.at as u32);
            let id = at.len() as TypeId;
            let name = record.name()?;
            match record.kind {
                Kind::Func => functions.push((name, id)),
                Kind::Struct if !name.is_empty() => structs.push((name, id)),
                Kind::Typedef => typedefs.push((name, id)),
                _ => {}
            }
            if record.kind.header_names_a_type() {
                highest = highest.max(record.size_or_type);
            }
            for (slot, word) in record.words() {
                match slot {
                    Slot::Type => highest = highest.max(word),
                    Slot::Name => _ = section.strings.name(word)?,
                    Slot::Number => {}
                }
            }
        }
        if highest as usize > at.len() {
            return Err(BadTypes("a type refers to one that is not there"));
        }
        let by_name = |mut all: Vec<(&str, TypeId)>| {
            all.sort_unstable();
            all.into_iter().map(|(_, id)| id).collect::<Vec<TypeId>>()
        };
        let (functions, structs, typedefs) = (by_name(functions), by_name(structs), by_name(typedefs));
        Ok(KernelTypes { bytes, at, functions, structs, typedefs })
    }

    /// The bytes that it was read from.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn record(&self, id: TypeId) -> Option<Record<'_>> {
        let at = *self.at.get((id as usize).checked_sub(1)?)?;
        Section::read(&self.bytes).ok()?.record(at as usize).ok()
    }

    fn name(&self, id: TypeId) -> &str {
        self.record(id).and_then(|record| record.name().ok()).unwrap_or_default()
    }

    fn find(&self, table: &[TypeId], name: &str) -> Option<TypeId> {
        let at = table.partition_point(|&id| self.name(id) < name);
        table.get(at).copied().filter(|&id| self.name(id) == name)
    }

    /// The first function of this name; Tetragon takes the first as well.
    pub fn function(&self, name: &str) -> Option<TypeId> {
        self.find(&self.functions, name)
    }

    pub fn function_name(&self, function: TypeId) -> &str {
        self.name(function)
    }

    /// In order, some of them several times.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|&id| self.name(id))
    }

    /// Functions whose names are not before `from`, in order.
    pub fn functions_from(&self, from: &str) -> impl Iterator<Item = &str> {
        let from = self.functions.partition_point(|&id| self.name(id) < from);
        self.functions[from..].iter().map(|&id| self.name(id))
    }

    /// The first structure of this name.
    pub fn structure(&self, name: &str) -> Option<TypeId> {
        self.find(&self.structs, name)
    }

    pub fn has_typedef(&self, name: &str) -> bool {
        self.find(&self.typedefs, name).is_some()
    }

    /// Names of type definitions that begin with `prefix`, in order.
    #[cfg(test)]
    pub fn typedefs_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.typedefs.iter().map(|&id| self.name(id)).filter(move |name| name.starts_with(prefix))
    }

    pub fn structure_names(&self) -> impl Iterator<Item = &str> {
        self.structs.iter().map(|&id| self.name(id))
    }

    /// The parameters of a function and what it returns.
    pub fn prototype(&self, function: TypeId) -> Option<(Vec<Param<'_>>, TypeId)> {
        let function = self.record(function).filter(|record| record.kind == Kind::Func)?;
        let prototype = self.record(function.size_or_type).filter(|record| record.kind == Kind::FuncProto)?;
        let params = prototype
            .groups::<2>()
            .map(|[name, ty]| Param { name: prototype.strings.get(name).unwrap_or_default(), ty });
        Some((params.collect(), prototype.size_or_type))
    }

    /// Of a structure or union; none of others.
    pub fn members(&self, id: TypeId) -> Vec<Member<'_>> {
        match self.record(id) {
            Some(record) if matches!(record.kind, Kind::Struct | Kind::Union) => record
                .groups::<3>()
                .map(|[name, ty, _]| Member { name: record.strings.get(name).unwrap_or_default(), ty })
                .collect(),
            _ => vec![],
        }
    }

    /// `id` without typedefs and qualifiers; `None` for a circle of them.
    pub fn bare(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..DEEPEST {
            match self.record(id) {
                Some(record) if is_alias(record.kind) => id = record.size_or_type,
                _ => return Some(id),
            }
        }
        None
    }

    pub fn shape(&self, id: TypeId) -> Shape<'_> {
        let Some(bare) = self.bare(id) else { return Shape::Other };
        if bare == 0 {
            return Shape::Void;
        }
        let Some(record) = self.record(bare) else { return Shape::Other };
        match record.kind {
            Kind::Int => {
                const SIGNED: u32 = 1 << 24;
                let signed = record.groups::<1>().next().is_some_and(|[word]| word & SIGNED != 0);
                Shape::Int { bytes: record.size_or_type, signed }
            }
            Kind::Enum | Kind::Enum64 => Shape::Int { bytes: record.size_or_type, signed: record.flag },
            Kind::Ptr => Shape::Pointer(record.size_or_type),
            Kind::Struct | Kind::Union => {
                let name = record.name().unwrap_or_default();
                Shape::Record { is_union: record.kind == Kind::Union, name }
            }
            // Structures and unions that are only declared.
            Kind::Fwd => Shape::Record { is_union: record.flag, name: record.name().unwrap_or_default() },
            Kind::Array => match record.groups::<3>().next() {
                Some([element, _, count]) => Shape::Array { element, count },
                None => Shape::Other,
            },
            _ => Shape::Other,
        }
    }

    /// As C writes it, near enough for people: `const struct cred *`.
    pub fn spelling(&self, id: TypeId) -> String {
        self.spelling_within(id, DEEPEST)
    }

    fn spelling_within(&self, id: TypeId, deepest: usize) -> String {
        let Some(record) = self.record(id) else { return "void".to_owned() };
        let Some(deeper) = deepest.checked_sub(1) else { return "...".to_owned() };
        let named = |what: &str| match record.name() {
            Ok(name) if !name.is_empty() => format!("{what}{name}"),
            _ => format!("{what}(anonymous)"),
        };
        let inner = |id| self.spelling_within(id, deeper);
        match record.kind {
            Kind::Struct => named("struct "),
            Kind::Union => named("union "),
            Kind::Fwd => named(if record.flag { "union " } else { "struct " }),
            Kind::Enum | Kind::Enum64 => named("enum "),
            Kind::Ptr => {
                let target = inner(record.size_or_type);
                if target.ends_with('*') { format!("{target}*") } else { format!("{target} *") }
            }
            Kind::Const => format!("const {}", inner(record.size_or_type)),
            Kind::Volatile => format!("volatile {}", inner(record.size_or_type)),
            Kind::Restrict | Kind::TypeTag => inner(record.size_or_type),
            Kind::Array => match record.groups::<3>().next() {
                Some([element, _, count]) => format!("{}[{count}]", inner(element)),
                None => "array".to_owned(),
            },
            Kind::FuncProto => "function".to_owned(),
            Kind::Int
            | Kind::Typedef
            | Kind::Func
            | Kind::Var
            | Kind::DataSec
            | Kind::Float
            | Kind::DeclTag => named(""),
        }
    }
}

fn is_alias(kind: Kind) -> bool {
    matches!(kind, Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::sample;

    #[test]
    fn functions_and_structures_are_found_by_name() {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let open = types.function("security_file_open").unwrap();
        let (params, returned) = types.prototype(open).unwrap();
        assert_eq!((params.len(), params[0].name), (1, "file"));
        assert_eq!(types.spelling(params[0].ty), "struct file *");
        assert_eq!(types.spelling(returned), "int");
        assert_eq!(types.function("file"), None, "a structure");
        assert!(types.structure("file").is_some() && types.structure("security_file_open").is_none());
        let lsm: Vec<&str> = types.functions_from("bpf_lsm_").collect();
        assert!(lsm.contains(&"bpf_lsm_file_open") && lsm.is_sorted());
        assert_eq!(types.functions_from("zzz").count(), 0);
    }

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        let text =
            "typedef int t; struct s { union { t a; struct s *b[2]; }; const char *c; }; t f(struct s *s);";
        let good = sample::compile(text);
        for cut in 0..good.len() {
            assert!(KernelTypes::parse(good[..cut].to_vec()).is_err(), "{cut}");
        }
        for at in 0..good.len() {
            for value in [0, 1, 2, 3, 4, 8, 10, 13, 31, 127, 128, 255] {
                let mut bad = good.clone();
                bad[at] = value;
                let Ok(types) = KernelTypes::parse(bad) else { continue };
                for id in 0..types.at.len() as TypeId + 2 {
                    types.shape(id);
                    types.spelling(id);
                    types.prototype(id);
                    let _ = path::follow(&types, id, "b[1].c");
                }
                types.function("f");
            }
        }
    }
}
