//! Lists: filters and sorts tasks and runs, page by page.
//!
//! A page continues after a cursor, which names the last shown entry by its sort key. So entries that come and go
//! meanwhile neither repeat an entry nor hide one. Only an entry with a changed sort key (its last activity) moves,
//! and is found at its new position. Names never change.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    entry::{RunSummary, TaskSummary},
    state::State,
};
use crate::task::TaskStatus;
use tree::{
    ids::{ProjectId, RunId},
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
};

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<Arc<T>>,
    /// The number of selected entries over all pages.
    pub total: usize,
    /// True if more follow.
    pub more: bool,
}

/// Selects a part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The number of skipped entries.
    pub offset: usize,
    /// The maximum number of entries.
    pub limit: usize,
}

/// A sort direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The smallest, or oldest, first.
    Up,
    /// The largest, or newest, first.
    Down,
}

/// The sort key of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSort {
    /// Their names.
    Name(Sort),
    /// Their last activity.
    Activity(Sort),
}

/// A selection of runs.
#[derive(Debug, Clone)]
pub struct RunQuery {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this task.
    pub task: Option<TaskRef>,
    /// Those with one of these statuses; all if empty.
    pub status: Vec<RunStatus>,
    /// Those that began or ended at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// By their ids, which sort by time.
    pub sort: Sort,
    /// After this one.
    pub after: Option<RunRef>,
    /// The part of the list.
    pub window: Window,
}

/// A selection of tasks.
#[derive(Debug, Clone)]
pub struct TaskQuery {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Those with one of these statuses; all if empty.
    pub status: Vec<TaskFilter>,
    /// Those with activity at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// In this order.
    pub sort: TaskSort,
    /// After this one.
    pub after: Option<TaskCursor>,
    /// The part of the list.
    pub window: Window,
}

/// The status of a selected task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskFilter {
    /// This status.
    Is(TaskStatus),
    /// Completed, although not all its runs succeeded.
    PartialFailure,
}

/// A text that is not a cursor of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list")]
pub struct BadCursor;

/// The position at which a list of tasks continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCursor {
    task: TaskRef,
    activity: Option<DateTime<Utc>>,
}

impl RunSummary {
    /// The cursor of a list that continues after this run.
    #[must_use]
    pub fn cursor(&self) -> String {
        format!("{}.{}.{}", self.run.run, self.run.task.project, self.run.task.task)
    }
}

impl TaskSummary {
    /// The cursor of a list that continues after this task.
    #[must_use]
    pub fn cursor(&self) -> TaskCursor {
        TaskCursor { task: self.task.clone(), activity: self.last_activity }
    }
}

impl RunQuery {
    /// Parses a cursor that [`RunSummary::cursor`] made.
    ///
    /// # Errors
    /// If the text is not such a cursor.
    pub fn cursor(text: &str) -> Result<RunRef, BadCursor> {
        let mut names = text.split('.');
        let (Some(run), Some(project), Some(task), None) =
            (names.next(), names.next(), names.next(), names.next())
        else {
            return Err(BadCursor);
        };
        let task = TaskRef {
            project: project.parse().map_err(|_| BadCursor)?,
            task: task.parse().map_err(|_| BadCursor)?,
        };
        Ok(task.run(run.parse().map_err(|_| BadCursor)?))
    }
}

impl fmt::Display for TaskCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", micros(self.activity), self.task.project, self.task.task)
    }
}

impl FromStr for TaskCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let parse = || {
            let (micros, rest) = text.split_once('.')?;
            let (project, task) = rest.split_once('.')?;
            let micros: i64 = micros.parse().ok()?;
            let activity = if micros == 0 { None } else { Some(DateTime::from_timestamp_micros(micros)?) };
            let task = TaskRef { project: project.parse().ok()?, task: task.parse().ok()? };
            Some(Self { task, activity })
        };
        parse().ok_or(BadCursor)
    }
}

impl TaskFilter {
    /// The words of this API.
    pub const WORDS: &[&str] =
        &["queued", "running", "blocked", "completed", "failed", "stopped", "idle", "partial_failure"];
}

impl FromStr for TaskFilter {
    type Err = String;

    /// Accepts the words of this API and those of the original's clients.
    fn from_str(word: &str) -> Result<Self, String> {
        Ok(Self::Is(match word {
            "queued" | "postponed" => TaskStatus::Queued,
            "running" | "active" => TaskStatus::Running,
            "blocked" => TaskStatus::Blocked,
            "completed" | "done" | "all_finished" => TaskStatus::Completed,
            "failed" => TaskStatus::Failed,
            "stopped" => TaskStatus::Stopped,
            "idle" => TaskStatus::Idle,
            "partial_failure" => return Ok(Self::PartialFailure),
            _ => {
                let known = Self::WORDS.join(", ");
                return Err(format!("'{}' is not one of {known}", word.escape_debug()));
            }
        }))
    }
}

impl TaskFilter {
    fn takes(self, task: &TaskSummary) -> bool {
        match self {
            Self::Is(status) => task.status() == status,
            Self::PartialFailure => {
                let failed = |r: &Arc<RunSummary>| r.is_final() && r.status != Some(RunStatus::Completed);
                task.status() == TaskStatus::Completed && task.runs.iter().any(failed)
            }
        }
    }
}

/// Returns the runs of a query.
pub(super) fn runs(state: &State, query: &RunQuery) -> Page<RunSummary> {
    let task = query.task.as_ref().map(|t| state.task(t));
    let newest: Box<dyn DoubleEndedIterator<Item = &Arc<RunSummary>>> = match &task {
        None => Box::new(state.newest_first()),
        Some(Some(task)) => Box::new(task.runs.iter().rev()),
        Some(None) => Box::new(std::iter::empty()),
    };
    let wanted = |run: &RunSummary| {
        query.project.as_ref().is_none_or(|p| run.run.task.project == *p)
            && (query.status.is_empty() || run.status.is_some_and(|s| query.status.contains(&s)))
            && query
                .since
                .is_none_or(|since| run.end_time.or(run.made_or_started).is_some_and(|at| at >= since))
    };
    let behind = |run: &RunSummary| {
        query.after.as_ref().is_none_or(|after| directed(query.sort, key(&run.run).cmp(&key(after))))
    };
    match query.sort {
        Sort::Down => page(newest, wanted, behind, query.window),
        Sort::Up => page(newest.rev(), wanted, behind, query.window),
    }
}

/// Returns the tasks of a query.
pub(super) fn tasks(state: &State, query: &TaskQuery) -> Page<TaskSummary> {
    let wanted = |task: &TaskSummary| {
        (query.status.is_empty() || query.status.iter().any(|f| f.takes(task)))
            && query.since.is_none_or(|since| task.last_activity.is_some_and(|at| at >= since))
    };
    let mut all: Vec<&Arc<TaskSummary>> = state.of_project(query.project.as_ref()).collect();
    let (sort, order): (Sort, fn(&TaskCursor, &TaskCursor) -> Ordering) = match query.sort {
        TaskSort::Name(sort) => (sort, |a, b| a.task.cmp(&b.task)),
        TaskSort::Activity(sort) => {
            all.sort_by_key(|t| (micros(t.last_activity), &t.task));
            (sort, |a, b| (micros(a.activity), &a.task).cmp(&(micros(b.activity), &b.task)))
        }
    };
    if sort == Sort::Down {
        all.reverse();
    }
    let behind =
        |task: &TaskSummary| query.after.as_ref().is_none_or(|at| directed(sort, order(&task.cursor(), at)));
    page(all.into_iter(), wanted, behind, query.window)
}

/// A time in a cursor; 0 if there is none.
fn micros(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |t| t.timestamp_micros())
}

/// The sort key of runs: their ids first, which sort by time.
fn key(run: &RunRef) -> (&RunId, &TaskRef) {
    (&run.run, &run.task)
}

/// Returns true if an entry with this ordering comes later.
fn directed(sort: Sort, order: Ordering) -> bool {
    match sort {
        Sort::Up => order == Ordering::Greater,
        Sort::Down => order == Ordering::Less,
    }
}

fn page<'a, T: 'a>(
    all: impl Iterator<Item = &'a Arc<T>>,
    wanted: impl Fn(&T) -> bool,
    behind: impl Fn(&T) -> bool,
    window: Window,
) -> Page<T> {
    let mut page = Page { items: Vec::new(), total: 0, more: false };
    let mut passed = 0;
    for entry in all.filter(|e| wanted(e)) {
        page.total += 1;
        if page.more || !behind(entry) {
            continue;
        }
        if passed < window.offset {
            passed += 1;
        } else if page.items.len() < window.limit {
            page.items.push(entry.clone());
        } else {
            page.more = true;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{scan::RunEntry, task::TaskFacts, task_files::TaskFiles};
    use tree::TreeError;

    const ALL: Window = Window { offset: 0, limit: usize::MAX };

    fn task(name: &str, minute: i64, status: RunStatus) -> TaskSummary {
        let task = TaskRef { project: "p".parse().unwrap(), task: name.parse().unwrap() };
        let at = DateTime::from_timestamp(minute * 60, 0).unwrap();
        let run = task.run(format!("20260205-1000{minute:02}0000-1-0001").parse().unwrap());
        let entry = RunEntry { run, record: Err(TreeError::Invalid("x".to_owned())), job: None };
        let run = RunSummary { status: Some(status), start_time: Some(at), ..RunSummary::of(entry, None) };
        TaskSummary {
            task,
            facts: TaskFacts { done: true, ..TaskFacts::default() },
            standing: None,
            agent: String::new(),
            depends_on: Vec::new(),
            runs: vec![Arc::new(run)],
            last_activity: Some(at),
            thread_parent: None,
            last_output: None,
            faults: Vec::new(),
            files: TaskFiles::default(),
        }
    }

    fn state(tasks: &[(&str, i64, RunStatus)]) -> State {
        let mut state = State::default();
        for (name, minute, status) in tasks {
            let summary = task(name, *minute, *status);
            state.put(&summary.task.clone(), Some(summary));
        }
        state
    }

    fn query() -> TaskQuery {
        let sort = TaskSort::Name(Sort::Up);
        TaskQuery { project: None, status: Vec::new(), since: None, sort, after: None, window: ALL }
    }

    fn names(page: &Page<TaskSummary>) -> Vec<&str> {
        page.items.iter().map(|t| t.task.task.as_str()).collect()
    }

    #[test]
    fn tasks_are_sorted_and_picked() {
        use RunStatus::{Completed, Failed};
        let state = state(&[("a", 2, Completed), ("b", 3, Failed), ("c", 1, Completed)]);
        let since = DateTime::from_timestamp(120, 0);
        for (query, expected, total) in [
            (query(), vec!["a", "b", "c"], 3),
            (TaskQuery { sort: TaskSort::Name(Sort::Down), ..query() }, vec!["c", "b", "a"], 3),
            (TaskQuery { sort: TaskSort::Activity(Sort::Up), ..query() }, vec!["c", "a", "b"], 3),
            (TaskQuery { sort: TaskSort::Activity(Sort::Down), ..query() }, vec!["b", "a", "c"], 3),
            (TaskQuery { since, ..query() }, vec!["a", "b"], 2),
            (TaskQuery { status: vec![TaskFilter::PartialFailure], ..query() }, vec!["b"], 1),
            (TaskQuery { status: vec!["idle".parse().unwrap()], ..query() }, vec![], 0),
            (TaskQuery { window: Window { offset: 1, limit: 1 }, ..query() }, vec!["b"], 3),
        ] {
            let page = tasks(&state, &query);
            assert_eq!((names(&page), page.total), (expected, total), "{query:?}");
        }
    }

    #[test]
    fn what_comes_between_two_pages_hides_and_repeats_nothing() {
        use RunStatus::Completed;
        let mut state = state(&[("b", 2, Completed), ("d", 4, Completed), ("f", 1, Completed)]);
        for sort in [TaskSort::Name(Sort::Up), TaskSort::Activity(Sort::Down)] {
            let one = Window { offset: 0, limit: 1 };
            let mut query = TaskQuery { sort, window: one, ..query() };
            let mut seen = Vec::new();
            for n in 0.. {
                let page = tasks(&state, &query);
                seen.extend(names(&page).into_iter().map(str::to_owned));
                // New entries before and after those already shown.
                for name in [format!("a{n}"), format!("c{n}")].iter().filter(|_| n < 2) {
                    let new = task(name, 50, Completed);
                    state.put(&new.task.clone(), Some(new));
                }
                let Some(last) = page.items.last().filter(|_| page.more && n < 9) else { break };
                query.after = Some(last.cursor().to_string().parse().unwrap());
            }
            for name in ["b", "d", "f"] {
                assert_eq!(seen.iter().filter(|s| *s == name).count(), 1, "{name} {seen:?} {sort:?}");
            }
        }
    }

    #[test]
    fn a_task_is_wanted_as_long_as_one_of_its_runs_is_open() {
        let mut state = State::default();
        for (settled, wanted) in [(false, true), (true, false), (false, true)] {
            let mut summary = task("a", 1, RunStatus::Running);
            let ended = Arc::make_mut(&mut task("a", 0, RunStatus::Completed).runs[0]).clone();
            Arc::make_mut(&mut summary.runs[0]).settled = settled;
            summary.runs.insert(0, Arc::new(RunSummary { settled: true, ..ended }));
            let name = summary.task.clone();
            state.put(&name, Some(summary));
            assert_eq!(!state.wanted().is_empty(), wanted, "{settled}");
        }
        let name = task("a", 1, RunStatus::Running).task;
        state.put(&name, None);
        assert_eq!(state.wanted(), Vec::new());
    }

    #[test]
    fn runs_come_newest_first_and_a_cursor_is_a_place() {
        use RunStatus::{Completed, Failed};
        let state = state(&[("a", 2, Completed), ("b", 3, Failed), ("c", 1, Completed)]);
        let query = RunQuery {
            project: None,
            task: None,
            status: Vec::new(),
            since: None,
            sort: Sort::Down,
            after: None,
            window: ALL,
        };
        let shown = |query: &RunQuery| {
            let page = runs(&state, query);
            page.items.iter().map(|r| r.run.task.task.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(&query), ["b", "a", "c"]);
        assert_eq!(shown(&RunQuery { sort: Sort::Up, ..query.clone() }), ["c", "a", "b"]);
        assert_eq!(shown(&RunQuery { status: vec![Failed], ..query.clone() }), ["b"]);
        let newest = runs(&state, &query).items[0].cursor();
        let after = Some(RunQuery::cursor(&newest).unwrap());
        assert_eq!(shown(&RunQuery { after, ..query.clone() }), ["a", "c"]);
        let task = Some(TaskRef { project: "p".parse().unwrap(), task: "c".parse().unwrap() });
        assert_eq!(shown(&RunQuery { task, ..query }), ["c"]);
        for bad in ["", "a", "a.b", "a.b.c.d", "../x.p.t"] {
            assert_eq!(RunQuery::cursor(bad), Err(BadCursor), "{bad}");
            assert!(bad.parse::<TaskCursor>().is_err(), "{bad}");
        }
    }
}
