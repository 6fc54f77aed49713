//! Instructions, stencil objects and ELF: from stencils and a list of steps to an object that a kernel takes.
//!
//! [`StencilObject::read`] takes what clang made apart; [`link`] composes a program from its stencils and writes
//! an object; [`read_back`] takes an emitted object apart again, with other code, before it leaves the compiler.
//! Knows no policy and no file: names, sizes and constants are the caller's.
//! Guarantees: the same input gives the same bytes, no bytes make it panic, and what it does not understand it
//! refuses ([`Error`]).

pub mod btf;
mod btf_ext;
mod code;
mod compose;
mod constants;
mod disassemble;
mod elf;
mod error;
mod facts;
mod flow;
mod inline;
mod insn;
mod link;
mod object_file;
mod open_constant;
mod peephole;
mod read_back;
mod specialise;
mod stack;
mod stencil;
mod stub;

pub use compose::{Place, Step};
pub use disassemble::disassemble;
pub use error::Error;
pub use facts::{FunctionFacts, MapFacts, ObjectFacts, ProgramFacts, facts};
pub use link::{LICENSE, MapSize, ProgramSpec, link};
pub use object_file::DataSection;
pub use open_constant::Patch;
pub use read_back::{KernelBtf, Missing, read_back, relocate_against};
pub use stencil::StencilObject;
pub use stub::{MISSED, SLOTS, STUB, stub};

#[cfg(test)]
mod tests;
