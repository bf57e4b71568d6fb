//! One request: who may come in, which route is meant, and what every answer says.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::{
    body::{Body as _, Incoming},
    service::Service as _,
};
use hyper_util::service::TowerToHyperService;
use warp::{Filter, reply::Response};

use super::{
    Api, auth,
    caller::{self, Caller, Peer},
    caught::caught,
    connection::Unread,
    cors,
    endpoint::{Arrival, Endpoint, Found, Pages, Serve},
    error::{self, HttpError},
    guard::{self, Guard},
    headers, page,
};

/// What is asked for all the time, and is not counted itself.
const METRICS: &str = "/metrics";

/// A request that was let in.
enum Entered {
    /// It asks what a page of another site may send.
    Preflight,
    /// It asks which methods a path has.
    Options(String),
    /// It asks for a page of ours.
    Page(Response),
    /// It means this endpoint.
    Call(Arc<Endpoint<Serve>>, Box<Arrival>),
}

/// What every request passes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) guard: Arc<Guard>,
    pub(super) api: Api,
}

impl Door {
    pub(super) async fn answer(self, request: Request<Incoming>, peer: Peer, unread: &Unread) -> Response {
        let api = self.api.clone();
        let request_id = caller::request_id(request.headers(), api.core.runner.tree.clock().now());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let origin = self.guard.cors(request.headers());
        let has_body = !request.body().is_end_stream();
        let mut response = match self.enter(&request, &request_id, peer) {
            Ok(Entered::Preflight) => cors::preflight(request.headers(), origin.as_ref()),
            Ok(Entered::Options(allow)) => Ok(options(&allow)),
            Ok(Entered::Page(page)) => Ok(page),
            Ok(Entered::Call(endpoint, arrival)) => Ok(self.ask(&endpoint, *arrival, request).await),
            Err(refused) => {
                tracing::debug!(request_id, %peer, %method, path, status = refused.status.as_u16(), "a request was refused");
                Err(refused)
            }
        }
        .unwrap_or_else(HttpError::into_response);
        if method == Method::HEAD {
            response = without_body(response);
        }
        let status = response.status();
        headers::finish(status, response.headers_mut(), &path, &request_id, origin);
        if has_body && status.is_client_error() {
            // What is left of it is not read, and so nothing can follow it.
            unread.store(true, Ordering::Relaxed);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if path != METRICS {
            api.counters.count(&method, status);
        }
        response
    }

    /// Lets a request in that may come in and means an endpoint of ours.
    fn enter(&self, request: &Request<Incoming>, request_id: &str, peer: Peer) -> Result<Entered, HttpError> {
        self.guard.check(request, peer)?;
        let path = request.uri().path();
        // Its browser asks without a key, whether it may send one.
        if cors::is_preflight(request) {
            return Ok(Entered::Preflight);
        }
        if let Some(page) = page::answer(request.method(), path, request.headers()) {
            return Ok(Entered::Page(page));
        }
        let identity = self.api.keys.identify(request, peer)?;
        // Who has no key learns nothing, not even which routes there are.
        let asked = auth::need(request.method().as_str(), path);
        if identity.is_none() && asked != auth::Need::Nothing {
            return Err(auth::unauthorized());
        }
        let (endpoint, given) = match self.api.table.find(request.method().as_str(), path) {
            Found::Endpoint(endpoint, given) => (endpoint, given),
            Found::Options(allow) => return Ok(Entered::Options(allow)),
            Found::WrongMethod(allow) => return Err(HttpError::wrong_method(allow)),
            Found::Nothing => return Err(HttpError::not_found("there is no such route")),
        };
        let identity = auth::allow(identity, auth::need(endpoint.method, endpoint.path))?;
        if endpoint.pages == Pages::Refused && guard::is_from_a_page(request.headers()) {
            let text = "nothing is deleted from a page in a browser: use the command line, or another client";
            return Err(HttpError::new(StatusCode::FORBIDDEN, text));
        }
        let caller = Caller {
            request_id: request_id.to_owned(),
            peer,
            method: endpoint.method,
            path: path.to_owned(),
            endpoint: endpoint.path,
            identity,
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        let arrival = Arrival { api: self.api.clone(), caller, given, query };
        Ok(Entered::Call(endpoint, Box::new(arrival)))
    }

    async fn ask(
        &self,
        endpoint: &Endpoint<Serve>,
        arrival: Arrival,
        mut request: Request<Incoming>,
    ) -> Response {
        let log = (endpoint.method != "GET").then(|| arrival.caller.clone());
        request.extensions_mut().insert(arrival);
        let filter = endpoint.filter().recover(error::refused).unify();
        let service = TowerToHyperService::new(warp::service(filter));
        let answer = async {
            match service.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        let response = caught(&self.api.counters, answer).await;
        if let Some(caller) = log {
            log_change(&caller, response.status());
        }
        response
    }
}

/// Messages come by the thousand, and each that was posted is in the audit log: here they would hide all else.
fn log_change(caller: &Caller, status: StatusCode) {
    let posted = status.is_success() && caller.endpoint.ends_with("/messages");
    let Caller { request_id, method, endpoint, .. } = caller;
    let (key, status) = (caller.key_name(), status.as_u16());
    if posted {
        tracing::debug!(request_id, method, endpoint, key, status, "a message was posted");
    } else {
        tracing::info!(request_id, method, endpoint, key, status, "a request to change something");
    }
}

/// The answer to who asks which methods a path has.
fn options(allow: &str) -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What `HEAD` is answered with: the same, but that nothing is sent and no stream is left open.
fn without_body(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|_| head.status != StatusCode::NO_CONTENT) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(head, Vec::new().into())
}
