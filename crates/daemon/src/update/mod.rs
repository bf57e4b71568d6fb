//! The daemon replaces its own program; `_daemon/self-update.yaml` records each step.
//!
//! 1. **Requested** (`request`): the candidate is examined through one open file. The record is written under the
//!    planner's lock: from then on `deferred` means a drain, for every gate.
//! 2. **Proven** (`candidate`): it is copied beside our own program, and the copy checks itself: it reads the
//!    settings and the tree.
//! 3. **Handed over** (`carry`): once no root task is live (or at once, with `live`), a guard gets a share of
//!    listeners and lock. Then the daemon shuts down and becomes the copy, in the same process. No connection is
//!    refused, because the socket is never closed.
//! 4. **Settled** (`settle`): the new daemon answers, but drives nothing. When the guard has seen it healthy, it
//!    renames the copy over our own program, keeps the old one as `….rollback`, and begins to drive. Until then the
//!    old program is the installed one.
//!
//! Any of these processes may be killed in between. The guard puts a daemon back, and a daemon without a guard settles
//! by itself. The next start determines from record and copy which of the two programs it is, and reports that.

mod candidate;
mod carry;
mod request;
mod seat;
mod settle;
mod start;
mod state;

pub use candidate::{SelfReport, report};
pub use request::{Refusal, UpdateStatus};
pub use seat::{Seat, kept_program};
pub use state::{Handover, Updates};
