//! `claim.json`: published once per run, so that a run happens once.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identity::{ProcessId, boot_id, host};
use base::{
    fsx::{Published, RelPath, Root},
    names,
    record::{self, Record, Spelling},
};

/// The kind of process that claimed the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClaimBy {
    /// A shim, which runs the agent.
    Shim,
    /// A driver, so that the run never starts.
    Driver,
}

/// The end that a driver gives to a run that it claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndsAs {
    /// The run was cancelled.
    Stopped,
    /// The run could not be started.
    Failed,
}

/// The record that decides which process owns a run. It is complete before it becomes visible, and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Format version; 1.
    pub version: u64,
    /// The kind of process that claimed the run.
    pub by: ClaimBy,
    /// Name of the machine.
    pub host: String,
    /// Id of the machine's boot: the process ids have no meaning in another boot.
    pub boot_id: String,
    /// The shim, if a shim claimed the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shim: Option<ProcessId>,
    /// The agent's process: forked before this file is published, and allowed to exec only afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<ProcessId>,
    /// Folder of the agent's control group, if one could be created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup: Option<PathBuf>,
    /// Time of the claim.
    pub claimed_at: DateTime<Utc>,
    /// The end that a driver gives to the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_as: Option<EndsAs>,
    /// The reason for a driver's claim.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Record for Claim {
    const SPELLING: Spelling = Spelling::Json;
    const MAX_BYTES: u64 = 64 * 1024;
}

impl Claim {
    /// Creates the claim of a shim for the agent process that it has forked.
    #[must_use]
    pub fn by_shim(agent: ProcessId, cgroup: Option<PathBuf>, now: DateTime<Utc>) -> Self {
        Self {
            version: 1,
            by: ClaimBy::Shim,
            host: host(),
            boot_id: boot_id(),
            shim: Some(ProcessId::current()),
            agent: Some(agent),
            cgroup,
            claimed_at: now,
            ends_as: None,
            reason: None,
        }
    }

    /// Creates the claim of a driver, which keeps the run from ever starting.
    #[must_use]
    pub fn by_driver(now: DateTime<Utc>, ends_as: EndsAs, reason: &str) -> Self {
        Self {
            version: 1,
            by: ClaimBy::Driver,
            host: host(),
            boot_id: boot_id(),
            shim: None,
            agent: None,
            cgroup: None,
            claimed_at: now,
            ends_as: Some(ends_as),
            reason: Some(reason.to_owned()),
        }
    }

    /// Publishes the claim in the run's folder. The first claim wins.
    ///
    /// # Errors
    /// If the disk fails. The run is unclaimed then.
    pub fn publish(&self, root: &Root, run_dir: &RelPath) -> record::Result<Published> {
        let path = run_dir.join(names::run::CLAIM);
        Ok(root.publish(&path, &record::bytes(root, &path, self)?)?)
    }

    /// Reads the claim of a run; `None` if the run is unclaimed.
    ///
    /// # Errors
    /// If the file is not a claim.
    pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<Self>> {
        record::read(root, &run_dir.join(names::run::CLAIM))
    }

    /// Returns true if the process ids of this claim are valid on this machine and in this boot.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.host == host() && self.boot_id == boot_id()
    }
}
