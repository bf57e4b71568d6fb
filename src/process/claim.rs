//! `claim.json`: published once, so that a run happens once.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identity::{ProcessId, boot_id, host};
use crate::{
    fsx::{Published, RelPath, Root},
    names,
    record::{self, Record, Spelling},
};

/// Who took the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClaimBy {
    /// A shim, which runs the agent.
    Shim,
    /// A driver, so that the run never starts.
    Driver,
}

/// What a run is that a driver claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndsAs {
    /// Somebody cancelled it.
    Stopped,
    /// It could not be started.
    Failed,
}

/// The record that decides who runs a run: complete before it is visible, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Format version; 1.
    pub version: u64,
    /// Who took it.
    pub by: ClaimBy,
    /// The machine.
    pub host: String,
    /// The boot of the machine: the process ids mean nothing on another.
    pub boot_id: String,
    /// The shim.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shim: Option<ProcessId>,
    /// The agent's process: forked, and let go only after this file was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<ProcessId>,
    /// Folder of the agent's control group, where one could be made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup: Option<PathBuf>,
    /// When.
    pub claimed_at: DateTime<Utc>,
    /// What a driver makes of the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_as: Option<EndsAs>,
    /// Why a driver took it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Record for Claim {
    const SPELLING: Spelling = Spelling::Json;
    const MAX_BYTES: u64 = 64 * 1024;
}

impl Claim {
    /// The claim of a shim for the agent that it has forked.
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

    /// The claim of a driver that wants the run never to start.
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

    /// Publishes the claim in a run's folder; the first one wins.
    ///
    /// # Errors
    /// If the disk fails; nobody has the run then.
    pub fn publish(&self, root: &Root, run_dir: &RelPath) -> record::Result<Published> {
        let path = run_dir.join(names::run::CLAIM);
        Ok(root.publish(&path, &record::bytes(root, &path, self)?)?)
    }

    /// Reads the claim of a run; `None` if nobody has it.
    ///
    /// # Errors
    /// If the file is no claim.
    pub fn read(root: &Root, run_dir: &RelPath) -> record::Result<Option<Self>> {
        record::read(root, &run_dir.join(names::run::CLAIM))
    }

    /// Whether the process ids of this claim mean something here and now.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.host == host() && self.boot_id == boot_id()
    }
}
