//! `/api/v1/messages`, but for their stream.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, off_thread, optional, query, required};
use crate::{
    http::{
        Api,
        body::{Body, body},
        error::{HttpError, Result, answer, json},
        wire,
    },
    tree::{
        bus::{BusOwner, Draft, MessageType},
        ids::MsgId,
    },
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "v1" / "messages")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .then(async |api, query| answer(list(api, query).await))
        .boxed();
    let post = warp::path!("api" / "v1" / "messages")
        .and(warp::post())
        .and(api.clone())
        .and(body())
        .then(async |api, body| answer(post(api, body).await))
        .boxed();
    list.or(post).unify().boxed()
}

/// Whose bus a query means.
pub(super) fn owner(query: &Query) -> Result<BusOwner> {
    Ok(BusOwner::new(required(query, "project_id")?, optional(query, "task_id")?))
}

async fn list(api: Api, query: Query) -> Result<Response> {
    let bus = api.core.runner.tree.bus(owner(&query)?);
    let after: Option<MsgId> = optional(&query, "after")?;
    let limit = match query.get("limit") {
        Some(text) => text.parse().map_err(|_| HttpError::bad_request("limit is not a number"))?,
        None => usize::MAX,
    };
    let page = off_thread(move || bus.after(after.as_ref(), limit)).await?;
    let messages: Vec<wire::BusMessage<'_>> = page.messages.iter().map(Into::into).collect();
    Ok(json(StatusCode::OK, &wire::Messages { messages, more: page.more }))
}

async fn post(api: Api, body: Body) -> Result<Response> {
    let new: wire::NewMessage = body.json(api.core.runner.config.api.max_body).await?;
    let draft = Draft {
        run_id: new.run_id,
        parents: new.parents,
        links: new.links,
        meta: new.meta,
        ..Draft::new(new.kind.unwrap_or(MessageType::USER), new.body)
    };
    let owner = BusOwner::new(new.project_id, new.task_id);
    let message = api.core.post(owner, draft).await?;
    let posted = json!({ "msg_id": message.msg_id, "timestamp": wire::Time(message.timestamp) });
    Ok(json(StatusCode::CREATED, &posted))
}
