//! One run from its start to its committed end.

pub(in crate::runner) mod agent_facts;
pub(in crate::runner) mod changes;
pub(in crate::runner) mod commit;
mod compared;
pub(in crate::runner) mod conversation;
pub(in crate::runner) mod drive;
pub(in crate::runner) mod elsewhere;
pub(in crate::runner) mod event_log;
pub(in crate::runner) mod frozen_shim;
mod known_records;
mod last_word;
pub(in crate::runner) mod limited;
pub(in crate::runner) mod orphan;
pub(in crate::runner) mod wait;
