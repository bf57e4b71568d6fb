//! The native API: routes, wire types, streams, and the page.
//!
//! A route parses a request, asks `daemon` or `view`, and formats the answer. It opens no file, starts no process and
//! contains no rule. `web` has everything that does not depend on tasks: listeners, guard, keys, declarations, event
//! streams.

mod embedded;
mod endpoint;
mod error;
mod keys;
mod manners;
mod page;
mod routes;
mod server;
mod stream;
mod wire;

pub use server::{Server, guard, serve};

use std::sync::{Arc, OnceLock};

use crate::{
    daemon::{Core, Logins},
    web::{Keys, Live, openapi::Document},
};
use endpoint::Table;
use keys::DaemonKeys;

/// The shared state of the routes. Cheap to clone.
#[derive(Debug, Clone)]
struct Api {
    core: Arc<Core>,
    live: Live,
    logins: Arc<Logins>,
    keys: Keys,
    table: Arc<Table>,
    /// Built at the first request for it.
    document: Arc<OnceLock<Document>>,
}

impl Api {
    fn new(core: Arc<Core>) -> Self {
        let logins = Arc::new(Logins::open(&core.runner.tree, &core.runner.config.api));
        Self {
            live: Live::new(core.shutdown.clone(), core.runner.tree.clock().clone()),
            keys: Keys::new(DaemonKeys(logins.clone())),
            table: Arc::new(routes::table()),
            document: Arc::default(),
            logins,
            core,
        }
    }
}
