//! Follows the output of one run, and its status.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Content, PollResult, Reader, Room, Source, SourceEvent, hint_or};
use crate::{Api, error::Result};
use daemon::SharedLog;
use tree::{Tree, refs::RunRef};
use view::{
    index::{Index, RunSummary},
    run_log::{Cursor, LogEvent, Note, RunLog, ShownStatus},
    watch::{Waiter, Watched},
};

/// Follows a run.
pub(crate) struct RunSource {
    tree: Tree,
    run: RunRef,
    index: Arc<Index>,
    shared: Arc<SharedLog>,
    /// The reader of this follower alone, while it is behind the others.
    own: Option<Reader<RunLog>>,
    position: Cursor,
    /// The run at the last look.
    seen: Option<Arc<RunSummary>>,
    changed: watch::Receiver<u64>,
    waiter: Waiter,
    _watched: Watched,
}

impl RunSource {
    /// Creates a reader of a run from a position.
    pub(crate) fn new(api: &Api, run: &RunRef, position: Cursor) -> Self {
        let tree = api.core.runner.tree.clone();
        let watched = api.core.hints.watch_soon(&tree.root().absolute(run.dir().path()));
        let index = api.core.index.clone();
        Self {
            tree,
            run: run.clone(),
            shared: api.core.run_logs.follow(run),
            own: None,
            position,
            seen: None,
            changed: index.follow(),
            waiter: watched.waiter(),
            _watched: watched,
            index,
        }
    }

    /// Returns true if everything was already sent by an earlier stream.
    pub(crate) async fn is_over(&mut self) -> Result<bool> {
        let ended = self.index.run_of(&self.run).is_some_and(|run| run.is_final());
        Ok(ended && self.own().read(|log| log.is_over()).await?)
    }

    fn own(&mut self) -> &mut Reader<RunLog> {
        let (tree, run, position) = (&self.tree, &self.run, self.position);
        self.own.get_or_insert_with(|| Reader::new(RunLog::new(tree.clone(), run, position)))
    }

    async fn read(&mut self) -> Result<PollResult> {
        if self.position.note == Note::Done {
            return Ok(PollResult::Over);
        }
        self.changed.mark_unchanged();
        // The status is read before the files: once the status is final, they do not grow.
        self.seen = self.index.run_of(&self.run);
        let Some(run) = &self.seen else { return Ok(PollResult::Gone) };
        // The status is unknown while the run's record cannot be read.
        let Some(status) = run.status else { return Ok(PollResult::Events(Vec::new())) };
        let shown = ShownStatus { status, exit_code: run.exit_code };
        let events = match self.shared.read(self.position, shown).await? {
            Some(page) => {
                self.own = None;
                Arc::unwrap_or_clone(page)
            }
            None => self.own().read(move |log| log.read(shown)).await?,
        };
        if let Some((_, position)) = events.last() {
            self.position = *position;
        }
        let source_event = |(event, position): (LogEvent, Cursor)| SourceEvent {
            content: Content::Log(event),
            position: position.to_string(),
        };
        Ok(PollResult::Events(events.into_iter().map(source_event).collect()))
    }
}

impl Source for RunSource {
    fn poll<'a>(&'a mut self, _: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read().boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (run, seen) = (&self.run, &self.seen);
        let differs = move |index: &Index| index.run_of(run) != *seen;
        hint_or(&mut self.waiter, &self.index, &mut self.changed, differs).boxed()
    }

    fn position(&self) -> String {
        self.position.to_string()
    }
}
