//! `_daemon/self-update.yaml`: the progress of replacing the daemon's own program.
//!
//! The record is valid only while `daemon.lock` is held. A drain exists only as this record, so that the gate is closed
//! for every process that asks it, the command line included.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, daemon_info::DaemonLock, error::Result, paths::top};
use base::{
    fsx::RelPath,
    names,
    record::{self, Record, Spelling},
};

/// The last update that was requested, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelfUpdate {
    /// Format version; 1.
    pub version: u64,
    /// State of the update.
    pub state: UpdateState,
    /// Condition for its start.
    pub mode: UpdateMode,
    /// The new program, an absolute path.
    pub binary_path: PathBuf,
    /// The program that it replaces.
    pub program: PathBuf,
    /// The checked copy of the new program, beside the old one. It is removed when the update is over.
    pub staged: PathBuf,
    /// Time of the request.
    pub requested_at: DateTime<Utc>,
    /// Number of root tasks that were live at the request.
    pub active_runs_at_request: usize,
    /// The version of the old program.
    pub from_version: String,
    /// The version that the new program reports; absent until the program has been checked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_version: Option<String>,
    /// The reason for the failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// Time when the update succeeded, failed or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<DateTime<Utc>>,
}

/// State of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateState {
    /// No update is in progress. The last one succeeded, or was cancelled.
    Idle,
    /// The update waits until no root task is live. Meanwhile no root task starts.
    Deferred,
    /// The programs are being exchanged.
    Applying,
    /// The update failed. The old program continues.
    Failed,
}

/// Condition for the start of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateMode {
    /// Start when no root task is live.
    #[default]
    Drain,
    /// Start at once, because runs outlive a daemon.
    Live,
}

impl Record for SelfUpdate {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl SelfUpdate {
    /// Returns true if the update is in progress.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, UpdateState::Deferred | UpdateState::Applying)
    }

    /// Returns true if the update keeps root tasks from starting.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.is_pending() && self.mode == UpdateMode::Drain
    }
}

fn path() -> RelPath {
    top::daemon().join(names::top::SELF_UPDATE)
}

impl Tree {
    /// Returns the last update of the running daemon; `None` if no daemon runs, or there was no update.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn self_update(&self) -> Result<Option<SelfUpdate>> {
        let update = record::read(self.root(), &path())?;
        // The record is checked first, because it is nearly always absent, and then the lock need not be checked.
        Ok(if update.is_some() && self.daemon_is_there()? { update } else { None })
    }
}

impl DaemonLock {
    /// Returns the last update, even if an earlier daemon made it.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn last_update(&self, tree: &Tree) -> Result<Option<SelfUpdate>> {
        Ok(record::read(tree.root(), &path())?)
    }

    /// Stores the state of an update.
    ///
    /// # Errors
    /// If the disk fails. The previous record is kept then.
    pub fn record_update(&self, tree: &Tree, update: &SelfUpdate) -> Result<()> {
        Ok(record::write(tree.root(), &path(), update)?)
    }
}
