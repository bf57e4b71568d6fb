//! Follows the statuses and the output of all runs, as `/api/v1/runs/stream/all` of the original does: its page takes the
//! end of a run from there.
//!
//! The statuses come from the index, in their order. Before the end of a run is sent, its output is sent to the end.
//! As in the original, the output of a run that is already there begins with what it prints next.

use std::{collections::VecDeque, sync::Arc};

use chrono::TimeDelta;
use futures_util::{
    FutureExt,
    future::{BoxFuture, select_all},
};

use super::{
    all_runs::AllRunsSource,
    run::RunSource,
    source::{Content, PollResult, Room, Source, SourceEvent},
};
use crate::{Api, error::Result};
use base::blocking;
use tree::{refs::RunRef, run_info::RunStatus};
use view::{
    index::{ChangeKind, RunSummary},
    run_log::{Cursor, LogEvent, RunLog},
};

/// Age up to which the ends of runs are sent to a new client, which may have missed them while it reconnected: the
/// original's page reconnects without a position.
const RECENT: TimeDelta = TimeDelta::minutes(10);

/// Follows all runs.
pub(crate) struct RunsAndLogsSource {
    api: Api,
    changes: AllRunsSource,
    /// The changes that have not been sent yet.
    next: VecDeque<SourceEvent>,
    /// The output of the runs that have not ended.
    logs: Vec<Log>,
    /// The output that is looked at next, so that one chatty run delays no other.
    turn: usize,
}

struct Log {
    run: Arc<RunSummary>,
    source: RunSource,
    /// The status that was sent last.
    sent: Option<RunStatus>,
}

impl RunsAndLogsSource {
    /// Creates a reader of the changes after a position. Without one, it first sends the runs that have not ended, or
    /// have just ended.
    pub(crate) fn new(api: &Api, position: Option<&str>) -> Self {
        let changes = AllRunsSource::new(api, position);
        let mut next = VecDeque::new();
        if position.is_none() {
            let since = api.core.runner.tree.clock().now() - RECENT;
            let is_recent =
                |run: &Arc<RunSummary>| run.is_final() && run.end_time.is_some_and(|end| end > since);
            let recent = api.core.index.runs().into_iter().rev().filter(is_recent);
            let content = |run| SourceEvent {
                content: Content::Run(ChangeKind::Updated, run),
                position: changes.position(),
            };
            next.extend(recent.map(content));
        }
        Self { api: api.clone(), changes, next, logs: Vec::new(), turn: 0 }
    }

    async fn read(&mut self, room: &mut Room) -> Result<PollResult> {
        loop {
            if self.next.is_empty()
                && let PollResult::Events(told) = self.changes.poll(room).await?
            {
                self.next.extend(told);
            }
            let Some(told) = self.next.front() else { return self.read_logs(room).await };
            if let Content::Run(kind, run) = &told.content {
                let (kind, run) = (*kind, run.clone());
                self.open(kind, &run).await;
                if kind == ChangeKind::Updated && run.is_final() {
                    let lines = self.rest_of(&run.run, room).await?;
                    if !lines.is_empty() {
                        return Ok(PollResult::Events(lines));
                    }
                }
                // The original knows no run before its start, and its page takes any other word for an end.
                let has_begun = kind != ChangeKind::Created && run.status != Some(RunStatus::Created);
                if !has_begun || !self.is_news(&run) {
                    self.next.pop_front();
                    continue;
                }
            }
            return Ok(PollResult::Events(self.next.pop_front().into_iter().collect()));
        }
    }

    /// Returns true if the status of a run differs from the one that was sent last.
    fn is_news(&mut self, run: &RunSummary) -> bool {
        let Some(log) = self.logs.iter_mut().find(|log| log.run.run == run.run) else { return true };
        std::mem::replace(&mut log.sent, run.status) != run.status
    }

    /// Begins to follow the output of a run, unless it is followed or has ended before.
    async fn open(&mut self, kind: ChangeKind, run: &Arc<RunSummary>) {
        let is_new = kind != ChangeKind::Updated;
        if self.logs.iter().any(|log| log.run.run == run.run) || (run.is_final() && !is_new) {
            return;
        }
        let position = if is_new { Cursor::default() } else { self.end_of(&run.run).await };
        let source = RunSource::new(&self.api, &run.run, position);
        self.logs.push(Log { run: run.clone(), source, sent: None });
    }

    /// Returns the position after everything that a run has printed.
    async fn end_of(&self, run: &RunRef) -> Cursor {
        let (tree, run) = (self.api.core.runner.tree.clone(), run.clone());
        // The lines of a run with files that cannot be read yet are sent from the first one on.
        blocking::run(move || RunLog::tail(&tree, &run, 0)).await.unwrap_or_default()
    }

    /// Returns the next lines of a run that has ended, and stops following it after the last one.
    async fn rest_of(&mut self, run: &RunRef, room: &mut Room) -> Result<Vec<SourceEvent>> {
        let Some(at) = self.logs.iter().position(|log| log.run.run == *run) else { return Ok(Vec::new()) };
        let lines = self.logs[at].poll(self.changes.position(), room).await?;
        if lines.is_empty() {
            self.logs.remove(at);
        }
        Ok(lines)
    }

    async fn read_logs(&mut self, room: &mut Room) -> Result<PollResult> {
        for _ in 0..self.logs.len() {
            self.turn = (self.turn + 1) % self.logs.len();
            // The start of a run stands before its lines.
            if self.logs[self.turn].sent.is_none() {
                continue;
            }
            let lines = self.logs[self.turn].poll(self.changes.position(), room).await?;
            if !lines.is_empty() {
                return Ok(PollResult::Events(lines));
            }
        }
        Ok(PollResult::Events(Vec::new()))
    }
}

impl Log {
    /// Returns the next lines; none if nothing is new, or nothing will follow.
    async fn poll(&mut self, position: String, room: &mut Room) -> Result<Vec<SourceEvent>> {
        loop {
            let PollResult::Events(told) = self.source.poll(room).await? else { return Ok(Vec::new()) };
            let is_last = told.is_empty();
            let line = |told: SourceEvent| match told.content {
                Content::Log(event @ LogEvent::Line { .. }) => Some(SourceEvent {
                    content: Content::RunLog(self.run.clone(), event),
                    position: position.clone(),
                }),
                // The statuses come from the index.
                _ => None,
            };
            let lines: Vec<SourceEvent> = told.into_iter().filter_map(line).collect();
            if is_last || !lines.is_empty() {
                return Ok(lines);
            }
        }
    }
}

impl Source for RunsAndLogsSource {
    fn poll<'a>(&'a mut self, room: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read(room).boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (changes, logs) = (&mut self.changes, &mut self.logs);
        async move {
            let printed = async {
                if logs.is_empty() {
                    std::future::pending::<()>().await;
                }
                select_all(logs.iter_mut().map(|log| log.source.wait())).await;
            };
            tokio::select! {
                () = printed => {}
                () = changes.wait() => {}
            }
        }
        .boxed()
    }

    fn position(&self) -> String {
        self.changes.position()
    }
}
