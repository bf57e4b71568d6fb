//! One request: who may come in, which route is meant, and what every answer says.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use http::{Request, StatusCode};
use hyper::{body::Incoming, service::Service as _};
use hyper_util::service::TowerToHyperService;
use warp::{filters::BoxedFilter, reply::Response};

use super::{
    Api, auth,
    caller::{self, Caller},
    cors,
    error::HttpError,
    guard::{self, Guard},
    headers,
    routes::{self, Found, Pages},
};

/// What is asked for all the time, and is not counted itself.
const METRICS: &str = "/metrics";

/// What every request passes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) guard: Arc<Guard>,
    pub(super) routes: BoxedFilter<(Response,)>,
    pub(super) api: Api,
}

impl Door {
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> Result<Response, Infallible> {
        let api = self.api.clone();
        let request_id = caller::request_id(request.headers(), api.core.runner.tree.clock().now());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let origin = self.guard.cors(request.headers());
        let mut response = match self.enter(&request, &request_id, remote) {
            Ok(_) if cors::is_preflight(&request) => cors::preflight(request.headers(), origin.as_ref()),
            Ok(caller) => Ok(self.route(request, caller).await),
            Err(refused) => {
                tracing::debug!(request_id, %remote, %method, path, status = refused.status.as_u16(), "a request was refused");
                Err(refused)
            }
        }
        .unwrap_or_else(HttpError::into_response);
        let status = response.status();
        headers::finish(status, response.headers_mut(), &path, &request_id, origin);
        if path != METRICS {
            api.counters.count(&method, status);
        }
        Ok(response)
    }

    /// Lets a request in that may come in and means a route of ours.
    fn enter(
        &self,
        request: &Request<Incoming>,
        request_id: &str,
        remote: SocketAddr,
    ) -> Result<Caller, HttpError> {
        self.guard.check(request)?;
        let path = request.uri().path();
        let mut caller = Caller {
            request_id: request_id.to_owned(),
            remote: Some(remote),
            method: "OPTIONS",
            path: path.to_owned(),
            endpoint: "",
            identity: None,
        };
        // Its browser asks without a key, whether it may send one.
        if cors::is_preflight(request) {
            return Ok(caller);
        }
        let identity = self.api.keys.identify(request)?;
        // Who has no key learns nothing, not even which routes there are.
        let asked = auth::need(request.method().as_str(), path);
        if identity.is_none() && asked != auth::Need::Nothing {
            return Err(auth::unauthorized());
        }
        let route = match routes::find(request.method().as_str(), path) {
            Found::Route(route) => route,
            Found::WrongMethod(allow) => return Err(HttpError::wrong_method(allow)),
            Found::Nothing => return Err(HttpError::not_found("there is no such route")),
        };
        let identity = auth::allow(identity, auth::need(route.method, route.path))?;
        if route.pages == Pages::Refused && guard::is_from_a_page(request.headers()) {
            let text = "nothing is deleted from a page in a browser: use the command line, or another client";
            return Err(HttpError::new(StatusCode::FORBIDDEN, text));
        }
        (caller.method, caller.endpoint, caller.identity) = (route.method, route.path, identity);
        Ok(caller)
    }

    async fn route(self, mut request: Request<Incoming>, caller: Caller) -> Response {
        let log = (caller.method != "GET").then(|| caller.clone());
        request.extensions_mut().insert(caller);
        let service = TowerToHyperService::new(warp::service(self.routes));
        let response = match AssertUnwindSafe(service.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                self.api.counters.panicked();
                let text = "this request met a bug; the daemon's log has it";
                HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        };
        if let Some(caller) = log {
            let (key, status) = (caller.key_name(), response.status().as_u16());
            tracing::info!(
                request_id = caller.request_id,
                method = caller.method,
                endpoint = caller.endpoint,
                key,
                status,
                "a request to change something"
            );
        }
        response
    }
}
