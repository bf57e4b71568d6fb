//! `/api/projects/{p}/…/runs`: the runs of a project and of a task.

use std::sync::Arc;

use http::StatusCode;
use warp::reply::Response;

use super::{
    page::{PAGE, window},
    runs::{SELECTION, selected},
};
use crate::{
    Api,
    endpoint::{ADMIN, Call, Endpoint, Param, READ, RUN, delete, flag, get, number, post, text},
    error::{HttpError, Result, json},
    wire,
};
use base::blocking;
use tree::{
    ids::{ProjectId, TaskId},
    refs::{RunRef, TaskRef},
};
use view::{
    files::RunFile,
    index::{RunQuery, RunSummary, Sort, Window},
};
use web::no_content;

/// Maximum number of runs of the selected task in the flat list.
const SELECTED: usize = 200;

const ACTIVE_ONLY: Param = flag("active_only", "Leave out the runs that have ended");
const SELECTED_TASK: Param =
    text::<TaskId>("selected_task_id", "With active_only: also list the last runs of this task");
const SELECTED_LIMIT: Param =
    number("selected_task_limit", 0, SELECTED, "Number of runs of the selected task");
const LATEST: Param = number("limit", 1, 10_000, "Only this number of latest runs; default: all");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/projects/{project_id}/runs/flat", "List the runs of a project, oldest first")
            .params(&[ACTIVE_ONLY, SELECTED_TASK, SELECTED_LIMIT, LATEST])
            .json::<wire::FlatRuns>(StatusCode::OK, "Runs")
            .errors(&[404, 503])
            .map(flat),
        get(READ, "/api/projects/{project_id}/tasks/{task_id}/runs", "List the runs of a task, newest first")
            .params(&PAGE)
            .params(&SELECTION)
            .json::<wire::Listed<wire::ProjectRun>>(StatusCode::OK, "Runs")
            .errors(&[404, 503])
            .map(list),
        get(READ, "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}", "Get a run")
            .json::<wire::ProjectRun>(StatusCode::OK, "The run")
            .errors(&[404, 503])
            .then(show),
        delete(ADMIN, "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}", "Delete a run")
            .refuses_pages()
            .no_content("It is gone")
            .errors(&[404, 409, 503])
            .then(delete_run),
        post(
            RUN,
            "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/stop",
            "Ask a run and its task to stop",
        )
        .json::<wire::Signalled>(StatusCode::ACCEPTED, "The run has received the request to end")
        .errors(&[404, 409, 503])
        .then(stop),
    ]
}

fn list(call: &Call, task: &TaskRef) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.task(task)?;
    let window = window(query)?;
    let query = RunQuery { task: Some(task.clone()), ..selected(query, window)? };
    let page = api.core.index.list_runs(&query);
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

/// Lists runs, oldest first; with `active_only` the unfinished runs, and the last ones of the selected task.
fn flat(call: &Call, project: &ProjectId) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.project(project)?;
    let latest = query.number(&LATEST)?;
    let selected: Option<TaskId> = query.optional(&SELECTED_TASK)?;
    let most = query.number(&SELECTED_LIMIT)?.unwrap_or(SELECTED);
    let mut runs = match latest {
        _ if query.flag(&ACTIVE_ONLY)? => active(api, project, selected.as_ref(), most),
        Some(limit) => latest_runs(api, project, limit),
        None => api.core.index.tasks(Some(project)).iter().flat_map(|task| task.runs.clone()).collect(),
    };
    runs.sort_by(|a, b| a.run.run.cmp(&b.run.run));
    let passed_over = latest.map_or(0, |limit| runs.len().saturating_sub(limit));
    let runs = runs[passed_over..].iter().map(wire::FlatRun::from).collect();
    Ok(json(StatusCode::OK, &wire::FlatRuns { runs }))
}

/// Returns the unfinished runs, and at most `most` last runs of a task.
fn active(api: &Api, project: &ProjectId, selected: Option<&TaskId>, most: usize) -> Vec<Arc<RunSummary>> {
    let mut runs = Vec::new();
    for task in api.core.index.tasks(Some(project)) {
        let first = match selected {
            Some(selected) if *selected == task.task.task => task.runs.len().saturating_sub(most),
            _ => task.runs.len(),
        };
        let wanted = task.runs.iter().enumerate().filter(|(n, run)| *n >= first || !run.is_final());
        runs.extend(wanted.map(|(_, run)| run.clone()));
    }
    runs
}

fn latest_runs(api: &Api, project: &ProjectId, limit: usize) -> Vec<Arc<RunSummary>> {
    let query = RunQuery {
        project: Some(project.clone()),
        task: None,
        status: Vec::new(),
        since: None,
        sort: Sort::Down,
        after: None,
        window: Window { offset: 0, limit },
    };
    api.core.index.list_runs(&query).items
}

async fn show(call: Call, run: RunRef) -> Result<Response> {
    let run = call.api.run(&run)?;
    let files = with_files(&call.api, vec![run.run.clone()]).await?.pop();
    Ok(json(StatusCode::OK, &wire::ProjectRun::new(&run, files)))
}

/// Returns the present files of each of these runs.
pub(super) async fn with_files(api: &Api, runs: Vec<RunRef>) -> Result<Vec<Vec<wire::File>>> {
    let tree = api.core.runner.tree.clone();
    let there = move || runs.iter().map(|run| RunFile::there(&tree, run)).collect::<tree::Result<Vec<_>>>();
    let there = blocking::run(there).await?;
    Ok(there.into_iter().map(|files| files.into_iter().map(wire::File::from).collect()).collect())
}

async fn delete_run(call: Call, run: RunRef) -> Result<Response> {
    call.api.run(&run)?;
    call.api.core.delete_run(run).await?;
    Ok(no_content())
}

async fn stop(call: Call, run: RunRef) -> Result<Response> {
    let ended = || HttpError::new(StatusCode::CONFLICT, format!("run {} is not running", run.run));
    match call.api.run(&run) {
        Ok(known) if known.is_final() => return Err(ended()),
        Ok(_) => {}
        // Its folder was removed. It can be stopped until its ticket is closed.
        Err(unknown) => {
            let task = call.api.core.task_of_ticket(run.run.clone()).await?;
            if task.as_ref() != Some(&run.task) {
                return Err(unknown);
            }
        }
    }
    call.api.core.stop(run.task.clone()).await?.ok_or_else(ended)?;
    let answer = wire::Signalled { run_id: &run.run, message: "SIGTERM sent" };
    Ok(json(StatusCode::ACCEPTED, &answer))
}
