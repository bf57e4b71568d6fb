//! Messages without their streams: `/api/v1/messages`, and those of a project and of a task.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::StatusCode;
use warp::reply::Response;

use super::known::replayed;
use crate::{
    Api,
    endpoint::{
        Call, Endpoint, IDEMPOTENCY_KEY, Param, Query, READ, RUN, Traces, bad, get, number, one_of, opaque,
        post, text,
    },
    error::{HttpError, Result, json},
    keys::audit_line,
    stream::{Ends, MessagePages, answer},
    wire,
};
use base::blocking;
use daemon::Novelty;
use engine::runner;
use tree::{
    bus::BusOwner,
    ids::{MsgId, ProjectId, TaskId},
};
use view::merged::{BusesBegin, BusesLog};
use web::{Caller, Sent};

const PROJECT: Param = text::<ProjectId>("project_id", "The project").required();
const TASK: Param = text::<TaskId>("task_id", "Use the bus of this task; without it, the bus of the project");
pub(super) const SCOPE: Param = one_of(
    "scope",
    &["own", "all"],
    "`own`: the bus of the project; `all`: also the buses of its tasks, merged",
);
const AFTER: Param = text::<MsgId>("after", "Only messages after the message with this id");
const SINCE: Param =
    opaque("since", SINCE_PATTERN, "Only messages since this time, or after the message with this id");
/// A time in RFC 3339 format, or the id of a message.
const SINCE_PATTERN: &str = r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z|@[0-9]{1,19}|[A-Za-z0-9][A-Za-z0-9_-]{0,127})$";
const BEFORE: Param = text::<MsgId>("before", "Only messages before the message with this id");
const LIMIT: Param = number("limit", 1, 5000, "Maximum number of messages; default: all");

/// The owner of the bus, if the path does not name it.
pub(super) const OWNER: [Param; 2] = [PROJECT, TASK];

pub(super) fn endpoints() -> Vec<Endpoint> {
    let list = |path, summary| {
        get(READ, path, summary)
            .params(&[AFTER, SINCE, BEFORE, LIMIT])
            .json::<wire::Messages>(StatusCode::OK, "The messages, oldest first")
            .errors(&[404, 503])
    };
    let create = |path, summary| {
        post(RUN, path, summary)
            .params(&[IDEMPOTENCY_KEY])
            .json::<wire::Posted>(StatusCode::CREATED, "The message is stored")
            .leaves(Traces::Quiet)
            .errors(&[404, 409, 422, 503, 507])
    };
    let (project, task) =
        ("/api/projects/{project_id}/messages", "/api/projects/{project_id}/tasks/{task_id}/messages");
    vec![
        list("/api/v1/messages", "List the messages of a project's or task's bus")
            .params(&OWNER)
            .params(&[SCOPE])
            .then(async |call, (): ()| show(&call, owner(&call.query)?).await),
        create("/api/v1/messages", "Post a message")
            .takes::<wire::NewMessage>()
            .then(|call, (): ()| post_v1(call)),
        list(project, "List the messages of a project's bus")
            .params(&[SCOPE])
            .then(async |call, project| show(&call, BusOwner::Project(project)).await),
        create(project, "Post a message to a project's bus")
            .takes::<wire::NewBusMessage>()
            .then(|call, project| post_to(call, BusOwner::Project(project))),
        list(task, "List the messages of a task's bus")
            .then(async |call, task| show(&call, BusOwner::Task(task)).await),
        create(task, "Post a message to a task's bus")
            .takes::<wire::NewBusMessage>()
            .then(|call, task| post_to(call, BusOwner::Task(task))),
    ]
}

/// Returns the owner of the bus that a query names.
pub(super) fn owner(query: &Query) -> Result<BusOwner> {
    Ok(BusOwner::new(query.required(&PROJECT)?, query.optional(&TASK)?))
}

/// States if the buses of a project's tasks are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Own,
    All,
}

pub(super) fn scope(query: &Query, owner: &BusOwner) -> Result<Scope> {
    match (query.one_of(&SCOPE)?, owner) {
        (Some("all"), BusOwner::Project(_)) => Ok(Scope::All),
        (Some("all"), BusOwner::Task(_)) => {
            Err(bad(&SCOPE, &"scope=all needs the bus of a project, and this is the bus of a task"))
        }
        _ => Ok(Scope::Own),
    }
}

/// Messages that begin at a place of the bus.
#[derive(Debug, PartialEq, Eq)]
enum Span {
    /// After this message; the first ones first.
    After(MsgId),
    /// With this time or a later one in their id; the first ones first.
    Since(DateTime<Utc>),
    /// The last ones.
    Last,
}

/// The messages that a query selects.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Span(Span),
    Before(MsgId),
    First,
}

fn wanted(query: &Query, limit: Option<usize>) -> Result<Wanted> {
    let mut given = Vec::new();
    for param in [&AFTER, &SINCE, &BEFORE] {
        given.extend(query.text(param)?.map(|text| (param, text)));
    }
    Ok(match given.as_slice() {
        // Without a limit the result is the same, but takes only one read.
        [] if limit.is_none() => Wanted::First,
        [] => Wanted::Span(Span::Last),
        // The document's own script asks for `null` if there is no last message yet, because jq prints that.
        [(param, "null")] if param.name == AFTER.name => Wanted::First,
        [(param, _)] if param.name == BEFORE.name => Wanted::Before(query.required(&BEFORE)?),
        [(param, text)] if param.name == SINCE.name && text.parse::<MsgId>().is_err() => {
            match query.time(&SINCE)? {
                Some(time) => Wanted::Span(Span::Since(time)),
                None => Wanted::First,
            }
        }
        [(param, _)] => Wanted::Span(Span::After(query.required(param)?)),
        [_, (other, _), ..] => return Err(bad(other, &"use only one of after, since and before")),
    })
}

async fn show(call: &Call, owner: BusOwner) -> Result<Response> {
    let Call { api, query, .. } = call;
    let limit = query.number(&LIMIT)?;
    let wanted = wanted(query, limit)?;
    let most = limit.unwrap_or(usize::MAX);
    let pages = match scope(query, &owner)? {
        Scope::Own => own(api, owner, wanted, most).await?,
        Scope::All => all(api, owner, wanted, most).await?,
    };
    answer(api, pages).await
}

async fn own(api: &Api, owner: BusOwner, wanted: Wanted, most: usize) -> Result<MessagePages> {
    let bus = api.core.runner.tree.bus(owner);
    let reader = bus.clone();
    let (stretch, left, ends) = blocking::run(move || {
        let from = |offset| reader.rest_from(offset).map(|rest| (rest, most, Ends::Later));
        // The part is as long as it was asked for, so its messages need not be counted again.
        let last = |id, ends| reader.last(most, id).map(|last| (last, usize::MAX, ends));
        match wanted {
            Wanted::First => from(0),
            Wanted::Before(id) => last(Some(&id), Ends::Earlier),
            Wanted::Span(Span::Last) => last(None, Ends::Never),
            Wanted::Span(Span::After(id)) => reader.position_of(&id).and_then(from),
            Wanted::Span(Span::Since(time)) => reader.position_from(time).and_then(from),
        }
    })
    .await?;
    Ok(MessagePages::of_bus(bus, stretch, left, ends))
}

async fn all(api: &Api, owner: BusOwner, wanted: Wanted, most: usize) -> Result<MessagePages> {
    let (begin, ends) = match wanted {
        Wanted::First => (BusesBegin::First, Ends::Later),
        Wanted::Span(Span::Last) => (BusesBegin::Last(most), Ends::Never),
        Wanted::Span(Span::After(id)) => (BusesBegin::After(id), Ends::Later),
        Wanted::Span(Span::Since(time)) => (BusesBegin::Since(time), Ends::Later),
        Wanted::Before(_) => return Err(bad(&BEFORE, &"it cannot be combined with scope=all")),
    };
    let project = owner.project().clone();
    let tasks: Vec<TaskId> =
        api.core.index.tasks(Some(&project)).iter().map(|t| t.task.task.clone()).collect();
    let tree = api.core.runner.tree.clone();
    let (log, _) = blocking::run(move || BusesLog::begin(tree, project, &tasks, begin)).await?;
    Ok(MessagePages::of_buses(log, most, ends))
}

async fn post_v1(call: Call) -> Result<Response> {
    let key = call.header(&IDEMPOTENCY_KEY)?.map(str::to_owned);
    let Call { api, caller, body, .. } = call;
    let (new, sent) = body.json::<wire::NewMessage>().await?;
    let (owner, message) = new.split();
    store(api, (caller, key), owner, message, sent).await
}

async fn post_to(call: Call, owner: BusOwner) -> Result<Response> {
    let key = call.header(&IDEMPOTENCY_KEY)?.map(str::to_owned);
    let Call { api, caller, body, .. } = call;
    let (message, sent) = body.json().await?;
    store(api, (caller, key), owner, message, sent).await
}

async fn store(
    api: Api,
    (caller, key): (Arc<Caller>, Option<String>),
    owner: BusOwner,
    message: wire::NewBusMessage,
    sent: Sent,
) -> Result<Response> {
    if message.body.is_empty() {
        return Err(HttpError::bad_request("the body of the message is empty"));
    }
    let asked = key.map(|key| runner::request(&key, &sent.canonical())).transpose()?;
    let mut line = audit_line(&caller, &sent);
    line.project = Some(owner.project().clone());
    line.task = owner.task().cloned();
    let draft = message.into_draft();
    let (message, novelty) = match asked {
        Some(asked) => api.core.post_once(owner, draft, asked).await?,
        None => (api.core.post(owner, draft).await?, Novelty::New),
    };
    let posted = wire::Posted { msg_id: &message.msg_id, timestamp: wire::Time(message.timestamp) };
    if novelty == Novelty::Repeated {
        return Ok(replayed(json(StatusCode::CREATED, &posted)));
    }
    line.message = Some(message.msg_id.clone());
    api.core.audit.record(line).await;
    Ok(json(StatusCode::CREATED, &posted))
}
