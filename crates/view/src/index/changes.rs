//! Changes: the last changes of runs, numbered, so that a client that was away for a moment misses none. Also the
//! current states of changed projects and tasks.

use std::{collections::VecDeque, sync::Arc};

use super::entry::{ProjectEntry, RunSummary, TaskSummary};
use tree::{ids::ProjectId, refs::TaskRef, run_info::RunStatus};

/// Number of changes that are kept; a client that was away for longer gets everything again.
const KEPT: usize = 8192;
/// Maximum number of changes that are returned at once.
const PAGE: usize = 256;

/// The kind of a run's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The run was created.
    Created,
    /// The agent started.
    Started,
    /// Any other change.
    Updated,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number.
    pub revision: u64,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The run at that time.
    pub run: Arc<RunSummary>,
}

/// The changes after a revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    /// These changes, oldest first.
    Changes(Vec<Change>),
    /// The revision is too old, or does not exist yet.
    Unknown,
}

/// A project or task that has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeChange {
    /// The number of its last change.
    pub revision: u64,
    /// Its current state.
    pub now: EntryState,
}

/// The current state of a project or task.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryState {
    /// The project exists.
    Project(ProjectEntry),
    /// The task exists.
    Task(Arc<TaskSummary>),
    /// The project does not exist any more.
    NoProject(ProjectId),
    /// The task does not exist any more.
    NoTask(TaskRef),
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct History {
    last: u64,
    changes: VecDeque<Change>,
}

impl History {
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Forgets the changes, and keeps counting.
    pub(super) fn forget(&mut self) {
        self.changes.clear();
    }

    /// Records the changes of a run.
    pub(super) fn note(&mut self, before: Option<&RunSummary>, now: &Arc<RunSummary>) {
        for kind in kinds(before, now) {
            self.last += 1;
            // A run may have begun and ended between two looks. Its start is still reported, with the state that it
            // had then.
            let late = *kind == ChangeKind::Started && now.status != Some(RunStatus::Running);
            let run = if late { Arc::new(now.while_running()) } else { now.clone() };
            self.changes.push_back(Change { revision: self.last, kind: *kind, run });
        }
        while self.changes.len() > KEPT {
            self.changes.pop_front();
        }
    }

    pub(super) fn since(&self, revision: u64) -> Since {
        let first = self.last - self.changes.len() as u64;
        if revision < first || revision > self.last {
            return Since::Unknown;
        }
        let skip = usize::try_from(revision - first).unwrap_or(usize::MAX);
        Since::Changes(self.changes.iter().skip(skip).take(PAGE).cloned().collect())
    }
}

/// Returns each step that a run has made, even if it is seen late.
fn kinds(before: Option<&RunSummary>, now: &RunSummary) -> &'static [ChangeKind] {
    use ChangeKind::{Created, Started, Updated};
    let was_running = before.is_some_and(|b| b.status == Some(RunStatus::Running));
    let unseen_start = now.has_begun && before.is_none_or(|b| b.status == Some(RunStatus::Created));
    match (before, now.status) {
        (Some(before), _) if before == now => &[],
        (None, Some(RunStatus::Created) | None) => &[Created],
        (None, Some(RunStatus::Running)) => &[Created, Started],
        (None, Some(_)) if unseen_start => &[Created, Started, Updated],
        (None, Some(_)) => &[Created, Updated],
        (Some(_), Some(RunStatus::Running)) if !was_running => &[Started],
        (Some(_), Some(status)) if status.is_final() && unseen_start => &[Started, Updated],
        (Some(_), _) => &[Updated],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::RunEntry;

    fn run(status: Option<RunStatus>) -> Arc<RunSummary> {
        let task = tree::refs::TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        let run = task.run("20260205-10000100001-1-0001".parse().unwrap());
        let record = Err(tree::TreeError::Invalid("x".to_owned()));
        Arc::new(RunSummary { status, ..RunSummary::of(RunEntry { run, record, job: None }, None) })
    }

    #[test]
    fn every_step_is_told_once() {
        use ChangeKind::{Created, Started, Updated};
        let (created, running, never_begun) =
            (run(Some(RunStatus::Created)), run(Some(RunStatus::Running)), run(Some(RunStatus::Failed)));
        let ended = RunSummary { has_begun: true, ..(*run(Some(RunStatus::Completed))).clone() };
        let ended = Arc::new(RunSummary { exit_code: Some(0), settled: true, ..ended });
        for (before, now, told) in [
            (None, &created, &[Created][..]),
            (None, &running, &[Created, Started]),
            (None, &never_begun, &[Created, Updated]),
            (None, &ended, &[Created, Started, Updated]),
            (Some(&created), &running, &[Started]),
            (Some(&created), &ended, &[Started, Updated]),
            (Some(&created), &never_begun, &[Updated]),
            (Some(&running), &ended, &[Updated]),
            (Some(&running), &running, &[]),
            (None, &run(None), &[Created]),
        ] {
            assert_eq!(kinds(before.map(Arc::as_ref), now), told);
        }
        let mut history = History::default();
        history.note(Some(&created), &ended);
        let Since::Changes(told) = history.since(0) else { panic!("nothing is forgotten") };
        let told: Vec<_> = told.iter().map(|c| (c.run.status, c.run.exit_code)).collect();
        assert_eq!(told, [(Some(RunStatus::Running), None), (Some(RunStatus::Completed), Some(0))]);
    }

    #[test]
    fn who_was_away_too_long_is_told_so() {
        let mut history = History::default();
        assert_eq!(history.since(0), Since::Changes(Vec::new()));
        assert_eq!(history.since(1), Since::Unknown);
        for _ in 0..KEPT + 10 {
            history.note(None, &run(Some(RunStatus::Created)));
        }
        assert_eq!(history.since(9), Since::Unknown);
        let Since::Changes(page) = history.since(10) else { panic!("ten is still known") };
        assert_eq!((page.len(), page[0].revision), (PAGE, 11));
    }
}
