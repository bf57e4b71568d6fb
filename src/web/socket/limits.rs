//! The limits of a socket.

use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The limits of a socket.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// The largest message of a client, in bytes.
    pub message: usize,
    /// How often a client is pinged. One that is silent for twice as long is given up.
    pub ping: Duration,
    /// How long a message to a client that does not read is waited for.
    pub patience: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self { message: 1024 * 1024, ping: Duration::from_secs(20), patience: Duration::from_secs(30) }
    }
}

impl SocketLimits {
    pub(super) fn config(self) -> WebSocketConfig {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = 8 * 1024;
        // Each message is written at once: the socket of the kernel is the only buffer.
        config.write_buffer_size = 0;
        config.max_message_size = Some(self.message);
        config.max_frame_size = Some(self.message);
        config
    }
}
