//! `/api/projects/{p}/tasks`: the tasks of a project.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, off_thread,
    project_runs::with_files,
    query::query,
    tasks::{may_start, task_query},
};
use crate::{
    daemon,
    http::{
        Api,
        error::{Result, answer, json},
        wire,
    },
    view::index::TaskSummary,
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let one = || warp::path!("api" / "projects" / String / "tasks" / String);
    let list = warp::path!("api" / "projects" / String / "tasks")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .map(|id: String, api, query| answer(list(&api, &id, &query)))
        .boxed();
    let show = one()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |p: String, t: String, api, query| answer(show(api, p, t, query).await))
        .boxed();
    let delete = one()
        .and(warp::delete())
        .and(api.clone())
        .then(async |p: String, t: String, api| answer(delete(api, p, t).await))
        .boxed();
    let resume = warp::path!("api" / "projects" / String / "tasks" / String / "resume")
        .and(warp::post())
        .and(api.clone())
        .then(async |p: String, t: String, api| answer(resume(api, p, t).await))
        .boxed();
    list.or(show).unify().or(delete).unify().or(resume).unify().boxed()
}

fn list(api: &Api, id: &str, query: &Query) -> Result<Response> {
    let project = api.project(id)?;
    let window = query.window()?;
    let page = api.core.index.list_tasks(&task_query(query, Some(project), window)?);
    let reasons = api.core.index.reasons(&page.items, api.core.runner.tree.clock().now());
    let items = page.items.iter().zip(reasons).map(|(task, why)| item(api, task, why)).collect();
    let next_cursor = page.items.last().filter(|_| page.more).map(|t| t.cursor().to_string());
    let listed = wire::Listed {
        items,
        total: page.total,
        limit: window.limit,
        offset: window.offset,
        has_more: page.more,
        next_cursor,
    };
    Ok(json(StatusCode::OK, &listed))
}

fn item<'a>(api: &Api, task: &'a TaskSummary, reason: String) -> wire::TaskItem<'a> {
    wire::TaskItem::new(task, reason, api.core.index.blocked_by(task))
}

async fn show(api: Api, project: String, task: String, query: Query) -> Result<Response> {
    let known = api.task(&project, &task)?;
    let (runner, name) = (api.core.runner.clone(), known.task.clone());
    let reason = off_thread(move || daemon::reason(&runner, &name)).await?;
    let files = if query.flag("include_files")? { Some(()) } else { None };
    let mut runs = Vec::new();
    for run in known.runs.iter().rev() {
        let files = match files {
            Some(()) => Some(with_files(&api, run).await?),
            None => None,
        };
        runs.push(wire::ProjectRun::new(run, files));
    }
    let detail = wire::TaskDetail { item: item(&api, &known, reason.sentence), state: known.status(), runs };
    Ok(json(StatusCode::OK, &detail))
}

async fn delete(api: Api, project: String, task: String) -> Result<Response> {
    let known = api.task(&project, &task)?;
    api.core.delete(known.task.clone()).await?;
    Ok(super::no_content())
}

async fn resume(api: Api, project: String, task: String) -> Result<Response> {
    let known = api.task(&project, &task)?;
    may_start(&api)?;
    let name = known.task.clone();
    let submitted = api.core.resume(name.clone()).await?;
    let resumed = json!({
        "project_id": name.project,
        "task_id": name.task,
        "resumed": true,
        "run_id": submitted.run.run,
    });
    Ok(json(StatusCode::OK, &resumed))
}
