//! Text to documents as written: [`yaml`] gives nodes with places, [`ast`] gives fields with places.

pub mod ast;
pub mod documents;
pub mod yaml;
