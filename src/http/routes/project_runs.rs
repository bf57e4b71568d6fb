//! `/api/projects/{p}/…/runs`: the runs of a project and of a task.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, off_thread,
    query::query,
    runs::{cursor, sort},
};
use crate::{
    http::{
        Api,
        error::{HttpError, Result, answer, json},
        wire::{self, RunWord},
    },
    view::{
        files::RunFile,
        index::{RunQuery, RunSummary},
    },
};

/// The most runs of the selected task that stand in the flat list.
const SELECTED: usize = 200;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let one = || warp::path!("api" / "projects" / String / "tasks" / String / "runs" / String);
    let flat = warp::path!("api" / "projects" / String / "runs" / "flat")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .map(|p: String, api, query| answer(flat(&api, &p, &query)))
        .boxed();
    let list = warp::path!("api" / "projects" / String / "tasks" / String / "runs")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .map(|p: String, t: String, api, query| answer(list(&api, (&p, &t), &query)))
        .boxed();
    let show = one()
        .and(warp::get())
        .and(api.clone())
        .then(async |p: String, t: String, r: String, api| answer(show(api, (p, t, r)).await))
        .boxed();
    let delete = one()
        .and(warp::delete())
        .and(api.clone())
        .then(async |p: String, t: String, r: String, api| answer(delete(api, (p, t, r)).await))
        .boxed();
    let stop = warp::path!("api" / "projects" / String / "tasks" / String / "runs" / String / "stop")
        .and(warp::post())
        .and(api.clone())
        .then(async |p: String, t: String, r: String, api| answer(stop(api, (p, t, r)).await))
        .boxed();
    flat.or(list).unify().or(show).unify().or(delete).unify().or(stop).unify().boxed()
}

/// The names of project, task and run.
type Names = (String, String, String);

fn list(api: &Api, (project, task): (&str, &str), query: &Query) -> Result<Response> {
    let known = api.task(project, task)?;
    let window = query.window()?;
    let page = api.core.index.list_runs(&RunQuery {
        project: None,
        task: Some(known.task.clone()),
        status: query.words::<RunWord>("status")?.into_iter().flat_map(RunWord::statuses).copied().collect(),
        since: query.time("since")?,
        sort: sort(query)?,
        after: cursor(query)?,
        window,
    });
    let listed = wire::Listed {
        items: page.items.iter().map(|r| wire::ProjectRun::new(r, None)).collect(),
        total: page.total,
        limit: window.limit,
        offset: window.offset,
        has_more: page.more,
        next_cursor: page.items.last().filter(|_| page.more).map(|r| r.cursor()),
    };
    Ok(json(StatusCode::OK, &listed))
}

/// Oldest first; with `active_only` those that have not ended, and the last ones of the selected task.
fn flat(api: &Api, project: &str, query: &Query) -> Result<Response> {
    let project = api.project(project)?;
    let active_only = query.flag("active_only")?;
    let selected: Option<crate::tree::ids::TaskId> = query.optional("selected_task_id")?;
    let most = query.number("selected_task_limit", 0..=SELECTED)?.unwrap_or(SELECTED);
    let mut runs: Vec<Arc<RunSummary>> = Vec::new();
    for task in api.core.index.tasks(Some(&project)) {
        let first = match &selected {
            Some(selected) if *selected == task.task.task => task.runs.len().saturating_sub(most),
            _ if active_only => task.runs.len(),
            _ => 0,
        };
        let wanted = task.runs.iter().enumerate().filter(|(n, run)| *n >= first || !run.is_final());
        runs.extend(wanted.map(|(_, run)| run.clone()));
    }
    runs.sort_by(|a, b| a.run.run.cmp(&b.run.run));
    let runs = runs.iter().map(wire::FlatRun::from).collect();
    Ok(json(StatusCode::OK, &wire::FlatRuns { runs }))
}

async fn show(api: Api, (project, task, run): Names) -> Result<Response> {
    let run = api.run(&project, &task, &run)?;
    let files = with_files(&api, &run).await?;
    Ok(json(StatusCode::OK, &wire::ProjectRun::new(&run, Some(files))))
}

/// The files that a run has by now.
pub(super) async fn with_files(api: &Api, run: &RunSummary) -> Result<Vec<wire::File>> {
    let (tree, name) = (api.core.runner.tree.clone(), run.run.clone());
    let there = off_thread(move || RunFile::there(&tree, &name)).await?;
    Ok(there.into_iter().map(wire::File::from).collect())
}

async fn delete(api: Api, (project, task, run): Names) -> Result<Response> {
    let run = api.run(&project, &task, &run)?;
    api.core.delete_run(run.run.clone()).await?;
    Ok(super::no_content())
}

async fn stop(api: Api, (project, task, run): Names) -> Result<Response> {
    let known = api.run(&project, &task, &run)?;
    if known.is_final() {
        return Err(HttpError::new(StatusCode::CONFLICT, format!("run {run} is not running")));
    }
    api.core.stop(known.run.task.clone()).await?;
    let answer = json!({ "run_id": known.run.run, "message": "SIGTERM sent" });
    Ok(json(StatusCode::ACCEPTED, &answer))
}
