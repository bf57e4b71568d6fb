//! Follows the projects and tasks, and each change of them. A position is `<incarnation>.<revision>`.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Content, PollResult, Room, Source, SourceEvent, TaskState, until};
use crate::{Api, error::Result};
use view::index::{EntryState, Index, Part, TreeChange};

/// Follows a part of the tree.
pub(crate) struct TreeSource {
    index: Arc<Index>,
    part: Part,
    revision: u64,
    reset: bool,
    changed: watch::Receiver<u64>,
    api: Api,
}

impl TreeSource {
    /// Creates a reader of a part of the tree, from a position or from nothing.
    pub(crate) fn new(api: &Api, part: Part, position: Option<&str>) -> Self {
        let index = api.core.index.clone();
        let resumed = position.map(|position| {
            let revision = position.strip_prefix(index.incarnation())?.strip_prefix('.')?.parse().ok()?;
            index.tree_since(revision, &part).map(|_| revision)
        });
        Self {
            changed: index.follow(),
            part,
            revision: resumed.flatten().unwrap_or(0),
            reset: resumed == Some(None),
            api: api.clone(),
            index,
        }
    }

    fn is_there(&self) -> bool {
        match &self.part {
            Part::Whole => true,
            Part::Project(project) => self.index.project(project).is_some(),
            Part::Task(task) => self.index.task(task).is_some(),
        }
    }

    fn read(&mut self) -> PollResult {
        self.changed.mark_unchanged();
        if !self.is_there() {
            return PollResult::Gone;
        }
        let mut events = Vec::new();
        let changes = self.index.tree_since(self.revision, &self.part);
        if self.reset || changes.is_none() {
            (self.reset, self.revision) = (false, 0);
            events.push(SourceEvent { content: Content::Reset, position: "-".to_owned() });
            return PollResult::Events(events);
        }
        for change in changes.unwrap_or_default() {
            self.revision = change.revision;
            events.push(SourceEvent { content: self.content(change), position: self.position() });
        }
        PollResult::Events(events)
    }

    fn content(&self, change: TreeChange) -> Content {
        match change.now {
            EntryState::Project(project) => Content::Project(project),
            EntryState::NoProject(project) => Content::NoProject(project),
            EntryState::NoTask(task) => Content::NoTask(task),
            EntryState::Task(task) => {
                let now = self.api.core.runner.tree.clock().now();
                let reason = self.index.reasons(std::slice::from_ref(&task), now).pop().unwrap_or_default();
                let (blocked_by, parent) = (self.index.blocked_by(&task), self.index.parent_of(&task));
                Content::Task(TaskState { task, reason, blocked_by, parent })
            }
        }
    }
}

impl Source for TreeSource {
    fn poll<'a>(&'a mut self, _: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        let poll = Ok(self.read());
        async { poll }.boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (part, revision) = (&self.part, self.revision);
        until(&self.index, &mut self.changed, move |index| {
            index.tree_since(revision, part).is_none_or(|changes| !changes.is_empty())
        })
        .boxed()
    }

    fn position(&self) -> String {
        format!("{}.{}", self.index.incarnation(), self.revision)
    }
}
