//! What can be wrong with an object, or with what one is to be made of.
//!
//! None of these is the user's doing: the stencils are ours and so is every specification. The driver
//! reports them as internal faults; `inspect` shows them for a damaged artifact.

use std::fmt;

/// Why an object cannot be read, composed or trusted. Names are those of sections, functions and symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not an ELF file, or one that contradicts itself.
    Elf(String),
    /// An ELF file, but not a relocatable little-endian one for eBPF.
    NotBpf,
    /// A part that has to be there is not.
    MissingSection(String),
    /// `.BTF` is cut short, or refers to something outside itself.
    Btf(&'static str),
    /// `.BTF.ext` is cut short, or refers to something outside itself.
    BtfExt(&'static str),
    /// The code of a function is not a sequence of whole, known instructions.
    Code {
        function: String,
        at: usize,
        what: &'static str,
    },
    /// A relocation that this linker has no meaning for.
    Relocation {
        section: String,
        at: u64,
        what: String,
    },
    UnknownStencil(String),
    UnknownFunction(String),
    UnknownMap(String),
    UnknownVariable(String),
    /// `struct frame` lacks a member that the glue has to fill, or has it in an unexpected form.
    Frame(&'static str),
    /// A reachable instruction holds a patchable constant that the specification gives no value for.
    MissingPatch {
        function: String,
        patch: u32,
    },
    /// A value for a patchable constant does not fit into the instruction that holds it.
    PatchRange {
        function: String,
        patch: u32,
        value: i64,
    },
    /// Other immediates than the stencil's own type says that it takes.
    Immediates {
        stencil: String,
        given: usize,
        taken: usize,
    },
    /// A jump over more instructions than its offset can say.
    JumpRange {
        function: String,
        distance: i64,
    },
    UnboundLabel {
        function: String,
    },
    /// A label is bound twice.
    LabelBoundTwice {
        function: String,
    },
    /// Frame, glue and callees together need more than the 512 bytes that the kernel gives.
    Stack {
        function: String,
        bytes: u32,
    },
    /// Functions call each other in a circle.
    Recursion(String),
    /// A size or count that the format's fields cannot hold.
    TooLarge(&'static str),
    /// A map definition that cannot be resized in the way that was asked for.
    MapDefinition {
        map: String,
        what: &'static str,
    },
    /// Reading an emitted object back gave something else than what was to be written.
    ReadBack(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Elf(what) => write!(f, "not a readable ELF file: {what}"),
            Error::NotBpf => write!(f, "not a relocatable little-endian eBPF object"),
            Error::MissingSection(name) => write!(f, "section `{name}` is missing"),
            Error::Btf(what) => write!(f, "malformed .BTF: {what}"),
            Error::BtfExt(what) => write!(f, "malformed .BTF.ext: {what}"),
            Error::Code { function, at, what } => write!(f, "instruction {at} of `{function}`: {what}"),
            Error::Relocation { section, at, what } => {
                write!(f, "relocation at byte {at} of `{section}`: {what}")
            }
            Error::UnknownStencil(name) => write!(f, "there is no stencil `{name}`"),
            Error::UnknownFunction(name) => write!(f, "there is no function `{name}`"),
            Error::UnknownMap(name) => write!(f, "there is no map `{name}`"),
            Error::UnknownVariable(name) => write!(f, "there is no variable `{name}`"),
            Error::Frame(what) => write!(f, "struct frame: {what}"),
            Error::MissingPatch { function, patch } => {
                write!(f, "`{function}` needs a value for patch {patch:#x}")
            }
            Error::PatchRange { function, patch, value } => {
                write!(f, "the value {value} of patch {patch:#x} does not fit an instruction of `{function}`")
            }
            Error::Immediates { stencil, given, taken } => {
                write!(f, "stencil `{stencil}` is given {given} immediates and takes {taken}")
            }
            Error::JumpRange { function, distance } => {
                write!(f, "a jump over {distance} instructions in `{function}` is too far")
            }
            Error::UnboundLabel { function } => write!(f, "`{function}` jumps to a label that is nowhere"),
            Error::LabelBoundTwice { function } => write!(f, "`{function}` binds a label twice"),
            Error::Stack { function, bytes } => {
                write!(f, "`{function}` needs {bytes} bytes of stack, the kernel gives 512")
            }
            Error::Recursion(name) => write!(f, "`{name}` calls itself"),
            Error::TooLarge(what) => write!(f, "{what} does not fit its field"),
            Error::MapDefinition { map, what } => write!(f, "map `{map}`: {what}"),
            Error::ReadBack(what) => write!(f, "the emitted object does not read back: {what}"),
        }
    }
}

impl std::error::Error for Error {}
