//! The streams of buses, of `/api/v1/messages/stream` and of a project's or a task's: a bus from its beginning, or from behind a message, and then as it grows.

use std::collections::VecDeque;

use futures_util::stream;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query,
    messages::{Scope, named, owner, scope},
    off_thread,
    query::{bad, query},
};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
        wire,
    },
    tree::{
        TreeError,
        bus::{Bus, BusOwner},
        ids::MsgId,
    },
    watch::{Waiter, Watched},
};

/// So many messages are read at a time.
const PAGE: usize = 128;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let last = || warp::header::optional::<String>("last-event-id");
    let v1 = warp::path!("api" / "v1" / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |api, query: Query, last| answer(follow(api, owner(&query), query, last).await))
        .boxed();
    let project = warp::path!("api" / "projects" / String / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |p: String, api, query, last| answer(follow(api, named(&p, None), query, last).await))
        .boxed();
    let task = warp::path!("api" / "projects" / String / "tasks" / String / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |p: String, t: String, api, query, last| {
            answer(follow(api, named(&p, Some(&t)), query, last).await)
        })
        .boxed();
    v1.or(project).unify().or(task).unify().boxed()
}

/// A reader of one bus.
struct Follower {
    bus: Bus,
    offset: u64,
    ready: VecDeque<Event>,
    waiter: Waiter,
    _watched: Watched,
}

async fn follow(api: Api, owner: Result<BusOwner>, query: Query, last: Option<String>) -> Result<Response> {
    let owner = owner?;
    if scope(&query, &owner)? == Scope::All {
        return Err(bad("scope", &"a stream is of one bus; follow those of the tasks beside it"));
    }
    let bus = api.core.runner.tree.bus(owner);
    let after: Option<MsgId> = query.optional("after")?;
    let root = api.core.runner.tree.root();
    let watched = api.core.hints.watch(&root.absolute(&bus.rel().parent()));
    let waiter = watched.waiter();
    let mut ready = VecDeque::new();
    let reader = bus.clone();
    let offset = match last.map(|l| l.parse::<MsgId>()) {
        Some(last) => {
            let found = off_thread(move || match last {
                Ok(id) => match reader.position_of(&id) {
                    Err(TreeError::NotFound { .. }) => reader.read_from(0, 0).map(|_| None),
                    offset => offset.map(Some),
                },
                Err(_) => reader.read_from(0, 0).map(|_| None),
            });
            let found = found.await?;
            if found.is_none() {
                ready.push_back(Event::reset());
            }
            found.unwrap_or(0)
        }
        None => {
            off_thread(move || match after {
                Some(id) => reader.position_of(&id),
                None => reader.read_from(0, 0).map(|_| 0),
            })
            .await?
        }
    };
    let follower = Follower { bus, offset, ready, waiter, _watched: watched };
    Ok(sse::respond(&api, stream::unfold(follower, Follower::next)))
}

impl Follower {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            let (bus, offset) = (self.bus.clone(), self.offset);
            // A bus that is gone ends its stream.
            let page = off_thread(move || bus.read_from(offset, PAGE)).await.ok()?;
            self.offset = page.next;
            for message in &page.messages {
                let label = Label { id: Some(message.msg_id.as_str()), event: Some("message") };
                self.ready.push_back(Event::new(label, &wire::BusMessage::from(message)));
            }
            if self.ready.is_empty() {
                self.waiter.next().await;
            }
        }
    }
}
