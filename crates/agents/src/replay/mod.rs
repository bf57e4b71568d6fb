//! The replay agent: repeats the output of another run's agent with its timing, and ends in the same way.
//!
//! A [`Recording`] is a folder with the streams of a run and the marks of their times. It is stored in the task that
//! replays it, so that the original run is not needed.

mod play;
mod recording;
mod schedule;

pub use play::{Finale, play};
pub use recording::{Recording, RecordingError, copy, played_by};
pub use schedule::Pace;
