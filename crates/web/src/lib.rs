//! HTTP for the APIs of this program: listeners, the guard before routing, keys and scopes, endpoints that declare
//! themselves, event streams, WebSockets, and the OpenAPI document.
//!
//! Nothing here knows tasks, runs or sessions. An API is a [`Mount`]: a [`Table`] of endpoints over a state of its own,
//! the [`Keys`] of its clients, and its [`Manners`]. A [`Listener`] serves one or several mounts, and its [`Guard`] sees
//! every request before any of them.

mod body;
mod budget;
mod caller;
mod counters;
mod endpoint;
mod error;
mod field;
mod keys;
mod live;
mod manners;
pub mod openapi;
mod response;
mod server;
mod socket;
mod stream;

pub use body::{Body, Sent};
pub use budget::{Budget, Share};
pub use caller::{Caller, Peer};
pub use counters::{Counters, Streams};
pub use endpoint::{
    Audience, BodyType, Call, Content, Declared, Draft, Endpoint, Kind, LAST_EVENT_ID, Location, Pages,
    Param, PathTexts, Query, Reply, RouteMatch, SchemaOf, Table, Target, Traces, bad, delete, flag, get,
    number, one_of, opaque, page, patch, post, put, text, time, words,
};
pub use error::{Error, Origin, Result};
pub use field::Field;
pub use keys::{Access, Identity, KeyLocations, Keyring, Keys, Proof, Scope, TICKET_LIFE};
pub use live::Live;
pub use manners::{AllowedHeaders, Cors, Manners, PageRules, RefusedRequest, Slashes};
pub use response::{json, no_content};
pub use server::{Guard, Io, Listener, Mount, Server, Site, TimeLimits, serve};
pub use socket::{CloseCode, Closed, Socket, SocketLimits};
pub use stream::{sse, streamed, streamed_or_cut};
