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
    source::{Look, Said, Source, Told},
    topic::{Topic, What},
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
    seats: Vec<Seat>,
    ready: VecDeque<Event>,
    /// The index of the next topic.
    turn: usize,
    /// The time of the last look at every topic.
    round: Instant,
}

/// A topic and its state.
struct Seat {
    topic: Topic,
    place: Option<String>,
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
    let mut seats: Vec<Seat> = Vec::with_capacity(topics.len());
    for topic in topics {
        if !seats.iter().any(|s| s.topic.name == topic.name) {
            let place = cursor.take(&topic.name);
            seats.push(Seat { topic, place, state: State::Closed, due: true, greeted: false });
        }
    }
    let ready = greeting.into_iter().collect();
    let page = Page { api: api.clone(), seats, ready, turn: 0, round: Instant::now() };
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
            self.seats.iter_mut().for_each(|seat| seat.due = true);
        }
        // A busy topic must not delay the others, so topics with news are found before the next turn.
        for seat in self.seats.iter_mut().filter(|seat| !seat.due) {
            seat.due = seat.wait().now_or_never().is_some();
        }
        let count = self.seats.len();
        let next = (0..count).map(|n| (self.turn + n) % count).find(|n| self.seats[*n].due);
        let Some(next) = next else { return self.wait().await };
        self.turn = next + 1;
        let around = self.around(next);
        let api = self.api.clone();
        let (seat, ready) = (&mut self.seats[next], &mut self.ready);
        let mut say = Say { name: seat.topic.name.clone(), runs: with_runs(&seat.topic.what), around, ready };
        seat.take_turn(&api, &mut say).await;
    }

    /// Waits until a topic has news.
    async fn wait(&mut self) {
        let waits = self.seats.iter_mut().map(Seat::wait);
        let ((), first, _) = select_all(waits).await;
        self.seats[first].due = true;
        self.round = Instant::now();
    }

    /// Returns the parts of a cursor before and after a topic's own position.
    fn around(&self, own: usize) -> (String, String) {
        let places = |seats: &[Seat]| {
            let places = seats.iter().filter_map(|s| Some((s.topic.name.as_str(), s.place.as_deref()?)));
            PageCursor::spell(places)
        };
        let behind = places(&self.seats[own + 1..]);
        (
            places(&self.seats[..own]),
            behind.split_once('!').map_or(String::new(), |(_, rest)| format!("!{rest}")),
        )
    }
}

fn with_runs(what: &What) -> WithRuns {
    if matches!(what, What::Tree(Part::Task(_))) { WithRuns::Yes } else { WithRuns::No }
}

/// Formats the events of a topic.
struct Say<'a> {
    name: String,
    runs: WithRuns,
    around: (String, String),
    ready: &'a mut VecDeque<Event>,
}

impl Say<'_> {
    fn event(&mut self, place: Option<&str>, event: TopicSaid<'_>) {
        let (before, behind) = &self.around;
        let id = match place {
            Some(place) => format!("{before}!{}={place}{behind}", self.name),
            None => format!("{before}{behind}"),
        };
        let data = TopicEvent { topic: &self.name, event };
        self.ready.push_back(Event::new(Label { id: Some(&id), event: None }, &data));
    }

    fn told(&mut self, told: &Told) {
        let said = TopicSaid::new(&told.said, self.runs);
        self.event(Some(&told.place), said);
    }
}

impl Seat {
    /// Opens the topic if it is not open, and looks for news.
    async fn take_turn(&mut self, api: &Api, say: &mut Say<'_>) {
        if !matches!(self.state, State::Open(_) | State::Over) {
            match open(api, &self.topic, self.place.clone()).await {
                Ok(Opened { source, reset }) => {
                    if reset {
                        self.place = Some(source.place());
                        say.event(self.place.as_deref(), TopicSaid::Own(TopicOwn::Reset));
                    }
                    self.state = State::Open(source);
                }
                Err(e) => return self.failed(api, &e, say),
            }
        }
        let State::Open(source) = &mut self.state else {
            self.due = false;
            return;
        };
        match source.look().await {
            Ok(Look::Events(events)) if events.is_empty() => {
                self.due = false;
                self.place = Some(source.place());
                self.greet(say);
            }
            Ok(Look::Events(events)) => {
                for told in events {
                    self.greeted &= !matches!(told.said, Said::Reset);
                    if matches!(told.said, Said::Log(LogEvent::Done) | Said::End) {
                        self.greet(say);
                    }
                    say.told(&told);
                    self.place = Some(told.place);
                }
            }
            Ok(Look::Over) => {
                (self.due, self.state) = (false, State::Over);
                self.greet(say);
            }
            Ok(Look::Gone) => {
                let error = HttpError::not_found(format!("{} is no longer there", self.topic.name));
                self.failed(api, &error, say);
            }
            Err(e) => self.failed(api, &e, say),
        }
    }

    /// Sends once that everything has been sent.
    fn greet(&mut self, say: &mut Say<'_>) {
        if !std::mem::replace(&mut self.greeted, true) {
            say.event(self.place.as_deref(), TopicSaid::Own(TopicOwn::Ready));
        }
    }

    fn failed(&mut self, api: &Api, error: &HttpError, say: &mut Say<'_>) {
        self.due = false;
        let missing = error.status == StatusCode::NOT_FOUND;
        let told_before = matches!((&self.state, missing), (State::Absent(_), true) | (State::Failed, false));
        self.state = if missing {
            self.place = None;
            State::Absent(api.core.index.follow())
        } else {
            State::Failed
        };
        if !told_before {
            self.greeted = false;
            let error = error.message.as_str();
            let own = if missing { TopicOwn::Gone { error } } else { TopicOwn::Error { error } };
            say.event(self.place.as_deref(), TopicSaid::Own(own));
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
