//! The index: which tasks and runs there are and where they stand, in memory, so that lists never touch the disk.
//!
//! It holds ids, statuses and times, no contents. It is never the truth: an entry is
//! what was read from disk when it was last looked at, and who changes something has it
//! looked at again before he answers. When to look is left to `daemon`.

mod changes;
mod entry;
mod handle;
mod list;
mod read;
mod revisions;
mod state;
mod tally;

pub use changes::{Change, ChangeKind, Now, Since, TreeChange};
pub use entry::{ProjectEntry, ProjectSummary, RunSummary, Standing, TaskSummary};
pub use handle::Index;
pub use list::{BadCursor, Page, RunQuery, Sort, TaskFilter, TaskQuery, TaskSort, Window};
pub use revisions::Part;
pub use tally::{DURATIONS, Spent, Tally};
