//! What an endpoint is: declared once, with its path, its parameters, its types and what it answers. Its filter, the
//! table that the door asks, and the document of the API all come from that declaration.

mod answer;
mod call;
mod declared;
mod header;
mod param;
mod query;
mod table;
mod target;

pub(super) use answer::{Answer, Content, SchemaOf};
pub(super) use call::{Arrival, Call};
pub(super) use declared::{Audience, Endpoint, Pages, Serve, delete, get, page, post};
pub(super) use header::{IDEMPOTENCY_KEY, IF_NONE_MATCH, LAST_EVENT_ID, RANGE};
pub(super) use param::{Kind, Param, Place, flag, number, one_of, opaque, text, time, words};
pub(super) use query::{Query, bad};
pub(super) use table::{Found, Table};
