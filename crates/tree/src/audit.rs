//! `_audit/form-submissions.jsonl`: the log of accepted submissions, one per line, with the client and its request.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{
    Tree, TreeError,
    error::Result,
    ids::{MsgId, ProjectId, RunId, TaskId},
    paths::top,
};
use base::clock::rfc3339;

/// An accepted submission. Fields that do not apply are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Time of acceptance.
    #[serde(serialize_with = "microseconds")]
    pub timestamp: DateTime<Utc>,
    /// Id of the request, here and in the answer.
    pub request_id: String,
    /// The same id, under the name that other logs use.
    pub correlation_id: String,
    /// HTTP method.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// The route, with the names of its parameters.
    pub endpoint: String,
    /// Address of the client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remote_addr: Option<String>,
    /// Name of the key that authorized the request, never the key itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key_name: Option<String>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project_id: Option<ProjectId>,
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task_id: Option<TaskId>,
    /// The run that was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<RunId>,
    /// The message that was posted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<MsgId>,
    /// The request's body, without secrets and cut to a bounded length.
    pub payload: Value,
}

fn microseconds<S: Serializer>(at: &DateTime<Utc>, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*at))
}

impl Tree {
    /// Appends submissions. They survive the end of this process. To survive a power cut they need a
    /// [`Tree::sync_audit`]; one call can serve many appends.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn append_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)
                .map_err(|e| TreeError::Invalid(format!("unwritable audit entry: {e}")))?;
            lines.push(b'\n');
        }
        let rel = top::audit();
        self.root().ensure_dir(&rel.parent())?;
        Ok(self.root().append_derived(&rel, lines)?)
    }

    /// Makes all submissions as durable as the root's setting demands.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync_audit(&self) -> Result<()> {
        if !self.root().exists(&top::audit())? {
            return Ok(());
        }
        self.root().append(&top::audit(), |_| Ok((Vec::new(), ())))
    }
}
