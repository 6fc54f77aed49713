//! Plan to bytes: programs, maps and manifest, proved and written.

pub mod write;
