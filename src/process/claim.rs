//! `claim.json`: published once, so that a run happens once.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::identity::{ProcessId, boot_id, host};
use crate::fsx::{FsError, Published, RelPath, Root};

/// Name of the file in the run's folder.
pub const FILE: &str = "claim.json";
const MAX_BYTES: u64 = 64 * 1024;

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

/// Why a claim, or a record of an end, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The disk said no.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Not such a record.
    #[error("{} {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong; fits after the path.
        problem: String,
    },
    /// A newer version of this program wrote it.
    #[error("{} has format version {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that we know.
        known: u64,
    },
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
    pub fn publish(&self, root: &Root, run_dir: &RelPath) -> Result<Published, ClaimError> {
        let path = run_dir.join(FILE);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| ClaimError::Corrupt { path: root.absolute(&path), problem: e.to_string() })?;
        bytes.push(b'\n');
        Ok(root.publish(&path, &bytes)?)
    }

    /// Reads the claim of a run; `None` if nobody has it.
    ///
    /// # Errors
    /// If the file is no claim.
    pub fn read(root: &Root, run_dir: &RelPath) -> Result<Option<Self>, ClaimError> {
        let path = run_dir.join(FILE);
        let Some(bytes) = root.read_opt(&path, MAX_BYTES)? else { return Ok(None) };
        parse(&bytes, root.absolute(&path)).map(Some)
    }

    /// Whether the process ids of this claim mean something here and now.
    #[must_use]
    pub fn is_of_this_boot(&self) -> bool {
        self.host == host() && self.boot_id == boot_id()
    }
}

#[derive(Deserialize)]
struct Probe {
    version: u64,
}

/// Understands a record of a run's processes, of which version 1 is known.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], path: PathBuf) -> Result<T, ClaimError> {
    const KNOWN: u64 = 1;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ClaimError::Corrupt { path, problem: "is empty".to_owned() });
    }
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(Probe { version: found }) if found > KNOWN => Err(ClaimError::Newer { path, found, known: KNOWN }),
        _ => serde_json::from_slice(bytes)
            .map_err(|e| ClaimError::Corrupt { path, problem: format!("is not readable: {e}") }),
    }
}
