//! Conductor: runs AI coding agents for hours, unattended, with the tree on disk as the only truth.
//!
//! The modules are listed in floor order. Each may import only from modules above it on this page, which
//! `tests/layers.rs` checks.

pub mod blocking;
pub mod clock;
pub mod fsx;
pub mod names;
pub mod record;
pub mod shutdown;
pub mod telemetry;

pub mod secret;

pub mod tree;

pub mod archive;
pub mod config;
pub mod process;
pub mod transcript;
pub mod watch;

pub mod agents;
pub mod view;

pub mod import;
pub mod planner;
pub mod runner;

pub mod automations;

pub mod daemon;

pub mod web;

pub mod http;

pub mod cli;
