//! `/api/v1/runs`, but for their streams.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
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
        wire::{self, RunWord},
    },
    tree::{
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
    },
    view::{
        index::{RunQuery, RunSummary, Sort, Window},
        run_log,
    },
};

/// The most runs that one answer may be asked for.
const MOST: usize = 1000;
/// How long a stop is waited for before the answer says that it goes on.
const STOP: Duration = Duration::from_secs(20);
/// The most of a run's output that is put into an answer; the stream and the file have all of it.
const OUTPUT: u64 = 16 << 20;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "v1" / "runs")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .map(|api, query| answer(list(&api, &query)))
        .boxed();
    let show = warp::path!("api" / "v1" / "runs" / String)
        .and(warp::get())
        .and(api.clone())
        .then(async |id: String, api| answer(show(api, id).await))
        .boxed();
    let info = warp::path!("api" / "v1" / "runs" / String / "info")
        .and(warp::get())
        .and(api.clone())
        .map(|id: String, api| answer(info(&api, &id)))
        .boxed();
    let stop = warp::path!("api" / "v1" / "runs" / String / "stop")
        .and(warp::post())
        .and(api.clone())
        .then(async |id: String, api| answer(stop(api, id).await))
        .boxed();
    list.or(show).unify().or(info).unify().or(stop).unify().boxed()
}

fn list(api: &Api, query: &Query) -> Result<Response> {
    api.ready()?;
    let project = query.optional("project_id")?;
    let task: Option<TaskId> = query.optional("task_id")?;
    let task = match (&project, task) {
        (_, None) => None,
        (Some(project), Some(task)) => Some(TaskRef { project: ProjectId::clone(project), task }),
        (None, Some(_)) => return Err(bad("task_id", &"it goes with project_id")),
    };
    let limit = query.number("limit", 1..=MOST)?.unwrap_or(usize::MAX);
    let query = RunQuery {
        project,
        task,
        status: query.words::<RunWord>("status")?.into_iter().flat_map(RunWord::statuses).copied().collect(),
        since: query.time("since")?,
        sort: sort(query)?,
        after: cursor(query)?,
        window: Window { offset: 0, limit },
    };
    let page = api.core.index.list_runs(&query);
    let runs: Vec<wire::Run<'_>> = page.items.iter().map(|r| wire::Run::from(&**r)).collect();
    let next_cursor = page.items.last().filter(|_| page.more).map(|r| r.cursor());
    Ok(json(StatusCode::OK, &wire::Runs { runs, next_cursor }))
}

/// Where a list of runs goes on.
pub(super) fn cursor(query: &Query) -> Result<Option<RunRef>> {
    query.text("cursor").map(|text| RunQuery::cursor(text).map_err(|e| bad("cursor", &e))).transpose()
}

/// The order of a list of runs.
pub(super) fn sort(query: &Query) -> Result<Sort> {
    match query.text("sort") {
        None | Some("-run_id") => Ok(Sort::Down),
        Some("run_id") => Ok(Sort::Up),
        Some(_) => Err(bad("sort", &"it is neither run_id nor -run_id")),
    }
}

async fn show(api: Api, id: String) -> Result<Response> {
    let run = find(&api, &id)?;
    let (tree, name) = (api.core.runner.tree.clone(), run.run.clone());
    let (output, output_truncated) = off_thread(move || run_log::stdout(&tree, &name, OUTPUT)).await?;
    let output = wire::Output { output, output_truncated };
    Ok(json(StatusCode::OK, &wire::RunDetail::new(&run, Some(output))))
}

fn info(api: &Api, id: &str) -> Result<Response> {
    let run = find(api, id)?;
    Ok(json(StatusCode::OK, &wire::RunDetail::new(&run, None)))
}

async fn stop(api: Api, id: String) -> Result<Response> {
    let run = find(&api, &id)?;
    if run.is_final() {
        return Err(HttpError::new(StatusCode::CONFLICT, format!("run {id} has ended already")));
    }
    api.core.stop(run.run.task.clone()).await?;
    let status = api.core.wait_for_end(&run.run, STOP).await?;
    Ok(if status.is_final() {
        json(StatusCode::OK, &json!({ "status": "stopped" }))
    } else {
        json(StatusCode::ACCEPTED, &json!({ "status": "stopping" }))
    })
}

/// A run by its id.
pub(super) fn find(api: &Api, id: &str) -> Result<Arc<RunSummary>> {
    let id: RunId = id.parse()?;
    if let Some(run) = api.core.index.run(&id) {
        return Ok(run);
    }
    api.ready()?;
    Err(HttpError::not_found(format!("there is no run {id}")))
}
