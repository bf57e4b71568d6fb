//! `/api/v1/messages/stream`: a bus from its beginning, or from behind a message, and then as it grows.

use std::collections::VecDeque;

use futures_util::stream;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, messages::owner, off_thread, optional, query};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
        wire,
    },
    tree::{TreeError, bus::Bus, ids::MsgId},
    watch::{Waiter, Watched},
};

/// So many messages are read at a time.
const PAGE: usize = 128;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .then(async |api, query, last| answer(follow(api, query, last).await))
        .boxed()
}

/// A reader of one bus.
struct Follower {
    bus: Bus,
    offset: u64,
    ready: VecDeque<Event>,
    waiter: Waiter,
    _watched: Watched,
}

async fn follow(api: Api, query: Query, last: Option<String>) -> Result<Response> {
    let bus = api.core.runner.tree.bus(owner(&query)?);
    let after: Option<MsgId> = optional(&query, "after")?;
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
    Ok(sse::respond(&api.core.shutdown, stream::unfold(follower, Follower::next)))
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
