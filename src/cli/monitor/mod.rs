//! `run-agent monitor`: works through a list of things to do, one task after the other.
//!
//! The list is a text file with boxes (`- [ ] this`). What has been started is told by the tree and not by memory: the
//! name of an item's task follows from its text, so nothing is started twice, whoever was killed when.

mod todo;
mod verb;

pub use verb::Args;
pub(super) use verb::run;
