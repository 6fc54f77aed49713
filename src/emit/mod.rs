//! Plan to bytes, read back and proved, written whole.

pub mod write;
