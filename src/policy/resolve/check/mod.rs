//! What is valid and not what its author meant: lints over a hook's selectors.

pub mod meant;
pub mod paths;
pub mod reach;
pub mod release;
pub mod tetragon;
pub mod weak;
