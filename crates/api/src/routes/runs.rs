//! `/api/v1/runs`, without the streams.

use std::sync::Arc;

use http::StatusCode;
use warp::reply::Response;

use crate::{
    Api,
    endpoint::{
        Call, Endpoint, Param, Query, READ, RUN, bad, get, number, one_of, opaque, post, text, time, words,
    },
    error::{HttpError, Result, json},
    wire::{self, RunWord},
};
use base::blocking;
use tree::{
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
};
use view::{
    index::{RunQuery, RunSummary, Sort, Window},
    run_log,
};

/// Maximum size of a run's output in an answer; the stream and the file have all of it.
const OUTPUT: u64 = 16 << 20;

const PROJECT: Param = text::<ProjectId>("project_id", "Only the runs of this project");
const TASK: Param = text::<TaskId>("task_id", "Only the runs of this task; goes with project_id");
const STATUS: Param =
    words("status", RunWord::WORDS, "Only runs with this status; separate several by commas");
const SINCE: Param = time("since", "Only runs that started at this time or later");
const SORT: Param = one_of("sort", &["-run_id", "run_id"], "The order: newest first, or oldest first");
const CURSOR: Param = opaque(
    "cursor",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}$",
    "The `next_cursor` of the previous page",
);
const LIMIT: Param = number("limit", 1, 1000, "Maximum number of runs; default: all");

/// The parameters that select runs for a list.
pub(super) const SELECTION: [Param; 4] = [STATUS, SINCE, SORT, CURSOR];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/runs", "List runs, newest first")
            .params(&[PROJECT, TASK, LIMIT])
            .params(&SELECTION)
            .json::<wire::Runs>(StatusCode::OK, "Runs")
            .errors(&[503])
            .map(|call, (): &()| list(call)),
        get(READ, "/api/v1/runs/{run_id}", "Get a run with its output")
            .json::<wire::RunDetail>(StatusCode::OK, "The run")
            .errors(&[404, 503])
            .then(show),
        get(READ, "/api/v1/runs/{run_id}/info", "Get a run")
            .json::<wire::RunDetail>(StatusCode::OK, "The run, without its output")
            .errors(&[404, 503])
            .map(info),
        post(RUN, "/api/v1/runs/{run_id}/stop", "Stop a run and its task, and wait for the end")
            .json::<wire::Stopped>(StatusCode::OK, "The run has ended")
            .json::<wire::Stopped>(
                StatusCode::ACCEPTED,
                "The run was asked to end, and has not ended within 20 seconds",
            )
            .errors(&[404, 409, 503])
            .then(stop),
    ]
}

fn list(call: &Call) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.ready()?;
    let project = query.optional(&PROJECT)?;
    let task: Option<TaskId> = query.optional(&TASK)?;
    let task = match (&project, task) {
        (_, None) => None,
        (Some(project), Some(task)) => Some(TaskRef { project: ProjectId::clone(project), task }),
        (None, Some(_)) => return Err(bad(&TASK, &"it needs project_id")),
    };
    let limit = query.number(&LIMIT)?.unwrap_or(usize::MAX);
    let query = RunQuery { project, task, ..selected(query, Window { offset: 0, limit })? };
    let page = api.core.index.list_runs(&query);
    let runs: Vec<wire::Run<'_>> = page.items.iter().map(|r| wire::Run::new(r, api.words())).collect();
    let next_cursor = page.items.last().filter(|_| page.more).map(|r| r.cursor());
    Ok(json(StatusCode::OK, &wire::Runs { runs, next_cursor }))
}

/// Returns the runs that a query selects, without a project or task.
pub(super) fn selected(query: &Query, window: Window) -> Result<RunQuery> {
    let words = query.words::<RunWord>(&STATUS)?;
    let cursor = query.text(&CURSOR)?;
    Ok(RunQuery {
        project: None,
        task: None,
        status: words.into_iter().flat_map(RunWord::statuses).copied().collect(),
        since: query.time(&SINCE)?,
        sort: if query.one_of(&SORT)? == Some("run_id") { Sort::Up } else { Sort::Down },
        after: cursor.map(|text| RunQuery::cursor(text).map_err(|e| bad(&CURSOR, &e))).transpose()?,
        window,
    })
}

async fn show(call: Call, id: RunId) -> Result<Response> {
    let api = call.api;
    let run = find(&api, &id)?;
    let (tree, name) = (api.core.runner.tree.clone(), run.run.clone());
    let (output, output_truncated) = blocking::run(move || run_log::stdout(&tree, &name, OUTPUT)).await?;
    let output = wire::Output { output, output_truncated };
    Ok(json(StatusCode::OK, &wire::RunDetail::new(&run, Some(output), api.words())))
}

fn info(call: &Call, id: &RunId) -> Result<Response> {
    let run = find(&call.api, id)?;
    Ok(json(StatusCode::OK, &wire::RunDetail::new(&run, None, call.api.words())))
}

async fn stop(call: Call, id: RunId) -> Result<Response> {
    let api = call.api;
    let ended = || HttpError::new(StatusCode::CONFLICT, format!("run {id} has ended already"));
    let task = match find(&api, &id) {
        Ok(run) if run.is_final() => return Err(ended()),
        Ok(run) => run.run.task.clone(),
        // Its folder was removed. It can be stopped until its ticket is closed.
        Err(unknown) => api.core.task_of_ticket(id.clone()).await?.ok_or(unknown)?,
    };
    let stopped = api.core.stop(task).await?.ok_or_else(ended)?;
    Ok(if api.ends(&stopped).await? {
        json(StatusCode::OK, &wire::Stopped { status: "stopped" })
    } else {
        json(StatusCode::ACCEPTED, &wire::Stopped { status: "stopping" })
    })
}

/// Finds a run by its id.
pub(super) fn find(api: &Api, id: &RunId) -> Result<Arc<RunSummary>> {
    if let Some(run) = api.core.index.run(id) {
        return Ok(run);
    }
    api.ready()?;
    Err(HttpError::not_found(format!("there is no run {id}")))
}
