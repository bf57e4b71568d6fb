//! The accept loop: limits on connections and headers, the guard, the routes, and a drain that cannot hang.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{Api, door::Door, guard::Guard};
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

/// Serves until the way down begins, and then until everybody has his answer or the drain's time is over.
pub async fn serve(server: Server, core: Arc<Core>) {
    let api = Api::new(core.clone());
    let door = Door { guard: Arc::new(server.guard), api };
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
