//! Reads the bytes just made and compares what they say with the policies.

pub mod decode;
