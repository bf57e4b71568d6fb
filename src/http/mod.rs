//! The door: routes, what goes over the wire, streams, and who may come in.
//!
//! A route understands a request, asks `daemon` or `view`, and spells the answer. It
//! opens no file, starts no process and holds no rule.

mod auth;
mod body;
mod caller;
mod counters;
mod error;
mod guard;
mod routes;
mod server;
mod sse;
mod streamed;
mod wire;

pub use guard::Guard;
pub use server::{Server, serve};

use std::sync::Arc;

use crate::daemon::Core;
use counters::Counters;

/// What the routes work with. Cheap to clone.
#[derive(Debug, Clone)]
struct Api {
    core: Arc<Core>,
    counters: Arc<Counters>,
}
