//! Plan to bytes, read back and proved, written whole.

pub mod assemble;
mod describe;
pub mod lower;
pub mod numbers;
mod scope_blocks;
pub mod verify;
pub mod write;

#[cfg(test)]
mod tests;
