//! One source as a stream of its own, in the format that the API's document defines for it.

use std::collections::VecDeque;

use futures_util::stream;
use warp::reply::Response;

use super::source::{Content, PollResult, Room, Source, SourceEvent};
use crate::{
    Api,
    wire::{self, Words},
};
use view::run_log::LogEvent;
use web::sse::{self, Event, Label};

/// Answers with the events of a source, until it ends or the followed thing is gone. `greeting` is sent before.
pub(crate) fn follow(
    api: &Api,
    source: impl Source + 'static,
    greeting: Option<Event>,
    spell: impl Fn(&SourceEvent) -> Option<Event> + Send + 'static,
) -> Response {
    let ready: VecDeque<Event> = greeting.into_iter().collect();
    let room = Room::new(api);
    let events =
        stream::unfold((source, ready, room, spell), async |(mut source, mut ready, mut room, spell)| {
            loop {
                if let Some(event) = ready.pop_front() {
                    return Some((event, (source, ready, room, spell)));
                }
                room.prepare().await;
                match source.poll(&mut room).await {
                    Ok(PollResult::Events(events)) if events.is_empty() => {
                        room.keep(0);
                        source.wait().await;
                    }
                    Ok(PollResult::Events(events)) => {
                        ready.extend(events.iter().filter_map(&spell));
                        room.keep(ready.iter().map(Event::len).sum());
                    }
                    Ok(PollResult::Over | PollResult::Gone) => return None,
                    Err(e) => {
                        tracing::warn!(error = %e.message, "closing a stream: its files cannot be read");
                        return None;
                    }
                }
            }
        });
    sse::respond(&api.live, events)
}

/// Formats the events of all streams except those of files.
pub(crate) fn spelled(event: &SourceEvent, words: Words) -> Option<Event> {
    let label = |name| Label { id: Some(event.position.as_str()), event: name };
    Some(match &event.content {
        Content::Reset => Event::reset(Some(&event.position)),
        Content::Log(event) => Event::new(label(None), &wire::LogEvent::new(event, words)),
        Content::RunLog(run, event) => {
            let name = match event {
                LogEvent::Line { .. } => "log",
                LogEvent::Status(_) => "status",
                LogEvent::Done => return None,
            };
            Event::new(label(Some(name)), &wire::TaskLogEvent::new(run, event, words))
        }
        Content::Run(kind, run) => Event::new(label(None), &wire::RunChange::new(*kind, run, words)),
        Content::Message(message) => Event::new(label(Some("message")), &wire::BusMessage::from(message)),
        Content::Text(_)
        | Content::End
        | Content::Project(_)
        | Content::Task(_)
        | Content::NoProject(_)
        | Content::NoTask(_) => {
            return None;
        }
    })
}

/// Formats the events of all runs as the original does: its page takes only events with names.
pub(crate) fn spelled_as_original(event: &SourceEvent) -> Option<Event> {
    let Content::Run(kind, run) = &event.content else { return spelled(event, Words::Original) };
    let label = Label { id: Some(&event.position), event: Some("status") };
    Some(Event::new(label, &wire::RunChange::new(*kind, run, Words::Original)))
}
