//! The accept loop: limits on connections and headers, the guard, the routes, and a drain that cannot hang.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use http::{HeaderValue, Request, StatusCode, header};
use hyper::{body::Incoming, service::Service as _};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use warp::{filters::BoxedFilter, reply::Response};

use super::{
    Api,
    caller::{self, Caller},
    error::HttpError,
    guard::{self, Guard},
    routes::{self, Found, Pages},
};
use crate::daemon::Core;

/// So many connections are served at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What is asked for all the time, and is not counted itself.
const METRICS: &str = "/metrics";

/// What a listener serves.
#[derive(Debug)]
pub struct Server {
    /// Where requests come in.
    pub listener: TcpListener,
    /// Who may come in.
    pub guard: Guard,
    /// How long a drain may take.
    pub drain: Duration,
}

/// One request at a time of one connection.
#[derive(Clone)]
struct Door {
    guard: Arc<Guard>,
    routes: BoxedFilter<(Response,)>,
    api: Api,
}

/// Serves until the way down begins, and then until everybody has his answer or the drain's time is over.
pub async fn serve(server: Server, core: Arc<Core>) {
    let api = Api { core: core.clone(), counters: Arc::default() };
    let door = Door { guard: Arc::new(server.guard), routes: routes::all(api.clone()), api };
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let down = core.shutdown.token();
    loop {
        let accepted = tokio::select! {
            () = down.cancelled() => break,
            accepted = accept(&server.listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, remote, permit)) => connect(stream, remote, permit, &door, &graceful),
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop(server.listener);
    if tokio::time::timeout(server.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were left open at the end of the drain");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, remote, permit))
}

fn connect(
    stream: TcpStream,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
    door: &Door,
    graceful: &GracefulShutdown,
) {
    let core = door.api.core.clone();
    let door = door.clone();
    let service = hyper::service::service_fn(move |request| door.clone().answer(request, remote));
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let watched = graceful.watch(connection);
    core.shutdown.spawn(async move {
        // A client that breaks off is its own affair.
        if let Err(e) = watched.await {
            tracing::debug!(error = %e, "a connection broke off");
        }
        drop(permit);
    });
}

impl Door {
    async fn answer(self, request: Request<Incoming>, remote: SocketAddr) -> Result<Response, Infallible> {
        let api = self.api.clone();
        let request_id = caller::request_id(request.headers(), api.core.runner.tree.clock().now());
        let method = request.method().clone();
        let counted = request.uri().path() != METRICS;
        let mut response = match self.enter(&request, &request_id, remote) {
            Ok(caller) => self.route(request, caller).await,
            Err(refused) => refused.into_response(),
        };
        finish(&mut response, &request_id);
        if counted {
            api.counters.count(&method, response.status());
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
        let route = match routes::find(request.method().as_str(), path) {
            Found::Route(route) => route,
            Found::WrongMethod(allow) => return Err(HttpError::wrong_method(allow)),
            Found::Nothing => return Err(HttpError::not_found("there is no such route")),
        };
        if route.pages == Pages::Refused && guard::is_from_a_page(request.headers()) {
            let text = "nothing is deleted from a page in a browser: use the command line, or another client";
            return Err(HttpError::new(StatusCode::FORBIDDEN, text));
        }
        Ok(Caller {
            request_id: request_id.to_owned(),
            remote: Some(remote),
            method: route.method,
            path: path.to_owned(),
            endpoint: route.path,
        })
    }

    async fn route(self, mut request: Request<Incoming>, caller: Caller) -> Response {
        request.extensions_mut().insert(caller);
        let service = TowerToHyperService::new(warp::service(self.routes));
        match AssertUnwindSafe(service.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                self.api.counters.panicked();
                let text = "this request met a bug; the daemon's log has it";
                HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }
}

/// The headers that an answer has whatever it says.
fn finish(response: &mut Response, request_id: &str) {
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"conductor\""));
    }
    if let Some(id) = caller::header(request_id) {
        headers.insert(caller::REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
