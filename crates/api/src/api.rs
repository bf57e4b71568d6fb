//! The shared state of the routes.

use std::sync::{Arc, OnceLock};

use super::{keys::DaemonKeys, wire::Words};
use daemon::{Core, Logins};
use web::{Keys, Live, Table, openapi::Document};

/// The shared state of the routes. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) core: Arc<Core>,
    pub(super) live: Live,
    pub(super) logins: Arc<Logins>,
    pub(super) keys: Keys,
    pub(super) table: Arc<Table<Self>>,
    /// Built at the first request for it.
    pub(super) document: Arc<OnceLock<Document>>,
}

impl Api {
    /// Creates the state for a daemon that answers the endpoints of this table.
    pub(super) fn new(core: Arc<Core>, table: Table<Self>) -> Self {
        let logins = Arc::new(Logins::open(&core.runner.tree, &core.runner.config.api));
        Self {
            live: Live::new(core.shutdown.clone(), core.runner.tree.clock().clone()),
            keys: Keys::new(DaemonKeys(logins.clone())),
            table: Arc::new(table),
            document: Arc::default(),
            logins,
            core,
        }
    }

    /// The words for the status of a run on `/api/v1`.
    pub(super) fn words(&self) -> Words {
        if self.core.runner.config.faces.conductor_loop { Words::Original } else { Words::Documented }
    }
}
