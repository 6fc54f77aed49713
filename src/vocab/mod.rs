//! The closed vocabularies of the language, one table each.

pub mod arg_type;
pub mod attach;
