//! The topics of a page as one stream: they take turns, and every event has the positions of all of them.

use std::{collections::VecDeque, time::Duration};

use futures_util::{
    FutureExt, Stream,
    future::{BoxFuture, select_all},
    stream,
};
use http::StatusCode;
use tokio::{sync::watch, time::Instant};

use super::{
    cursor::PageCursor,
    open::{Opened, open},
    source::{Content, PollResult, Room, Source, SourceEvent},
    topic::{Subject, Topic},
};
use crate::{
    Api,
    error::HttpError,
    wire::{TopicEvent, TopicOwn, TopicSaid, WithRuns},
};
use view::{index::Part, run_log::LogEvent};
use web::sse::{Event, Label};

/// Pause before a topic that could not be read is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Maximum time between two looks at every topic, even if some of them are busy.
const ROUND: Duration = Duration::from_secs(1);

/// A page's stream.
struct Page {
    api: Api,
    slots: Vec<TopicSlot>,
    ready: VecDeque<Event>,
    /// The memory of the ready events.
    room: Room,
    /// The index of the next topic.
    turn: usize,
    /// The time of the last look at every topic.
    round: Instant,
}

/// A topic and its state.
struct TopicSlot {
    topic: Topic,
    position: Option<String>,
    state: State,
    /// True if the topic should be looked at.
    due: bool,
    /// True if the client was told that everything has been sent.
    greeted: bool,
}

enum State {
    /// The source is opened at its next turn.
    Closed,
    Open(Box<dyn Source>),
    /// The named thing does not exist.
    Absent(watch::Receiver<u64>),
    /// The source could not be read.
    Failed,
    /// Nothing will follow.
    Over,
}

/// Streams the events of these topics after a cursor. `greeting` is sent before them.
pub(crate) fn page(
    api: &Api,
    topics: Vec<Topic>,
    mut cursor: PageCursor,
    greeting: Option<Event>,
) -> impl Stream<Item = Event> + Send + use<> {
    let mut slots: Vec<TopicSlot> = Vec::with_capacity(topics.len());
    for topic in topics {
        if !slots.iter().any(|s| s.topic.name == topic.name) {
            let position = cursor.take(&topic.name);
            slots.push(TopicSlot { topic, position, state: State::Closed, due: true, greeted: false });
        }
    }
    let ready = greeting.into_iter().collect();
    let room = Room::new(api);
    let page = Page { api: api.clone(), slots, ready, room, turn: 0, round: Instant::now() };
    stream::unfold(page, async |mut page| {
        loop {
            if let Some(event) = page.ready.pop_front() {
                return Some((event, page));
            }
            page.go_on().await;
        }
    })
}

impl Page {
    /// Gives the next topic its turn, or waits for one.
    async fn go_on(&mut self) {
        if self.round.elapsed() >= ROUND {
            self.round = Instant::now();
            self.slots.iter_mut().for_each(|slot| slot.due = true);
        }
        // A busy topic must not delay the others, so topics with news are found before the next turn.
        for slot in self.slots.iter_mut().filter(|slot| !slot.due) {
            slot.due = slot.wait().now_or_never().is_some();
        }
        let count = self.slots.len();
        let next = (0..count).map(|n| (self.turn + n) % count).find(|n| self.slots[*n].due);
        let Some(next) = next else { return self.wait().await };
        self.turn = next + 1;
        let around = self.around(next);
        let api = self.api.clone();
        let (slot, ready) = (&mut self.slots[next], &mut self.ready);
        let mut writer = EventWriter {
            name: slot.topic.name.clone(),
            runs: with_runs(&slot.topic.subject),
            around,
            ready,
        };
        self.room.prepare().await;
        slot.take_turn(&api, &mut writer, &mut self.room).await;
        self.room.keep(self.ready.iter().map(Event::len).sum());
    }

    /// Waits until a topic has news.
    async fn wait(&mut self) {
        let waits = self.slots.iter_mut().map(TopicSlot::wait);
        let ((), first, _) = select_all(waits).await;
        self.slots[first].due = true;
        self.round = Instant::now();
    }

    /// Returns the parts of a cursor before and after a topic's own position.
    fn around(&self, own: usize) -> (String, String) {
        let positions = |slots: &[TopicSlot]| {
            let positions =
                slots.iter().filter_map(|s| Some((s.topic.name.as_str(), s.position.as_deref()?)));
            PageCursor::spell(positions)
        };
        let behind = positions(&self.slots[own + 1..]);
        (
            positions(&self.slots[..own]),
            behind.split_once('!').map_or(String::new(), |(_, rest)| format!("!{rest}")),
        )
    }
}

fn with_runs(subject: &Subject) -> WithRuns {
    if matches!(subject, Subject::Tree(Part::Task(_))) { WithRuns::Yes } else { WithRuns::No }
}

/// Formats the events of a topic.
struct EventWriter<'a> {
    name: String,
    runs: WithRuns,
    around: (String, String),
    ready: &'a mut VecDeque<Event>,
}

impl EventWriter<'_> {
    fn event(&mut self, position: Option<&str>, event: TopicSaid<'_>) {
        let (before, behind) = &self.around;
        let id = match position {
            Some(position) => format!("{before}!{}={position}{behind}", self.name),
            None => format!("{before}{behind}"),
        };
        let data = TopicEvent { topic: &self.name, event };
        self.ready.push_back(Event::new(Label { id: Some(&id), event: None }, &data));
    }

    fn source_event(&mut self, event: &SourceEvent) {
        let content = TopicSaid::new(&event.content, self.runs);
        self.event(Some(&event.position), content);
    }
}

impl TopicSlot {
    /// Opens the topic if it is not open, and looks for news.
    async fn take_turn(&mut self, api: &Api, writer: &mut EventWriter<'_>, room: &mut Room) {
        if !matches!(self.state, State::Open(_) | State::Over) {
            match open(api, &self.topic, self.position.clone()).await {
                Ok(Opened { source, reset }) => {
                    if reset {
                        self.position = Some(source.position());
                        writer.event(self.position.as_deref(), TopicSaid::Own(TopicOwn::Reset));
                    }
                    self.state = State::Open(source);
                }
                Err(e) => return self.failed(api, &e, writer),
            }
        }
        let State::Open(source) = &mut self.state else {
            self.due = false;
            return;
        };
        match source.poll(room).await {
            Ok(PollResult::Events(events)) if events.is_empty() => {
                self.due = false;
                self.position = Some(source.position());
                self.greet(writer);
            }
            Ok(PollResult::Events(events)) => {
                for event in events {
                    self.greeted &= !matches!(event.content, Content::Reset);
                    if matches!(event.content, Content::Log(LogEvent::Done) | Content::End) {
                        self.greet(writer);
                    }
                    writer.source_event(&event);
                    self.position = Some(event.position);
                }
            }
            Ok(PollResult::Over) => {
                (self.due, self.state) = (false, State::Over);
                self.greet(writer);
            }
            Ok(PollResult::Gone) => {
                let error = HttpError::not_found(format!("{} no longer exists", self.topic.name));
                self.failed(api, &error, writer);
            }
            Err(e) => self.failed(api, &e, writer),
        }
    }

    /// Sends once that everything has been sent.
    fn greet(&mut self, writer: &mut EventWriter<'_>) {
        if !std::mem::replace(&mut self.greeted, true) {
            writer.event(self.position.as_deref(), TopicSaid::Own(TopicOwn::Ready));
        }
    }

    fn failed(&mut self, api: &Api, error: &HttpError, writer: &mut EventWriter<'_>) {
        self.due = false;
        let missing = error.status == StatusCode::NOT_FOUND;
        let told_before = matches!((&self.state, missing), (State::Absent(_), true) | (State::Failed, false));
        self.state = if missing {
            self.position = None;
            State::Absent(api.core.index.follow())
        } else {
            State::Failed
        };
        if !told_before {
            self.greeted = false;
            let error = error.message.as_str();
            let own = if missing { TopicOwn::Gone { error } } else { TopicOwn::Error { error } };
            writer.event(self.position.as_deref(), TopicSaid::Own(own));
        }
    }

    /// Returns when the topic should be looked at.
    fn wait(&mut self) -> BoxFuture<'_, ()> {
        match &mut self.state {
            State::Open(source) => source.wait(),
            State::Closed => futures_util::future::ready(()).boxed(),
            State::Failed => tokio::time::sleep(RETRY).boxed(),
            State::Over => futures_util::future::pending().boxed(),
            State::Absent(changed) => async move {
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            .boxed(),
        }
    }
}
