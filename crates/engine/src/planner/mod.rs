//! The planner's gate: decides which accepted tickets may become live. Every process uses this gate.

mod admit;
mod decide;

pub use admit::{Entry, accept, admission, admit, live_roots, standings};
pub use decide::{Admission, Limits, decide};
