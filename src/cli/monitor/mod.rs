//! `run-agent monitor`: works through a TODO list, one task after the other.
//!
//! The list is a text file with boxes (`- [ ] this`). The tree records which items have been started: the name of an
//! item's task follows from its text. So no item is started twice, even if a monitor was killed at any point.

mod todo;
mod verb;

pub use verb::Args;
pub(super) use verb::run;
