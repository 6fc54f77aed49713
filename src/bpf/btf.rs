//! Type information: `.BTF` bytes to a vector of types that can be added to, pruned and written again.
//!
//! A type is a kind, a name and a list of words; one description of each kind's words replaces a struct per
//! kind. After [`Btf::parse`] every id is that of a type (or 0, `void`) and every name is text. Writing keeps
//! the order of types and gives each distinct string once, in order of first use.
//! Source: Linux 6.12, Documentation/bpf/btf.rst.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::error::Error;

pub mod records;

use records::{HEADER_BYTES, Record, Section, Slot};
pub use records::{Kind, StringTable, TypeId};
pub(super) use records::{MAGIC, Words, part};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Type(TypeId),
    Name(String),
    Number(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    pub kind: Kind,
    /// Bit 31 of the header: bit fields in a struct, signedness of an enum.
    pub flag: bool,
    /// Number of records, or a function's linkage.
    pub vlen: u16,
    pub name: String,
    /// A size in bytes, or the id of a type, as the kind has it.
    pub size_or_type: u32,
    pub words: Vec<Word>,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    pub name: &'a str,
    pub ty: TypeId,
    pub offset_bits: u32,
}

impl Type {
    fn of(record: Record<'_>) -> Result<Type, Error> {
        let mut words = vec![];
        for (slot, value) in record.words() {
            words.push(match slot {
                Slot::Type => Word::Type(value),
                Slot::Name => Word::Name(record.strings.name(value)?.to_owned()),
                Slot::Number => Word::Number(value),
            });
        }
        let Record { kind, flag, vlen, size_or_type, .. } = record;
        Ok(Type { kind, flag, vlen, name: record.name()?.to_owned(), size_or_type, words })
    }

    pub fn new(kind: Kind, name: &str, size_or_type: u32) -> Type {
        Type { kind, flag: false, vlen: 0, name: name.to_owned(), size_or_type, words: vec![] }
    }

    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let records: &[Word] = match self.kind {
            Kind::Struct | Kind::Union => &self.words,
            _ => &[],
        };
        records.chunks_exact(3).filter_map(|record| match record {
            [Word::Name(name), Word::Type(ty), Word::Number(place)] => {
                let offset_bits = if self.flag { place & 0xff_ffff } else { *place };
                Some(Member { name, ty: *ty, offset_bits })
            }
            _ => None,
        })
    }

    /// Element type and number of elements of an array.
    pub fn array(&self) -> Option<(TypeId, u32)> {
        match (self.kind, &self.words[..]) {
            (Kind::Array, [Word::Type(element), Word::Type(_), Word::Number(count)]) => {
                Some((*element, *count))
            }
            _ => None,
        }
    }

    fn references_mut(&mut self) -> impl Iterator<Item = &mut TypeId> {
        let header = self.kind.header_names_a_type().then_some(&mut self.size_or_type);
        header.into_iter().chain(self.words.iter_mut().filter_map(|word| match word {
            Word::Type(id) => Some(id),
            Word::Name(_) | Word::Number(_) => None,
        }))
    }

    fn references(&self) -> impl Iterator<Item = TypeId> {
        let header = self.kind.header_names_a_type().then_some(self.size_or_type);
        header.into_iter().chain(self.words.iter().filter_map(|word| match word {
            Word::Type(id) => Some(*id),
            Word::Name(_) | Word::Number(_) => None,
        }))
    }
}

/// Strings of a `.BTF` that is being written, each once, in order of first use.
#[derive(Clone, Debug)]
pub struct Strings {
    bytes: Vec<u8>,
    offsets: indexmap::IndexMap<String, u32, FxBuildHasher>,
}

impl Default for Strings {
    fn default() -> Strings {
        let mut strings = Strings { bytes: vec![], offsets: Default::default() };
        strings.add("");
        strings
    }
}

impl Strings {
    pub fn add(&mut self, text: &str) -> u32 {
        if let Some(&offset) = self.offsets.get(text) {
            return offset;
        }
        let offset = self.bytes.len() as u32;
        self.bytes.extend(text.bytes());
        self.bytes.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }
}

/// Types in order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Btf {
    types: Vec<Type>,
}

impl Btf {
    /// Reads a whole `.BTF` section; also gives its strings, to which `.BTF.ext` refers.
    pub fn parse(bytes: &[u8]) -> Result<(Btf, StringTable<'_>), Error> {
        let section = Section::read(bytes)?;
        let types = section.records().map(|record| record.and_then(Type::of)).collect::<Result<_, _>>()?;
        let btf = Btf { types };
        let count = btf.types.len() as u32;
        if btf.types.iter().flat_map(Type::references).any(|id| id > count) {
            return Err(Error::Btf("a type refers to one that is not there"));
        }
        Ok((btf, section.strings))
    }

    /// The bytes of a whole `.BTF` section. Adds the types' names to `strings`, which must already hold
    /// whatever else refers to them (see `.BTF.ext`).
    pub fn encode(&self, strings: &mut Strings) -> Vec<u8> {
        let mut types: Vec<u8> = vec![];
        for ty in &self.types {
            let info = u32::from(ty.flag) << 31 | (ty.kind as u32) << 24 | u32::from(ty.vlen);
            for word in [strings.add(&ty.name), info, ty.size_or_type] {
                types.extend(word.to_le_bytes());
            }
            for word in &ty.words {
                let word = match word {
                    Word::Type(id) => *id,
                    Word::Name(name) => strings.add(name),
                    Word::Number(number) => *number,
                };
                types.extend(word.to_le_bytes());
            }
        }
        let (type_len, str_len) = (types.len() as u32, strings.bytes.len() as u32);
        let mut out = Vec::with_capacity(types.len() + strings.bytes.len() + HEADER_BYTES as usize);
        for word in [1 << 16 | u32::from(MAGIC), HEADER_BYTES, 0, type_len, type_len, str_len] {
            out.extend(word.to_le_bytes());
        }
        out.extend(types);
        out.extend(&strings.bytes);
        out
    }

    pub fn get(&self, id: TypeId) -> Result<&Type, Error> {
        (id as usize)
            .checked_sub(1)
            .and_then(|index| self.types.get(index))
            .ok_or(Error::Btf("a type refers to one that is not there"))
    }

    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        self.types.iter().enumerate().map(|(index, ty)| (index as u32 + 1, ty))
    }

    pub fn find(&self, kind: Kind, name: &str) -> Option<TypeId> {
        self.types().find(|(_, ty)| ty.kind == kind && ty.name == name).map(|(id, _)| id)
    }

    /// The id of a type equal to `ty`, which is added if there is none.
    pub fn add(&mut self, ty: Type) -> TypeId {
        if let Some(index) = self.types.iter().position(|known| *known == ty) {
            return index as u32 + 1;
        }
        self.add_unmerged(ty)
    }

    /// The id of `ty`, which is added whether or not there is an equal one.
    pub(super) fn add_unmerged(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        self.types.len() as u32
    }

    pub fn add_int(&mut self, name: &str, bytes: u32, signed: bool) -> TypeId {
        let mut ty = Type::new(Kind::Int, name, bytes);
        ty.words.push(Word::Number((u32::from(signed) << 24) | (bytes * 8)));
        self.add(ty)
    }

    pub fn add_ptr(&mut self, to: TypeId) -> TypeId {
        self.add(Type::new(Kind::Ptr, "", to))
    }

    pub fn add_array(&mut self, element: TypeId, count: u32) -> TypeId {
        let index = self.add_int("__ARRAY_SIZE_TYPE__", 4, false);
        let mut ty = Type::new(Kind::Array, "", 0);
        ty.words = vec![Word::Type(element), Word::Type(index), Word::Number(count)];
        self.add(ty)
    }

    /// A global variable that other objects and loaders see.
    pub fn add_variable(&mut self, name: &str, ty: TypeId) -> TypeId {
        const GLOBAL: u32 = 1;
        let mut var = Type::new(Kind::Var, name, ty);
        var.words.push(Word::Number(GLOBAL));
        self.add(var)
    }

    /// A section and its variables (type id, offset, size), which must be in order of offset.
    pub fn add_section(&mut self, name: &str, bytes: u32, variables: &[(TypeId, u32, u32)]) -> TypeId {
        let mut section = Type::new(Kind::DataSec, name, bytes);
        section.vlen = variables.len() as u16;
        section.words = variables
            .iter()
            .flat_map(|&(ty, offset, size)| [Word::Type(ty), Word::Number(offset), Word::Number(size)])
            .collect();
        self.add(section)
    }

    /// `id` without typedefs and qualifiers.
    pub fn resolve(&self, mut id: TypeId) -> Result<TypeId, Error> {
        // A chain longer than there are types is a circle.
        for _ in 0..=self.types.len() {
            if id == 0 {
                return Ok(0);
            }
            let ty = self.get(id)?;
            match ty.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    id = ty.size_or_type;
                }
                _ => return Ok(id),
            }
        }
        Err(Error::Btf("a typedef of itself"))
    }

    /// `sizeof`, for types that have one.
    pub fn size_of(&self, id: TypeId) -> Result<u64, Error> {
        const NONE: Error = Error::Btf("a type without a size where one is needed");
        let (mut id, mut count) = (self.resolve(id)?, 1u64);
        for _ in 0..=self.types.len() {
            let ty = self.get(id)?;
            match ty.kind {
                Kind::Array => {
                    let (element, n) = ty.array().ok_or(NONE)?;
                    count = count.checked_mul(u64::from(n)).ok_or(NONE)?;
                    id = self.resolve(element)?;
                }
                Kind::Ptr => return count.checked_mul(8).ok_or(NONE),
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::DataSec
                | Kind::Float
                | Kind::Enum64 => return count.checked_mul(u64::from(ty.size_or_type)).ok_or(NONE),
                Kind::Fwd
                | Kind::Typedef
                | Kind::Volatile
                | Kind::Const
                | Kind::Restrict
                | Kind::Func
                | Kind::FuncProto
                | Kind::Var
                | Kind::DeclTag
                | Kind::TypeTag => return Err(NONE),
            }
        }
        Err(Error::Btf("an array of itself"))
    }

    /// Keeps what `roots` reach, in the old order.
    pub fn prune(&mut self, roots: impl IntoIterator<Item = TypeId>) -> Result<Renumbering, Error> {
        let mut reached: IndexSet<TypeId, FxBuildHasher> = roots.into_iter().filter(|id| *id != 0).collect();
        let mut next = 0;
        while let Some(&id) = reached.get_index(next) {
            next += 1;
            reached.extend(self.get(id)?.references().filter(|id| *id != 0));
        }
        let mut new_ids = vec![0; self.types.len() + 1];
        let mut kept = Vec::with_capacity(reached.len());
        for (index, ty) in std::mem::take(&mut self.types).into_iter().enumerate() {
            if reached.contains(&(index as u32 + 1)) {
                kept.push(ty);
                new_ids[index + 1] = kept.len() as u32;
            }
        }
        for id in kept.iter_mut().flat_map(Type::references_mut) {
            *id = new_ids[*id as usize];
        }
        self.types = kept;
        Ok(Renumbering(new_ids))
    }

    /// The C name of what a CO-RE access path means, such as `struct dentry.d_name.len`, for people.
    pub fn access_name(&self, id: TypeId, access: &str) -> String {
        let mut name = match self.get(id) {
            Ok(ty) => match ty.kind {
                Kind::Struct => format!("struct {}", ty.name),
                Kind::Union => format!("union {}", ty.name),
                Kind::Enum | Kind::Enum64 => format!("enum {}", ty.name),
                _ => ty.name.clone(),
            },
            Err(_) => return format!("type {id}"),
        };
        let mut at = id;
        for (depth, index) in access.split(':').enumerate() {
            let (Ok(index), Ok(ty)) = (index.parse::<usize>(), self.resolve(at).and_then(|at| self.get(at)))
            else {
                return name;
            };
            if let (0, Kind::Enum | Kind::Enum64, Some(Word::Name(variant))) =
                (depth, ty.kind, ty.words.get(index * if ty.kind == Kind::Enum { 2 } else { 3 }))
            {
                return format!("{name}::{variant}");
            }
            if depth == 0 {
                continue; // The first number is an index of the whole type, as in `p[0]`.
            }
            if let Some((element, _)) = ty.array() {
                name += &format!("[{index}]");
                at = element;
            } else if let Some(member) = ty.members().nth(index) {
                if !member.name.is_empty() {
                    name = format!("{name}.{}", member.name);
                }
                at = member.ty;
            }
        }
        name
    }
}

/// Old type ids to new ones, after [`Btf::prune`].
#[derive(Clone, Debug)]
pub struct Renumbering(Vec<TypeId>);

impl Renumbering {
    /// 0 stays 0; a type that was pruned has no new id.
    pub fn new_id(&self, old: TypeId) -> Result<TypeId, Error> {
        match self.0.get(old as usize) {
            Some(&new) if new != 0 || old == 0 => Ok(new),
            _ => Err(Error::Btf("a type is needed that was pruned")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Btf {
        let mut btf = Btf::default();
        let int = btf.add_int("int", 4, true);
        let array = btf.add_array(int, 3);
        let unused = btf.add_int("long", 8, true);
        let mut st = Type::new(Kind::Struct, "path", 16);
        st.vlen = 2;
        st.words = vec![
            Word::Name("mnt".into()),
            Word::Type(unused),
            Word::Number(0),
            Word::Name("bytes".into()),
            Word::Type(array),
            Word::Number(64),
        ];
        btf.add(st);
        btf.add_ptr(int);
        btf
    }

    #[test]
    fn encoding_round_trips() {
        let btf = sample();
        let bytes = btf.encode(&mut Strings::default());
        assert_eq!(Btf::parse(&bytes).unwrap().0, btf);
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = sample().encode(&mut Strings::default());
        for len in 0..bytes.len() {
            assert!(Btf::parse(&bytes[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn pruning_keeps_what_is_reached_and_renumbers() {
        let mut btf = sample();
        let ptr = btf.types().find(|(_, t)| t.kind == Kind::Ptr).unwrap().0;
        let new = btf.prune([ptr]).unwrap();
        assert_eq!(btf.types.len(), 2);
        assert_eq!(btf.get(new.new_id(ptr).unwrap()).unwrap().size_or_type, 1);
        assert!(new.new_id(3).is_err());
        assert_eq!(new.new_id(0), Ok(0));
    }

    #[test]
    fn sizes_and_names() {
        let btf = sample();
        let path = btf.find(Kind::Struct, "path").unwrap();
        assert_eq!(btf.size_of(path), Ok(16));
        let bytes = btf.get(path).unwrap().members().nth(1).unwrap();
        assert_eq!((btf.size_of(bytes.ty), bytes.offset_bits), (Ok(12), 64));
        assert_eq!(btf.access_name(path, "0:1:2"), "struct path.bytes[2]");
        assert_eq!(btf.access_name(path, "0"), "struct path");
        assert_eq!(btf.access_name(99, "0:1"), "type 99");
    }

    #[test]
    fn circles_end() {
        let mut btf = Btf::default();
        btf.add(Type::new(Kind::Typedef, "loop", 1));
        assert!(btf.resolve(1).is_err());
        let mut array = Type::new(Kind::Array, "", 0);
        array.words = vec![Word::Type(2), Word::Type(2), Word::Number(1)];
        btf.add(array);
        assert!(btf.size_of(2).is_err());
    }
}
