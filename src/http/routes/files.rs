//! Files of runs and tasks: as JSON with their text, or their bytes as they are.
//!
//! With a `Range` header, or with `format=raw`, the bytes are sent; always as plain text, whatever they are.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, off_thread,
    query::{bad, query},
};
use crate::{
    http::{
        Api,
        error::{HttpError, Result, answer, json},
        streamed::streamed,
        wire,
    },
    tree::RelPath,
    view::files::{Extent, Opened, RunFile, Tail, TaskFile},
};

/// So much of a file is in memory at a time.
const PIECE: u64 = 256 * 1024;
/// The most last lines that may be asked for.
const MOST_LINES: usize = 1_000_000;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let range = || warp::header::optional::<String>("range");
    let run = warp::path!("api" / "projects" / String / "tasks" / String / "runs" / String / "file")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(range())
        .then(async |p: String, t: String, r: String, api: Api, query: Query, range| {
            let file = || {
                let run = api.run(&p, &t, &r)?;
                let file: RunFile = query.required("name")?;
                Ok((file.name(), file.of(&run.run)))
            };
            answer(match file() {
                Ok((name, rel)) => show(&api, name, rel, &query, range).await,
                Err(e) => Err(e),
            })
        })
        .boxed();
    let task = warp::path!("api" / "projects" / String / "tasks" / String / "file")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(range())
        .then(async |p: String, t: String, api: Api, query: Query, range| {
            let file = || {
                let task = api.task(&p, &t)?;
                let file: TaskFile = query.required("name")?;
                Ok((file.name(), file.of(&task.task)))
            };
            answer(match file() {
                Ok((name, rel)) => show(&api, name, rel, &query, range).await,
                Err(e) => Err(e),
            })
        })
        .boxed();
    run.or(task).unify().boxed()
}

async fn show(
    api: &Api,
    name: &'static str,
    rel: RelPath,
    query: &Query,
    range: Option<String>,
) -> Result<Response> {
    let tail = query.number("tail", 0..=MOST_LINES)?.map(Tail);
    let raw = match query.text("format") {
        None | Some("json") => false,
        Some("raw") => true,
        Some(_) => return Err(bad("format", &"it is neither json nor raw")),
    };
    let tree = api.core.runner.tree.clone();
    let file = off_thread(move || Opened::open(&tree, &rel)).await.map_err(|e| match e.status {
        StatusCode::NOT_FOUND => HttpError::not_found(format!("there is no {name} yet")),
        _ => e,
    })?;
    match range.as_deref().and_then(|text| Range::of(text, file.size)) {
        Some(Range::Bytes(extent)) => Ok(bytes(file, extent, StatusCode::PARTIAL_CONTENT)),
        Some(Range::Outside) => Ok(outside(file.size)),
        None if raw => {
            let from = match tail {
                Some(_) => return Err(bad("tail", &"it goes with format=json")),
                None => 0,
            };
            let to = file.size;
            Ok(bytes(file, Extent { from, to }, StatusCode::OK))
        }
        None => text(file, name, tail).await,
    }
}

async fn text(file: Opened, name: &'static str, tail: Option<Tail>) -> Result<Response> {
    let (part, file) = off_thread(move || file.text(tail).map(|part| (part, file))).await?;
    let mut shown = json!({
        "name": name,
        "content": part.text,
        "modified": wire::Time(file.modified),
        "size_bytes": file.size,
    });
    if part.offset > 0 {
        shown["offset"] = part.offset.into();
        shown["truncated"] = true.into();
    }
    Ok(json(StatusCode::OK, &shown))
}

/// The bytes of an extent, read as the client takes them.
fn bytes(file: Opened, extent: Extent, status: StatusCode) -> Response {
    let (size, len) = (file.size, extent.to - extent.from);
    let pieces = stream::unfold((Arc::new(file), extent), async |(file, extent)| {
        if extent.from >= extent.to {
            return None;
        }
        let piece = Extent { from: extent.from, to: extent.to.min(extent.from + PIECE) };
        let reader = file.clone();
        // A body that ends early is seen by the client: its length was said before.
        let read = off_thread(move || reader.bytes(piece)).await.ok().filter(|bytes| !bytes.is_empty())?;
        let from = extent.from + read.len() as u64;
        Some((Bytes::from(read), (file, Extent { from, ..extent })))
    });
    let mut response = streamed(pieces);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
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
    let mut response = HttpError::new(StatusCode::RANGE_NOT_SATISFIABLE, text).into_response();
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

/// What a `Range` header asks for; RFC 9110, section 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Bytes(Extent),
    Outside,
}

impl Range {
    /// `None`: it is no range that we serve, and so the whole is meant.
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
