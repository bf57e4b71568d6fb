//! The streams of all runs of a task as one, oldest run first, live ones side by side.
//!
//! The cursor names the runs from the first one on that the stream has not sent to its end, oldest first, each with its
//! own cursor: `<run>:<cursor>,…`. Runs before the first named one are over, and runs after the last one have not been
//! sent.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    cursor::{BadCursor, Cursor, Note},
    reader::{LogEvent, RunLog, ShownStatus},
};
use crate::index::{RunSummary, TaskSummary};
use tree::{Result, Tree, ids::RunId};

/// The cursor before the first event.
const BEGINNING: &str = "-";
/// The minimum size of a run in a tail, which accounts for its status events.
const STATUS_BYTES: u64 = 64;

/// A position in the stream of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskCursor(Vec<(RunId, Cursor)>);

/// Reads the streams of a task's runs.
#[derive(Debug)]
pub struct TaskLog {
    tree: Tree,
    begin: TaskCursor,
    /// The runs that were begun, oldest first, without those that are over and left out of the cursor.
    runs: Vec<FollowedRun>,
    /// All runs up to this one are over.
    over: Option<RunId>,
}

#[derive(Debug)]
struct FollowedRun {
    run: Arc<RunSummary>,
    log: RunLog,
    cursor: Cursor,
}

impl FollowedRun {
    /// Returns true if any part of the run was sent or skipped.
    fn begun(&self) -> bool {
        self.cursor != Cursor::default()
    }
}

/// An event of one of the runs, and the cursor after it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLogEvent {
    /// The run.
    pub run: Arc<RunSummary>,
    /// The event.
    pub event: LogEvent,
    /// The position at which the stream continues.
    pub cursor: TaskCursor,
}

impl fmt::Display for TaskCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(BEGINNING);
        }
        for (n, (run, cursor)) in self.0.iter().enumerate() {
            write!(f, "{}{run}:{cursor}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for TaskCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> std::result::Result<Self, BadCursor> {
        if text == BEGINNING {
            return Ok(Self::default());
        }
        let one = |part: &str| {
            let (run, cursor) = part.split_once(':').ok_or(BadCursor)?;
            Ok((run.parse().map_err(|_| BadCursor)?, cursor.parse()?))
        };
        let runs = text.split(',').map(one).collect::<std::result::Result<Vec<_>, _>>()?;
        if runs.is_sorted_by(|a, b| a.0 < b.0) { Ok(Self(runs)) } else { Err(BadCursor) }
    }
}

impl TaskLog {
    /// Creates a reader that starts at a cursor.
    #[must_use]
    pub fn new(tree: Tree, cursor: TaskCursor) -> Self {
        Self { tree, begin: cursor, runs: Vec::new(), over: None }
    }

    /// Returns the cursor at which a task's stream has about `bytes` bytes left. These are the newest runs that
    /// together have printed no more, and the whole last lines of each file of the run before them, within the rest.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn tail(tree: &Tree, task: &TaskSummary, bytes: u64) -> Result<TaskCursor> {
        let (mut left, mut cut) = (bytes, Vec::new());
        for run in task.runs.iter().rev() {
            let id = &run.run.run;
            let size = RunLog::size(tree, &run.run)?;
            let printed = size.stdout.saturating_add(size.stderr);
            // A skipped run is named, too, so that the runs after it are sent from their beginning.
            if left == 0 && run.is_final() {
                cut.push((id.clone(), Cursor { note: Note::Done, ..size }));
                break;
            }
            if printed > left {
                cut.push((id.clone(), RunLog::tail(tree, &run.run, left)?));
                break;
            }
            left = left.saturating_sub(printed.max(STATUS_BYTES));
        }
        Ok(TaskCursor(cut))
    }

    /// Returns the next events; empty if there is nothing new. `task` was read before the files.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn read(&mut self, task: &TaskSummary) -> Result<Vec<TaskLogEvent>> {
        self.update_runs(task);
        let mut events = Vec::new();
        for n in 0..self.runs.len() {
            let known = &mut self.runs[n];
            let Some(status) = known.run.status.filter(|_| known.cursor.note != Note::Done) else { continue };
            let shown = ShownStatus { status, exit_code: known.run.exit_code };
            for (event, cursor) in known.log.read(shown)? {
                self.runs[n].cursor = cursor;
                let run = self.runs[n].run.clone();
                events.push(TaskLogEvent { run, event, cursor: self.cursor() });
            }
            // The events of later runs follow those of this run, which has more to say or has just ended.
            if !events.is_empty() {
                break;
            }
        }
        self.forget_what_is_over();
        Ok(events)
    }

    /// Updates the runs, and adds the new ones.
    fn update_runs(&mut self, task: &TaskSummary) {
        for run in &task.runs {
            let id = &run.run.run;
            if self.over.as_ref().is_some_and(|over| id <= over) {
                continue;
            }
            if let Some(known) = self.runs.iter_mut().find(|t| t.run.run == run.run) {
                known.run = run.clone();
                continue;
            }
            let at = match self.begin.0.iter().find(|(known, _)| known == id) {
                Some((_, cursor)) => *cursor,
                None if self.begin.0.first().is_some_and(|(first, _)| id < first) => continue,
                None => Cursor::default(),
            };
            let log = RunLog::new(self.tree.clone(), &run.run, at);
            self.runs.push(FollowedRun { run: run.clone(), log, cursor: at });
        }
    }

    /// The position of the next event.
    #[must_use]
    pub fn position(&self) -> TaskCursor {
        if self.runs.is_empty() { self.begin.clone() } else { self.cursor() }
    }

    fn cursor(&self) -> TaskCursor {
        let over = self.runs.iter().take_while(|t| t.cursor.note == Note::Done).count();
        // The last run that is over stays named, to record that, until the next run has begun.
        let first = over.saturating_sub(usize::from(!self.runs.get(over).is_some_and(FollowedRun::begun)));
        let named = self.runs[first..].iter().filter(|t| t.begun());
        TaskCursor(named.map(|t| (t.run.run.run.clone(), t.cursor)).collect())
    }

    fn forget_what_is_over(&mut self) {
        while self.runs.get(1).is_some_and(FollowedRun::begun) && self.runs[0].cursor.note == Note::Done {
            self.over = Some(self.runs.remove(0).run.run.run.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for text in ["-", "a:s=1;e=2;n=done", "a:s=1;e=2;n=running,b:s=0;e=0;n=created"] {
            assert_eq!(text.parse::<TaskCursor>().unwrap().to_string(), text);
        }
        for bad in
            ["", "a", "a:", "a:s=1;e=2;n=done,", "b:s=1;e=2;n=done,a:s=1;e=2;n=done", "../:s=1;e=2;n=done"]
        {
            assert_eq!(bad.parse::<TaskCursor>(), Err(BadCursor), "{bad}");
        }
    }
}
