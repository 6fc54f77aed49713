//! Plan to contents: tables, decision lists, program bodies.

pub mod lists;
pub mod numbering;
