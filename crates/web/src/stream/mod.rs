//! Answers that last: bodies in pieces, and server-sent events.

mod chunks;
pub mod sse;

pub use chunks::{streamed, streamed_or_cut};
