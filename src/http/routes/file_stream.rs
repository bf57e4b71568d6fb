//! `…/runs/{r}/stream?name=`: a file of a run as it grows, and `event: done` behind its end.
//!
//! Plain text by default, some whole lines per event. A text of an event cannot hold `\r`: it counts as the end of a
//! line. With `format=json` each event has the text exactly, and the offset of its first byte.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream;
use serde_json::json;
use tokio::sync::watch;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, off_thread,
    query::{bad, query},
};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
    },
    tree::refs::RunRef,
    view::{
        files::{FileCursor, FilePiece, FileReader, Growth, RunFile},
        index::Index,
    },
    watch::{Waiter, Watched},
};

/// The names of project, task and run.
type Names = (String, String, String);

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "projects" / String / "tasks" / String / "runs" / String / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .then(async |p: String, t: String, r: String, api, query, last| {
            answer(follow(api, (p, t, r), query, last).await)
        })
        .boxed()
}

/// How a text stands in its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Json,
}

/// A reader of one file of one run.
struct Follower {
    run: RunRef,
    index: Arc<Index>,
    reader: FileReader,
    form: Form,
    ready: VecDeque<Event>,
    over: bool,
    changed: watch::Receiver<u64>,
    waiter: Waiter,
    _watched: Watched,
}

async fn follow(api: Api, (p, t, r): Names, query: Query, last: Option<String>) -> Result<Response> {
    let known = api.run(&p, &t, &r)?;
    let file: RunFile = query.required("name")?;
    let form = match query.text("format") {
        None | Some("text") => Form::Plain,
        Some("json") => Form::Json,
        Some(_) => return Err(bad("format", &"it is neither text nor json")),
    };
    let (cursor, reset) = match last.map(|l| l.parse::<FileCursor>()) {
        Some(Ok(cursor)) => (cursor, None),
        Some(Err(_)) => (FileCursor::default(), Some(Event::reset())),
        None => (query.optional("after")?.unwrap_or_default(), None),
    };
    let run = known.run.clone();
    let tree = api.core.runner.tree.clone();
    let watched = api.core.hints.watch(&tree.root().absolute(run.dir().path()));
    let waiter = watched.waiter();
    let (reader, ended) = (FileReader::new(tree, file.of(&run), cursor.offset), known.is_final());
    let (reader, size) = off_thread(move || reader.size().map(|size| (reader, size))).await?;
    if cursor.done || (ended && cursor.offset > size) {
        return Ok(sse::over());
    }
    let index = api.core.index.clone();
    let changed = index.follow();
    let ready = reset.into_iter().collect();
    let follower =
        Follower { run, index, reader, form, ready, over: false, changed, waiter, _watched: watched };
    Ok(sse::respond(&api, stream::unfold(follower, Follower::next)))
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
            // The status before the file: once it is final, the file does not grow.
            let ended = self.index.run_of(&self.run)?.is_final();
            let growth = if ended { Growth::Over } else { Growth::Open };
            let mut reader = self.reader;
            let (reader, piece) =
                off_thread(move || reader.read(growth).map(|piece| (reader, piece))).await.ok()?;
            self.reader = reader;
            match piece {
                Some(piece) => self.ready.push_back(self.event(&piece)),
                None if ended => {
                    self.over = true;
                    self.ready.push_back(self.done());
                }
                None => tokio::select! {
                    () = self.waiter.next() => {}
                    changed = self.changed.changed() => changed.ok()?,
                },
            }
        }
    }

    fn event(&self, piece: &FilePiece) -> Event {
        let id = FileCursor { offset: piece.to, done: false }.to_string();
        let label = Label { id: Some(&id), event: None };
        match self.form {
            Form::Plain => Event::text(label, &piece.text),
            Form::Json => Event::new(label, &json!({ "offset": piece.from, "text": piece.text })),
        }
    }

    fn done(&self) -> Event {
        let id = FileCursor { offset: self.reader.offset(), done: true }.to_string();
        let label = Label { id: Some(&id), event: Some("done") };
        match self.form {
            Form::Plain => Event::text(label, "run completed"),
            Form::Json => Event::new(label, &json!({ "type": "done" })),
        }
    }
}
