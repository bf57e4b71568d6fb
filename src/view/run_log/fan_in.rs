//! The streams of all runs of a task as one, oldest run first, live ones side by side.
//!
//! The cursor names, oldest first, every run from the first one on whose end was not told yet, each with its own
//! cursor: `<run>:<cursor>,…`. Runs before the first named one are over; runs behind the last one are yet to be told.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    cursor::{BadCursor, Cursor, Note},
    reader::{LogEvent, RunLog, Shown},
};
use crate::{
    tree::{Result, Tree, ids::RunId},
    view::index::{RunSummary, TaskSummary},
};

/// How the place before the first event is spelled.
const BEGINNING: &str = "-";
/// What a run counts at least in a tail, for what is said of its status.
const STATUS_BYTES: u64 = 64;

/// A place in the stream of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskCursor(Vec<(RunId, Cursor)>);

/// Reads the streams of a task's runs.
#[derive(Debug)]
pub struct TaskLog {
    tree: Tree,
    begin: TaskCursor,
    /// The runs that were begun, oldest first, and are not forgotten.
    runs: Vec<Told>,
    /// Runs up to this one are over.
    over: Option<RunId>,
}

#[derive(Debug)]
struct Told {
    run: Arc<RunSummary>,
    log: RunLog,
    cursor: Cursor,
}

impl Told {
    /// Whether anything of it was told, or left out.
    fn begun(&self) -> bool {
        self.cursor != Cursor::default()
    }
}

/// An event of one of the runs, and the cursor behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLogEvent {
    /// The run.
    pub run: Arc<RunSummary>,
    /// What it says.
    pub event: LogEvent,
    /// Where the stream goes on.
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
    /// A reader that begins at a cursor.
    #[must_use]
    pub fn new(tree: Tree, cursor: TaskCursor) -> Self {
        Self { tree, begin: cursor, runs: Vec::new(), over: None }
    }

    /// Where the stream of a task is cut to begin with the last `bytes` bytes: as many of its newest runs as have printed
    /// no more together, and of the one before them the whole lines at the end of either file within what is left.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn tail(tree: &Tree, task: &TaskSummary, bytes: u64) -> Result<TaskCursor> {
        let (mut left, mut cut) = (bytes, Vec::new());
        for run in task.runs.iter().rev() {
            let id = &run.run.run;
            let size = RunLog::size(tree, &run.run)?;
            let printed = size.stdout.saturating_add(size.stderr);
            // One of which nothing is told is named, too: the runs behind it are told from their beginning.
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

    /// The next events; none: nothing new is there. `task` was looked up before.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn read(&mut self, task: &TaskSummary) -> Result<Vec<TaskLogEvent>> {
        self.meet(task);
        let mut events = Vec::new();
        for n in 0..self.runs.len() {
            let told = &mut self.runs[n];
            let Some(status) = told.run.status.filter(|_| told.cursor.note != Note::Done) else { continue };
            let shown = Shown { status, exit_code: told.run.exit_code };
            for (event, cursor) in told.log.read(shown)? {
                self.runs[n].cursor = cursor;
                let run = self.runs[n].run.clone();
                events.push(TaskLogEvent { run, event, cursor: self.cursor() });
            }
            // A run that has more to say, or has ended: what follows is told behind it.
            if !events.is_empty() {
                break;
            }
        }
        self.forget_what_is_over();
        Ok(events)
    }

    /// Takes in how the runs stand, and those that are new.
    fn meet(&mut self, task: &TaskSummary) {
        for run in &task.runs {
            let id = &run.run.run;
            if self.over.as_ref().is_some_and(|over| id <= over) {
                continue;
            }
            if let Some(told) = self.runs.iter_mut().find(|t| t.run.run == run.run) {
                told.run = run.clone();
                continue;
            }
            let at = match self.begin.0.iter().find(|(known, _)| known == id) {
                Some((_, cursor)) => *cursor,
                None if self.begin.0.first().is_some_and(|(first, _)| id < first) => continue,
                None => Cursor::default(),
            };
            let log = RunLog::new(self.tree.clone(), &run.run, at);
            self.runs.push(Told { run: run.clone(), log, cursor: at });
        }
    }

    /// Where the next event begins.
    #[must_use]
    pub fn place(&self) -> TaskCursor {
        if self.runs.is_empty() { self.begin.clone() } else { self.cursor() }
    }

    fn cursor(&self) -> TaskCursor {
        let over = self.runs.iter().take_while(|t| t.cursor.note == Note::Done).count();
        // The last one that is over stays, to say that it is, until the one behind it has begun.
        let first = over.saturating_sub(usize::from(!self.runs.get(over).is_some_and(Told::begun)));
        let named = self.runs[first..].iter().filter(|t| t.begun());
        TaskCursor(named.map(|t| (t.run.run.run.clone(), t.cursor)).collect())
    }

    fn forget_what_is_over(&mut self) {
        while self.runs.get(1).is_some_and(Told::begun) && self.runs[0].cursor.note == Note::Done {
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
