//! The native API: routes, wire types, streams, and the page.
//!
//! A route parses a request, asks `daemon` or `view`, and formats the answer. It opens no file, starts no process and
//! contains no rule. `web` has everything that does not depend on tasks: listeners, guard, keys, declarations, event
//! streams.

mod api;
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

use api::Api;
pub use server::{Server, guard, serve};
