//! Reads the original's tree through its root: links that leave it are rejected, and nothing is written.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::report::ImportError;
use base::fsx::{EntryKind, RelPath, Root};
use process::{
    identity::{ProcStat, ProcessId},
    tree::ProcTable,
};
use tree::ids::RunId;

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

/// Maximum time between the start that a record names and that of its process. The clock may have been set since.
const START_SLACK: TimeDelta = TimeDelta::minutes(5);
/// Time without any change of a run's files after which it is not taken for live because of a bare pid.
const SILENCE: TimeDelta = TimeDelta::hours(24);

/// The facts that tell a live run from an ended one with a pid that another process has by now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs<'a> {
    pub(super) run: &'a RunId,
    /// Time of the run's start, as far as it is known.
    pub(super) began: Option<DateTime<Utc>>,
    /// Time of the last change of its files.
    pub(super) changed: Option<DateTime<Utc>>,
    pub(super) now: DateTime<Utc>,
}

/// Returns the pid of a run that seems to be live: its record says running, and the process with that pid is its own.
///
/// The original records no start time of the process, so the pid alone may be that of any process. A process has the
/// run's name in its environment, or it is as old as the run and the run's files have changed lately.
pub(super) fn seems_live(record: &Map<String, Value>, signs: Signs<'_>) -> Option<i64> {
    let running = record.get("status").and_then(Value::as_str) == Some("running");
    let pid = record.get("pid").and_then(Value::as_i64).filter(|pid| running && *pid > 0)?;
    let process = ProcStat::of(i32::try_from(pid).ok()?).filter(|process| !process.is_dead())?;
    let is_named = |(run, own): &(String, ProcessId)| run == signs.run.as_str() && *own == process.id;
    let named = || ProcTable::snapshot().runs().iter().any(is_named);
    (is_its_own(process.id.started_at(), signs) || named()).then_some(pid)
}

/// Decides if a process that started at this time can be the run's.
fn is_its_own(started: Option<DateTime<Utc>>, signs: Signs<'_>) -> bool {
    let Signs { began, changed, now, .. } = signs;
    let is_younger = started.zip(began).is_some_and(|(started, began)| started > began + START_SLACK);
    let is_silent = changed.is_none_or(|changed| now - changed > SILENCE);
    !is_younger && !is_silent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_pid_is_not_enough() {
        let run: RunId = "20260222-1601001234-12345-1".parse().unwrap();
        let at = |hour: i64| Some(DateTime::from_timestamp(1_790_000_000 + hour * 3600, 0).unwrap());
        let now = at(100).unwrap();
        for (started, began, changed, own) in [
            (at(90), at(90), at(99), true),
            // A person's own process may be older than the run that it stands for.
            (at(1), at(90), at(99), true),
            (at(91), at(90), at(99), false),
            (at(90), at(90), at(70), false),
            (at(1), None, at(99), true),
            (at(1), None, None, false),
            (None, at(90), at(99), true),
        ] {
            let signs = Signs { run: &run, began, changed, now };
            assert_eq!(is_its_own(started, signs), own, "{started:?} {began:?} {changed:?}");
        }
    }
}
