//! Lists that have pages: which part of one is meant.

use crate::{
    http::{
        endpoint::{Param, Query, number},
        error::Result,
    },
    view::index::Window,
};

/// How many entries a page has, unless the query says so.
const USUAL: usize = 50;

const LIMIT: Param = number("limit", 1, 500, "How many entries a page has; 50 without it");
const OFFSET: Param = number("offset", 0, usize::MAX, "How many entries stand before the page");

/// The parameters that say it.
pub(super) const PAGE: [Param; 2] = [LIMIT, OFFSET];

/// Which part of a list a query means.
pub(super) fn window(query: &Query) -> Result<Window> {
    let limit = query.number(&LIMIT)?.unwrap_or(USUAL);
    Ok(Window { offset: query.number(&OFFSET)?.unwrap_or(0), limit })
}
