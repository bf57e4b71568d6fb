//! A request, as its endpoint receives it.

use std::{
    fmt::Display,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, header};

use super::{
    param::{LAST_EVENT_ID, Param},
    query::Query,
    target::PathTexts,
};
use crate::{
    body::{Body, Purse},
    caller::Caller,
    error::{Error, Result},
    manners::Manners,
    socket::Upgrade,
    stream::sse::Event,
};

/// A request on its way from the door to its endpoint.
#[derive(Debug)]
pub(crate) struct PendingCall<S> {
    pub(crate) api: S,
    pub(crate) caller: Arc<Caller>,
    pub(crate) headers: HeaderMap,
    pub(crate) texts: PathTexts,
    /// The text after the `?`.
    pub(crate) query: String,
    /// Maximum size of the body in bytes.
    pub(crate) max_body: u64,
    /// The memory that the body takes.
    pub(crate) purse: Purse,
    pub(crate) manners: Arc<Manners>,
    /// The connection, if the endpoint opens a socket.
    pub(crate) upgrade: Option<Upgrade>,
}

/// A pending call among the extensions of its request. A filter can only clone an extension, so the call itself is shared
/// and taken once.
#[derive(Debug)]
pub(crate) struct Handed<S>(Arc<Mutex<Option<PendingCall<S>>>>);

impl<S> Clone for Handed<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Handed<S> {
    pub(crate) fn new(pending: PendingCall<S>) -> Self {
        Self(Arc::new(Mutex::new(Some(pending))))
    }

    pub(super) fn take(&self) -> Option<PendingCall<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A request that was let in.
#[derive(Debug)]
pub struct Call<S> {
    /// The state of the API.
    pub api: S,
    /// The caller.
    pub caller: Arc<Caller>,
    /// The parameters of the query.
    pub query: Query,
    /// The body, which is not read yet.
    pub body: Body,
    headers: HeaderMap,
}

impl<S> Call<S> {
    pub(super) fn read(pending: PendingCall<S>, body: Body) -> Result<(Self, PathTexts)> {
        let PendingCall { api, caller, headers, texts, query, max_body, purse, .. } = pending;
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let (query, body) = (Query::read(&query)?, body.limited(max_body, length, purse));
        Ok((Self { api, caller, query, body, headers }, texts))
    }

    /// Returns the cursor at which a stream continues: `Last-Event-ID`, else a parameter. For an id that is no
    /// cursor, returns a reset event, and the stream starts again.
    ///
    /// # Errors
    /// 400 if the parameter is no cursor.
    pub fn cursor<T: FromStr<Err: Display>>(&self, after: &Param) -> Result<(Option<T>, Option<Event>)> {
        match self.header(&LAST_EVENT_ID)?.map(str::parse) {
            Some(Ok(cursor)) => Ok((Some(cursor), None)),
            Some(Err(_)) => Ok((None, Some(Event::reset(None)))),
            None => Ok((self.query.optional(after)?, None)),
        }
    }

    /// Returns the value of a header, if there is one.
    ///
    /// # Errors
    /// 400 if it is no text, or is given twice.
    pub fn header(&self, param: &Param) -> Result<Option<&str>> {
        let mut all = self.headers.get_all(param.name).iter();
        let (first, None) = (all.next(), all.next()) else {
            return Err(Error::bad_request(format!("the header {} is given more than once", param.name)));
        };
        let bad = |_| Error::bad_request(format!("the header {} is not plain text", param.name));
        first.map(|value| value.to_str().map_err(bad)).transpose()
    }
}
