//! The bytes of a `.BTF`, record by record, nothing copied: one description of each kind's words serves every reader.
//!
//! [`super::Btf`] is made of it for objects, which have few types and are changed; a kernel's hundred thousand
//! types are indexed where they lie.
//! Source: Linux 6.12, Documentation/bpf/btf.rst.

use crate::error::Error;

/// Number of a type; the first one is 1, and 0 is `void`.
pub type TypeId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    Int = 1,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    DataSec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

const KINDS: [Kind; 19] = [
    Kind::Int,
    Kind::Ptr,
    Kind::Array,
    Kind::Struct,
    Kind::Union,
    Kind::Enum,
    Kind::Fwd,
    Kind::Typedef,
    Kind::Volatile,
    Kind::Const,
    Kind::Restrict,
    Kind::Func,
    Kind::FuncProto,
    Kind::Var,
    Kind::DataSec,
    Kind::Float,
    Kind::DeclTag,
    Kind::TypeTag,
    Kind::Enum64,
];

/// What a word behind a type's header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Type,
    Name,
    Number,
}

use Slot::{Name as N, Number as U, Type as T};

impl Kind {
    /// The words of one record behind the header, and whether there are `vlen` of those records (else one).
    fn layout(self) -> (&'static [Slot], bool) {
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => (&[U], false),
            Kind::Array => (&[T, T, U], false),
            Kind::Struct | Kind::Union => (&[N, T, U], true),
            Kind::Enum => (&[N, U], true),
            Kind::FuncProto => (&[N, T], true),
            Kind::DataSec => (&[T, U, U], true),
            Kind::Enum64 => (&[N, U, U], true),
            Kind::Ptr
            | Kind::Fwd
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::Float
            | Kind::TypeTag => (&[], false),
        }
    }

    /// Whether the third word of the header is a type rather than a size.
    pub fn header_names_a_type(self) -> bool {
        match self {
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::FuncProto
            | Kind::Var
            | Kind::DeclTag
            | Kind::TypeTag => true,
            Kind::Int
            | Kind::Array
            | Kind::Struct
            | Kind::Union
            | Kind::Enum
            | Kind::Fwd
            | Kind::DataSec
            | Kind::Float
            | Kind::Enum64 => false,
        }
    }
}

/// Reads little-endian words and never beyond the end.
pub(in super::super) struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    pub(in super::super) fn new(bytes: &'a [u8]) -> Words<'a> {
        Words { bytes, at: 0 }
    }

    pub(in super::super) fn next(&mut self) -> Option<u32> {
        let word = self.bytes.get(self.at..)?.first_chunk::<4>()?;
        self.at += 4;
        Some(u32::from_le_bytes(*word))
    }

    pub(in super::super) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

/// `len` bytes at `offset` behind the first `base` bytes.
pub(in super::super) fn part(bytes: &[u8], base: u32, offset: u32, len: u32) -> Option<&[u8]> {
    let start = (base as usize).checked_add(offset as usize)?;
    bytes.get(start..start.checked_add(len as usize)?)
}

/// The string section of a `.BTF`, as read.
#[derive(Clone, Copy, Debug)]
pub struct StringTable<'a>(&'a [u8]);

impl<'a> StringTable<'a> {
    pub fn get(self, offset: u32) -> Option<&'a str> {
        let tail = self.0.get(offset as usize..)?;
        let len = tail.iter().position(|&b| b == 0)?;
        std::str::from_utf8(&tail[..len]).ok()
    }

    /// # Errors
    /// There is no text at `offset`.
    pub fn name(self, offset: u32) -> Result<&'a str, Error> {
        self.get(offset).ok_or(Error::Btf("a name is outside the strings"))
    }
}

pub(in super::super) const MAGIC: u16 = 0xeb9f;
pub(super) const HEADER_BYTES: u32 = 24;

/// A whole `.BTF`, its header understood.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Records, one behind the other.
    pub types: &'a [u8],
    pub strings: StringTable<'a>,
}

impl<'a> Section<'a> {
    /// # Errors
    /// Another format, or parts that leave the bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Section<'a>, Error> {
        let mut header = Words::new(bytes);
        let mut word = || header.next().ok_or(Error::Btf("the header is cut short"));
        let magic = word()?;
        if magic & 0xffff != u32::from(MAGIC) || magic >> 16 & 0xff != 1 {
            return Err(Error::Btf("unknown magic or version"));
        }
        let (header_len, type_off, type_len, str_off, str_len) =
            (word()?, word()?, word()?, word()?, word()?);
        let types =
            part(bytes, header_len, type_off, type_len).ok_or(Error::Btf("types leave the section"))?;
        let strings =
            part(bytes, header_len, str_off, str_len).ok_or(Error::Btf("strings leave the section"))?;
        Ok(Section { types, strings: StringTable(strings) })
    }

    /// Every type, in order of its id. Ends behind the first error.
    pub fn records(self) -> Records<'a> {
        Records { section: self, at: 0 }
    }

    /// The record that begins at a byte that [`Record::at`] gave.
    ///
    /// # Errors
    /// No record begins there.
    pub fn record(self, at: usize) -> Result<Record<'a>, Error> {
        const CUT: Error = Error::Btf("a type is cut short");
        let mut words = Words { bytes: self.types, at };
        let mut word = || words.next().ok_or(CUT);
        let (name, info, size_or_type) = (word()?, word()?, word()?);
        let kind = (info >> 24 & 0x1f) as usize;
        let kind = *kind.checked_sub(1).and_then(|k| KINDS.get(k)).ok_or(Error::Btf("unknown kind"))?;
        let vlen = (info & 0xffff) as u16;
        let (layout, repeated) = kind.layout();
        let records = if repeated { vlen as usize } else { 1 };
        let len = layout.len() * records * 4;
        let payload = self.types.get(words.at..words.at + len).ok_or(CUT)?;
        Ok(Record {
            at,
            kind,
            flag: info >> 31 == 1,
            vlen,
            size_or_type,
            name,
            payload,
            strings: self.strings,
        })
    }
}

/// One type as it lies there.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its first byte in [`Section::types`].
    pub at: usize,
    pub kind: Kind,
    /// Bit 31 of the header: bit fields in a struct, signedness of an enum.
    pub flag: bool,
    /// Number of records behind the header, or a function's linkage.
    pub vlen: u16,
    /// A size in bytes, or the id of a type, as the kind has it.
    pub size_or_type: TypeId,
    name: u32,
    payload: &'a [u8],
    pub strings: StringTable<'a>,
}

impl<'a> Record<'a> {
    /// # Errors
    /// The name is outside the strings.
    pub fn name(&self) -> Result<&'a str, Error> {
        self.strings.name(self.name)
    }

    /// Whether it has no name; costs no look at the strings.
    pub fn is_anonymous(&self) -> bool {
        self.name == 0
    }

    /// The words behind the header, with what each is.
    pub fn words(&self) -> impl Iterator<Item = (Slot, u32)> + use<'a> {
        let (layout, _) = self.kind.layout();
        let words = self.payload.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        layout.iter().copied().cycle().zip(words)
    }

    /// The words behind the header in groups of `SIZE`.
    pub fn groups<const SIZE: usize>(&self) -> impl Iterator<Item = [u32; SIZE]> + use<'a, SIZE> {
        let words = self.payload.as_chunks::<4>().0;
        words.as_chunks::<SIZE>().0.iter().map(|group| group.map(u32::from_le_bytes))
    }

    fn end(&self) -> usize {
        self.at + 12 + self.payload.len()
    }
}

pub struct Records<'a> {
    section: Section<'a>,
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.section.types.len() {
            return None;
        }
        let record = self.section.record(self.at);
        self.at = record.as_ref().map_or(usize::MAX, Record::end);
        Some(record)
    }
}
