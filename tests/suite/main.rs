//! What must be true of the whole: meaning is kept, equal sets give equal bytes, layers stay apart.

mod command_line;
mod compile;
#[path = "../conditions.rs"]
mod conditions;
mod determinism;
mod equality;
mod faults;
mod integrations;
mod layering;
mod limits;
mod lists;
mod nodes;
mod properties;
mod published_schema;
mod random;
mod ways;
