//! Conductor: runs AI coding agents for hours, unattended, with the tree on disk as the only truth.
//!
//! This crate is the `run-agent` program: its verbs. Everything that they call stands in the crates below `crates/`;
//! ARCHITECTURE.md has the floor plan, and `tests/layers.rs` holds the crates to it.

pub mod cli;
