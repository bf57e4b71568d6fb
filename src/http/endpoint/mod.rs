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
pub(super) use declared::{Endpoint, Pages, Serve, delete, get, post};
pub(super) use header::{IDEMPOTENCY_KEY, LAST_EVENT_ID, RANGE};
pub(super) use param::{Kind, Param, Place, flag, number, one_of, text, time, words};
pub(super) use query::{Query, bad};
pub(super) use table::{Found, Table};
