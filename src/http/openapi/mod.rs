//! The document of the API, OpenAPI 3.1: made of the same declarations that are served; and the same as a page for people.

mod document;
mod errors;
mod html;
mod operation;
mod page;
mod schemas;
mod shape;

pub(super) use document::{Asset, CSS, Document, HTML};
