//! What stands on disk: the manifest and the images it names, written by the compiler and read by its proof,
//! by `inspect`, `report` and a loader.
//!
//! Turns bytes into checked types and back. Assumes nothing about what it reads: damage is a typed error with
//! file and reason, never a panic. Knows no policy document, no kernel and no cluster; what only the node knows
//! (cgroup ids, which workload runs where) comes in as values, see [`node`].

pub mod abi;
pub mod digest;
pub mod evaluate;
pub mod event;
pub mod fact;
pub mod image;
pub mod json;
pub mod judge;
pub mod manifest;
pub mod node;
pub mod projection;
pub mod provenance;
pub mod read;
pub mod scope;
pub mod scope_block;
pub mod structure;
pub mod table;

#[cfg(any(test, feature = "sample"))]
pub mod sample;
