//! The facts about an accepted submission for the audit log.

use serde_json::Value;

use crate::tree::ids::{MsgId, ProjectId, RunId, TaskId};

/// An accepted submission.
#[derive(Debug, Clone, Default)]
pub struct Submitted {
    /// The id of the request.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// The route.
    pub endpoint: &'static str,
    /// The address of the client.
    pub remote_addr: Option<String>,
    /// The name of the key in the request.
    pub key_name: Option<String>,
    /// The project.
    pub project: Option<ProjectId>,
    /// The task.
    pub task: Option<TaskId>,
    /// The created run.
    pub run: Option<RunId>,
    /// The posted message.
    pub message: Option<MsgId>,
    /// The content of the request.
    pub payload: Value,
}
