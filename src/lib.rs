//! Compiles Tetragon tracing policies, ahead of time, into eBPF objects, map images and a manifest.
//!
//! # From text to bytes
//! [`source`] holds the text. [`syntax`] reads it as written. [`policy`] spells out what stands for something else,
//! keeps that ([`policy::written`]) for the proof, and gives it meaning: a [`policy::PolicySet`] exists only if every
//! check passed, so later phases report no policy error.
//! [`fold`] restates it as ordered rules, rewrites them and decides what is shared;
//! [`emit`] fills programs and maps, turns them into bytes and reads them back. [`artifact`] is what is
//! on disk, for whoever reads it: the proof, `inspect`, `report` and a loader. It is a crate of its own, as is
//! [`bpf`], which composes and writes objects: neither knows policies.
//!
//! # Meaning
//! A hook of a policy is a list of selectors. The first that matches an event decides; the others
//! are not looked at. Policies do not see each other: two that match the same event both act.
//! [`interp`] is this paragraph as code, on the documents; every rewrite is tested against it, and every artifact
//! proved against the same reading.
//!
//! # Never
//! No phase asks the host anything. What depends on the host is either in the [`platform::Target`]
//! that the user passes in, or a named hole in the manifest that the loader fills.

pub mod cli;
pub mod diag;
pub mod driver;
pub mod emit;
pub mod fold;
pub mod interp;
pub mod memory;
pub mod platform;
pub mod policy;
pub mod report;
pub mod source;
pub mod syntax;
pub mod vocab;

pub use tetrafold_artifact as artifact;
pub use tetrafold_bpf as bpf;
