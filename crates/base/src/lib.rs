//! Ground that everything stands on, and that knows nothing of projects, tasks or agents.

pub mod blocking;
pub mod checksum;
pub mod clock;
pub mod flat_record;
pub mod fsx;
pub mod names;
pub mod record;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod words;
