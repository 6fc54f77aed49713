//! One document with its references settled to the parts of a [`crate::policy::Policy`], one file per concern.
//!
//! To add a hook, filter, operator or action: its vocabulary row first (`vocab/`), then follow the compiler.

mod actions;
mod arg_filters;
mod args;
pub mod check;
pub mod hook;
pub mod hooks;
pub mod identity;
mod newer;
pub mod options;
pub mod pieces;
mod process;
mod selectors;
mod values;
pub mod workload;
