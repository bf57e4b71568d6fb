//! One source as a stream of its own, in the format that the API's document defines for it.

use std::collections::VecDeque;

use futures_util::stream;
use warp::reply::Response;

use super::source::{Look, Said, Source, Told};
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
    spell: impl Fn(&Told) -> Option<Event> + Send + 'static,
) -> Response {
    let ready: VecDeque<Event> = greeting.into_iter().collect();
    let events = stream::unfold((source, ready, spell), async |(mut source, mut ready, spell)| {
        loop {
            if let Some(event) = ready.pop_front() {
                return Some((event, (source, ready, spell)));
            }
            match source.look().await {
                Ok(Look::Events(told)) if told.is_empty() => source.wait().await,
                Ok(Look::Events(told)) => ready.extend(told.iter().filter_map(&spell)),
                Ok(Look::Over | Look::Gone) => return None,
                Err(e) => {
                    tracing::warn!(error = %e.message, "a stream ends: what it follows cannot be read");
                    return None;
                }
            }
        }
    });
    sse::respond(&api.live, events)
}

/// Formats the events of all streams except those of files.
pub(crate) fn spelled(told: &Told, words: Words) -> Option<Event> {
    let label = |event| Label { id: Some(told.place.as_str()), event };
    Some(match &told.said {
        Said::Reset => Event::reset(Some(&told.place)),
        Said::Log(event) => Event::new(label(None), &wire::LogEvent::new(event, words)),
        Said::RunLog(run, event) => {
            let name = match event {
                LogEvent::Line { .. } => "log",
                LogEvent::Status(_) => "status",
                LogEvent::Done => return None,
            };
            Event::new(label(Some(name)), &wire::TaskLogEvent::new(run, event, words))
        }
        Said::Run(kind, run) => Event::new(label(None), &wire::RunChange::new(*kind, run, words)),
        Said::Message(message) => Event::new(label(Some("message")), &wire::BusMessage::from(message)),
        Said::Text(_)
        | Said::End
        | Said::Project(_)
        | Said::Task(_)
        | Said::NoProject(_)
        | Said::NoTask(_) => {
            return None;
        }
    })
}

/// Formats the events of all runs as the original does, whose page takes only events with names.
pub(crate) fn spelled_as_original(told: &Told) -> Option<Event> {
    let Said::Run(kind, run) = &told.said else { return spelled(told, Words::Original) };
    let label = Label { id: Some(&told.place), event: Some("status") };
    Some(Event::new(label, &wire::RunChange::new(*kind, run, Words::Original)))
}
