//! Follows a bus from its beginning, after a message, or from its last messages.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};

use super::source::{Content, PollResult, Room, Source, SourceEvent};
use crate::{Api, error::Result};
use base::blocking;
use daemon::Core;
use tree::{
    TreeError,
    bus::{Bus, BusOwner},
    ids::MsgId,
};
use view::watch::{Waiter, Watched};

/// The position before the first message.
const BEGINNING: &str = "-";

/// The start of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BusBegin {
    /// At the first message.
    First,
    /// At the last messages, this many.
    Last(usize),
    /// After a message; an error if it does not exist.
    After(MsgId),
    /// At the position of an earlier stream; if it is not a position of this bus, everything is sent again.
    At(String),
}

/// Follows one bus.
pub(crate) struct BusSource {
    bus: Bus,
    begin: Option<BusBegin>,
    offset: u64,
    /// The number of bytes of the next read.
    bytes: u64,
    /// The message that was sent last.
    last: Option<MsgId>,
    /// True if the bus was read to its end since the last wait.
    caught_up: bool,
    core: Arc<Core>,
    waiter: Waiter,
    _watched: Watched,
}

impl BusSource {
    /// Creates a reader of a bus.
    pub(crate) fn new(api: &Api, owner: BusOwner, begin: BusBegin) -> Self {
        let bus = api.core.runner.tree.bus(owner);
        let root = api.core.runner.tree.root();
        let watched = api.core.hints.watch_soon(&root.absolute(&bus.rel().parent()));
        let waiter = watched.waiter();
        Self {
            bus,
            begin: Some(begin),
            offset: 0,
            bytes: Room::USUAL,
            last: None,
            caught_up: false,
            core: api.core.clone(),
            waiter,
            _watched: watched,
        }
    }

    /// Finds the start. Returns true if everything is sent again.
    ///
    /// # Errors
    /// If there is no such bus, or no such message on it.
    pub(crate) async fn begin(&mut self) -> Result<bool> {
        let Some(begin) = self.begin.take() else { return Ok(false) };
        let bus = self.bus.clone();
        let (offset, last, reset) = blocking::run(move || position(&bus, begin)).await?;
        (self.offset, self.last) = (offset, last);
        Ok(reset)
    }

    async fn read(&mut self, room: &mut Room) -> Result<PollResult> {
        let mut events = Vec::new();
        match self.begin().await {
            Ok(true) => events.push(SourceEvent { content: Content::Reset, position: BEGINNING.to_owned() }),
            Ok(false) => {}
            Err(e) if e.status == http::StatusCode::NOT_FOUND => return Ok(PollResult::Gone),
            Err(e) => return Err(e),
        }
        while !self.caught_up || self.waiter.is_told() {
            let page = match self.core.mailboxes.read(&self.bus, self.offset, self.bytes).await {
                Err(TreeError::NotFound { .. }) => return Ok(PollResult::Gone),
                page => page?,
            };
            self.bytes = Room::USUAL;
            if let Some(fault) = page.fault(&self.bus) {
                self.core.faults.tell(&fault);
            }
            self.offset = page.next;
            self.caught_up = !page.more;
            for message in &page.messages {
                let position = message.msg_id.to_string();
                self.last = Some(message.msg_id.clone());
                events.push(SourceEvent { content: Content::Message(message.clone()), position });
            }
            if let Some(large) = page.large.as_ref().filter(|_| events.is_empty()) {
                room.make(large.len).await;
                self.bytes = large.len;
            }
            // A page without messages may still have lines that are no messages, so continue.
            if self.caught_up || !events.is_empty() {
                break;
            }
        }
        Ok(PollResult::Events(events))
    }
}

/// Returns the offset to read from, the message before it, and true if the requested start was not found.
fn position(bus: &Bus, begin: BusBegin) -> tree::Result<(u64, Option<MsgId>, bool)> {
    let first = || bus.read_from(0, 0).map(|_| (0, None));
    let behind = |id: MsgId| bus.position_of(&id).map(|at| (at, Some(id)));
    let found = match begin {
        BusBegin::First => first(),
        BusBegin::After(id) => behind(id),
        BusBegin::Last(most) => {
            // The position is the id of the message before them.
            let from = bus.last(most, None)?.from;
            Ok((from, bus.id_before(from)?))
        }
        BusBegin::At(position) if position == BEGINNING => first(),
        BusBegin::At(position) => {
            let found = position.parse().map(|id| match behind(id) {
                Err(TreeError::NotFound { .. }) => Ok(None),
                found => found.map(Some),
            });
            match found.unwrap_or(Ok(None))? {
                Some(found) => Ok(found),
                None => return first().map(|(offset, last)| (offset, last, true)),
            }
        }
    };
    found.map(|(offset, last)| (offset, last, false))
}

impl Source for BusSource {
    fn poll<'a>(&'a mut self, room: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read(room).boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        async {
            self.waiter.next().await;
            self.caught_up = false;
        }
        .boxed()
    }

    fn position(&self) -> String {
        self.last.as_ref().map_or_else(|| BEGINNING.to_owned(), MsgId::to_string)
    }
}
