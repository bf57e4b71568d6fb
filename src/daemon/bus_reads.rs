//! Reads a bus for many readers: all readers at the same position are served by one read.

use std::sync::Arc;

use super::core::Core;
use crate::tree::{
    Result,
    bus::{Bus, Page},
};

/// Maximum number of messages that are read at once.
const PAGE: usize = 128;
/// Maximum number of bytes of messages, plus the rest of the last message.
const PAGE_BYTES: u64 = 64 * 1024;

impl Core {
    /// Returns some messages of a bus from an offset. The read begins after this call.
    ///
    /// # Errors
    /// As [`Bus::read_some`].
    pub async fn read_bus(&self, bus: &Bus, offset: u64) -> Result<Arc<Page>> {
        let reader = bus.clone();
        let read = move |_: &_, readers: Vec<()>| {
            let page = reader.read_some(offset, PAGE, PAGE_BYTES).map(Arc::new);
            vec![page; readers.len()]
        };
        self.bus_reads.ask((bus.owner().clone(), offset), (), read).await
    }
}
