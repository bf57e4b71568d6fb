//! A request as an endpoint gets it.

use std::{fmt::Display, str::FromStr};

use http::HeaderMap;

use super::{header::LAST_EVENT_ID, param::Param, query::Query, target::Given};
use crate::http::{
    Api,
    body::Body,
    caller::Caller,
    error::{HttpError, Result},
    sse::Event,
};

/// What the door has found out about a request, on its way to the endpoint.
#[derive(Debug, Clone)]
pub(in crate::http) struct Arrival {
    pub(in crate::http) api: Api,
    pub(in crate::http) caller: Caller,
    /// What the path names.
    pub(in crate::http) given: Given,
    /// What stands behind the `?`.
    pub(in crate::http) query: String,
}

/// A request that means an endpoint.
pub(in crate::http) struct Call {
    /// What endpoints work with.
    pub(in crate::http) api: Api,
    /// Who asks.
    pub(in crate::http) caller: Caller,
    /// The parameters of the query.
    pub(in crate::http) query: Query,
    /// The body, yet to be read.
    pub(in crate::http) body: Body,
    headers: HeaderMap,
}

impl Call {
    pub(super) fn read(arrival: Arrival, headers: HeaderMap, body: Body) -> Result<(Self, Given)> {
        let Arrival { api, caller, given, query } = arrival;
        Ok((Self { api, caller, query: Query::read(&query)?, body, headers }, given))
    }

    /// Where a stream goes on: behind `Last-Event-ID`, or else behind a parameter. An id that we cannot have given is
    /// answered by everything anew, and by an event that says so.
    pub(in crate::http) fn place<T: FromStr<Err: Display>>(
        &self,
        after: &Param,
    ) -> Result<(Option<T>, Option<Event>)> {
        match self.header(&LAST_EVENT_ID)?.map(str::parse) {
            Some(Ok(place)) => Ok((Some(place), None)),
            Some(Err(_)) => Ok((None, Some(Event::reset(None)))),
            None => Ok((self.query.optional(after)?, None)),
        }
    }

    /// The value of a header, if there is one.
    ///
    /// # Errors
    /// If it is no text, or stands there twice.
    pub(in crate::http) fn header(&self, param: &Param) -> Result<Option<&str>> {
        let mut all = self.headers.get_all(param.name).iter();
        let (first, None) = (all.next(), all.next()) else {
            return Err(HttpError::bad_request(format!("the header {} is given more than once", param.name)));
        };
        let bad = |_| HttpError::bad_request(format!("the header {} is no plain text", param.name));
        first.map(|value| value.to_str().map_err(bad)).transpose()
    }
}
