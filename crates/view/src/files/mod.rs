//! The files of runs and tasks that are shown by name: whole, their end, or as they grow.

mod follow;
mod growing;
mod lines;
mod name;
mod part;

pub use follow::{BadFileCursor, FileCursor, FilePiece, FileReader, Growth, start_of_tail};
pub use growing::Growing;
pub use lines::{Case, LineIndex, MOST_OFFSETS, MOST_TEXT, Match, Matches, ShownLine};
pub use name::{RunFile, TaskFile};
pub use part::{Extent, MAX_SHOWN, Opened, Tail};
