//! The accept loops: limits on connections and heads, and a drain that cannot hang.

use std::{convert::Infallible, io, os::fd::OwnedFd, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::{budget::Share, caller::Peer},
    connection::{Holds, Lingering, TurnBody, Unread},
    mount::Asking,
    pace::{Pace, TimeLimits},
    site::Site,
    slots::{Slot, Slots},
};
use base::shutdown::Shutdown;

/// Maximum size of a head in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// Maximum number of headers.
const MOST_HEADERS: usize = 100;
/// Size of the kernel's buffer for what a client has not taken yet. The kernel reports new room when a third of the buffer
/// is free, so a large buffer would make a slow client look like one that takes nothing.
const SEND_BUFFER: usize = 256 * 1024;
/// Pause if the process has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Time for which a shutdown waits for requests that are still arriving.
const ARRIVING: Duration = Duration::from_millis(500);

/// The answer to a client for which there is no slot, or no descriptor.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n{\"error\":\"there are too many connections; try again\"}";
/// Time limit for sending it, and for the client's own end of the connection.
const REFUSAL: Duration = Duration::from_millis(500);

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
    /// The time limits of each connection.
    pub limits: TimeLimits,
}

/// Serves until the shutdown begins, and then until every request has its answer or the drain's time is over.
pub async fn serve(server: Server, shutdown: Shutdown) {
    let floor = Floor {
        slots: Slots::new(server.connections),
        limits: server.limits,
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
    limits: TimeLimits,
    tracker: TaskTracker,
    /// Cancelled when no further request is accepted.
    closing: CancellationToken,
    shutdown: Shutdown,
}

impl Floor {
    /// Accepts the connections of a listener until the shutdown begins, and then closes it.
    async fn accept(&self, listener: Listener) {
        if let Io::Tcp(socket) = &listener.io {
            // Accepted sockets inherit it. It fails for no TCP socket.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER);
        }
        let down = self.shutdown.token();
        // Given up for the moment in which a client is refused because no descriptor is left for it.
        let mut spare = spare();
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
                    if spare.take().is_some()
                        && let Ok(Ok((stream, _))) =
                            tokio::time::timeout(EXHAUSTED, listener.io.accept()).await
                    {
                        match stream {
                            Stream::Tcp(stream) => refuse(stream).await,
                            Stream::Unix(stream) => refuse(stream).await,
                        }
                    } else {
                        tokio::time::sleep(EXHAUSTED).await;
                    }
                    spare = self::spare();
                }
            }
        }
    }

    fn connect<S>(&self, stream: S, peer: Peer, site: &Site)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Some(slot) = self.slots.take(peer.ip()).map(Arc::new) else {
            self.shutdown.spawn(refuse(stream));
            return;
        };
        let pace = Pace::new(self.limits);
        let connection = connection(stream, peer, site.clone(), (slot, pace), self.closing.clone());
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

/// Tells a client to try again later, and closes its connection.
async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let refusal = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // A socket that is closed with unread data is reset, and the client may lose the answer.
        let mut request = [0; 4096];
        while stream.read(&mut request).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // A client that goes on gets no answer.
    let _ = tokio::time::timeout(REFUSAL, refusal).await;
}

/// Opens a descriptor that is of no use but to be closed.
fn spare() -> Option<OwnedFd> {
    rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).ok()
}

/// Serves one connection to its end.
async fn connection<S>(
    stream: S,
    peer: Peer,
    site: Site,
    (slot, pace): (Arc<Slot>, Arc<Pace>),
    closing: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let unread = Unread::default();
    let stream = Lingering::new(stream, unread.clone(), pace.clone());
    let (busy, watched) = (slot.clone(), pace.clone());
    let service = hyper::service::service_fn(move |request| {
        let (site, unread, turn) = (site.clone(), unread.clone(), Arc::new(busy.turn()));
        let (exchange, two_lengths) = pace.answer();
        async move {
            let asking = Asking { peer, unread, turn, two_lengths };
            let mut response = site.answer(request, &asking).await;
            let share = response.extensions_mut().remove::<Arc<Share>>();
            let held = Holds { _turn: asking.turn, _exchange: exchange, _share: share };
            Ok::<_, Infallible>(response.map(|body| TurnBody::new(body, held)))
        }
    });
    let mut http = http1::Builder::new();
    // The connection's own limits include the time of a head.
    http.header_read_timeout(None)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let over = async {
        tokio::select! { () = slot.left() => {}, () = watched.exceeded() => {} }
    };
    let mut over = pin!(over);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = over.as_mut() => return,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! { ended = connection => ended, () = over => return }
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
