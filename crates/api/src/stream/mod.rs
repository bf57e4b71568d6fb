//! Streams: each thing that can be followed alone, or several as the one stream of a page.
//!
//! A [`Source`] follows one thing of the tree. The daemon buffers nothing for a client that does not read: a source
//! looks only when its last events are gone, and its position says where to continue.

mod all_runs;
mod bus;
mod buses;
mod cursor;
mod file;
mod list;
mod open;
mod page;
mod run;
mod runs_and_logs;
mod single;
mod source;
mod task_runs;
mod topic;
mod tree;

pub(super) use all_runs::AllRunsSource;
pub(super) use bus::{BusBegin, BusSource};
pub(super) use buses::BusesSource;
pub(super) use file::FileSource;
pub(super) use list::{Ends, MessagePages, answer};
pub(super) use page::page;
pub(super) use run::RunSource;
pub(super) use runs_and_logs::RunsAndLogsSource;
pub(super) use single::{follow, spelled, spelled_as_original};
pub(super) use source::{Content, Room, SourceEvent, TaskState};
pub(super) use task_runs::TaskRunsSource;
pub(super) use topic::{MOST_LAST, Topic};
