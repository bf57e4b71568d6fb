//! The log of accepted submissions: each request without secrets, in lines of bounded length.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{coalesce::Coalescer, parts::Parts};
use base::{blocking, telemetry::Redactor};
use tree::{
    audit::AuditEntry,
    ids::{MsgId, ProjectId, RunId, TaskId},
};

/// Interval in which the log is made durable while lines are added.
const SYNC: Duration = Duration::from_secs(1);
/// Maximum length of a field's text that is kept, in bytes.
const MAX_TEXT: usize = 4096;
/// Maximum size of a payload that is kept, in bytes of JSON; of a longer one only the size is recorded.
const MAX_PAYLOAD: usize = 64 * 1024;

/// An accepted submission.
#[derive(Debug, Clone, Default)]
pub struct AuditedSubmission {
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

/// The log of accepted submissions.
#[derive(Debug)]
pub struct AuditLog {
    parts: Parts,
    submissions: Coalescer<(), AuditedSubmission, ()>,
    /// Something was written.
    written: Notify,
}

impl AuditLog {
    /// The log of the daemon's tree.
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, submissions: Coalescer::default(), written: Notify::new() })
    }

    /// Makes new lines of the log durable a moment later, until the shutdown begins. So the log does not delay a
    /// submission.
    pub(super) async fn keep(self: Arc<Self>) {
        let noticed = async || {
            self.written.notified().await;
            tokio::time::sleep(SYNC).await;
        };
        while self.parts.shutdown.token().run_until_cancelled(noticed()).await.is_some() {
            let tree = self.parts.runner.tree.clone();
            if let Err(e) = blocking::run(move || tree.sync_audit()).await {
                tracing::warn!(error = %e, "cannot sync the audit log: recent entries could be lost in a power failure");
            }
        }
    }

    /// Adds a submission to the log. A failure is only logged, because the submission itself has been executed.
    pub async fn record(self: &Arc<Self>, submitted: AuditedSubmission) {
        let log = self.clone();
        self.submissions.ask((), submitted, move |(), many| log.write_down(many)).await;
    }

    fn write_down(&self, submitted: Vec<AuditedSubmission>) -> Vec<()> {
        let done = vec![(); submitted.len()];
        let entries: Vec<AuditEntry> = submitted.into_iter().map(|s| self.entry(s)).collect();
        if let Err(e) = self.parts.runner.tree.append_audit(&entries) {
            let requests: Vec<_> = entries.iter().map(|entry| entry.request_id.as_str()).collect();
            tracing::warn!(error = %e, ?requests, "cannot write submissions to the audit log");
        }
        self.written.notify_one();
        done
    }

    fn entry(&self, submitted: AuditedSubmission) -> AuditEntry {
        AuditEntry {
            timestamp: self.parts.runner.tree.clock().now(),
            correlation_id: submitted.request_id.clone(),
            request_id: submitted.request_id,
            method: submitted.method,
            path: submitted.path,
            endpoint: submitted.endpoint.to_owned(),
            remote_addr: submitted.remote_addr,
            key_name: submitted.key_name,
            project_id: submitted.project,
            task_id: submitted.task,
            run_id: submitted.run,
            message_id: submitted.message,
            payload: sanitized(submitted.payload, &self.parts.runner.redactor),
        }
    }
}

/// Returns the payload without secrets, its long texts truncated.
fn sanitized(mut payload: Value, redactor: &Redactor) -> Value {
    // Redacted before anything is truncated, because half a secret is not recognised.
    redactor.json(&mut payload);
    cut(&mut payload);
    match payload.to_string().len() {
        bytes if bytes > MAX_PAYLOAD => json!({ "truncated": true, "bytes": bytes }),
        _ => payload,
    }
}

fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MAX_TEXT => {
            let end = text.floor_char_boundary(MAX_TEXT);
            let left = text.len() - end;
            text.truncate(end);
            // Writing to a `String` cannot fail.
            let _ = write!(text, "... [truncated {left} bytes]");
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(map) => map.values_mut().for_each(cut),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_long_texts_are_cut() {
        let redactor = Redactor::new(["hunter2hunter2"]);
        let long = "ü".repeat(4096);
        let payload = json!({
            "prompt": "use Bearer abcdef123456 and hunter2hunter2", "api_key": "x", "list": [{"password": 5}],
            "body": long, "n": 7, "none": null,
        });
        let clean = sanitized(payload, &redactor);
        assert_eq!(clean["prompt"], "use Bearer [REDACTED] and [REDACTED]");
        assert_eq!(
            (&clean["api_key"], &clean["list"][0]["password"]),
            (&json!("[REDACTED]"), &json!("[REDACTED]"))
        );
        let body = clean["body"].as_str().unwrap();
        assert!(body.starts_with("üü") && body.ends_with("... [truncated 4096 bytes]"), "{}", body.len());
        assert_eq!((&clean["n"], &clean["none"]), (&json!(7), &json!(null)));
        let many = Value::from(vec!["x".repeat(1000); 100]);
        assert_eq!(sanitized(many, &redactor)["truncated"], true);
    }
}
