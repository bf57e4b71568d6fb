//! Follows the output of all runs of a task, including future runs.

use std::sync::Arc;

use futures_util::{
    FutureExt,
    future::{BoxFuture, select_all},
};
use tokio::sync::watch;

use super::source::{Content, PollResult, Reader, Room, Source, SourceEvent, until};
use crate::{Api, error::Result};
use tree::refs::{RunRef, TaskRef};
use view::{
    index::{Index, TaskSummary},
    run_log::{LogEvent, TaskCursor, TaskLog},
    watch::{Waiter, Watched},
};

/// Follows the runs of a task.
pub(crate) struct TaskRunsSource {
    api: Api,
    task: TaskRef,
    index: Arc<Index>,
    log: Reader<TaskLog>,
    /// The task at the last look.
    seen: Option<Arc<TaskSummary>>,
    changed: watch::Receiver<u64>,
    /// The runs that may still print something.
    live: Vec<Live>,
}

struct Live {
    run: RunRef,
    waiter: Waiter,
    _watched: Watched,
}

impl TaskRunsSource {
    /// Creates a reader of a task's runs from a position.
    pub(crate) fn new(api: &Api, task: &TaskRef, position: TaskCursor) -> Self {
        let index = api.core.index.clone();
        Self {
            api: api.clone(),
            task: task.clone(),
            log: Reader::new(TaskLog::new(api.core.runner.tree.clone(), position)),
            seen: None,
            changed: index.follow(),
            live: Vec::new(),
            index,
        }
    }

    async fn read(&mut self) -> Result<PollResult> {
        self.changed.mark_unchanged();
        self.seen = self.index.task(&self.task);
        let Some(task) = self.seen.clone() else { return Ok(PollResult::Gone) };
        self.watch(&task);
        loop {
            let task = task.clone();
            let events = self.log.read(move |log| log.read(&task)).await?;
            let nothing = events.is_empty();
            // After the end of a run other runs may follow.
            let events = events.into_iter().filter(|e| e.event != LogEvent::Done);
            let sent: Vec<SourceEvent> = events
                .map(|e| SourceEvent {
                    content: Content::RunLog(e.run, e.event),
                    position: e.cursor.to_string(),
                })
                .collect();
            if nothing || !sent.is_empty() {
                return Ok(PollResult::Events(sent));
            }
        }
    }

    /// Watches the folders of the unfinished runs, before they are read.
    fn watch(&mut self, task: &TaskSummary) {
        let open = |run: &RunRef| task.runs.iter().any(|r| r.run == *run && !r.settled);
        self.live.retain(|live| open(&live.run));
        for run in task.runs.iter().filter(|r| !r.settled) {
            if !self.live.iter().any(|live| live.run == run.run) {
                let core = &self.api.core;
                let folder = core.runner.tree.root().absolute(run.run.dir().path());
                let watched = core.hints.watch_soon(&folder);
                let waiter = watched.waiter();
                self.live.push(Live { run: run.run.clone(), waiter, _watched: watched });
            }
        }
    }
}

impl Source for TaskRunsSource {
    fn poll<'a>(&'a mut self, _: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read().boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (name, seen) = (&self.task, &self.seen);
        let changed = until(&self.index, &mut self.changed, move |index| index.task(name) != *seen);
        let live = &mut self.live;
        async move {
            let printed = async {
                if live.is_empty() {
                    std::future::pending::<()>().await;
                }
                select_all(live.iter_mut().map(|live| live.waiter.next().boxed())).await;
            };
            tokio::select! {
                () = printed => {}
                () = changed => {}
            }
        }
        .boxed()
    }

    fn position(&self) -> String {
        self.log.get().map(TaskLog::position).unwrap_or_default().to_string()
    }
}
