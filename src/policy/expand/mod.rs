//! What stands in a document for something else: lists, macros, variables.

pub mod lists;
pub mod macros;
pub mod variables;
