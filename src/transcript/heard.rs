//! What one raw line says.

use chrono::{DateTime, Utc};

use crate::tree::event::What;

/// What one line says, before it is known where the line stands.
#[derive(Debug, Default)]
pub struct Heard {
    /// When it happened, if the line says so.
    pub time: Option<DateTime<Utc>>,
    /// What happened, in order.
    pub what: Vec<What>,
}
