//! The document of an API, OpenAPI 3.1: made of the declarations that are served; and the same as a page for people.

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
