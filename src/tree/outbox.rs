//! `_daemon/outbox/<run_id>.<event>.json`: what somebody outside is to be told, a file for each telling.
//!
//! Whoever commits the end of a run puts it here first; the daemon takes it away when it was taken there. Both may do
//! so twice, after a crash: the id of a telling is a function of what is told, so that the other side can see it.

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
use crate::{
    fsx::{Published, RelPath},
    record::{self, Record, Spelling},
};

/// The most tellings that wait at a time; beyond it the oldest are let go.
pub const MOST: usize = 10_000;

/// One telling on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Format version; 1.
    pub version: u64,
    /// Names it, also to the other side: `<run_id>.<event>`.
    pub id: String,
    /// What happened: `run_stop`.
    pub event: String,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// Not before then again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<DateTime<Utc>>,
    /// Why it was not taken the last time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// The body that is posted, byte for byte.
    pub body: String,
}

impl Record for Delivery {
    const SPELLING: Spelling = Spelling::Json;
}

/// The body of `run_stop`: how a run has ended.
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
    /// The run whose agent asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// Number of the attempt in its loop; 1 is the first.
    pub attempt: u32,
    /// Name of the agent in the configuration.
    pub agent: String,
    /// `completed`, `failed`, `stopped` or `crashed`.
    pub status: RunStatus,
    /// Exit code, where the process exited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Signal, where one ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// One sentence on why it did not succeed, secrets redacted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_summary: Option<String>,
    /// When it began.
    pub start_time: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_time: Option<DateTime<Utc>>,
}

impl RunStop {
    /// The name of the event.
    pub const EVENT: &'static str = "run_stop";

    /// What the record of an ended run says. `redact` takes secrets out of words.
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
    /// Puts a telling into the outbox, durably. `false`: it waits there already.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn put_delivery(&self, delivery: &Delivery) -> Result<bool> {
        self.root().ensure_dir(&top::outbox())?;
        let path = place(&delivery.id);
        let published = self.root().publish(&path, &record::bytes(self.root(), &path, delivery)?)?;
        Ok(published == Published::Ours)
    }

    /// The ids of what waits, the oldest run first.
    ///
    /// # Errors
    /// If the outbox cannot be read.
    pub fn deliveries(&self) -> Result<Vec<String>> {
        let names = self.root().list(&top::outbox())?;
        // Temporary names of files that are being written begin with a dot.
        let ids = names.iter().filter_map(|e| e.name.strip_suffix(".json").filter(|id| !id.starts_with('.')));
        Ok(ids.map(str::to_owned).collect())
    }

    /// One that waits; `None` if it does not any more.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn delivery(&self, id: &str) -> Result<Option<Delivery>> {
        Ok(record::read(self.root(), &place(id))?)
    }

    /// Writes down what came of an attempt.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn update_delivery(&self, delivery: &Delivery) -> Result<()> {
        Ok(record::write(self.root(), &place(&delivery.id), delivery)?)
    }

    /// Takes one out of the outbox.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_delivery(&self, id: &str) -> Result<()> {
        self.root().remove(&place(id))?;
        Ok(())
    }

    /// What waits, and why, in figures: how many, since when, and the last error of the oldest.
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

/// The outbox in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Tellings that wait.
    pub waiting: usize,
    /// Since when the oldest does.
    pub oldest: Option<DateTime<Utc>>,
    /// Why the one that was tried most was not taken.
    pub last_error: Option<String>,
}
