//! The replay agent: prints what another run's agent printed, when it printed it, and ends as it ended.
//!
//! A [`Recording`] is a folder with the streams of a run and the marks of their times. It lies in the task that
//! plays it, so that nothing needs the run that it was made of.

mod play;
mod recording;
mod schedule;

pub use play::{Finale, play};
pub use recording::{Recording, RecordingError, copy, played_by};
pub use schedule::Pace;
