//! A list of messages as one answer, read and sent piece by piece, as fast as the client takes it.
//!
//! A list that fits into one piece is an answer of known length. Of a longer one the daemon holds one piece at a time,
//! however long the list is.

use std::{collections::BTreeSet, io};

use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::source::{Reader, Room};
use crate::{Api, error::Result, wire};
use base::blocking;
use tree::{
    Fault,
    bus::{Bus, Message, Stretch},
};
use view::merged::{BusesLog, ChangedBuses};

/// The meaning of `more` in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Later messages follow.
    Later,
    /// There are earlier messages.
    Earlier,
    /// Nothing: the list has the last messages.
    Never,
}

/// The messages of a list that were not read yet.
pub(crate) struct MessagePages {
    from: Buses,
    /// The number of messages that the list may still have.
    left: usize,
    ends: Ends,
}

enum Buses {
    One { bus: Bus, first: u64, rest: Stretch },
    All { log: Reader<BusesLog>, changed: ChangedBuses },
}

impl MessagePages {
    /// Messages of a part of a bus, at most `left`.
    pub(crate) fn of_bus(bus: Bus, stretch: Stretch, left: usize, ends: Ends) -> Self {
        Self { from: Buses::One { bus, first: stretch.from, rest: stretch }, left, ends }
    }

    /// Messages of several buses, at most `left`.
    pub(crate) fn of_buses(log: BusesLog, left: usize, ends: Ends) -> Self {
        Self { from: Buses::All { log: Reader::new(log), changed: ChangedBuses::Any }, left, ends }
    }

    /// Reads the next messages; none if there are no more.
    async fn next(&mut self, api: &Api, room: &mut Room) -> Result<Vec<Message>> {
        let mut bytes = Room::USUAL;
        room.make(bytes).await;
        while self.left > 0 {
            let (page, large, is_over) = self.read(api, bytes).await?;
            self.left = self.left.saturating_sub(page.len());
            match large {
                _ if !page.is_empty() => return Ok(page),
                Some(large) => {
                    room.make(large).await;
                    bytes = large;
                }
                None if is_over => break,
                None => {}
            }
        }
        Ok(Vec::new())
    }

    /// Reads once. Returns the messages, the length of the next one if there was no room for it, and true at the end.
    async fn read(&mut self, api: &Api, bytes: u64) -> Result<(Vec<Message>, Option<u64>, bool)> {
        let most = self.left;
        let (page, faults) = match &mut self.from {
            Buses::One { bus, rest, .. } => {
                let (reader, at) = (bus.clone(), *rest);
                let page = blocking::run(move || reader.read_within(at.from, most, bytes, at.until)).await?;
                let faults: Vec<Fault> = page.fault(bus).into_iter().collect();
                rest.from = page.next;
                ((page.messages, page.large.map(|large| large.len), !page.more), faults)
            }
            Buses::All { log, changed } => {
                // Only the messages that are there at the beginning: a list has an end.
                let changed = std::mem::replace(changed, ChangedBuses::These(BTreeSet::new()));
                let read = move |log: &mut BusesLog| {
                    Ok::<_, tree::TreeError>((log.read(&changed, most, bytes)?, log.take_faults()))
                };
                let (page, faults) = log.read(read).await?;
                let messages: Vec<Message> = page.messages.into_iter().map(|(message, _)| message).collect();
                let is_over = messages.is_empty() && page.large.is_none();
                ((messages, page.large, is_over), faults)
            }
        };
        for fault in &faults {
            api.core.faults.tell(fault);
        }
        Ok(page)
    }

    /// Returns true if all messages of the list have been read.
    async fn is_over(&mut self) -> Result<bool> {
        if self.left == 0 {
            return Ok(true);
        }
        match &mut self.from {
            Buses::One { rest, .. } => Ok(rest.from >= rest.until),
            Buses::All { log, .. } => Ok(!log.read(BusesLog::has_more).await?),
        }
    }

    /// Returns true if there are messages beside those of the list.
    async fn more(&mut self) -> Result<bool> {
        match (&mut self.from, self.ends) {
            (_, Ends::Never) => Ok(false),
            (Buses::One { first, .. }, Ends::Earlier) => Ok(*first > 0),
            (Buses::One { rest, .. }, Ends::Later) => Ok(rest.from < rest.until),
            (Buses::All { log, .. }, _) => log.read(BusesLog::has_more).await,
        }
    }
}

/// Answers with a list of messages: `{"messages": […], "more": …}`.
pub(crate) async fn answer(api: &Api, mut pages: MessagePages) -> Result<Response> {
    let mut room = Room::new(api);
    let first = pages.next(api, &mut room).await?;
    if pages.is_over().await? {
        let more = pages.more().await?;
        let messages = first.iter().map(Into::into).collect();
        return Ok(web::json(StatusCode::OK, &wire::Messages { messages, more }));
    }
    let list = List { api: api.clone(), pages, room, is_first: true, is_over: false };
    let body = stream::unfold((list, Some(first)), async |(mut list, first)| {
        let piece = list.piece(first).await.transpose()?;
        Some((piece, (list, None)))
    });
    let mut response = web::streamed_or_cut(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A list that is sent in pieces.
struct List {
    api: Api,
    pages: MessagePages,
    room: Room,
    is_first: bool,
    is_over: bool,
}

impl List {
    /// Returns the next piece; `None` after the last one.
    async fn piece(&mut self, first: Option<Vec<Message>>) -> io::Result<Option<bytes::Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        let failed = |e: crate::error::HttpError| {
            tracing::warn!(error = %e.message, "cutting an answer: its messages cannot be read");
            io::Error::other("the messages cannot be read")
        };
        let messages = match first {
            Some(messages) => messages,
            None => self.pages.next(&self.api, &mut self.room).await.map_err(failed)?,
        };
        let mut text = Vec::new();
        if self.is_first {
            text.extend_from_slice(b"{\"messages\":[");
        }
        self.is_over = messages.is_empty();
        for message in &messages {
            if !std::mem::take(&mut self.is_first) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &wire::BusMessage::from(message))?;
        }
        drop(messages);
        if self.is_over {
            let more = self.pages.more().await.map_err(failed)?;
            text.extend_from_slice(format!("],\"more\":{more}}}").as_bytes());
        }
        Ok(Some(match self.room.take() {
            Some(share) => share.around(text),
            None => text.into(),
        }))
    }
}
