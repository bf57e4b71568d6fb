//! `…/tasks/{t}/runs/stream`: what all runs of a task print, those that are yet to come too.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{future::select_all, stream};
use tokio::sync::watch;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, off_thread, query::query};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
        wire,
    },
    tree::refs::{RunRef, TaskRef},
    view::{
        index::{Index, TaskSummary},
        run_log::{LogEvent, TaskCursor, TaskLog},
    },
    watch::{Waiter, Watched},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "projects" / String / "tasks" / String / "runs" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .map(|p: String, t: String, api, query, last| answer(follow(&api, (&p, &t), &query, last)))
        .boxed()
}

/// A reader of one task's runs.
struct Follower {
    api: Api,
    task: TaskRef,
    index: Arc<Index>,
    log: TaskLog,
    ready: VecDeque<Event>,
    changed: watch::Receiver<u64>,
    /// The runs that may still print something.
    live: Vec<Live>,
}

struct Live {
    run: RunRef,
    waiter: Waiter,
    _watched: Watched,
}

fn follow(api: &Api, (p, t): (&str, &str), query: &Query, last: Option<String>) -> Result<Response> {
    let task = api.task(p, t)?.task.clone();
    let (cursor, reset) = match last.map(|l| l.parse::<TaskCursor>()) {
        Some(Ok(cursor)) => (cursor, None),
        Some(Err(_)) => (TaskCursor::default(), Some(Event::reset())),
        None => (query.optional("after")?.unwrap_or_default(), None),
    };
    let index = api.core.index.clone();
    let follower = Follower {
        api: api.clone(),
        task,
        log: TaskLog::new(api.core.runner.tree.clone(), cursor),
        ready: reset.into_iter().collect(),
        changed: index.follow(),
        live: Vec::new(),
        index,
    };
    Ok(sse::respond(api, stream::unfold(follower, Follower::next)))
}

impl Follower {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            self.changed.mark_unchanged();
            // A task that is gone ends its stream.
            let task = self.index.task(&self.task)?;
            self.watch(&task);
            let mut log = self.log;
            let (log, events) = off_thread(move || log.read(&task).map(|events| (log, events))).await.ok()?;
            self.log = log;
            for told in &events {
                let event = match told.event {
                    LogEvent::Line { .. } => "log",
                    LogEvent::Status(_) => "status",
                    // Other runs may follow.
                    LogEvent::Done => continue,
                };
                let id = told.cursor.to_string();
                let data = wire::TaskLogEvent::new(&told.run, &told.event);
                self.ready.push_back(Event::new(Label { id: Some(&id), event: Some(event) }, &data));
            }
            if events.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Watches the folders of the runs that have not ended, before they are read.
    fn watch(&mut self, task: &TaskSummary) {
        let open = |run: &RunRef| task.runs.iter().any(|r| r.run == *run && !r.settled);
        self.live.retain(|live| open(&live.run));
        for run in task.runs.iter().filter(|r| !r.settled) {
            if !self.live.iter().any(|live| live.run == run.run) {
                let core = &self.api.core;
                let folder = core.runner.tree.root().absolute(run.run.dir().path());
                let watched = core.hints.watch(&folder);
                let waiter = watched.waiter();
                self.live.push(Live { run: run.run.clone(), waiter, _watched: watched });
            }
        }
    }

    /// Waits for a change; `None`: the index is gone.
    async fn wait(&mut self) -> Option<()> {
        let printed = async {
            if self.live.is_empty() {
                std::future::pending::<()>().await;
            }
            select_all(self.live.iter_mut().map(|live| Box::pin(live.waiter.next()))).await;
        };
        tokio::select! {
            () = printed => Some(()),
            changed = self.changed.changed() => changed.ok(),
        }
    }
}
