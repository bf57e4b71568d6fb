//! The door of a mount: the order of the checks that a request passes, and the headers of its answer.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper::{
    body::{Body as _, Incoming},
    service::Service as _,
};
use hyper_util::service::TowerToHyperService;
use warp::{Filter, Rejection, reply::Response};

use super::{
    super::{
        body::Purse,
        caller::{self, Caller},
        endpoint::{Endpoint, Handed, Pages, PendingCall, RouteMatch, Table, Traces},
        error::{Error, Origin, Result},
        keys::Access,
        manners::{self, Finish, RefusedRequest, Slashes},
        socket::Upgrade,
    },
    guard::{self, Guard},
    mount::{Asking, Mount, below},
    panics, room,
};

/// A request that was let in.
enum Admitted<S> {
    /// A browser asks what a page of another site may send.
    Preflight,
    /// A client asks for the methods of a path.
    Options(String),
    /// The path exists in the table without its last slash.
    Moved(String),
    /// A user asks for a page.
    Page(Response),
    /// A client calls an endpoint.
    Call(Arc<Endpoint<S>>, Box<PendingCall<S>>),
}

/// The texts of a request that its answer, its log lines and its endpoint share.
struct Names {
    request_id: Arc<str>,
    path: Arc<str>,
}

/// Answers a request.
pub(super) async fn answer<S: Clone + Send + Sync + 'static>(
    mount: &Mount<S>,
    guard: &Guard,
    request: Request<Incoming>,
    asking: &Asking,
) -> Response {
    let manners = &mount.manners;
    let request_id = caller::request_id(request.headers(), mount.live.clock.now());
    let (method, path) = (request.method().clone(), Arc::<str>::from(request.uri().path()));
    let asked = RefusedRequest { method: &method, path: &path, request_id: &request_id };
    let names = Names { request_id: request_id.clone(), path: path.clone() };
    let allowed = manners.cors.allowed(request.headers());
    let has_body = !request.body().is_end_stream();
    let mut traces = Traces::All;
    let answered = match enter(mount, guard, &request, names, asking) {
        Ok(Admitted::Preflight) => manners.cors.preflight(request.headers(), allowed.as_ref()),
        Ok(Admitted::Options(allow)) => Ok(options(&allow)),
        Ok(Admitted::Moved(location)) => Ok(moved(&location)),
        Ok(Admitted::Page(page)) => Ok(page),
        Ok(Admitted::Call(endpoint, pending)) => {
            traces = endpoint.declared().traces;
            let called = call(mount, &endpoint, *pending, request, asking).await;
            match called {
                // The answer to a change is given in any case: the change was made.
                Ok(response) if endpoint.declared().method == "GET" => {
                    room::within(&mount.live, response).await
                }
                answered => answered,
            }
        }
        Err(refused) => {
            let status = refused.status.as_u16();
            tracing::debug!(request_id = &*request_id, peer = %asking.peer, %method, path = &*path, status, "a request was refused");
            Err(refused)
        }
    };
    let mut response = answered.unwrap_or_else(|error| manners.refuse(&error, &asked));
    if method == Method::HEAD {
        response = without_body(response);
    }
    let status = response.status();
    let is_page = (manners.pages.is_page)(&path);
    let finish = Finish { status, is_page, request_id: &request_id, challenge: manners.challenge, allowed };
    manners::finish(response.headers_mut(), finish);
    if has_body && status.is_client_error() {
        // The rest of the body is not read, so no other request can follow on this connection.
        asking.unread.store(true, Ordering::Relaxed);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if traces != Traces::Uncounted {
        mount.live.counters.count(&method, status);
    }
    response
}

/// Admits a request that is allowed and known here.
fn enter<S: Clone>(
    mount: &Mount<S>,
    guard: &Guard,
    request: &Request<Incoming>,
    names: Names,
    asking: &Asking,
) -> Result<Admitted<S>> {
    let Mount { manners, table, .. } = mount;
    guard.check(request, asking.peer, manners)?;
    let (method, path) = (request.method(), request.uri().path());
    let Lookup { found, moved } =
        seek(table, manners.slashes, method, below(mount.prefix, path).unwrap_or(path));
    let max_body = match &found {
        RouteMatch::Endpoint(endpoint, _) => endpoint.declared().max_body.unwrap_or(manners.max_body),
        _ => manners.max_body,
    };
    guard::check_body(request, max_body, asking.two_lengths)?;
    // A browser asks without a key whether it may send one.
    if manners::is_preflight(request) {
        return Ok(Admitted::Preflight);
    }
    if let Some(page) = (manners.pages.answer)(method, path, request.headers()) {
        return Ok(Admitted::Page(page));
    }
    let identity = mount.keys.identify(request, asking.peer, &manners.key_locations)?;
    // A client without a key learns nothing, not even the existing routes.
    if identity.is_none() && !is_open(&found, method, (manners.pages.is_page)(path)) {
        return Err(Error::unauthorized());
    }
    let (endpoint, texts) = match found {
        RouteMatch::Endpoint(endpoint, texts) => (endpoint, texts),
        RouteMatch::Options(allow) => return Ok(Admitted::Options(allow)),
        RouteMatch::WrongMethod(allow) => return Err(Error::wrong_method(allow)),
        RouteMatch::Nothing if moved => return Ok(Admitted::Moved(without_slash(request.uri()))),
        RouteMatch::Nothing => return Err(Error::no_route()),
    };
    let declared = endpoint.declared();
    let identity = declared.access.check(identity)?;
    if declared.pages == Pages::Refused && guard::is_from_a_page(request.headers()) {
        let text = "nothing is deleted from a page in a browser: use the command line, or another client";
        return Err(Error::new(StatusCode::FORBIDDEN, text).from(Origin::Guard));
    }
    let caller = Arc::new(Caller {
        request_id: names.request_id,
        peer: asking.peer,
        method: declared.method,
        path: names.path,
        endpoint: declared.path,
        identity,
    });
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (api, manners, headers) = (mount.api.clone(), manners.clone(), HeaderMap::new());
    let purse = Purse::new(&mount.live);
    let pending = PendingCall { api, caller, headers, texts, query, max_body, purse, manners, upgrade: None };
    Ok(Admitted::Call(endpoint, Box::new(pending)))
}

/// The meaning of a request.
struct Lookup<S> {
    found: RouteMatch<S>,
    /// True if nothing was found, but would be found without the slash after the path.
    moved: bool,
}

fn seek<S>(table: &Table<S>, slashes: Slashes, method: &Method, path: &str) -> Lookup<S> {
    let found = table.find(method.as_str(), path);
    let bare = path.strip_suffix('/').filter(|_| matches!(found, RouteMatch::Nothing));
    match (slashes, bare) {
        (Slashes::Strict, _) | (_, None) => Lookup { found, moved: false },
        (Slashes::Ignored, Some(bare)) => Lookup { found: table.find(method.as_str(), bare), moved: false },
        (Slashes::Redirected, Some(bare)) => {
            let moved = !matches!(table.find(method.as_str(), bare), RouteMatch::Nothing);
            Lookup { found, moved }
        }
    }
}

/// Returns a target without the slash after its path.
fn without_slash(uri: &Uri) -> String {
    let path = uri.path().trim_end_matches('/');
    uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// Returns true if a request is answered without a key.
fn is_open<S>(found: &RouteMatch<S>, method: &Method, is_page: bool) -> bool {
    match found {
        RouteMatch::Endpoint(endpoint, _) => endpoint.declared().access == Access::Open,
        // The answer only lists the possible requests.
        _ if *method == Method::OPTIONS => true,
        // A part of a page that does not exist (any more).
        _ => is_page && (*method == Method::GET || *method == Method::HEAD),
    }
}

async fn call<S: Clone + Send + Sync + 'static>(
    mount: &Mount<S>,
    endpoint: &Endpoint<S>,
    mut pending: PendingCall<S>,
    mut request: Request<Incoming>,
    asking: &Asking,
) -> Result<Response> {
    if let Some(limits) = endpoint.declared().socket {
        let (unread, turn) = (asking.unread.clone(), asking.turn.clone());
        pending.upgrade = Some(Upgrade::of(&mut request, limits, &mount.live, unread, turn)?);
    }
    let caller = pending.caller.clone();
    // The shares of the body last until the request is answered.
    let _purse = pending.purse.clone();
    // The filter reads nothing but the body and the pending call, so the headers move instead of being copied.
    pending.headers = std::mem::take(request.headers_mut());
    request.extensions_mut().insert(Handed::new(pending));
    let (method, manners, asked) = (request.method().clone(), mount.manners.clone(), caller.clone());
    let filter = endpoint.filter().or_else(move |_: Rejection| {
        // The door has already found the endpoint, so a rejection by its filter is a bug.
        let text = "the request could not be handed to its endpoint";
        let Caller { path, request_id, .. } = &*asked;
        let error = Error::new(StatusCode::INTERNAL_SERVER_ERROR, text);
        let response = manners.refuse(&error, &RefusedRequest { method: &method, path, request_id });
        std::future::ready(Ok::<_, Rejection>((response,)))
    });
    let service = TowerToHyperService::new(warp::service(filter));
    let answer = async {
        match service.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    };
    let response = panics::catch(&mount.live.counters, answer).await;
    if caller.method != "GET" {
        let status = response.as_ref().map_or_else(|e| e.status, Response::status);
        log_change(&caller, status, endpoint.declared().traces);
    }
    response
}

fn log_change(caller: &Caller, status: StatusCode, traces: Traces) {
    let Caller { method, endpoint, .. } = caller;
    let request_id = &*caller.request_id;
    let (key, code) = (caller.key_name(), status.as_u16());
    if status.is_success() && traces == Traces::Quiet {
        tracing::debug!(request_id, method, endpoint, key, status = code, "handled a request");
    } else {
        tracing::info!(request_id, method, endpoint, key, status = code, "handled a request");
    }
}

/// Answers a request for the methods of a path.
fn options(allow: &str) -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn moved(location: &str) -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Answers `HEAD`: like `GET`, except that no body is sent and no stream is left open.
fn without_body(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|_| head.status != StatusCode::NO_CONTENT) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(head, Vec::new().into())
}
