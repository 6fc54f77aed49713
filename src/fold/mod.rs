//! Meaning to shared parts: what the product is named after.
//!
//! [`ir`] restates a policy set as ordered rules over hash-consed predicates, [`opt`] rewrites the rules and
//! keeps a certificate of what it left out, [`plan`] decides what is shared and in which form.
//! Knows no YAML, no byte layout and no ELF.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod ir;
pub mod opt;
pub mod plan;
