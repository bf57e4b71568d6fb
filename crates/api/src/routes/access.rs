//! Access for pages and links: codes that are exchanged for keys, and tickets.

use chrono::TimeDelta;
use http::StatusCode;
use warp::reply::Response;

use crate::{
    Api,
    endpoint::{ADMIN, Access, Call, Endpoint, OPEN, READ, Scope, delete, get, post},
    error::{HttpError, Result, json},
    keys::of_daemon,
    wire,
};
use base::blocking;
use daemon::{Identity, Proof};
use tree::login::BrowserKey;
use web::{RouteMatch, TICKET_LIFE, no_content};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(OPEN, "/api/v1/auth", "Tell if a key is required, and which key came with the request")
            .json::<wire::WhoAsks>(StatusCode::OK, "Who asks")
            .map(|call, (): &()| Ok::<_, HttpError>(who(&call.api, call.caller.identity.as_ref()))),
        post(READ, "/api/v1/auth/codes", "Create a code that a browser page exchanges for a key")
            .may_take::<wire::NewCode>()
            .json::<wire::Code>(StatusCode::CREATED, "The code")
            .errors(&[409])
            .then(|call, (): ()| make_code(call)),
        get(ADMIN, "/api/v1/auth/keys", "List the keys of browser pages")
            .json::<wire::Keys>(StatusCode::OK, "The keys, without their secrets")
            .map(|call, (): &()| Ok::<_, HttpError>(list(&call.api))),
        post(OPEN, "/api/v1/auth/keys", "Exchange a code for a key")
            .takes::<wire::GivenCode>()
            .json::<wire::Key>(StatusCode::CREATED, "The key")
            .then(|call, (): ()| exchange(call)),
        delete(ADMIN, "/api/v1/auth/keys", "Revoke the keys of all browser pages")
            .no_content("All keys are revoked")
            .then(async |call, (): ()| revoke(call.api, |_| true).await.map(|_| no_content())),
        delete(READ, "/api/v1/auth/keys/current", "Revoke the key in this request")
            .no_content("The key is revoked")
            .errors(&[409])
            .then(|call, (): ()| revoke_own(call)),
        post(READ, "/api/v1/tickets", "Create a ticket that authorizes one GET request for one path")
            .takes::<wire::NewTicket>()
            .json::<wire::Ticket>(StatusCode::CREATED, "The ticket")
            .errors(&[404, 429])
            .then(|call, (): ()| make_ticket(call)),
    ]
}

fn who(api: &Api, identity: Option<&web::Identity>) -> Response {
    let who = wire::WhoAsks {
        required: api.logins.are_required(),
        authenticated: identity.is_some(),
        name: identity.and_then(|who| who.name.as_deref()),
        scope: identity.map(|who| who.scope.as_str()),
    };
    json(StatusCode::OK, &who)
}

async fn make_code(call: Call) -> Result<Response> {
    let Call { api, caller, body, .. } = call;
    let new: wire::NewCode = body.json_or_nothing().await?;
    let identity = caller.identity.as_ref().ok_or_else(web::Error::unauthorized)?;
    let identity = of_daemon(&api.logins, identity);
    let scope = match new.scope {
        None => identity.scope,
        Some(word) => config::Scope::of(&word).ok_or_else(|| {
            HttpError::bad_request(format!(
                "'{}' is not a scope; the scopes are read, run and admin",
                word.escape_debug()
            ))
        })?,
    };
    if scope > identity.scope {
        let text =
            format!("a key with the scope {} cannot create a code with the scope {scope}", identity.scope);
        return Err(HttpError::new(StatusCode::FORBIDDEN, text));
    }
    let logins = api.logins.clone();
    let code = blocking::run(move || logins.offer(&identity, scope)).await?;
    let code = code.ok_or_else(|| {
        let text = if api.logins.are_required() {
            "the key of a browser page cannot create codes; run 'run-agent ui'"
        } else {
            "this daemon requires no key, so no code is needed"
        };
        HttpError::new(StatusCode::CONFLICT, text)
    })?;
    Ok(json(StatusCode::CREATED, &wire::Code::from(&code)))
}

async fn exchange(call: Call) -> Result<Response> {
    let Call { api, body, .. } = call;
    let (given, _) = body.json::<wire::GivenCode>().await?;
    let logins = api.logins.clone();
    let key = blocking::run(move || logins.exchange(&given.code)).await?;
    let key = key.ok_or_else(|| {
        let text = "this code is unknown, already used or expired; create a new one with 'run-agent ui'";
        HttpError::new(StatusCode::FORBIDDEN, text)
    })?;
    tracing::info!(key = key.name, scope = key.scope.as_str(), "issued a key to a browser page");
    Ok(json(StatusCode::CREATED, &wire::Key::from(&key)))
}

fn list(api: &Api) -> Response {
    let keys = api.logins.list();
    json(StatusCode::OK, &wire::Keys { keys: keys.iter().map(Into::into).collect() })
}

async fn revoke_own(call: Call) -> Result<Response> {
    let identity = call.caller.identity.as_ref().map(|identity| of_daemon(&call.api.logins, identity));
    let Some(Identity { proof: Proof::Page(digest), .. }) = identity else {
        let text =
            "only the key of a browser page can be revoked here; remove other keys from the configuration";
        return Err(HttpError::new(StatusCode::CONFLICT, text));
    };
    let hex = digest.hex();
    revoke(call.api, move |key| key.sha256 == hex).await.map(|_| no_content())
}

async fn revoke(api: Api, is_meant: impl Fn(&BrowserKey) -> bool + Send + 'static) -> Result<usize> {
    let logins = api.logins.clone();
    Ok(blocking::run(move || logins.revoke(is_meant)).await?)
}

async fn make_ticket(call: Call) -> Result<Response> {
    let Call { api, caller, body, .. } = call;
    let (new, _) = body.json::<wire::NewTicket>().await?;
    let identity = caller.identity.clone().ok_or_else(web::Error::unauthorized)?;
    let path = new.path.split(['?', '#']).next().unwrap_or_default();
    let RouteMatch::Endpoint(endpoint, _) = api.table.find("GET", path) else {
        return Err(HttpError::not_found(
            "a ticket needs the path of an endpoint with the method GET, and this is not one",
        ));
    };
    if matches!(endpoint.declared().access, Access::Key(scope) if scope > Scope::Read) {
        return Err(HttpError::new(
            StatusCode::FORBIDDEN,
            "a ticket only authorizes requests that need the scope read",
        ));
    }
    let ticket = api.keys.make_ticket(path, identity).map_err(|e| {
        HttpError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot read random bytes from the system: {e}"),
        )
    })?;
    let ticket = ticket.ok_or_else(|| {
        HttpError::new(StatusCode::TOO_MANY_REQUESTS, "too many unused tickets; try again in 30 seconds")
    })?;
    let life = TimeDelta::from_std(TICKET_LIFE).unwrap_or_default();
    let expires_at = wire::Time(api.core.runner.tree.clock().now() + life);
    Ok(json(StatusCode::CREATED, &wire::Ticket { ticket: ticket.expose(), path, expires_at }))
}
