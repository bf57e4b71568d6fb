//! The planner gate: which accepted tickets may go live. One gate for whoever asks.

mod admit;
mod decide;

pub use admit::{Standing, admission, admit, live_roots, standings};
pub use decide::{Admission, Limits, decide};
