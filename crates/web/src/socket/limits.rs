//! The limits of a socket.

use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The limits of a socket.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// Maximum size of a client's message, in bytes.
    pub message: usize,
    /// Interval of the pings. A client that is silent for twice this time is disconnected.
    pub ping: Duration,
    /// Maximum time that a message waits for a client that does not read.
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
