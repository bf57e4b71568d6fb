//! `/api/v1/tasks`.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, caller, idempotency_key, off_thread,
    query::{bad, query},
    replayed,
};
use crate::{
    config::TaskStart,
    daemon::{self, Novelty, StartStanding, Submitted},
    http::{
        Api,
        body::{Body, body},
        caller::Caller,
        error::{HttpError, Result, answer, json},
        wire,
    },
    runner::{self, Origin, Submission},
    tree::{ids::ProjectId, refs::TaskRef, task::TaskKind},
    view::index::{Sort, Standing, TaskQuery, TaskSort, Window},
};

/// The most tasks that one answer may be asked for.
const MOST: usize = 1000;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let all = || warp::path!("api" / "v1" / "tasks");
    let one = || warp::path!("api" / "v1" / "tasks" / String);
    let create = all()
        .and(warp::post())
        .and(api.clone())
        .and(caller())
        .and(idempotency_key())
        .and(body())
        .then(async |api, caller, key, body| answer(create(api, caller, key, body).await))
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

async fn create(api: Api, caller: Caller, key: Option<String>, body: Body) -> Result<Response> {
    let (new, sent) = body.json::<wire::NewTask>(api.core.runner.config.api.max_body).await?;
    may_start(&api)?;
    let idempotency = key.map(|key| runner::request(&key, sent.to_string().as_bytes())).transpose()?;
    if new.thread_message_type.is_some() && new.thread_parent.is_none() {
        return Err(HttpError::bad_request("thread_message_type goes with thread_parent"));
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
                origin: Origin { thread: new.thread_parent, idempotency },
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
    let response = json(StatusCode::CREATED, &started);
    if submitted.novelty == Novelty::Repeated {
        return Ok(replayed(response));
    }
    let mut audited = caller.submitted(sent);
    audited.project = Some(task.project.clone());
    audited.task = Some(task.task.clone());
    audited.run = Some(submitted.run.run.clone());
    api.core.audit(audited).await;
    Ok(response)
}

/// Refuses to start anything where that was switched off.
pub(super) fn may_start(api: &Api) -> Result<()> {
    if api.core.runner.config.task_start == TaskStart::Disabled {
        let text = "this daemon starts no tasks (--disable-task-start)";
        return Err(HttpError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    Ok(())
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
    Ok(Submitted { run, standing, novelty: Novelty::New })
}

fn list(api: &Api, query: &Query) -> Result<Response> {
    api.ready()?;
    let limit = query.number("limit", 1..=MOST)?.unwrap_or(usize::MAX);
    let window = Window { offset: 0, limit };
    let query = task_query(query, query.optional("project_id")?, window)?;
    let page = api.core.index.list_tasks(&query);
    let reasons = api.core.index.reasons(&page.items, api.core.runner.tree.clock().now());
    let tasks = page.items.iter().zip(reasons).map(|(t, why)| wire::Task::new(t, why)).collect();
    let next_cursor = page.items.last().filter(|_| page.more).map(|t| t.cursor().to_string());
    Ok(json(StatusCode::OK, &wire::Tasks { tasks, next_cursor }))
}

/// Which tasks a query means.
pub(super) fn task_query(query: &Query, project: Option<ProjectId>, window: Window) -> Result<TaskQuery> {
    Ok(TaskQuery {
        project,
        status: query.words("status")?,
        since: query.time("since")?,
        sort: match query.text("sort") {
            None | Some("task_id") => TaskSort::Name(Sort::Up),
            Some("-task_id") => TaskSort::Name(Sort::Down),
            Some("last_activity") => TaskSort::Activity(Sort::Up),
            Some("-last_activity") => TaskSort::Activity(Sort::Down),
            Some(_) => {
                return Err(bad("sort", &"it is none of task_id, -task_id, last_activity, -last_activity"));
            }
        },
        after: query.optional("cursor")?,
        window,
    })
}

async fn show(api: Api, id: String, query: Query) -> Result<Response> {
    let task = TaskRef { project: query.required("project_id")?, task: id.parse()? };
    api.ready()?;
    let known = api.core.index.task(&task);
    let known = known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))?;
    let runner = api.core.runner.clone();
    let reason = off_thread(move || daemon::reason(&runner, &task)).await?;
    Ok(json(StatusCode::OK, &wire::Task::new(&known, reason.sentence)))
}

async fn cancel(api: Api, id: String, query: Query) -> Result<Response> {
    let task = TaskRef { project: query.required("project_id")?, task: id.parse()? };
    api.core.stop(task).await?;
    Ok(json(StatusCode::OK, &json!({ "status": "cancelled" })))
}
