//! `/api/v1/tasks`.

use std::path::PathBuf;

use http::StatusCode;
use warp::reply::Response;

use super::{replayed, self_update::may_take_roots};
use crate::{
    blocking,
    config::TaskStart,
    daemon::{self, Novelty, StartStanding, Submitted},
    http::{
        Api,
        endpoint::{
            Call, Endpoint, IDEMPOTENCY_KEY, Param, Query, READ, RUN, delete, get, number, one_of, opaque,
            post, text, time, words,
        },
        error::{HttpError, Result, json},
        keys::audit_line,
        wire,
    },
    runner::{self, Home, Origin, ResumeRequest, Submission},
    tree::{
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
        task::TaskKind,
    },
    view::index::{Sort, Standing, TaskFilter, TaskQuery, TaskSort, TaskSummary, Window},
};

/// The project of a task.
const PROJECT: Param = text::<ProjectId>("project_id", "The project of the task").required();
/// Restricts a list to the tasks of this project.
const OF_PROJECT: Param = text::<ProjectId>("project_id", "Only the tasks of this project");
const STATUS: Param =
    words("status", TaskFilter::WORDS, "Only tasks that stand like this; several with commas between");
const SINCE: Param = time("since", "Only tasks at which something has happened since");
const SORT: Param = one_of(
    "sort",
    &["task_id", "-task_id", "last_activity", "-last_activity"],
    "The order; a minus turns it round",
);
const CURSOR: Param = opaque(
    "cursor",
    r"^(0|-?[1-9][0-9]{0,14})\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}$",
    "The `next_cursor` of the part before",
);
const LIMIT: Param = number("limit", 1, 1000, "The most tasks of an answer; without it, all of them");

/// The parameters that select tasks for a list.
pub(super) const SELECTION: [Param; 4] = [STATUS, SINCE, SORT, CURSOR];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/tasks", "List tasks")
            .params(&[OF_PROJECT, LIMIT])
            .params(&SELECTION)
            .json::<wire::Tasks>(StatusCode::OK, "Tasks with their runs")
            .errors(&[503])
            .map(|call, (): &()| list(call)),
        post(RUN, "/api/v1/tasks", "Create a task, attach to one, or take one up again")
            .about(
                "`attach_mode` says what becomes of a task that is there already: `create` refuses (409), `attach` \
                 answers with the run that its live loop is at, `resume` resumes it.\n\nThe agent works in `cwd`, else in \
                 `project_root`, else in the project's home, else in the task's own folder. The folder belongs to the task: \
                 every restart and every `resume` works there. A named folder that cannot be used is refused (400), and so is \
                 one that differs from the folder of an existing task (409).",
            )
            .params(&[IDEMPOTENCY_KEY])
            .takes::<wire::NewTask>()
            .json::<wire::Started>(StatusCode::CREATED, "The task is accepted")
            .errors(&[404, 409, 422, 503, 507])
            .then(|call, (): ()| create(call)),
        get(READ, "/api/v1/tasks/{task_id}", "A task with its runs")
            .params(&[PROJECT])
            .json::<wire::Task>(StatusCode::OK, "The task")
            .errors(&[404, 503])
            .then(show),
        delete(RUN, "/api/v1/tasks/{task_id}", "Cancel a task")
            .params(&[PROJECT])
            .json::<wire::Cancelled>(StatusCode::OK, "It ends, or has ended")
            .errors(&[404, 409, 503])
            .then(cancel),
    ]
}

async fn create(call: Call) -> Result<Response> {
    let key = call.header(&IDEMPOTENCY_KEY)?.map(str::to_owned);
    let Call { api, caller, body, .. } = call;
    let (new, sent) = body.json::<wire::NewTask>().await?;
    may_start(&api)?;
    // A child task is accepted during an update, because the update waits for its root.
    if new.parent_run_id.is_none() {
        may_take_roots(&api)?;
    }
    let idempotency = key.map(|key| runner::request(&key, sent.to_string().as_bytes())).transpose()?;
    if new.thread_message_type.is_some() && new.thread_parent.is_none() {
        return Err(HttpError::bad_request("thread_message_type goes with thread_parent"));
    }
    if new.home_must_match && new.project_root.is_none() {
        return Err(HttpError::bad_request("home_must_match goes with project_root"));
    }
    // The agent works in `cwd`. If the caller names only the project's home, the agent works there.
    let folder = new.cwd.or_else(|| new.project_root.clone());
    let task = TaskRef { project: new.project_id, task: new.task_id };
    let exists = || api.core.index.task(&task).is_some_and(|t| !t.runs.is_empty());
    let submitted = match new.attach_mode {
        // Attaching changes nothing. But an earlier, identical request may have created the task, and its answer
        // holds even after the task has ended.
        wire::AttachMode::Attach if exists() => {
            let before = api.core.accepted_before(&task, idempotency.as_ref()).await?;
            match before {
                Some(before) => before,
                None => attached(&api, &task, folder, new.parent_run_id).await?,
            }
        }
        wire::AttachMode::Resume if exists() => {
            let asked = ResumeRequest { idempotency, folder, parent_run_id: new.parent_run_id };
            api.core.resume(task.clone(), asked).await?
        }
        _ => {
            let submission = Submission {
                task: task.clone(),
                kind: TaskKind::Task,
                agent: new.agent_type,
                prompt: new.prompt,
                cwd: folder,
                command: Vec::new(),
                config: new.config,
                depends_on: new.depends_on,
                parent_run_id: new.parent_run_id,
                home: match new.project_root {
                    Some(home) if new.home_must_match => Home::Exactly(home),
                    Some(home) => Home::IfNew(home),
                    None => Home::Unsaid,
                },
                origin: Origin { thread: new.thread_parent, idempotency },
            };
            api.core.submit(submission).await?
        }
    };
    let known = api.core.index.task(&task);
    let depends_on = known.as_ref().map(|t| t.depends_on.clone()).unwrap_or_default();
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
        cwd: known.as_ref().and_then(|t| works_in(t, &submitted.run)),
        reason,
    };
    let response = json(StatusCode::CREATED, &started);
    if submitted.novelty == Novelty::Repeated {
        return Ok(replayed(response));
    }
    let mut audited = audit_line(&caller, sent);
    audited.project = Some(task.project.clone());
    audited.task = Some(task.task.clone());
    audited.run = Some(submitted.run.run.clone());
    api.core.audit(audited).await;
    Ok(response)
}

/// Returns the folder that the agent of a run works in.
pub(super) fn works_in<'a>(task: &'a TaskSummary, run: &RunRef) -> Option<&'a str> {
    task.runs.iter().rev().find(|r| r.run == *run)?.cwd.as_deref()
}

/// Fails if starting tasks is disabled.
pub(super) fn may_start(api: &Api) -> Result<()> {
    if api.core.runner.config.task_start == TaskStart::Disabled {
        let text = "this daemon starts no tasks (--disable-task-start)";
        return Err(HttpError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    Ok(())
}

/// Where a task stands that is wanted already, in this folder if one is named.
async fn attached(
    api: &Api,
    task: &TaskRef,
    folder: Option<PathBuf>,
    parent: Option<RunId>,
) -> Result<Submitted> {
    let (runner, name) = (api.core.runner.clone(), task.clone());
    blocking::run(move || {
        if let Some(parent) = &parent {
            runner::check_parent(&runner.tree, parent)?;
        }
        runner::must_work_in(&runner, &name, folder.as_deref())
    })
    .await?;
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

fn list(call: &Call) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.ready()?;
    let limit = query.number(&LIMIT)?.unwrap_or(usize::MAX);
    let window = Window { offset: 0, limit };
    let query = task_query(query, query.optional(&OF_PROJECT)?, window)?;
    let page = api.core.index.list_tasks(&query);
    let reasons = api.core.index.reasons(&page.items, api.core.runner.tree.clock().now());
    let tasks = page.items.iter().zip(reasons).map(|(t, why)| wire::Task::new(t, why)).collect();
    let next_cursor = page.items.last().filter(|_| page.more).map(|t| t.cursor().to_string());
    Ok(json(StatusCode::OK, &wire::Tasks { tasks, next_cursor }))
}

/// Builds the selection of tasks from a query.
pub(super) fn task_query(query: &Query, project: Option<ProjectId>, window: Window) -> Result<TaskQuery> {
    Ok(TaskQuery {
        project,
        status: query.words(&STATUS)?,
        since: query.time(&SINCE)?,
        sort: match query.one_of(&SORT)? {
            Some("-task_id") => TaskSort::Name(Sort::Down),
            Some("last_activity") => TaskSort::Activity(Sort::Up),
            Some("-last_activity") => TaskSort::Activity(Sort::Down),
            _ => TaskSort::Name(Sort::Up),
        },
        after: query.optional(&CURSOR)?,
        window,
    })
}

async fn show(call: Call, task: TaskId) -> Result<Response> {
    let Call { api, query, .. } = call;
    let task = TaskRef { project: query.required(&PROJECT)?, task };
    api.ready()?;
    let known = api.core.index.task(&task);
    let known = known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))?;
    let runner = api.core.runner.clone();
    let reason = blocking::run(move || daemon::reason(&runner, &task)).await?;
    Ok(json(StatusCode::OK, &wire::Task::new(&known, reason.sentence)))
}

async fn cancel(call: Call, task: TaskId) -> Result<Response> {
    let task = TaskRef { project: call.query.required(&PROJECT)?, task };
    call.api.core.stop(task).await?;
    Ok(json(StatusCode::OK, &wire::Cancelled { status: "cancelled" }))
}
