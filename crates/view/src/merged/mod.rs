//! The messages of a project's bus and of the buses of its tasks as one bus, as they grow.
//!
//! They are in the order of the times in their ids, which increase within each bus. Of two messages with the same
//! time, the one on the bus with the smaller name comes first. A line that was written by hand without such an id
//! follows the line before it.

mod bus_reader;
mod cursor;
mod follow;
mod last;

pub use cursor::{BadBusesCursor, BusesCursor};
pub use follow::{BusesBegin, BusesLog, ChangedBuses, MergedPage};
