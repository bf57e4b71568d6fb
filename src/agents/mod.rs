//! Agents: which program runs for a name in the configuration, and how it is called.
//!
//! An adapter builds the command; it starts nothing and writes nothing. The [`demo`]
//! agent is a program of its own that happens to live in this binary, and so is the one that [`replay`]s a run. Each
//! agent's flags, variables and limits are explained to users in docs/agents.md.

pub mod chat;
mod chat_call;
mod claude;
mod codex;
mod credentials;
pub mod demo;
mod find;
mod gemini;
mod installed;
mod opencode;
mod plan;
mod preamble;
pub mod replay;
mod request;

pub use credentials::{Credentials, Files, MissingCredentials, OnDisk, Search, credentials};
pub use find::{AgentError, find, program};
pub use installed::{Installed, Said, ask_version, file_mark, installed, version_of};
pub use plan::plan;
pub use request::{AgentCommand, PlanFor, PromptSource, RunFile, User};
