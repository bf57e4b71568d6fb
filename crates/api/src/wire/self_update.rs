//! The update of the daemon's own program.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use daemon::UpdateStatus;
use tree::self_update::{UpdateMode, UpdateState};

/// A requested update.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSelfUpdate {
    /// Absolute path of the new `run-agent`.
    #[schemars(regex(pattern = "^/"))]
    pub(crate) binary_path: PathBuf,
    /// The condition for its start.
    #[serde(default)]
    pub(crate) mode: UpdateMode,
}

/// The state of the update; fields without a value are absent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SelfUpdate<'a> {
    state: UpdateState,
    #[serde(flatten)]
    last: Option<Last<'a>>,
    active_runs_now: usize,
}

/// The last requested update.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "field names of the API document")]
struct Last<'a> {
    binary_path: &'a Path,
    mode: UpdateMode,
    active_runs_at_request: usize,
    requested_at: Time,
    from_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
}

impl<'a> From<&'a UpdateStatus> for SelfUpdate<'a> {
    fn from(status: &'a UpdateStatus) -> Self {
        let last = status.update.as_ref().map(|update| Last {
            binary_path: &update.binary_path,
            mode: update.mode,
            active_runs_at_request: update.active_runs_at_request,
            requested_at: Time(update.requested_at),
            from_version: &update.from_version,
            to_version: update.to_version.as_deref(),
            last_error: update.last_error.as_deref(),
            ended_at: update.ended_at.map(Time),
        });
        let state = status.update.as_ref().map_or(UpdateState::Idle, |update| update.state);
        Self { state, last, active_runs_now: status.active_runs_now }
    }
}
