//! The document of the API, OpenAPI 3.1: made of the same declarations that are served.

mod document;
mod errors;
mod operation;
mod schemas;

pub(super) use document::Document;
