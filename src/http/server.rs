//! The accept loop: limits on connections and headers, the guard, the routes, and a drain that cannot hang.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

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

use super::{Api, error::HttpError, guard::Guard, routes};
use crate::daemon::Core;

/// So many connections are served at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

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
}

/// Serves until the way down begins, and then until everybody has his answer or the drain's time is over.
pub async fn serve(server: Server, core: Arc<Core>) {
    let door = Door { guard: Arc::new(server.guard), routes: routes::all(Api { core: core.clone() }) };
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let down = core.shutdown.token();
    loop {
        let accepted = tokio::select! {
            () = down.cancelled() => break,
            accepted = accept(&server.listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => connect(stream, permit, &door, &graceful, &core),
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
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

fn connect(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    door: &Door,
    graceful: &GracefulShutdown,
    core: &Arc<Core>,
) {
    let door = door.clone();
    let service = hyper::service::service_fn(move |request| door.clone().answer(request));
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
    async fn answer(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        if let Err(refused) = self.guard.check(&request) {
            return Ok(finished(refused.into_response(), request.uri().path()));
        }
        let path = request.uri().path().to_owned();
        let service = TowerToHyperService::new(warp::service(self.routes));
        let response = match AssertUnwindSafe(service.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => HttpError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this request met a bug; the daemon's log has it",
            )
            .into_response(),
        };
        Ok(finished(response, &path))
    }
}

/// The headers that an answer has whatever it says.
fn finished(mut response: Response, path: &str) -> Response {
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Some(methods) = routes::methods(path)
    {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"conductor\""));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
