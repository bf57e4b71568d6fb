//! `/api/v1/tasks`.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, off_thread, optional, query, required};
use crate::{
    config::TaskStart,
    daemon::{self, StartStanding, Submitted},
    http::{
        Api,
        body::{Body, body},
        error::{HttpError, Result, answer, json},
        wire,
    },
    runner::Submission,
    tree::{ids::ProjectId, refs::TaskRef, task::TaskKind},
    view::index::Standing,
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let all = || warp::path!("api" / "v1" / "tasks");
    let one = || warp::path!("api" / "v1" / "tasks" / String);
    let create = all()
        .and(warp::post())
        .and(api.clone())
        .and(body())
        .then(async |api, body| answer(create(api, body).await))
        .boxed();
    let list = all()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .map(|api, query| answer(list(&api, &query)))
        .boxed();
    let show = one()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |id: String, api, query| answer(show(api, id, query).await))
        .boxed();
    let cancel = one()
        .and(warp::delete())
        .and(api.clone())
        .and(query())
        .then(async |id: String, api, query| answer(cancel(api, id, query).await))
        .boxed();
    create.or(list).unify().or(show).unify().or(cancel).unify().boxed()
}

async fn create(api: Api, body: Body) -> Result<Response> {
    let config = &api.core.runner.config;
    let new: wire::NewTask = body.json(config.api.max_body).await?;
    if config.task_start == TaskStart::Disabled {
        let text = "this daemon starts no tasks (--disable-task-start)";
        return Err(HttpError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    let task = TaskRef { project: new.project_id, task: new.task_id };
    let exists = || api.core.index.task(&task).is_some_and(|t| !t.runs.is_empty());
    let submitted = match new.attach_mode {
        wire::AttachMode::Attach if exists() => attached(&api, &task)?,
        wire::AttachMode::Resume if exists() => api.core.resume(task.clone()).await?,
        _ => {
            let submission = Submission {
                task: task.clone(),
                kind: TaskKind::Task,
                agent: new.agent_type,
                prompt: new.prompt,
                cwd: new.cwd,
                command: Vec::new(),
                config: new.config,
                depends_on: new.depends_on,
                parent_run_id: new.parent_run_id,
                project_root: new.project_root,
            };
            api.core.submit(submission).await?
        }
    };
    let depends_on = api.core.index.task(&task).map(|t| t.depends_on.clone()).unwrap_or_default();
    let (status, queue_position, reason) = match &submitted.standing {
        StartStanding::Started => ("started", 0, None),
        StartStanding::Queued(n) => ("queued", *n, None),
        StartStanding::Blocked(why) => ("queued", 0, Some(why.as_str())),
    };
    let started = wire::Started {
        project_id: &task.project,
        task_id: &task.task,
        run_id: &submitted.run.run,
        status,
        queue_position,
        depends_on: &depends_on,
        reason,
    };
    Ok(json(StatusCode::CREATED, &started))
}

/// Where a task stands that is wanted already.
fn attached(api: &Api, task: &TaskRef) -> Result<Submitted> {
    let ended = || {
        let text = format!("task {task} has ended; attach_mode resume takes it up again");
        HttpError::new(StatusCode::CONFLICT, text)
    };
    let known = api.core.index.task(task).ok_or_else(ended)?;
    let run = known.runs.last().ok_or_else(ended)?.run.clone();
    api.core.index.place_of(task).ok_or_else(ended)?;
    let standing = match &known.standing {
        Some(Standing::Position(n)) => StartStanding::Queued(*n),
        Some(Standing::Blocked(why)) => StartStanding::Blocked(why.clone()),
        None => StartStanding::Started,
    };
    Ok(Submitted { run, standing })
}

fn list(api: &Api, query: &Query) -> Result<Response> {
    api.ready()?;
    let project: Option<ProjectId> = optional(query, "project_id")?;
    let tasks = api.core.index.tasks(project.as_ref());
    let reasons = api.core.index.reasons(&tasks, api.core.runner.tree.clock().now());
    let tasks: Vec<wire::Task<'_>> =
        tasks.iter().zip(reasons).map(|(t, why)| wire::Task::new(t, why)).collect();
    Ok(json(StatusCode::OK, &wire::Tasks { tasks }))
}

async fn show(api: Api, id: String, query: Query) -> Result<Response> {
    let task = TaskRef { project: required(&query, "project_id")?, task: id.parse()? };
    api.ready()?;
    let known = api.core.index.task(&task);
    let known = known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))?;
    let runner = api.core.runner.clone();
    let reason = off_thread(move || daemon::reason(&runner, &task)).await?;
    Ok(json(StatusCode::OK, &wire::Task::new(&known, reason.sentence)))
}

async fn cancel(api: Api, id: String, query: Query) -> Result<Response> {
    let task = TaskRef { project: required(&query, "project_id")?, task: id.parse()? };
    api.core.stop(task).await?;
    Ok(json(StatusCode::OK, &json!({ "status": "cancelled" })))
}
