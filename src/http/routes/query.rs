//! The parameters of a query: understood by name, and refused by name.

use std::{collections::HashMap, fmt::Display, ops::RangeInclusive, str::FromStr};

use chrono::{DateTime, Utc};
use warp::{Filter, filters::BoxedFilter};

use crate::{
    http::{
        error::{HttpError, Result},
        sse::Event,
    },
    view::index::Window,
};

/// How many entries a page has, unless the query says so, and at most.
const LIMITS: (usize, usize) = (50, 500);

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(HashMap<String, String>);

/// Hands the parameters to a route, whether or not there is a `?`.
pub(super) fn query() -> BoxedFilter<(Query,)> {
    warp::query::<HashMap<String, String>>().map(Query).boxed()
}

impl Query {
    /// What was given, if it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A parameter that must be there.
    pub(super) fn required<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| HttpError::bad_request(format!("the parameter {name} is missing")))
    }

    /// A parameter that may be there.
    pub(super) fn optional<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>> {
        self.text(name).map(|text| text.parse().map_err(|e| bad(name, &e))).transpose()
    }

    /// Some words with commas between; none: no restriction.
    pub(super) fn words<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Vec<T>> {
        let words = self.text(name).into_iter().flat_map(|text| text.split(','));
        words.map(|word| word.trim().parse().map_err(|e| bad(name, &e))).collect()
    }

    /// A number within a range.
    pub(super) fn number(&self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|n| range.contains(n));
        number.map(Some).ok_or_else(|| {
            let text = text.chars().take(40).collect::<String>();
            let (from, to) = range.into_inner();
            bad(name, &format!("'{}' is no number from {from} to {to}", text.escape_debug()))
        })
    }

    /// Which part of a list that has pages.
    pub(super) fn window(&self) -> Result<Window> {
        let limit = self.number("limit", 1..=LIMITS.1)?.unwrap_or(LIMITS.0);
        Ok(Window { offset: self.number("offset", 0..=usize::MAX)?.unwrap_or(0), limit })
    }

    /// Where a stream goes on: behind `Last-Event-ID`, or else behind `after`. An id that we cannot have given is
    /// answered by everything anew, and by an event that says so.
    pub(super) fn place<T: FromStr<Err: Display>>(
        &self,
        last: Option<&str>,
    ) -> Result<(Option<T>, Option<Event>)> {
        match last.map(str::parse) {
            Some(Ok(place)) => Ok((Some(place), None)),
            Some(Err(_)) => Ok((None, Some(Event::reset(None)))),
            None => Ok((self.optional("after")?, None)),
        }
    }

    /// Yes or no; its name alone is a yes.
    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false" | "0" | "no") => Ok(false),
            Some("" | "true" | "1" | "yes") => Ok(true),
            Some(_) => Err(bad(name, &"it is neither true nor false")),
        }
    }

    /// A time.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // In a query a plus is a blank.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
        let time = time.map_err(|_| bad(name, &"it is no time such as 2026-02-05T10:00:00Z"))?;
        Ok(Some(time.to_utc()))
    }
}

/// A parameter that is not understood.
pub(super) fn bad(name: &str, why: &impl Display) -> HttpError {
    HttpError::bad_request(format!("the parameter {name} is not understood: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let given = [
            ("n", "7"),
            ("big", "501"),
            ("yes", ""),
            ("maybe", "2"),
            ("at", "2026-02-05T10:00:00 01:00"),
            ("x", ""),
        ];
        let query = Query(given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        assert_eq!((query.number("n", 1..=500), query.number("none", 1..=500)), (Ok(Some(7)), Ok(None)));
        assert_eq!((query.flag("yes"), query.flag("none")), (Ok(true), Ok(false)));
        assert_eq!(query.time("at").unwrap().unwrap().to_rfc3339(), "2026-02-05T09:00:00+00:00");
        assert!(query.required::<usize>("x").unwrap_err().message.contains("parameter x is missing"));
        assert_eq!(query.words::<usize>("n"), Ok(vec![7]));
        for error in [
            query.number("big", 1..=500).unwrap_err(),
            query.flag("maybe").unwrap_err(),
            query.time("n").unwrap_err(),
            query.optional::<usize>("at").unwrap_err(),
        ] {
            assert_eq!(error.status, http::StatusCode::BAD_REQUEST);
            let named = ["big", "maybe", " n ", " at "].iter().any(|n| error.message.contains(n));
            assert!(named, "{error:?}");
        }
    }
}
