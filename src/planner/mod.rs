//! The planner gate: which accepted tickets may go live. One gate for whoever asks.

mod admit;
mod decide;

pub use admit::{Standing, admit, standings};
pub use decide::{Admission, Limits, decide};
