//! Endpoints: each is declared once, with its path, access, parameters, types and answers. Its filter, the table that the
//! door asks, and the document of the API all come from that declaration.

mod call;
mod declared;
mod param;
mod query;
mod reply;
mod served;
mod table;
mod target;

pub use call::Call;
pub(super) use call::{Handed, PendingCall};
pub use declared::{Audience, BodyType, Declared, Draft, Pages, Traces, delete, get, page, patch, post, put};
pub use param::{Kind, LAST_EVENT_ID, Location, Param, flag, number, one_of, opaque, text, time, words};
pub use query::{Query, bad};
pub use reply::{Content, Reply, SchemaOf};
pub use served::Endpoint;
pub use table::{RouteMatch, Table};
pub use target::{PathTexts, Target};
