//! The accept loops: limits on connections and heads, and a drain that cannot hang.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::caller::Peer,
    connection::{Lingering, TurnBody, Unread},
    mount::Asking,
    site::Site,
    slots::{Slot, Slots},
};
use base::shutdown::Shutdown;

/// Time limit for sending the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Maximum size of a head in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// Maximum number of headers.
const MOST_HEADERS: usize = 100;
/// Pause if the process has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Time for which a shutdown waits for requests that are still arriving.
const ARRIVING: Duration = Duration::from_millis(500);

/// The answer to a client for which there is no slot.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n{\"error\":\"there are too many connections; try again\"}";

/// A socket for requests, and the site that answers them.
#[derive(Debug)]
pub struct Listener {
    /// Its name, for the log.
    pub name: String,
    /// Its socket.
    pub io: Io,
    /// The site.
    pub site: Site,
}

/// The socket of a listener.
#[derive(Debug)]
pub enum Io {
    /// At an address.
    Tcp(TcpListener),
    /// In the file system, for the user only.
    Unix(UnixListener),
}

/// All listeners of a process, and the limits that they share.
#[derive(Debug)]
pub struct Server {
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// Maximum number of concurrent connections.
    pub connections: usize,
    /// Time limit of a drain.
    pub drain: Duration,
}

/// Serves until the shutdown begins, and then until every request has its answer or the drain's time is over.
pub async fn serve(server: Server, shutdown: Shutdown) {
    let floor = Floor {
        slots: Slots::new(server.connections),
        tracker: TaskTracker::new(),
        closing: CancellationToken::new(),
        shutdown,
    };
    let loops = server.listeners.into_iter().map(|listener| floor.accept(listener));
    futures_util::future::join_all(loops).await;
    floor.drain(server.drain).await;
}

/// The connections of all listeners. Cheap to clone.
#[derive(Debug, Clone)]
struct Floor {
    slots: Arc<Slots>,
    tracker: TaskTracker,
    /// Cancelled when no further request is accepted.
    closing: CancellationToken,
    shutdown: Shutdown,
}

impl Floor {
    /// Accepts the connections of a listener until the shutdown begins, and then closes it.
    async fn accept(&self, listener: Listener) {
        let down = self.shutdown.token();
        loop {
            let accepted = tokio::select! {
                () = down.cancelled() => return,
                accepted = listener.io.accept() => accepted,
            };
            match accepted {
                Ok((Stream::Tcp(stream), peer)) => self.connect(stream, peer, &listener.site),
                Ok((Stream::Unix(stream), peer)) => self.connect(stream, peer, &listener.site),
                Err(e) => {
                    tracing::warn!(listener = listener.name, error = %e, "cannot accept a connection");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }

    fn connect<S>(&self, mut stream: S, peer: Peer, site: &Site)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Some(slot) = self.slots.take(peer.ip()).map(Arc::new) else {
            self.shutdown.spawn(async move {
                // There is no wait for a client with a full buffer.
                let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
            });
            return;
        };
        let connection = connection(stream, peer, site.clone(), slot, self.closing.clone());
        self.shutdown.spawn(self.tracker.track_future(connection));
    }

    async fn drain(&self, limit: Duration) {
        self.closing.cancel();
        self.tracker.close();
        // A connection without a request is not waited for.
        let idle = async {
            tokio::time::sleep(ARRIVING).await;
            self.slots.clear();
            std::future::pending::<()>().await;
        };
        let drained = async {
            tokio::select! { () = self.tracker.wait() => {}, () = idle => {} }
        };
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!("shutting down with open connections");
        }
    }
}

/// Serves one connection to its end.
async fn connection<S>(stream: S, peer: Peer, site: Site, slot: Arc<Slot>, closing: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let unread = Unread::default();
    let stream = Lingering::new(stream, unread.clone());
    let busy = slot.clone();
    let service = hyper::service::service_fn(move |request| {
        let (site, unread, turn) = (site.clone(), unread.clone(), Arc::new(busy.turn()));
        async move {
            let asking = Asking { peer, unread, turn };
            let response = site.answer(request, &asking).await;
            Ok::<_, Infallible>(response.map(|body| TurnBody::new(body, asking.turn)))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = slot.left() => return,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! { ended = connection => ended, () = slot.left() => return }
        }
    };
    // A client may disconnect at any time.
    if let Err(e) = ended {
        tracing::debug!(error = %e, "a connection ended with an error");
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

impl Io {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // It fails only for a connection that is gone, which is noticed soon.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::At(remote)))
            }
            Self::Unix(listener) => accept_owner(listener).await,
        }
    }
}

/// Accepts the user and root only. The mode of the socket excludes others, but modes can be changed, so the kernel is
/// asked.
async fn accept_owner(socket: &UnixListener) -> io::Result<(Stream, Peer)> {
    loop {
        let (stream, _) = socket.accept().await?;
        let Ok(peer) = stream.peer_cred() else { continue };
        if peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw() {
            return Ok((Stream::Unix(stream), Peer::Owner));
        }
        tracing::warn!(uid = peer.uid(), "refused a connection of another user to the socket");
    }
}
