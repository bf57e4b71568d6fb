//! `_daemon/self-update.yaml`: how far the replacement of the daemon's own program has come.
//!
//! It is believed only while `daemon.lock` is held. A drain is this fact and nothing else, so that the gate is shut for
//! whoever asks it, the command line too.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, daemon_info::DaemonLock, error::Result, paths::top};
use crate::{
    fsx::RelPath,
    names,
    record::{self, Record, Spelling},
};

/// The last update that was asked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelfUpdate {
    /// Format version; 1.
    pub version: u64,
    /// Where it stands.
    pub state: UpdateState,
    /// When it may begin.
    pub mode: UpdateMode,
    /// The program that was asked for, an absolute path.
    pub binary_path: PathBuf,
    /// The program that it replaces.
    pub program: PathBuf,
    /// Its checked copy beside that one, gone when the update is over.
    pub staged: PathBuf,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Root tasks that were live then.
    pub active_runs_at_request: usize,
    /// The version that runs, or ran.
    pub from_version: String,
    /// The version that it says to be; absent: it was not found good yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_version: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// When it succeeded, failed or was called off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where an update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateState {
    /// None is wanted; the last one has succeeded, or was called off.
    Idle,
    /// It waits until no root task is live; none is started meanwhile.
    Deferred,
    /// The programs are being exchanged.
    Applying,
    /// It failed; the old program goes on.
    Failed,
}

/// When an update may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateMode {
    /// When no root task is live.
    #[default]
    Drain,
    /// At once: runs outlive a daemon.
    Live,
}

impl Record for SelfUpdate {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl SelfUpdate {
    /// Whether it is under way.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, UpdateState::Deferred | UpdateState::Applying)
    }

    /// Whether no root task may start because of it.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.is_pending() && self.mode == UpdateMode::Drain
    }
}

fn path() -> RelPath {
    top::daemon().join(names::top::SELF_UPDATE)
}

impl Tree {
    /// The last update, as the daemon that runs has it; `None` if there is neither.
    ///
    /// # Errors
    /// If the record cannot be understood.
    pub fn self_update(&self) -> Result<Option<SelfUpdate>> {
        let update = record::read(self.root(), &path())?;
        // Asked in this order: nearly always there is no record, and then nothing else is to be asked.
        Ok(if update.is_some() && self.daemon_is_there()? { update } else { None })
    }
}

impl DaemonLock {
    /// The last update, also that of a daemon before us.
    ///
    /// # Errors
    /// If the record cannot be understood.
    pub fn last_update(&self, tree: &Tree) -> Result<Option<SelfUpdate>> {
        Ok(record::read(tree.root(), &path())?)
    }

    /// Writes down where an update stands.
    ///
    /// # Errors
    /// If the disk fails; the record before stays then.
    pub fn record_update(&self, tree: &Tree, update: &SelfUpdate) -> Result<()> {
        Ok(record::write(tree.root(), &path(), update)?)
    }
}
