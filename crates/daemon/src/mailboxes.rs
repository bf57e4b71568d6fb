//! The message buses for many clients at a time: posts to one bus become one write and one sync, and readers at the same
//! position of a bus share one read.

use std::sync::Arc;

use super::{coalesce::Coalescer, parts::Parts};
use tree::{
    Result, Tree,
    bus::{Bus, BusOwner, Draft, Message, Page},
};
use view::index::Index;

/// Messages of one read.
const PAGE: usize = 128;
/// Bytes of one read. A longer message is read alone, by a reader that has room for it.
pub const PAGE_BYTES: u64 = 64 * 1024;

/// The message buses.
#[derive(Debug)]
pub struct Mailboxes {
    tree: Tree,
    index: Arc<Index>,
    posts: Coalescer<BusOwner, Draft, Result<Message>>,
    reads: Coalescer<(BusOwner, u64, u64), (), Result<Arc<Page>>>,
}

impl Mailboxes {
    /// The buses of the daemon's tree.
    pub(super) fn new(parts: &Parts) -> Self {
        let (tree, index) = (parts.runner.tree.clone(), parts.index.clone());
        Self { tree, index, posts: Coalescer::default(), reads: Coalescer::default() }
    }

    /// Posts a message; it is as durable as the settings say when this returns.
    pub(super) async fn post(&self, owner: BusOwner, draft: Draft) -> Result<Message> {
        let (tree, index) = (self.tree.clone(), self.index.clone());
        let post = move |owner: &BusOwner, drafts: Vec<Draft>| {
            let posted = tree.bus(owner.clone()).post_all(&drafts);
            index.posted_to(owner);
            posted
        };
        self.posts.ask(owner, draft, post).await
    }

    /// Some messages of a bus from an offset, at most `bytes` bytes. The read begins after this request.
    ///
    /// # Errors
    /// As [`Bus::read_within`].
    pub async fn read(&self, bus: &Bus, offset: u64, bytes: u64) -> Result<Arc<Page>> {
        let reader = bus.clone();
        let read = move |_: &_, readers: Vec<()>| {
            let page = reader.read_within(offset, PAGE, bytes, u64::MAX).map(Arc::new);
            vec![page; readers.len()]
        };
        self.reads.ask((bus.owner().clone(), offset, bytes), (), read).await
    }
}
