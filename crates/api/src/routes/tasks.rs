//! `/api/v1/tasks`.

use http::StatusCode;
use warp::reply::Response;

use super::known::replayed;
use crate::{
    endpoint::{
        Call, Endpoint, IDEMPOTENCY_KEY, Param, Query, READ, RUN, delete, get, number, one_of, opaque, post,
        text, time, words,
    },
    error::{HttpError, Result, json},
    keys::audit_line,
    wire::{self, Words},
};
use daemon::{Existing, Novelty, TaskRequest};
use engine::runner::{self, Home, Origin, Submission};
use tree::{
    ids::{ProjectId, TaskId},
    refs::TaskRef,
    run_info::RunStatus,
    task::{Idempotency, TaskKind},
};
use view::index::{Sort, TaskFilter, TaskQuery, TaskSort, Window};

/// The project of a task.
const PROJECT: Param = text::<ProjectId>("project_id", "The project of the task").required();
/// Restricts a list to the tasks of this project.
const OF_PROJECT: Param = text::<ProjectId>("project_id", "Only the tasks of this project");
const STATUS: Param =
    words("status", TaskFilter::WORDS, "Only tasks with this status; separate several by commas");
const SINCE: Param = time("since", "Only tasks with activity at this time or later");
const SORT: Param = one_of(
    "sort",
    &["task_id", "-task_id", "last_activity", "-last_activity"],
    "The sort key; a minus reverses the order",
);
const CURSOR: Param = opaque(
    "cursor",
    r"^(0|-?[1-9][0-9]{0,14})\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.[A-Za-z0-9][A-Za-z0-9_-]{0,127}$",
    "The `next_cursor` of the previous page",
);
const LIMIT: Param = number("limit", 1, 1000, "Maximum number of tasks; default: all");

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
        post(RUN, "/api/v1/tasks", "Create a task, attach to one, or resume one")
            .about(
                "`attach_mode` applies if the task exists: `create` refuses the request (409), `attach` returns the current \
                 run of its live loop, and `resume` resumes the task.\n\nThe agent works in `cwd`, else in \
                 `project_root`, else in the project's home, else in the task's own folder. The folder belongs to the task: \
                 every restart and every `resume` works there. A named folder that cannot be used is refused (400), and so is \
                 one that differs from the folder of an existing task (409).",
            )
            .params(&[IDEMPOTENCY_KEY])
            .takes::<wire::NewTask>()
            .json::<wire::Started>(StatusCode::CREATED, "The task is accepted")
            .errors(&[404, 409, 422, 503, 507])
            .then(|call, (): ()| create(call)),
        get(READ, "/api/v1/tasks/{task_id}", "Get a task with its runs")
            .params(&[PROJECT])
            .json::<wire::Task>(StatusCode::OK, "The task")
            .errors(&[404, 503])
            .map(show),
        delete(RUN, "/api/v1/tasks/{task_id}", "Cancel a task")
            .params(&[PROJECT])
            .json::<wire::Cancelled>(StatusCode::OK, "The task has ended")
            .json::<wire::Cancelled>(
                StatusCode::ACCEPTED,
                "The task was asked to end, and has not ended within 20 seconds",
            )
            .errors(&[404, 409, 503])
            .then(cancel),
    ]
}

async fn create(call: Call) -> Result<Response> {
    let key = call.header(&IDEMPOTENCY_KEY)?.map(str::to_owned);
    let Call { api, caller, body, .. } = call;
    let (new, sent) = body.json::<wire::NewTask>().await?;
    let idempotency = key.map(|key| runner::request(&key, &sent.canonical())).transpose()?;
    let request = request(new, idempotency)?;
    let task = request.submission.task.clone();
    let submitted = api.core.start(request).await?;
    let known = api.core.index.task(&task);
    let response = json(StatusCode::CREATED, &wire::Started::new(&submitted, known.as_deref()));
    if submitted.novelty == Novelty::Repeated {
        return Ok(replayed(response));
    }
    let mut audited = audit_line(&caller, &sent);
    audited.project = Some(task.project.clone());
    audited.task = Some(task.task.clone());
    audited.run = Some(submitted.run.run.clone());
    api.core.audit.record(audited).await;
    Ok(response)
}

/// Translates the body of a request.
fn request(new: wire::NewTask, idempotency: Option<Idempotency>) -> Result<TaskRequest> {
    if new.thread_message_type.is_some() && new.thread_parent.is_none() {
        return Err(HttpError::bad_request("thread_message_type needs thread_parent"));
    }
    if new.home_must_match && new.project_root.is_none() {
        return Err(HttpError::bad_request("home_must_match needs project_root"));
    }
    let submission = Submission {
        task: TaskRef { project: new.project_id, task: new.task_id },
        kind: TaskKind::Task,
        agent: new.agent_type,
        prompt: new.prompt,
        // The agent works in `cwd`. If the caller names only the project's home, the agent works there.
        cwd: new.cwd.or_else(|| new.project_root.clone()),
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
    let existing = match new.attach_mode {
        wire::AttachMode::Create => Existing::Refuse,
        wire::AttachMode::Attach => Existing::Attach,
        wire::AttachMode::Resume => Existing::Resume,
    };
    Ok(TaskRequest { submission, existing })
}

fn list(call: &Call) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.ready()?;
    let limit = query.number(&LIMIT)?.unwrap_or(usize::MAX);
    let window = Window { offset: 0, limit };
    let query = task_query(query, query.optional(&OF_PROJECT)?, window)?;
    let page = api.core.index.list_tasks(&query);
    let reasons = api.core.index.reasons(&page.items, api.core.runner.tree.clock().now());
    let tasks = page.items.iter().zip(reasons).map(|(t, why)| wire::Task::new(t, why, api.words())).collect();
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

fn show(call: &Call, task: &TaskId) -> Result<Response> {
    let task = TaskRef { project: call.query.required(&PROJECT)?, task: task.clone() };
    let known = call.api.task(&task)?;
    Ok(json(StatusCode::OK, &wire::Task::new(&known, call.api.reason(&known), call.api.words())))
}

async fn cancel(call: Call, task: TaskId) -> Result<Response> {
    let task = TaskRef { project: call.query.required(&PROJECT)?, task };
    let api = call.api;
    // Counted before the stop, which may end them at once.
    let stopped_runs = api.core.index.task(&task).map_or(0, |t| t.count(RunStatus::Running));
    let Some(stopped) = api.core.stop(task).await? else {
        // The command line of the original takes no other status.
        let status = if api.words() == Words::Original { StatusCode::ACCEPTED } else { StatusCode::OK };
        return Ok(json(status, &wire::Cancelled { status: "ended", stopped_runs: 0 }));
    };
    Ok(if api.ends(&stopped).await? {
        json(StatusCode::OK, &wire::Cancelled { status: "cancelled", stopped_runs })
    } else {
        json(StatusCode::ACCEPTED, &wire::Cancelled { status: "cancelling", stopped_runs })
    })
}
