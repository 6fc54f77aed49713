//! Decodes the bytes just made back into decision lists and compares them with the policies.

pub mod compare;
pub mod decode;
pub mod read;
