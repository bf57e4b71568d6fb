//! Endpoints: each is declared once, with its path, access, parameters, types and answers. Its filter, the table that the
//! door asks, and the document of the API all come from that declaration.

mod call;
mod declared;
mod header;
mod param;
mod query;
mod reply;
mod served;
mod table;
mod target;

pub(super) use call::Arrival;
pub use call::Call;
pub use declared::{Audience, BodyType, Declared, Draft, Pages, Traces, delete, get, page, patch, post, put};
pub use header::LAST_EVENT_ID;
pub use param::{Kind, Location, Param, flag, number, one_of, opaque, text, time, words};
pub use query::{Query, bad};
pub use reply::{Content, Reply, SchemaOf};
pub use served::Endpoint;
pub use table::{Found, Table};
pub use target::{PathTexts, Target};
