//! The conversation on a socket: texts of both sides, pings, and a close with a reason.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use super::limits::SocketLimits;
use crate::{counters::OpenStream, live::Live};
use base::shutdown::Shutdown;

/// Maximum time that a client gets to answer a close.
const FAREWELL: Duration = Duration::from_millis(500);

/// The socket is closed: nothing can be sent, and nothing will be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// One end of a WebSocket.
///
/// Its user must wait in [`Socket::receive`] whenever there is nothing to send: there pings are sent and answered,
/// and the shutdown of the process is noticed.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    limits: SocketLimits,
    shutdown: Shutdown,
    counted: OpenStream,
    ping: Interval,
    /// The time when the client last sent anything.
    heard: Instant,
    is_open: bool,
}

/// The end of a wait.
enum Event {
    Down,
    Tick,
    Message(Option<Result<Message, Error>>),
}

impl Socket {
    pub(super) async fn new(upgraded: Upgraded, limits: SocketLimits, live: &Live) -> Self {
        let io = TokioIo::new(upgraded);
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits.config())).await;
        let mut ping = tokio::time::interval_at(Instant::now() + limits.ping, limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            limits,
            shutdown: live.shutdown.clone(),
            counted: live.counters.stream(),
            ping,
            heard: Instant::now(),
            is_open: true,
        }
    }

    /// Waits for the next text of the client. This wait may be abandoned at any time.
    ///
    /// # Errors
    /// [`Closed`] if the client has closed the socket or is gone, has sent a message that is too large or not a text,
    /// or if the process shuts down. The client was informed of the reason.
    pub async fn receive(&mut self) -> Result<String, Closed> {
        while self.is_open {
            let down = self.shutdown.token().clone();
            let event = tokio::select! {
                biased;
                () = down.cancelled() => Event::Down,
                message = self.stream.next() => Event::Message(message),
                _ = self.ping.tick() => Event::Tick,
            };
            match event {
                Event::Down => self.finish(CloseCode::Away, "the daemon goes down").await,
                Event::Tick if self.heard.elapsed() > 2 * self.limits.ping => {
                    self.finish(CloseCode::Policy, "no answer to a ping").await;
                }
                Event::Tick => self.write(Message::Ping(Vec::new().into())).await,
                Event::Message(Some(Ok(Message::Text(text)))) => {
                    self.heard = Instant::now();
                    return Ok(text.as_str().to_owned());
                }
                Event::Message(Some(Ok(Message::Binary(_)))) => {
                    self.finish(CloseCode::Unsupported, "messages are texts").await;
                }
                // Pings are answered with the next read, and so is a close.
                Event::Message(Some(Ok(_))) => self.heard = Instant::now(),
                Event::Message(Some(Err(e))) => self.fail(&e).await,
                Event::Message(None) => self.is_open = false,
            }
        }
        Err(Closed)
    }

    /// Sends a text, and waits until the client has room for it.
    ///
    /// # Errors
    /// [`Closed`] if the socket is closed, or the client does not read for too long: then the connection is cut.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), Closed> {
        let text = text.into();
        let bytes = text.len();
        if self.is_open {
            self.write(Message::text(text)).await;
        }
        if !self.is_open {
            return Err(Closed);
        }
        self.counted.sent(bytes);
        Ok(())
    }

    /// Closes the socket with a reason of at most 123 bytes.
    pub async fn close(mut self, code: CloseCode, reason: &str) {
        if self.is_open {
            self.finish(code, reason).await;
        }
    }

    async fn write(&mut self, message: Message) {
        let down = self.shutdown.token().clone();
        let written = tokio::select! {
            written = tokio::time::timeout(self.limits.patience, self.stream.send(message)) => written,
            // A client that does not read must not delay the shutdown.
            () = async { down.cancelled().await; tokio::time::sleep(FAREWELL).await } => Ok(Err(Error::AlreadyClosed)),
        };
        if !matches!(written, Ok(Ok(()))) {
            self.is_open = false;
        }
    }

    async fn fail(&mut self, error: &Error) {
        match error {
            Error::Capacity(_) => self.finish(CloseCode::Size, "the message is too large").await,
            Error::Utf8(_) => self.finish(CloseCode::Invalid, "the message is not UTF-8").await,
            Error::Protocol(_) => {
                self.finish(CloseCode::Protocol, "this is not a valid WebSocket frame").await;
            }
            _ => {
                tracing::debug!(%error, "a WebSocket ended with an error");
                self.is_open = false;
            }
        }
    }

    /// Informs the client of the reason, and waits a little for its answer.
    async fn finish(&mut self, code: CloseCode, reason: &str) {
        self.is_open = false;
        let reason = &reason[..reason.floor_char_boundary(123)];
        let frame = CloseFrame { code, reason: reason.into() };
        let farewell = async {
            self.stream.send(Message::Close(Some(frame))).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            // The rest of a refused message is read and discarded, otherwise the client would not see the reason.
            self.stream.get_mut().shutdown().await.map_err(Error::from)
        };
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, farewell).await {
            tracing::debug!(%error, "closed a WebSocket without an answer from the client");
        }
    }
}
