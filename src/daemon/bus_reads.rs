//! Reads of a bus for many who follow it: those who stand at the same place are served by one read.

use std::sync::Arc;

use super::core::Core;
use crate::tree::{
    Result,
    bus::{Bus, Page},
};

/// So many messages are read at a time.
const PAGE: usize = 128;
/// So many bytes of them, with the one that goes beyond.
const PAGE_BYTES: u64 = 64 * 1024;

impl Core {
    /// Some messages of a bus from an offset, as they stand there after this was asked.
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
