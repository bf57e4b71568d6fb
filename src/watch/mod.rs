//! Hints that something on disk has changed. A hint wakes; what is true is read from disk.
//!
//! notify loses files in new nested folders and says nothing on network file
//! systems, so every wait here also ends after a period, and who waits looks again.

mod changed;
mod hints;

pub use changed::{Changed, Collector};
pub use hints::{HintState, Hints, Source, Waiter, Watched};
