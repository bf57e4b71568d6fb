//! The last error of a live agent that waits or retries by itself: the run looks idle meanwhile.

use super::facts::LastError;
use crate::run_log::{LogStream, Marks};
use tree::{
    Result, Tree,
    event::{Event, EventKind},
    refs::RunRef,
};

/// Number of bytes at the end of events.jsonl that are searched.
const TAIL: u64 = 128 * 1024;
/// Largest number of characters of a message.
const LONGEST: usize = 200;

/// Returns the error that the agent printed last, unless it has worked on since.
pub(super) fn last_error(tree: &Tree, run: &RunRef) -> Result<Option<LastError>> {
    let (root, dir) = (tree.root(), run.dir());
    if !root.is_file(&dir.events())? {
        return Ok(None);
    }
    let file = root.open_read(&dir.events())?;
    let size = file.size()?;
    let bytes = file.read_range(size.saturating_sub(TAIL), size)?;
    let events = bytes.rsplit(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Event>(line).ok());
    for event in events {
        match &event.kind {
            EventKind::Error { message, http_status, .. } => {
                let status = http_status.map(|status| format!("HTTP {status}: ")).unwrap_or_default();
                let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let message = format!("{status}{}", line.trim()).chars().take(LONGEST).collect();
                let at = match event.time {
                    Some(at) => Some(at),
                    None => Marks::new(dir.log_times(), LogStream::Stdout).time_of(root, event.end())?,
                };
                return Ok(Some(LastError { at, message }));
            }
            // These do not mean that the agent has made progress.
            EventKind::Session { .. } | EventKind::Usage { .. } | EventKind::Raw { .. } => {}
            EventKind::Message { .. }
            | EventKind::Reasoning { .. }
            | EventKind::ToolCall { .. }
            | EventKind::ToolResult { .. }
            | EventKind::FileChange { .. }
            | EventKind::TurnEnd { .. } => return Ok(None),
        }
    }
    Ok(None)
}
