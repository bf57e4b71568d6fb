//! One connection: its bytes, the answers in pieces, and a close that lets the client read the last answer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{
    super::budget::Share,
    pace::{Exchange, Pace},
    slots::Turn,
};

/// Time for which a client may continue to send a body that is not read.
const LINGERING: Duration = Duration::from_secs(2);
/// Maximum number of bytes that it may send during this time.
const THROWN_AWAY: usize = 16 * 1024 * 1024;
/// Maximum size of a piece of an answer that is handed on at once. The memory of an answer and its turn end with its
/// last piece.
const PIECE: usize = 64 * 1024;

/// True while a client is still sending a body that is not read.
pub(crate) type Unread = Arc<AtomicBool>;

/// The bytes of a connection.
///
/// If a socket is closed with unread data, the connection is reset, and a client that is still sending may lose the
/// answer. Therefore the rest is read for a while, and discarded.
pub(super) struct Lingering<S> {
    io: S,
    unread: Unread,
    pace: Arc<Pace>,
    until: Option<Pin<Box<Sleep>>>,
    thrown_away: usize,
}

impl<S> Lingering<S> {
    pub(super) fn new(io: S, unread: Unread, pace: Arc<Pace>) -> Self {
        Self { io, unread, pace, until: None, thrown_away: 0 }
    }
}

impl<S> Lingering<S> {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.pace.is_full(),
            Poll::Ready(Ok(bytes)) => self.pace.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, into);
        this.pace.read(&into.filled()[before..]);
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, from);
        this.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, from);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The server flushes when it has written everything that it had.
        this.pace.is_flushed();
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let until = if let Some(until) = &mut this.until {
            until
        } else {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            if !this.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            this.until.insert(Box::pin(tokio::time::sleep(LINGERING)))
        };
        let mut piece = [0; 16 * 1024];
        // Limited, so that other connections have their turn.
        for _ in 0..64 {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut piece);
            match ready!(Pin::new(&mut this.io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() && this.thrown_away < THROWN_AWAY => {
                    this.thrown_away += buffer.filled().len();
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// An answer in pieces, with all that lasts until it was sent.
pub(super) struct TurnBody<B> {
    body: B,
    /// The rest of a frame that was longer than a piece.
    rest: Bytes,
    _held: Holds,
}

/// The things that an answer holds: its connection's turn, and its share of the memory.
pub(super) struct Holds {
    pub(super) _turn: Arc<Turn>,
    pub(super) _exchange: Exchange,
    pub(super) _share: Option<Arc<Share>>,
}

impl<B> TurnBody<B> {
    pub(super) fn new(body: B, held: Holds) -> Self {
        Self { body, rest: Bytes::new(), _held: held }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for TurnBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper + rest);
        }
        with_rest.set_lower(hint.lower() + rest);
        with_rest
    }
}
