//! Files of runs and tasks: as JSON with their text, or as raw bytes.
//!
//! With a `Range` header, or with `format=raw`, the bytes are sent. Their media type is always plain text, whatever
//! they contain, so that no browser executes an agent's output.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, RANGE, READ, get, number, one_of},
    error::{HttpError, Result, json},
    stream::Room,
    wire,
};
use base::blocking;
use tree::{
    RelPath,
    refs::{RunRef, TaskRef},
};
use view::files::{Extent, Opened, RunFile, Tail, TaskFile};
use web::{streamed, streamed_or_cut};

/// Maximum number of bytes of a file in memory at once.
const PIECE: u64 = 256 * 1024;
/// The same for a text, which becomes longer as JSON.
const TEXT_PIECE: u64 = 64 * 1024;
/// The content of a file that is sent without it.
const EMPTY_CONTENT: &str = "\"content\":\"\"";
/// Maximum number of last lines that may be requested.
const MOST_LINES: usize = 1_000_000;
/// The media type of raw bytes, whatever they contain.
const PLAIN: &str = "text/plain; charset=utf-8";

const RUN_FILE: Param = one_of("name", RunFile::NAMES, "The file of the run").required();
const TASK_FILE: Param = one_of("name", TaskFile::NAMES, "The file of the task").required();
const TAIL: Param = number("tail", 0, MOST_LINES, "Only this number of last lines");
const FORMAT: Param =
    one_of("format", &["json", "raw"], "`json`: the text in a JSON object; `raw`: the unchanged bytes");

pub(super) fn endpoints() -> Vec<Endpoint> {
    let file = |path, summary, name| {
        get(READ, path, summary)
            .params(&[name, TAIL, FORMAT, RANGE])
            .json::<wire::FileText>(StatusCode::OK, "The text of the file")
            .text(StatusCode::OK, "The bytes of the file, for format=raw", PLAIN)
            .text(StatusCode::PARTIAL_CONTENT, "The bytes that the Range header requests", PLAIN)
            .errors(&[404, 416, 503])
    };
    let run = "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/file";
    let task = "/api/projects/{project_id}/tasks/{task_id}/file";
    vec![
        file(run, "Read a file of a run", RUN_FILE).then(of_run),
        file(task, "Read a file of a task", TASK_FILE).then(of_task),
    ]
}

async fn of_run(call: Call, run: RunRef) -> Result<Response> {
    call.api.run(&run)?;
    let file: RunFile = call.query.required(&RUN_FILE)?;
    show(&call, file.name(), file.of(&run)).await
}

async fn of_task(call: Call, task: TaskRef) -> Result<Response> {
    call.api.task(&task)?;
    let file: TaskFile = call.query.required(&TASK_FILE)?;
    show(&call, file.name(), file.of(&task)).await
}

async fn show(call: &Call, name: &'static str, rel: RelPath) -> Result<Response> {
    let tail = call.query.number(&TAIL)?.map(Tail);
    let raw = call.query.one_of(&FORMAT)? == Some("raw");
    let range = call.header(&RANGE)?;
    let tree = call.api.core.runner.tree.clone();
    let file =
        blocking::run(move || Opened::open(&tree, &rel)).await.map_err(|e| match HttpError::from(e) {
            e if e.status == StatusCode::NOT_FOUND => HttpError::not_found(format!("there is no {name} yet")),
            e => e,
        })?;
    match range.and_then(|text| Range::of(text, file.size)) {
        Some(Range::Bytes(extent)) => Ok(bytes(call, file, name, extent, StatusCode::PARTIAL_CONTENT)),
        Some(Range::Outside) => Ok(outside(file.size)),
        None if raw => {
            let (from, file) = blocking::run(move || {
                let from = tail.map_or(Ok(0), |tail| file.start_of_tail(tail));
                from.map(|from| (from, file))
            })
            .await?;
            let to = file.size;
            Ok(bytes(call, file, name, Extent { from, to }, StatusCode::OK))
        }
        None => text(call, file, name, tail).await,
    }
}

/// Answers with the text as JSON. A long text is read and sent piece by piece.
async fn text(call: &Call, file: Opened, name: &'static str, tail: Option<Tail>) -> Result<Response> {
    let (from, file) = blocking::run(move || file.start_of_text(tail).map(|from| (from, file))).await?;
    let shown = |content| wire::FileText {
        name,
        content,
        modified: wire::Time(file.modified),
        size_bytes: file.size,
        offset: (from > 0).then_some(from),
        truncated: from > 0,
    };
    let extent = Extent { from, to: file.size };
    if extent.to - extent.from <= PIECE {
        let around = shown(String::new());
        let ((text, _), _) = blocking::run(move || file.text(extent).map(|text| (text, file))).await?;
        return Ok(json(StatusCode::OK, &wire::FileText { content: text, ..around }));
    }
    // The pieces of the content stand between the two quotation marks of an empty one.
    let frame = serde_json::to_string(&shown(String::new())).unwrap_or_default();
    let (head, tail) = frame.split_once(EMPTY_CONTENT).unwrap_or_default();
    let head = Bytes::from(format!("{head}{}", &EMPTY_CONTENT[..EMPTY_CONTENT.len() - 1]));
    let tail = Bytes::from(format!("\"{tail}"));
    let room = Room::new(&call.api);
    let content = stream::unfold((Arc::new(file), extent, room), async |(file, extent, room)| {
        if extent.from >= extent.to {
            return None;
        }
        let (read, room) = content_piece(&file, extent, room).await;
        let rest = read
            .as_ref()
            .map_or(Extent { from: extent.to, ..extent }, |(_, from)| Extent { from: *from, ..extent });
        Some((read.map(|(bytes, _)| bytes), (file, rest, room)))
    });
    let body = stream::once(async { Ok(head) }).chain(content).chain(stream::once(async { Ok(tail) }));
    let mut response = streamed_or_cut(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Returns the next piece of a text as the inside of a JSON string, and the offset after it.
async fn content_piece(
    file: &Arc<Opened>,
    extent: Extent,
    mut room: Room,
) -> (io::Result<(Bytes, u64)>, Room) {
    let piece = Extent { from: extent.from, to: extent.to.min(extent.from + TEXT_PIECE) };
    room.make(TEXT_PIECE).await;
    let reader = file.clone();
    let read = blocking::run(move || {
        let (text, to) = reader.text(piece).map_err(io::Error::other)?;
        // The file may have become shorter, or may end within a character.
        let to = if to == piece.from { piece.to } else { to };
        let mut quoted = serde_json::to_vec(&text)?;
        quoted.pop();
        quoted.drain(..1);
        Ok((quoted, to))
    });
    let piece = read.await.map(|(quoted, to)| {
        let bytes = match room.take() {
            Some(share) => share.around(quoted),
            None => quoted.into(),
        };
        (bytes, to)
    });
    (piece, room)
}

/// Answers with the bytes of an extent, read as fast as the client takes them.
fn bytes(call: &Call, file: Opened, name: &'static str, extent: Extent, status: StatusCode) -> Response {
    let (size, len) = (file.size, extent.to - extent.from);
    let budget = call.api.live.answers.clone();
    let pieces = stream::unfold((Arc::new(file), extent, budget), async |(file, extent, budget)| {
        if extent.from >= extent.to {
            return None;
        }
        let piece = Extent { from: extent.from, to: extent.to.min(extent.from + PIECE) };
        let share = budget.take(usize::try_from(PIECE).unwrap_or(usize::MAX)).await;
        let reader = file.clone();
        // The client detects a body that ends early, because its length was sent before.
        let read = blocking::run(move || reader.bytes(piece)).await.ok().filter(|bytes| !bytes.is_empty())?;
        let from = extent.from + read.len() as u64;
        Some((share.around(read), (file, Extent { from, ..extent }, budget)))
    });
    let mut response = streamed(pieces);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    let end = if name.contains('.') { "" } else { ".txt" };
    // A name to save the file under; the browser still shows it as text.
    if let Ok(disposition) = HeaderValue::from_str(&format!("inline; filename=\"{name}{end}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", extent.from, extent.to - 1);
        if let Ok(range) = HeaderValue::from_str(&range) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    response
}

fn outside(size: u64) -> Response {
    let text = format!("the range lies outside the file, which has {size} bytes");
    let mut response =
        json(StatusCode::RANGE_NOT_SATISFIABLE, &wire::Failure { error: &text, message: None });
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

/// The meaning of a `Range` header; RFC 9110, section 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Bytes(Extent),
    Outside,
}

impl Range {
    /// Parses the header; `None` if we do not serve such a range, and therefore send the whole file.
    fn of(text: &str, size: u64) -> Option<Self> {
        let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        let (from, to) = match (first.trim(), last.trim()) {
            ("", last) => (size.saturating_sub(last.parse().ok()?), size),
            (first, "") => (first.parse().ok()?, size),
            (first, last) => {
                let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                if last < first {
                    return None;
                }
                (first, size.min(last.saturating_add(1)))
            }
        };
        Some(if from < to { Self::Bytes(Extent { from, to }) } else { Self::Outside })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_understood_or_passed_over() {
        let bytes = |from, to| Some(Range::Bytes(Extent { from, to }));
        for (text, range) in [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=2-4", bytes(2, 5)),
            ("bytes=2-", bytes(2, 10)),
            ("bytes=-3", bytes(7, 10)),
            ("bytes=-99", bytes(0, 10)),
            ("bytes=5-99", bytes(5, 10)),
            ("bytes=10-", Some(Range::Outside)),
            ("bytes=-0", Some(Range::Outside)),
            ("bytes=99-100", Some(Range::Outside)),
            ("bytes=4-2", None),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
            ("bytes=x-", None),
            ("bytes=-", None),
        ] {
            assert_eq!(Range::of(text, 10), range, "{text}");
        }
        assert_eq!(Range::of("bytes=0-", 0), Some(Range::Outside));
    }
}
