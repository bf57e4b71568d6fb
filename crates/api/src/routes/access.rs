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
        get(OPEN, "/api/v1/auth", "Whether a key is asked for, and whose key came with the request")
            .json::<wire::WhoAsks>(StatusCode::OK, "Who asks")
            .map(|call, (): &()| Ok::<_, HttpError>(who(&call.api, call.caller.identity.as_ref()))),
        post(READ, "/api/v1/auth/codes", "Make a code that a page in a browser exchanges for a key")
            .may_take::<wire::NewCode>()
            .json::<wire::Code>(StatusCode::CREATED, "The code")
            .errors(&[409])
            .then(|call, (): ()| make_code(call)),
        get(ADMIN, "/api/v1/auth/keys", "List the keys that pages in browsers hold")
            .json::<wire::Keys>(StatusCode::OK, "Keys, without their secrets")
            .map(|call, (): &()| Ok::<_, HttpError>(list(&call.api))),
        post(OPEN, "/api/v1/auth/keys", "Exchange a code for a key")
            .takes::<wire::GivenCode>()
            .json::<wire::Key>(StatusCode::CREATED, "The key")
            .then(|call, (): ()| exchange(call)),
        delete(ADMIN, "/api/v1/auth/keys", "Revoke the keys of all pages")
            .no_content("There are none now")
            .then(async |call, (): ()| revoke(call.api, |_| true).await.map(|_| no_content())),
        delete(READ, "/api/v1/auth/keys/current", "Revoke the key of the page that asks")
            .no_content("It is revoked")
            .errors(&[409])
            .then(|call, (): ()| revoke_own(call)),
        post(READ, "/api/v1/tickets", "Make a ticket for one request of one path")
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
            HttpError::bad_request(format!("'{}' is no scope; read, run and admin are", word.escape_debug()))
        })?,
    };
    if scope > identity.scope {
        let text = format!("a key of scope {} makes no code of scope {scope}", identity.scope);
        return Err(HttpError::new(StatusCode::FORBIDDEN, text));
    }
    let logins = api.logins.clone();
    let code = blocking::run(move || logins.offer(&identity, scope)).await?;
    let code = code.ok_or_else(|| {
        let text = if api.logins.are_required() {
            "the key of a page makes no codes; 'run-agent ui' does"
        } else {
            "no key is asked for here, and so there is none to hand on"
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
        let text = "this code is unknown, was used, or is too old; 'run-agent ui' makes a new one";
        HttpError::new(StatusCode::FORBIDDEN, text)
    })?;
    tracing::info!(key = key.name, scope = key.scope.as_str(), "a page in a browser got a key");
    Ok(json(StatusCode::CREATED, &wire::Key::from(&key)))
}

fn list(api: &Api) -> Response {
    let keys = api.logins.list();
    json(StatusCode::OK, &wire::Keys { keys: keys.iter().map(Into::into).collect() })
}

async fn revoke_own(call: Call) -> Result<Response> {
    let identity = call.caller.identity.as_ref().map(|identity| of_daemon(&call.api.logins, identity));
    let Some(Identity { proof: Proof::Page(digest), .. }) = identity else {
        let text = "only the key of a page is revoked like this; others stand in the configuration";
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
            "a ticket is for a path that can be asked for with GET; this is none",
        ));
    };
    if matches!(endpoint.declared().access, Access::Key(scope) if scope > Scope::Read) {
        return Err(HttpError::new(
            StatusCode::FORBIDDEN,
            "there are no tickets for what needs more than reading",
        ));
    }
    let ticket = api.keys.make_ticket(path, identity).map_err(|e| {
        HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the machine gives no random bytes: {e}"))
    })?;
    let ticket = ticket.ok_or_else(|| {
        HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many tickets wait to be used; ask again in half a minute",
        )
    })?;
    let life = TimeDelta::from_std(TICKET_LIFE).unwrap_or_default();
    let expires_at = wire::Time(api.core.runner.tree.clock().now() + life);
    Ok(json(StatusCode::CREATED, &wire::Ticket { ticket: ticket.expose(), path, expires_at }))
}
