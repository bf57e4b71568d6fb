//! The document of an API, OpenAPI 3.1, built from the same declarations as the endpoints; and a page of it for
//! users.

mod description;
mod document;
mod errors;
mod html;
mod operation;
mod page;
mod schemas;
mod shape;

pub use description::Description;
pub use document::{Asset, CSS, Document, HTML, value};
pub use errors::statuses;
