//! What the audit log is told of an accepted submission.

use serde_json::Value;

use crate::tree::ids::{MsgId, ProjectId, RunId, TaskId};

/// An accepted submission.
#[derive(Debug, Clone, Default)]
pub struct Submitted {
    /// Names the request.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// The route.
    pub endpoint: &'static str,
    /// Where the client is.
    pub remote_addr: Option<String>,
    /// Name of the key that it came with.
    pub key_name: Option<String>,
    /// The project.
    pub project: Option<ProjectId>,
    /// The task.
    pub task: Option<TaskId>,
    /// The run that was made.
    pub run: Option<RunId>,
    /// The message that was posted.
    pub message: Option<MsgId>,
    /// What was sent.
    pub payload: Value,
}
