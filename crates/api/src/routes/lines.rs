//! `…/runs/{r}/lines`: a file of a run as numbered lines, for clients that show a few of very many.

use http::StatusCode;
use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, READ, bad, flag, get, number, one_of, opaque},
    error::{HttpError, Result, json},
    stream::Room,
    wire,
};
use base::blocking;
use tree::refs::RunRef;
use view::files::{Case, MOST_OFFSETS, MOST_TEXT, Opened, RunFile};

/// Defaults: number of lines, number of matches, length of the shown part of a line, and distance between two entries
/// of the line index.
const USUAL: (usize, usize, usize, usize) = (500, 1000, 4000, 512);
/// Maximum length of a searched text, in characters.
const LONGEST: usize = 1000;

const NAME: Param = one_of("name", RunFile::NAMES, "The file of the run").required();
const EVERY: Param =
    number("every", 1, usize::MAX, "Number of lines between two offsets of the index; default 512");
const OFFSET: Param =
    number("offset", 0, usize::MAX, "Offset of the first line, as the index returns it; default 0");
const LIMIT: Param = number("limit", 1, 5000, "Maximum number of lines; default 500");
const WIDTH: Param = number("width", 1, 64 * 1024, "Maximum number of bytes of a line; default 4000");
const MATCHES: Param = number("limit", 1, 10_000, "Maximum number of lines; default 1000");
const TEXT: Param =
    opaque("q", r"^[^\r\n]{1,1000}$", "The text to search for: one line of at most 1000 characters")
        .required();
const CASE: Param = flag("case", "Distinguish upper and lower case");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            READ,
            "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/lines/index",
            "Get the line offsets of a file of a run",
        )
        .params(&[NAME, EVERY])
        .json::<wire::LineIndex>(StatusCode::OK, "Offsets of lines, and the number of all lines")
        .errors(&[404, 503])
        .then(index),
        get(
            READ,
            "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/lines/search",
            "Search the lines of a file of a run",
        )
        .params(&[NAME, TEXT, CASE, MATCHES])
        .json::<wire::LineMatches>(StatusCode::OK, "The first matching lines")
        .errors(&[404, 503])
        .then(search),
        get(
            READ,
            "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/lines",
            "Read lines of a file of a run",
        )
        .params(&[NAME, OFFSET, LIMIT, WIDTH])
        .json::<wire::Lines>(StatusCode::OK, "The lines")
        .errors(&[404, 503])
        .then(lines),
    ]
}

/// Opens the file that a query names; `None` if it does not exist yet.
async fn opened(call: &Call, run: &RunRef) -> Result<Option<Opened>> {
    call.api.run(run)?;
    let file: RunFile = call.query.required(&NAME)?;
    let (tree, rel) = (call.api.core.runner.tree.clone(), file.of(run));
    match blocking::run(move || Opened::open(&tree, &rel)).await.map_err(HttpError::from) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.status == StatusCode::NOT_FOUND => Ok(None),
        Err(e) => Err(e),
    }
}

async fn index(call: Call, run: RunRef) -> Result<Response> {
    let every = call.query.number(&EVERY)?.unwrap_or(USUAL.3);
    let Some(file) = opened(&call, &run).await? else {
        let none = wire::LineIndex { lines: 0, end: 0, size: 0, every, offsets: Vec::new() };
        return Ok(json(StatusCode::OK, &none));
    };
    let size = file.size;
    let mut room = Room::new(&call.api);
    room.make(MOST_OFFSETS as u64 * 8).await;
    let index = blocking::run(move || file.line_index(every as u64)).await?;
    let every = usize::try_from(index.every).unwrap_or(usize::MAX);
    let (lines, end, offsets) = (index.lines, index.end, index.offsets);
    Ok(json(StatusCode::OK, &wire::LineIndex { lines, end, size, every, offsets }))
}

async fn lines(call: Call, run: RunRef) -> Result<Response> {
    let offset = call.query.number(&OFFSET)?.unwrap_or(0) as u64;
    let limit = call.query.number(&LIMIT)?.unwrap_or(USUAL.0);
    let width = call.query.number(&WIDTH)?.unwrap_or(USUAL.2) as u64;
    let mut room = Room::new(&call.api);
    // The last line may exceed the text's own limit by its width.
    room.make(MOST_TEXT.min(limit as u64 * width) + width).await;
    let lines = match opened(&call, &run).await? {
        Some(file) => blocking::run(move || file.lines(offset, limit, width)).await?,
        None => Vec::new(),
    };
    let end = lines.last().map_or(offset, |l| l.offset + l.length + 1);
    let lines = lines.into_iter().map(|l| wire::Line { offset: l.offset, length: l.length, text: l.text });
    Ok(json(StatusCode::OK, &wire::Lines { lines: lines.collect(), end }))
}

async fn search(call: Call, run: RunRef) -> Result<Response> {
    let text: String = call.query.required(&TEXT)?;
    if text.chars().nth(LONGEST).is_some() || text.contains(['\r', '\n']) {
        return Err(bad(&TEXT, &format!("it is one line of at most {LONGEST} characters")));
    }
    let case = if call.query.flag(&CASE)? { Case::Counts } else { Case::Ignored };
    let limit = call.query.number(&MATCHES)?.unwrap_or(USUAL.1);
    let Some(file) = opened(&call, &run).await? else {
        return Ok(json(StatusCode::OK, &wire::LineMatches { matches: Vec::new(), more: false }));
    };
    let found = blocking::run(move || file.lines_with(&text, case, limit)).await?;
    let matches = found.matches.iter().map(|m| wire::LineMatch { line: m.line, offset: m.offset });
    Ok(json(StatusCode::OK, &wire::LineMatches { matches: matches.collect(), more: found.more }))
}
