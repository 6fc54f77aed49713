//! Plan to bytes, read back and proved, written whole.

pub mod assemble;
mod describe;
pub mod lower;
pub mod numbers;
pub mod region_constants;
mod scope_blocks;
mod set_limits;
pub mod verify;
pub mod write;

#[cfg(test)]
mod tests;
