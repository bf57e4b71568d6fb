//! The messages of a project's bus and of the buses of its tasks, as one: page by page, or as they grow.
//!
//! They are in the order of the times in their ids, which increase within each bus; where two buses have the same
//! time, the smaller name comes first. Lines that were written by hand without such an id follow the one before them.

mod cursor;
mod follow;
mod one;
mod page;

pub use cursor::{BadBusesCursor, BusesCursor};
pub use follow::{BusesBegin, BusesLog, Grown};
pub use page::{Merged, Span, read};
