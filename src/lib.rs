//! Compiles Tetragon tracing policies, ahead of time, into eBPF objects, map images and a manifest.
//!
//! # From text to bytes
//! [`source`] holds the text. [`syntax`] reads it as written. [`policy`] gives it meaning:
//! a [`policy::PolicySet`] exists only if every check passed, so later phases report no policy error.
//! [`fold`] restates it as ordered rules, rewrites them and decides what is shared;
//! [`emit`] fills programs and maps, turns them into bytes and reads them back. [`artifact`] is what stands
//! on disk, for whoever reads it: the proof, `inspect`, `report` and a loader.
//!
//! # Meaning
//! A hook of a policy is a list of selectors. The first that matches an event decides; the others
//! are not looked at. Policies do not see each other: two that match the same event both act.
//! [`interp`] is this paragraph as code, and every rewrite is tested against it.
//!
//! # Never
//! No phase asks the host anything. What depends on the host is either in the [`target::Target`]
//! that the user passes in, or a named hole in the manifest that the loader fills.

pub mod artifact;
pub mod bpf;
pub mod cli;
pub mod diag;
pub mod driver;
pub mod emit;
pub mod fold;
pub mod interp;
pub mod memory;
pub mod policy;
pub mod report;
pub mod source;
pub mod syntax;
pub mod target;
pub mod vocab;
