//! `/api/v1/runs/stream/all`: what happens to any run.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream;
use tokio::sync::watch;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, query};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
        wire,
    },
    view::index::{ChangeKind, Index, RunSummary, Since},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "runs" / "stream" / "all")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .map(|api, query, last| answer(follow(&api, &query, last)))
        .boxed()
}

/// A reader of the index's changes.
struct Follower {
    index: Arc<Index>,
    revision: u64,
    ready: VecDeque<Event>,
    changed: watch::Receiver<u64>,
}

fn follow(api: &Api, query: &Query, last: Option<String>) -> Result<Response> {
    api.ready()?;
    let index = api.core.index.clone();
    let mut follower =
        Follower { changed: index.follow(), revision: index.revision(), ready: VecDeque::new(), index };
    match last.or_else(|| query.text("after").map(str::to_owned)) {
        Some(last) => follower.resume(&last),
        // Who comes first is told what runs.
        None => follower.snapshot(|run| !run.is_final()),
    }
    Ok(sse::respond(api, stream::unfold(follower, Follower::next)))
}

impl Follower {
    fn resume(&mut self, last: &str) {
        let ours = last.rsplit_once('.').filter(|(incarnation, _)| *incarnation == self.index.incarnation());
        match ours.and_then(|(_, revision)| revision.parse().ok()) {
            Some(revision) if self.index.since(revision) != Since::Unknown => self.revision = revision,
            _ => self.reset(),
        }
    }

    /// Tells a client to forget what it knows, and then everything.
    fn reset(&mut self) {
        self.revision = self.index.revision();
        self.ready.push_back(Event::reset());
        self.snapshot(|_| true);
    }

    fn snapshot(&mut self, wanted: impl Fn(&RunSummary) -> bool) {
        // The revision from before: what changes in between is told twice, not never.
        let id = self.id(self.revision);
        for run in self.index.runs().iter().rev().filter(|r| wanted(r)) {
            self.ready.push_back(event(ChangeKind::Updated, run, &id));
        }
    }

    fn id(&self, revision: u64) -> String {
        format!("{}.{revision}", self.index.incarnation())
    }

    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            self.changed.mark_unchanged();
            match self.index.since(self.revision) {
                Since::Unknown => self.reset(),
                Since::Changes(changes) => {
                    for change in changes {
                        self.revision = change.revision;
                        let id = self.id(change.revision);
                        self.ready.push_back(event(change.kind, &change.run, &id));
                    }
                }
            }
            if self.ready.is_empty() {
                self.changed.changed().await.ok()?;
            }
        }
    }
}

fn event(kind: ChangeKind, run: &RunSummary, id: &str) -> Event {
    let kind = match kind {
        ChangeKind::Created => "run_created",
        ChangeKind::Started => "run_started",
        ChangeKind::Updated => "run_updated",
    };
    Event::new(Label { id: Some(id), event: None }, &wire::RunChange { kind, run: run.into() })
}
