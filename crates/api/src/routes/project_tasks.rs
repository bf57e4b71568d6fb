//! `/api/projects/{p}/tasks`: the tasks of a project.

use http::StatusCode;
use warp::reply::Response;

use super::{
    page::{PAGE, window},
    project_runs::with_files,
    tasks::{SELECTION, task_query},
};
use crate::{
    Api,
    endpoint::{ADMIN, Call, Endpoint, Param, READ, RUN, delete, flag, get, post},
    error::{Result, json},
    wire,
};
use tree::{ids::ProjectId, refs::TaskRef};
use view::index::TaskSummary;
use web::no_content;

const INCLUDE_FILES: Param =
    flag("include_files", "Whether the files of each run are listed, too; they are, without it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/projects/{project_id}/tasks", "List the tasks of a project")
            .params(&PAGE)
            .params(&SELECTION)
            .json::<wire::Listed<wire::TaskItem>>(StatusCode::OK, "Tasks")
            .errors(&[404, 503])
            .map(list),
        get(READ, "/api/projects/{project_id}/tasks/{task_id}", "A task with its runs, oldest first")
            .params(&[INCLUDE_FILES])
            .json::<wire::TaskDetail>(StatusCode::OK, "The task")
            .errors(&[404, 503])
            .then(show),
        delete(ADMIN, "/api/projects/{project_id}/tasks/{task_id}", "Delete a task with all its runs")
            .refuses_pages()
            .no_content("It is gone")
            .errors(&[404, 409, 503])
            .then(delete_task),
        post(RUN, "/api/projects/{project_id}/tasks/{task_id}/resume", "Resume a task")
            .json::<wire::Resumed>(StatusCode::OK, "It goes on")
            .errors(&[404, 409, 503, 507])
            .then(resume),
    ]
}

fn list(call: &Call, project: &ProjectId) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.project(project)?;
    let window = window(query)?;
    let page = api.core.index.list_tasks(&task_query(query, Some(project.clone()), window)?);
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
    wire::TaskItem::new(task, reason, api.core.index.blocked_by(task)).below(api.core.index.parent_of(task))
}

async fn show(call: Call, task: TaskRef) -> Result<Response> {
    let Call { api, query, .. } = call;
    let known = api.task(&task)?;
    let reason = api.reason(&known);
    let mut files = Vec::new();
    if query.given_flag(&INCLUDE_FILES)?.unwrap_or(true) {
        files = with_files(&api, known.runs.iter().map(|run| run.run.clone()).collect()).await?;
    }
    let mut files = files.into_iter();
    // The clients of the original take the last one for the latest.
    let runs = known.runs.iter().map(|run| wire::ProjectRun::new(run, files.next())).collect();
    let detail = wire::TaskDetail { item: item(&api, &known, reason), state: known.status(), runs };
    Ok(json(StatusCode::OK, &detail))
}

async fn delete_task(call: Call, task: TaskRef) -> Result<Response> {
    call.api.task(&task)?;
    call.api.core.delete(task).await?;
    Ok(no_content())
}

async fn resume(call: Call, task: TaskRef) -> Result<Response> {
    let api = call.api;
    api.task(&task)?;
    let submitted = api.core.resume(task.clone()).await?;
    let known = api.core.index.task(&task);
    let resumed = wire::Resumed {
        project_id: &task.project,
        task_id: &task.task,
        resumed: true,
        run_id: &submitted.run.run,
        cwd: known.as_ref().and_then(|t| t.folder_of(&submitted.run)),
    };
    Ok(json(StatusCode::OK, &resumed))
}
