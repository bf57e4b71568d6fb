//! Reads the original's tree through its root: links that leave it are rejected, and nothing is written.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::report::ImportError;
use base::fsx::{EntryKind, RelPath, Root};
use process::identity::ProcStat;

/// The original's names of its message buses.
pub(super) const TASK_BUS: &str = "TASK-MESSAGE-BUS.md";
pub(super) const PROJECT_BUS: &str = "PROJECT-MESSAGE-BUS.md";

/// Largest sizes of a bus and of a record.
const MAX_BUS: u64 = 1024 * 1024 * 1024;
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Returns the names of the folders in a folder.
pub(super) fn folders(root: &Root, rel: &RelPath) -> Result<Vec<String>, ImportError> {
    let entries = root.list(rel)?;
    Ok(entries.into_iter().filter(|e| e.kind == EntryKind::Dir).map(|e| e.name).collect())
}

/// Returns true if there is a regular file at the path.
pub(super) fn has(root: &Root, rel: &RelPath) -> bool {
    root.stat(rel).ok().flatten().is_some_and(|s| s.kind == EntryKind::File)
}

/// Reads the text of a small file. Bytes that are not UTF-8 are replaced.
pub(super) fn text(root: &Root, rel: &RelPath) -> Result<Option<String>, ImportError> {
    Ok(root.read_opt(rel, MAX_FILE)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads the text of a bus.
pub(super) fn bus(root: &Root, rel: &RelPath) -> Result<Option<String>, ImportError> {
    Ok(root.read_opt(rel, MAX_BUS)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads a YAML file with keys and values.
pub(super) fn yaml(root: &Root, rel: &RelPath) -> Result<Option<Map<String, Value>>, ImportError> {
    let Some(text) = text(root, rel)? else { return Ok(None) };
    let left = |why: String| ImportError::Skipped(format!("{} {why}", rel.name()));
    match serde_yaml::from_str::<Value>(&text) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(_) => Err(left("has no keys".to_owned())),
        Err(e) => Err(left(format!("is not readable: {}", e.without_snippet()))),
    }
}

/// Returns the time at which a file was last written.
pub(super) fn written(root: &Root, rel: &RelPath) -> Option<DateTime<Utc>> {
    let nanoseconds = root.stat(rel).ok().flatten()?.modified_ns;
    Some(DateTime::from_timestamp_nanos(i64::try_from(nanoseconds).ok()?))
}

/// Returns the pid of a run that seems to be live: its record says running, and a process has that pid.
pub(super) fn seems_live(record: &Map<String, Value>) -> Option<i64> {
    let running = record.get("status").and_then(Value::as_str) == Some("running");
    let pid = record.get("pid").and_then(Value::as_i64).filter(|pid| running && *pid > 0)?;
    let there = ProcStat::of(i32::try_from(pid).ok()?).is_some_and(|process| !process.is_dead());
    there.then_some(pid)
}
