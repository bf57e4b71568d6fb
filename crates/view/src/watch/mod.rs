//! Hints that a file has changed. A hint only wakes; the reader then reads the disk.
//!
//! The notify crate loses files in new nested folders and reports nothing on network file systems. So every wait here
//! also ends after a period, and the waiter checks again.

mod changed;
mod hints;

pub use changed::{Changed, Collector};
pub use hints::{HintState, Hints, Source, Waiter, Watched};
