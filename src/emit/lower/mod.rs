//! The plan as program bodies and tables.

pub mod tables;
