//! Agents: which program runs for a name in the configuration, and how it is called.
//!
//! An adapter builds the command; it starts nothing and writes nothing. The [`demo`]
//! agent is a program of its own that happens to live in this binary.

pub mod demo;
mod find;
mod plan;

pub use find::{AgentError, find, program};
pub use plan::{AgentCommand, PlanFor, PromptSource, plan};
