//! Follows the changes of all runs.
//!
//! A position is `<incarnation>.<revision>` of one daemon's index. At first the existing runs are sent, oldest first.
//! Until they are all sent, the position also names the last one: `…;live=<run>` if only unfinished runs are sent,
//! `…;all=<run>` if all are.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::source::{Content, PollResult, Room, Source, SourceEvent, until};
use crate::{Api, error::Result};
use tree::ids::RunId;
use view::index::{ChangeKind, Index, RunSummary, Since};

/// Maximum number of existing runs that are sent at once.
const PAGE: usize = 128;

/// Follows the changes of runs.
pub(crate) struct AllRunsSource {
    index: Arc<Index>,
    revision: u64,
    begin: Begin,
    /// The existing runs that have not been sent yet.
    there: VecDeque<Arc<RunSummary>>,
    last_sent: Option<RunId>,
    changed: watch::Receiver<u64>,
}

/// The progress of sending the existing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// The position was not one of ours: all runs are sent.
    Reset,
    All,
    Live,
    /// They have all been sent.
    Over,
}

impl AllRunsSource {
    /// Creates a reader of the changes after a position. Without one, it first sends the unfinished runs.
    pub(crate) fn new(api: &Api, position: Option<&str>) -> Self {
        let index = api.core.index.clone();
        let mut source = Self {
            changed: index.follow(),
            revision: index.revision(),
            begin: Begin::Live,
            there: VecDeque::new(),
            last_sent: None,
            index,
        };
        if let Some(position) = position
            && source.resume(position).is_none()
        {
            source.begin = Begin::Reset;
        }
        source.list();
        source
    }

    fn resume(&mut self, position: &str) -> Option<()> {
        let (at, there) = position.split_once(';').map_or((position, None), |(at, there)| (at, Some(there)));
        let revision = at.strip_prefix(self.index.incarnation())?.strip_prefix('.')?.parse().ok()?;
        let (begin, last_sent) = match there.map(|t| t.split_once('=')) {
            None => (Begin::Over, None),
            Some(Some(("live", run))) => (Begin::Live, Some(run.parse().ok()?)),
            Some(Some(("all", run))) => (Begin::All, Some(run.parse().ok()?)),
            Some(_) => return None,
        };
        if self.index.since(revision) == Since::Unknown {
            return None;
        }
        (self.revision, self.begin, self.last_sent) = (revision, begin, last_sent);
        Some(())
    }

    /// Collects the existing runs that were not sent, oldest first.
    fn list(&mut self) {
        if self.begin != Begin::Over {
            // The revision was taken before: a run that changes in between is sent twice instead of never.
            let wanted = |run: &Arc<RunSummary>| {
                (self.begin != Begin::Live || !run.is_final())
                    && self.last_sent.as_ref().is_none_or(|t| run.run.run > *t)
            };
            self.there = self.index.runs().into_iter().rev().filter(wanted).collect();
        }
    }

    fn read(&mut self) -> PollResult {
        self.changed.mark_unchanged();
        let mut events = Vec::new();
        if self.begin == Begin::Reset {
            self.begin = Begin::All;
            events.push(SourceEvent { content: Content::Reset, position: "-".to_owned() });
        }
        for run in self.there.drain(..self.there.len().min(PAGE)).collect::<Vec<_>>() {
            self.last_sent = Some(run.run.run.clone());
            events.push(SourceEvent {
                position: self.position(),
                content: Content::Run(ChangeKind::Updated, run),
            });
        }
        if self.there.is_empty() {
            self.begin = Begin::Over;
        }
        if !events.is_empty() {
            return PollResult::Events(events);
        }
        match self.index.since(self.revision) {
            Since::Unknown => {
                (self.revision, self.begin, self.last_sent) = (self.index.revision(), Begin::Reset, None);
                self.list();
                return self.read();
            }
            Since::Changes(changes) => {
                for change in changes {
                    self.revision = change.revision;
                    events.push(SourceEvent {
                        position: self.position(),
                        content: Content::Run(change.kind, change.run),
                    });
                }
            }
        }
        PollResult::Events(events)
    }
}

impl Source for AllRunsSource {
    fn poll<'a>(&'a mut self, _: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        let poll = Ok(self.read());
        async { poll }.boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let revision = self.revision;
        until(&self.index, &mut self.changed, move |index| index.revision() != revision).boxed()
    }

    fn position(&self) -> String {
        let at = format!("{}.{}", self.index.incarnation(), self.revision);
        match (self.begin, &self.last_sent) {
            (Begin::All, Some(run)) => format!("{at};all={run}"),
            (Begin::Live, Some(run)) => format!("{at};live={run}"),
            _ => at,
        }
    }
}
