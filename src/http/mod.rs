//! HTTP: routes, wire types, streams, and access control.
//!
//! A route parses a request, asks `daemon` or `view`, and formats the answer. It opens no file, starts no process and
//! contains no rule.

mod auth;
mod body;
mod caller;
mod caught;
mod connection;
mod cors;
mod counters;
mod door;
mod embedded;
mod endpoint;
mod error;
mod guard;
mod headers;
mod openapi;
mod page;
mod places;
mod routes;
mod server;
mod sse;
mod stream;
mod streamed;
mod tickets;
mod wire;

pub use guard::Guard;
pub use server::{Server, serve};

use std::sync::{Arc, OnceLock};

use crate::daemon::{Core, Logins};
use auth::Keys;
use counters::Counters;
use endpoint::Table;
use openapi::Document;

/// The shared state of the routes. Cheap to clone.
#[derive(Debug, Clone)]
struct Api {
    core: Arc<Core>,
    counters: Arc<Counters>,
    keys: Keys,
    table: Arc<Table>,
    /// Built on first use.
    document: Arc<OnceLock<Document>>,
}

impl Api {
    fn new(core: Arc<Core>) -> Self {
        let logins = Arc::new(Logins::open(&core.runner.tree, &core.runner.config.api));
        Self {
            core,
            counters: Arc::default(),
            keys: Keys { logins, tickets: Arc::default() },
            table: Arc::new(routes::table()),
            document: Arc::default(),
        }
    }
}
