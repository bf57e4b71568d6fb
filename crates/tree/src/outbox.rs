//! `_daemon/outbox/<run_id>.<event>.json`: notifications for an external receiver, one file each.
//!
//! The driver that commits the end of a run first writes the notification here. The daemon removes it after the
//! receiver has accepted it. After a crash both steps may happen twice. The id of a notification depends only on its
//! content, so the receiver can recognize a duplicate.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Tree,
    error::Result,
    ids::{ProjectId, RunId, TaskId},
    paths::top,
    run_info::{RunInfo, RunStatus},
};
use base::{
    fsx::{Published, RelPath},
    record::{self, Record, Spelling},
};

/// Largest number of waiting notifications. If there are more, the oldest are dropped.
pub const MOST: usize = 10_000;

/// One waiting notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Format version; 1.
    pub version: u64,
    /// Its id, also for the receiver: `<run_id>.<event>`.
    pub id: String,
    /// The kind of event: `run_stop`.
    pub event: String,
    /// Time since which it waits.
    pub created_at: DateTime<Utc>,
    /// Number of attempts to deliver it.
    #[serde(default)]
    pub attempts: u32,
    /// Earliest time of the next attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<DateTime<Utc>>,
    /// The reason why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// The body of the POST request, byte for byte.
    pub body: String,
}

impl Record for Delivery {
    const SPELLING: Spelling = Spelling::Json;
}

/// The body of `run_stop`: a run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStop {
    /// `run_stop`.
    pub event: String,
    /// Format version; 1.
    pub version: u64,
    /// The run's project.
    pub project_id: ProjectId,
    /// Its task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: RunId,
    /// The run of the agent that requested this run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// Number of the attempt in its loop; 1 is the first.
    pub attempt: u32,
    /// Name of the agent in the configuration.
    pub agent: String,
    /// `completed`, `failed`, `stopped` or `crashed`.
    pub status: RunStatus,
    /// Exit code, if the process exited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Signal, if one ended the process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// The reason why the run did not succeed, in one sentence, secrets redacted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_summary: Option<String>,
    /// Time when the run began.
    pub start_time: DateTime<Utc>,
    /// Time when the run ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_time: Option<DateTime<Utc>>,
}

impl RunStop {
    /// Name of the event.
    pub const EVENT: &'static str = "run_stop";

    /// Builds the body from the record of an ended run. `redact` removes secrets from text.
    #[must_use]
    pub fn of(info: &RunInfo, redact: impl Fn(&str) -> String) -> Self {
        Self {
            event: Self::EVENT.to_owned(),
            version: 1,
            project_id: info.project_id.clone(),
            task_id: info.task_id.clone(),
            run_id: info.run_id.clone(),
            parent_run_id: info.parent_run_id.clone(),
            attempt: info.attempt,
            agent: info.agent.clone(),
            status: info.status,
            exit_code: info.exit_code,
            signal: info.signal,
            error_summary: info.error_summary.as_deref().map(redact),
            start_time: info.start_time,
            end_time: info.end_time,
        }
    }
}

fn place(id: &str) -> RelPath {
    top::outbox().join(format!("{id}.json"))
}

impl Tree {
    /// Puts a notification into the outbox, durably. Returns `false` if it waits there already.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn put_delivery(&self, delivery: &Delivery) -> Result<bool> {
        self.root().ensure_dir(&top::outbox())?;
        let path = place(&delivery.id);
        let published = self.root().publish(&path, &record::bytes(self.root(), &path, delivery)?)?;
        Ok(published == Published::Ours)
    }

    /// Returns the ids of the waiting notifications, the oldest run first.
    ///
    /// # Errors
    /// If the outbox cannot be read.
    pub fn deliveries(&self) -> Result<Vec<String>> {
        let names = self.root().list(&top::outbox())?;
        // Temporary names of files that are being written begin with a dot.
        let ids = names.iter().filter_map(|e| e.name.strip_suffix(".json").filter(|id| !id.starts_with('.')));
        Ok(ids.map(str::to_owned).collect())
    }

    /// Returns one waiting notification; `None` if it does not wait any more.
    ///
    /// # Errors
    /// If it cannot be parsed.
    pub fn delivery(&self, id: &str) -> Result<Option<Delivery>> {
        Ok(record::read(self.root(), &place(id))?)
    }

    /// Stores the result of an attempt.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn update_delivery(&self, delivery: &Delivery) -> Result<()> {
        Ok(record::write(self.root(), &place(&delivery.id), delivery)?)
    }

    /// Removes a notification from the outbox.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_delivery(&self, id: &str) -> Result<()> {
        self.root().remove(&place(id))?;
        Ok(())
    }

    /// Returns statistics of the outbox: the number of notifications, the time of the oldest, and an error.
    ///
    /// # Errors
    /// If the outbox cannot be read.
    pub fn outbox(&self) -> Result<Outbox> {
        let ids = self.deliveries()?;
        let mut errors = BTreeMap::new();
        let mut oldest = None;
        for delivery in ids.iter().take(100).filter_map(|id| self.delivery(id).ok().flatten()) {
            oldest = Some(oldest.map_or(delivery.created_at, |o: DateTime<Utc>| o.min(delivery.created_at)));
            if let Some(error) = delivery.last_error {
                errors.insert(delivery.attempts, error);
            }
        }
        Ok(Outbox { waiting: ids.len(), oldest, last_error: errors.pop_last().map(|(_, error)| error) })
    }
}

/// Statistics of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Number of waiting notifications.
    pub waiting: usize,
    /// Time since which the oldest waits.
    pub oldest: Option<DateTime<Utc>>,
    /// The last error of the notification with the most attempts.
    pub last_error: Option<String>,
}
