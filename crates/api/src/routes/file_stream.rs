//! `…/runs/{r}/stream?name=`: a file of a run as it grows, and `event: done` after its end.
//!
//! Plain text by default, some whole lines per event. The text of an event cannot contain `\r`, which counts as the
//! end of a line. With `format=json` each event has the exact text, and the offset of its first byte.

use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, READ, get, one_of, text},
    error::Result,
    stream::{Content, FileSource, SourceEvent, follow as stream},
    wire,
};
use tree::refs::RunRef;
use view::files::{FileCursor, RunFile};
use web::sse::{self, Event, Label};

const NAME: Param = one_of("name", RunFile::NAMES, "The file of the run").required();
const FORMAT: Param =
    one_of("format", &["text", "json"], "`text`: whole lines; `json`: the exact text with its offset");
const AFTER: Param = text::<String>("after", "The id of an event: the stream begins after it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/stream";
    vec![
        get(READ, path, "Follow a file of a run")
            .params(&[NAME, FORMAT, AFTER])
            .events::<wire::FileEvent>("The content of the file, then its additions, and `done` at its end")
            .no_content("The client has received everything up to the end")
            .errors(&[404, 503])
            .then(follow),
    ]
}

/// The format of a text in its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Json,
}

async fn follow(call: Call, run: RunRef) -> Result<Response> {
    let Call { api, query, .. } = &call;
    api.run(&run)?;
    let file: RunFile = query.required(&NAME)?;
    let form = if query.one_of(&FORMAT)? == Some("json") { Form::Json } else { Form::Plain };
    let (position, reset): (Option<FileCursor>, _) = call.cursor(&AFTER)?;
    let mut source = FileSource::new(api, &run, file, position.unwrap_or_default());
    if source.is_over().await? {
        return Ok(sse::over());
    }
    Ok(stream(api, source, reset, move |event| spelled(event, form)))
}

fn spelled(event: &SourceEvent, form: Form) -> Option<Event> {
    let label = |name| Label { id: Some(event.position.as_str()), event: name };
    Some(match (&event.content, form) {
        (Content::Text(piece), Form::Plain) => Event::text(label(None), &piece.text),
        (Content::Text(piece), Form::Json) => {
            Event::new(label(None), &wire::FileEvent::Piece { offset: piece.from, text: &piece.text })
        }
        (Content::End, Form::Plain) => Event::text(label(Some("done")), "run completed"),
        (Content::End, Form::Json) => {
            Event::new(label(Some("done")), &wire::FileEvent::Done { kind: "done" })
        }
        (Content::Reset, _) => Event::reset(Some(&event.position)),
        _ => return None,
    })
}
