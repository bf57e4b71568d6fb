//! The accept loop: limits on connections and heads, the guard, the routes, and a drain that cannot hang.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

use super::{
    Api,
    caller::Peer,
    connection::{Answered, Lingering, Unread},
    door::Door,
    guard::Guard,
    places::{Place, Places},
};
use crate::daemon::Core;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// How large that head may be.
const LARGEST_HEAD: usize = 64 * 1024;
/// How many headers it may have.
const MOST_HEADERS: usize = 100;
/// How long to wait when the machine has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long, on the way down, a request that is on its way may take to arrive.
const ARRIVING: Duration = Duration::from_millis(500);

/// What a client is told for whom there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n{\"error\":\"there are too many connections; try again\"}";

/// What a daemon serves.
#[derive(Debug)]
pub struct Server {
    /// Where requests come in.
    pub listener: TcpListener,
    /// Where those of the user himself come in.
    pub socket: Option<UnixListener>,
    /// Who may come in.
    pub guard: Guard,
    /// How many connections there may be.
    pub places: usize,
    /// How long a drain may take.
    pub drain: Duration,
}

/// Serves until the way down begins, and then until everybody has his answer or the drain's time is over.
pub async fn serve(server: Server, core: Arc<Core>) {
    let api = Api::new(core.clone());
    let door = Door { guard: Arc::new(server.guard), api };
    let graceful = GracefulShutdown::new();
    let places = Places::new(server.places);
    let down = core.shutdown.token();
    loop {
        let accepted = tokio::select! {
            () = down.cancelled() => break,
            accepted = accept(&server.listener) => accepted.map(Stream::Tcp),
            accepted = accept_owner(server.socket.as_ref()) => accepted.map(Stream::Unix),
        };
        match accepted {
            Ok(Stream::Tcp((stream, peer))) => connect(stream, peer, &places, &door, &graceful),
            Ok(Stream::Unix((stream, peer))) => connect(stream, peer, &places, &door, &graceful),
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop((server.listener, server.socket));
    // Who has asked for nothing yet is not waited for.
    let waiting = async {
        tokio::time::sleep(ARRIVING).await;
        places.clear();
        std::future::pending::<()>().await;
    };
    let drained = async {
        tokio::select! { () = graceful.shutdown() => {}, () = waiting => {} }
    };
    if tokio::time::timeout(server.drain, drained).await.is_err() {
        tracing::warn!("connections were left open at the end of the drain");
    }
}

enum Stream {
    Tcp((TcpStream, Peer)),
    Unix((UnixStream, Peer)),
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    let (stream, remote) = listener.accept().await?;
    // One that is gone already is found out soon.
    let _ = stream.set_nodelay(true);
    Ok((stream, Peer::At(remote)))
}

/// The mode of the socket keeps others out; the kernel is asked nevertheless, for modes can be changed.
async fn accept_owner(socket: Option<&UnixListener>) -> io::Result<(UnixStream, Peer)> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        let (stream, _) = socket.accept().await?;
        let Ok(peer) = stream.peer_cred() else { continue };
        if peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw() {
            return Ok((stream, Peer::Owner));
        }
        tracing::warn!(uid = peer.uid(), "another user was sent away from the socket");
    }
}

fn connect<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    mut stream: S,
    peer: Peer,
    places: &Arc<Places>,
    door: &Door,
    graceful: &GracefulShutdown,
) {
    let core = &door.api.core;
    let Some(place) = places.take(peer.ip()).map(Arc::new) else {
        core.shutdown.spawn(async move {
            // What does not fit into its buffer at once is not worth waiting for.
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
        });
        return;
    };
    let (door, unread) = (door.clone(), Unread::default());
    let stream = Lingering::new(stream, unread.clone());
    let answering = place.clone();
    let service = hyper::service::service_fn(move |request| {
        let (door, unread, turn) = (door.clone(), unread.clone(), Place::turn(&answering));
        async move {
            let response = door.answer(request, peer, &unread).await;
            Ok::<_, Infallible>(response.map(|body| Answered::new(body, turn)))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    core.shutdown.spawn(async move {
        let ended = tokio::select! {
            ended = watched => ended,
            () = place.left() => return,
        };
        // A client that breaks off is its own affair.
        if let Err(e) = ended {
            tracing::debug!(error = %e, "a connection broke off");
        }
    });
}
