//! `…/runs/{r}/stream?name=`: a file of a run as it grows, and `event: done` behind its end.
//!
//! Plain text by default, some whole lines per event. A text of an event cannot hold `\r`: it counts as the end of a
//! line. With `format=json` each event has the text exactly, and the offset of its first byte.

use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query,
    query::{bad, query},
};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::{self, Event, Label},
        stream::{FileSource, Said, Told, follow as stream},
    },
    view::files::{FileCursor, RunFile},
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

async fn follow(api: Api, (p, t, r): Names, query: Query, last: Option<String>) -> Result<Response> {
    let run = api.run(&p, &t, &r)?.run.clone();
    let file: RunFile = query.required("name")?;
    let form = match query.text("format") {
        None | Some("text") => Form::Plain,
        Some("json") => Form::Json,
        Some(_) => return Err(bad("format", &"it is neither text nor json")),
    };
    let (place, reset): (Option<FileCursor>, _) = query.place(last.as_deref())?;
    let mut source = FileSource::new(&api, &run, file, place.unwrap_or_default());
    if source.is_over().await? {
        return Ok(sse::over());
    }
    Ok(stream(&api, source, reset, move |told| spelled(told, form)))
}

fn spelled(told: &Told, form: Form) -> Option<Event> {
    let label = |event| Label { id: Some(told.place.as_str()), event };
    Some(match (&told.said, form) {
        (Said::Text(piece), Form::Plain) => Event::text(label(None), &piece.text),
        (Said::Text(piece), Form::Json) => {
            Event::new(label(None), &json!({ "offset": piece.from, "text": piece.text }))
        }
        (Said::End, Form::Plain) => Event::text(label(Some("done")), "run completed"),
        (Said::End, Form::Json) => Event::new(label(Some("done")), &json!({ "type": "done" })),
        (Said::Reset, _) => Event::reset(Some(&told.place)),
        _ => return None,
    })
}
