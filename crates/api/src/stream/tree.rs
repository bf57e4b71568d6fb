//! Follows the projects and tasks, and each change of them. A position is `<incarnation>.<revision>`.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Look, Said, Source, TaskTold, Told, until};
use crate::{Api, error::Result};
use view::index::{Index, Now, Part, TreeChange};

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
    pub(crate) fn new(api: &Api, part: Part, place: Option<&str>) -> Self {
        let index = api.core.index.clone();
        let resumed = place.map(|place| {
            let revision = place.strip_prefix(index.incarnation())?.strip_prefix('.')?.parse().ok()?;
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

    fn read(&mut self) -> Look {
        self.changed.mark_unchanged();
        if !self.is_there() {
            return Look::Gone;
        }
        let mut told = Vec::new();
        let changes = self.index.tree_since(self.revision, &self.part);
        if self.reset || changes.is_none() {
            (self.reset, self.revision) = (false, 0);
            told.push(Told { said: Said::Reset, place: "-".to_owned() });
            return Look::Events(told);
        }
        for change in changes.unwrap_or_default() {
            self.revision = change.revision;
            told.push(Told { said: self.said(change), place: self.place() });
        }
        Look::Events(told)
    }

    fn said(&self, change: TreeChange) -> Said {
        match change.now {
            Now::Project(project) => Said::Project(project),
            Now::NoProject(project) => Said::NoProject(project),
            Now::NoTask(task) => Said::NoTask(task),
            Now::Task(task) => {
                let now = self.api.core.runner.tree.clock().now();
                let reason = self.index.reasons(std::slice::from_ref(&task), now).pop().unwrap_or_default();
                let (blocked_by, parent) = (self.index.blocked_by(&task), self.index.parent_of(&task));
                Said::Task(TaskTold { task, reason, blocked_by, parent })
            }
        }
    }
}

impl Source for TreeSource {
    fn look(&mut self) -> BoxFuture<'_, Result<Look>> {
        let look = Ok(self.read());
        async { look }.boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let (part, revision) = (&self.part, self.revision);
        until(&self.index, &mut self.changed, move |index| {
            index.tree_since(revision, part).is_none_or(|changes| !changes.is_empty())
        })
        .boxed()
    }

    fn place(&self) -> String {
        format!("{}.{}", self.index.incarnation(), self.revision)
    }
}
