//! Messages, but for their streams: `/api/v1/messages`, and those of a project and of a task.

use http::StatusCode;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query, caller, idempotency_key, off_thread,
    query::{bad, query},
    replayed,
};
use crate::{
    daemon::Novelty,
    http::{
        Api,
        body::{Body, body},
        caller::Caller,
        error::{HttpError, Result, answer, json},
        wire,
    },
    runner,
    tree::{
        bus::{BusOwner, Page},
        ids::{MsgId, TaskId},
    },
    view::merged::{self, Merged, Span},
};

/// The most messages that one answer may be asked for.
const MOST: usize = 5000;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let v1 = || warp::path!("api" / "v1" / "messages");
    let project = || warp::path!("api" / "projects" / String / "messages");
    let task = || warp::path!("api" / "projects" / String / "tasks" / String / "messages");
    let list = v1()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |api, query: Query| answer(show(api, owner(&query), query).await))
        .boxed();
    let post = v1()
        .and(warp::post())
        .and(api.clone())
        .and(caller())
        .and(idempotency_key())
        .and(body())
        .then(async |api, caller, key, body| answer(post(api, (caller, key), body).await))
        .boxed();
    let list_project = project()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |p: String, api, query| answer(show(api, named(&p, None), query).await))
        .boxed();
    let post_project = project()
        .and(warp::post())
        .and(api.clone())
        .and(caller())
        .and(idempotency_key())
        .and(body())
        .then(async |p: String, api, caller, key, body| {
            answer(post_to(api, named(&p, None), (caller, key), body).await)
        })
        .boxed();
    let list_task = task()
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |p: String, t: String, api, query| answer(show(api, named(&p, Some(&t)), query).await))
        .boxed();
    let post_task = task()
        .and(warp::post())
        .and(api.clone())
        .and(caller())
        .and(idempotency_key())
        .and(body())
        .then(async |p: String, t: String, api, caller, key, body| {
            answer(post_to(api, named(&p, Some(&t)), (caller, key), body).await)
        })
        .boxed();
    list.or(post)
        .unify()
        .or(list_project)
        .unify()
        .or(post_project)
        .unify()
        .or(list_task)
        .unify()
        .or(post_task)
        .unify()
        .boxed()
}

/// Who posts, and what he calls his request.
type Sender = (Caller, Option<String>);

/// Whose bus a query means.
pub(super) fn owner(query: &Query) -> Result<BusOwner> {
    Ok(BusOwner::new(query.required("project_id")?, query.optional("task_id")?))
}

/// Whose bus a path means.
pub(super) fn named(project: &str, task: Option<&str>) -> Result<BusOwner> {
    Ok(BusOwner::new(project.parse()?, task.map(str::parse).transpose()?))
}

/// Whether the buses of a project's tasks are meant, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Own,
    All,
}

pub(super) fn scope(query: &Query, owner: &BusOwner) -> Result<Scope> {
    match (query.text("scope"), owner) {
        (None | Some("own"), _) => Ok(Scope::Own),
        (Some("all"), BusOwner::Project(_)) => Ok(Scope::All),
        (Some("all"), BusOwner::Task(_)) => Err(bad("scope", &"the bus of a task has no others below it")),
        (Some(_), _) => Err(bad("scope", &"it is neither own nor all")),
    }
}

/// Which messages a query means.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Span(Span),
    Before(MsgId),
    First,
}

fn wanted(query: &Query, limit: Option<usize>) -> Result<Wanted> {
    let given = ["after", "since", "before"].into_iter().filter(|name| query.text(name).is_some());
    let given: Vec<&str> = given.collect();
    Ok(match given.as_slice() {
        // Without a limit that is the same, and in one read.
        [] if limit.is_none() => Wanted::First,
        [] => Wanted::Span(Span::Last),
        ["before"] => Wanted::Before(query.required("before")?),
        ["since"] if query.optional::<MsgId>("since").is_err() => match query.time("since")? {
            Some(time) => Wanted::Span(Span::Since(time)),
            None => Wanted::First,
        },
        [name] => Wanted::Span(Span::After(query.required(name)?)),
        [_, other, ..] => return Err(bad(other, &"after, since and before go alone")),
    })
}

async fn show(api: Api, owner: Result<BusOwner>, query: Query) -> Result<Response> {
    let owner = owner?;
    let limit = query.number("limit", 1..=MOST)?;
    let wanted = wanted(&query, limit)?;
    let most = limit.unwrap_or(usize::MAX);
    let Merged { messages, more } = match scope(&query, &owner)? {
        Scope::Own => own(api, owner, wanted, most).await?,
        Scope::All => all(api, owner, wanted, most).await?,
    };
    let messages: Vec<wire::BusMessage<'_>> = messages.iter().map(Into::into).collect();
    Ok(json(StatusCode::OK, &wire::Messages { messages, more }))
}

async fn own(api: Api, owner: BusOwner, wanted: Wanted, most: usize) -> Result<Merged> {
    let bus = api.core.runner.tree.bus(owner);
    let page = off_thread(move || match wanted {
        Wanted::First => bus.after(None, most),
        Wanted::Before(id) => bus.before(&id, most),
        Wanted::Span(Span::Last) => bus.tail(most),
        Wanted::Span(Span::After(id)) => bus.after(Some(&id), most),
        Wanted::Span(Span::Since(time)) => bus.position_from(time).and_then(|at| bus.read_from(at, most)),
    });
    let Page { messages, more, .. } = page.await?;
    Ok(Merged { messages, more })
}

async fn all(api: Api, owner: BusOwner, wanted: Wanted, most: usize) -> Result<Merged> {
    let span = match wanted {
        Wanted::Span(span) => span,
        Wanted::First => Span::Since(chrono::DateTime::UNIX_EPOCH),
        Wanted::Before(_) => return Err(bad("before", &"it goes with one bus only")),
    };
    let project = owner.project().clone();
    let tasks: Vec<TaskId> =
        api.core.index.tasks(Some(&project)).iter().map(|t| t.task.task.clone()).collect();
    let tree = api.core.runner.tree.clone();
    off_thread(move || merged::read(&tree, &project, &tasks, &span, most)).await
}

async fn post(api: Api, from: Sender, body: Body) -> Result<Response> {
    let (new, sent) = body.json::<wire::NewMessage>(api.core.runner.config.api.max_body).await?;
    let (owner, message) = new.split();
    store(api, from, owner, message, sent).await
}

async fn post_to(api: Api, owner: Result<BusOwner>, from: Sender, body: Body) -> Result<Response> {
    let owner = owner?;
    let (message, sent) = body.json(api.core.runner.config.api.max_body).await?;
    store(api, from, owner, message, sent).await
}

async fn store(
    api: Api,
    (caller, key): Sender,
    owner: BusOwner,
    message: wire::NewBusMessage,
    sent: serde_json::Value,
) -> Result<Response> {
    if message.body.is_empty() {
        return Err(HttpError::bad_request("the body of the message is empty"));
    }
    let asked = key.map(|key| runner::request(&key, sent.to_string().as_bytes())).transpose()?;
    let mut submitted = caller.submitted(sent);
    submitted.project = Some(owner.project().clone());
    submitted.task = owner.task().cloned();
    let draft = message.into_draft();
    let (message, novelty) = match asked {
        Some(asked) => api.core.post_once(owner, draft, asked).await?,
        None => (api.core.post(owner, draft).await?, Novelty::New),
    };
    let posted = wire::Posted { msg_id: &message.msg_id, timestamp: wire::Time(message.timestamp) };
    if novelty == Novelty::Repeated {
        return Ok(replayed(json(StatusCode::CREATED, &posted)));
    }
    submitted.message = Some(message.msg_id.clone());
    api.core.audit(submitted).await;
    Ok(json(StatusCode::CREATED, &posted))
}
