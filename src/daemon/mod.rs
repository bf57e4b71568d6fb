//! Assembly: the one place where the planner gate and the runner meet.

mod audit;
mod bus_reads;
mod commands;
mod core;
mod drive;
mod faults;
mod gathered;
mod holder;
mod keeper;
mod logins;
mod outside;
mod programs;
mod reason;
mod submitted;
mod update;
mod upkeep;

pub use crate::process::identity::holder;
pub use commands::{Existing, Novelty, StartError, Submitted, TaskRequest};
pub use core::Core;
pub use drive::{drive_ticket, take_over};
pub use faults::Faults;
pub use holder::become_daemon;
pub use logins::{Identity, Logins, NewKey, Proof, offer_code};
pub use programs::{Ask, Looked, look_at_programs};
pub use reason::reason;
pub use submitted::Submitted as AuditedSubmission;
pub use update::{Handover, Refusal, Seat, SelfReport, UpdateStatus, report};
pub use upkeep::{Cleaning, Collected, Force};
