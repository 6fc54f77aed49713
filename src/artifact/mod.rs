//! What stands on disk, for whoever reads it: the proof, `inspect`, `report` and a loader.

pub mod abi;
pub mod evaluate;
