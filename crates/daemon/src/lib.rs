//! Assembly: the one place where the planner gate and the runner meet.

mod audit;
mod coalesce;
mod commands;
mod core;
mod drive;
mod drives;
mod faults;
mod gate;
mod holder;
mod keeper;
mod logins;
mod mailboxes;
mod parts;
mod programs;
mod reason;
mod run_logs;
mod start;
mod update;
mod upkeep;

pub use audit::{AuditLog, AuditedSubmission};
pub use commands::{Existing, Novelty, StartError, Submitted, TaskRequest};
pub use core::Core;
pub use drive::{drive_ticket, take_over};
pub use faults::Faults;
pub use holder::become_daemon;
pub use logins::{Identity, Logins, NewKey, Proof, offer_code};
pub use mailboxes::{Mailboxes, PAGE_BYTES};
pub use process::identity::holder;
pub use programs::{AgentProgram, Ask, check_programs};
pub use reason::reason;
pub use run_logs::{RunLogs, SharedLog};
pub use start::Daemon;
pub use update::{Handover, Refusal, Seat, SelfReport, UpdateStatus, Updates, kept_program, report};
pub use upkeep::{Cleaning, Collected, Force};
