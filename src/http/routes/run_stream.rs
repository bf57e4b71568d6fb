//! `/api/v1/runs/{id}/stream`: what a run prints and how it ends, from the beginning or from a cursor.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream;
use tokio::sync::watch;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, off_thread, query, runs::find};
use crate::{
    http::{
        Api,
        error::{HttpError, Result, answer},
        sse::{self, Event, Label},
        wire,
    },
    tree::refs::RunRef,
    view::{
        index::Index,
        run_log::{Cursor, LogEvent, RunLog, Shown},
    },
    watch::{Waiter, Watched},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "runs" / String / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .then(async |id: String, api, query, last| answer(follow(api, id, query, last).await))
        .boxed()
}

/// A reader of one run.
struct Follower {
    run: RunRef,
    index: Arc<Index>,
    log: RunLog,
    ready: VecDeque<Event>,
    over: bool,
    changed: watch::Receiver<u64>,
    waiter: Waiter,
    _watched: Watched,
}

async fn follow(api: Api, id: String, query: Query, last: Option<String>) -> Result<Response> {
    let known = find(&api, &id)?;
    let run = known.run.clone();
    let (cursor, reset) = begin(&query, last)?;
    let tree = api.core.runner.tree.clone();
    let watched = api.core.hints.watch(&tree.root().absolute(run.dir().path()));
    let waiter = watched.waiter();
    let name = run.clone();
    let ended = known.is_final();
    let (log, over) = off_thread(move || {
        let log = RunLog::new(tree, &name, cursor);
        let over = ended && log.is_over()?;
        Ok::<_, crate::tree::TreeError>((log, over))
    })
    .await?;
    if over {
        return Ok(sse::over());
    }
    let index = api.core.index.clone();
    let changed = index.follow();
    let ready = reset.into_iter().collect();
    let follower = Follower { run, index, log, ready, over: false, changed, waiter, _watched: watched };
    Ok(sse::respond(&api, stream::unfold(follower, Follower::next)))
}

/// Where to begin; an id that we cannot have given begins anew and says so.
fn begin(query: &Query, last: Option<String>) -> Result<(Cursor, Option<Event>)> {
    match (last, query.text("after")) {
        (Some(last), _) => Ok(match last.parse() {
            Ok(cursor) => (cursor, None),
            Err(_) => (Cursor::default(), Some(Event::reset())),
        }),
        (None, Some(after)) => {
            let cursor =
                after.parse().map_err(|_| HttpError::bad_request("after is no cursor of this stream"))?;
            Ok((cursor, None))
        }
        (None, None) => Ok((Cursor::default(), None)),
    }
}

impl Follower {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            if self.over {
                return None;
            }
            self.changed.mark_unchanged();
            // The status before the files: once it is final, they do not grow.
            let known = self.index.run(&self.run.run)?;
            let shown = Shown { status: known.status?, exit_code: known.exit_code };
            let mut log = self.log;
            let (log, events) = off_thread(move || log.read(shown).map(|events| (log, events))).await.ok()?;
            self.log = log;
            for (event, cursor) in events {
                self.over |= event == LogEvent::Done;
                let label = Label { id: Some(&cursor.to_string()), event: None };
                self.ready.push_back(Event::new(label, &wire::LogEvent::from(&event)));
            }
            if self.ready.is_empty() {
                tokio::select! {
                    () = self.waiter.next() => {}
                    changed = self.changed.changed() => changed.ok()?,
                }
            }
        }
    }
}
