//! The index: all tasks and runs and their status in memory, so that lists never touch the disk.
//!
//! The index holds ids, statuses and times, and no contents. The disk remains the truth: an entry is the result of
//! its last read, and a command that changes a task has the task read again before it answers. `daemon` decides when
//! to read.

mod changes;
mod entry;
mod handle;
mod list;
mod read;
mod revisions;
mod state;
mod tally;

pub use changes::{Change, ChangeKind, EntryState, Since, TreeChange};
pub use entry::{ProjectEntry, ProjectSummary, RunSummary, TaskSummary};
pub use handle::Index;
pub use list::{BadCursor, Page, RunQuery, Sort, TaskFilter, TaskQuery, TaskSort, Window};
pub use revisions::Part;
pub use tally::{DURATIONS, Tally, UsageTotals};
