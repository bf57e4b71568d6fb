//! WebSockets (RFC 6455): the upgrade of a request, and the conversation on it.
//!
//! The guard has checked the `Origin` before a request gets here. Nothing is buffered for a client that does not read: a
//! send waits for the client, and gives it up after a while.

mod handshake;
mod limits;
mod talk;

pub(super) use handshake::Upgrade;
pub use limits::SocketLimits;
pub use talk::{Closed, Socket};
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
