//! Lists with pages: selects the requested part.

use crate::{
    endpoint::{Param, Query, number},
    error::Result,
};
use view::index::Window;

/// Default number of entries of a page.
const USUAL: usize = 50;

const LIMIT: Param = number("limit", 1, 500, "Number of entries in a page; default 50");
const OFFSET: Param = number("offset", 0, usize::MAX, "Number of entries before the page");

/// The parameters that select a page.
pub(super) const PAGE: [Param; 2] = [LIMIT, OFFSET];

/// Returns the part of a list that a query selects.
pub(super) fn window(query: &Query) -> Result<Window> {
    let limit = query.number(&LIMIT)?.unwrap_or(USUAL);
    Ok(Window { offset: query.number(&OFFSET)?.unwrap_or(0), limit })
}
