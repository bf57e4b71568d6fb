//! The declaration of an endpoint, and the filter that is made of it.

use std::{fmt, future::Future};

use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    answer::{Answer, Content, SchemaOf, schema_of},
    call::{Arrival, Call},
    header::LAST_EVENT_ID,
    param::Param,
    target::Target,
};
use crate::http::{
    body::{Body, body},
    error::{Result, answer},
};

/// Whether a page in a browser may ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Pages {
    /// It may.
    Allowed,
    /// It may not: it destroys something.
    Refused,
}

/// Whom an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Audience {
    /// Clients: it stands in the document of the API.
    Programs,
    /// People with a browser: a page of ours, or a part of one.
    People,
}

/// One method of one path: all that is known about it. Made by [`get`], [`post`] or [`delete`], and finished by
/// [`Endpoint::map`] or [`Endpoint::then`].
#[derive(Debug, Clone)]
pub(in crate::http) struct Endpoint<Served = ()> {
    /// Its method.
    pub(in crate::http) method: &'static str,
    /// Its path; parameters stand in braces.
    pub(in crate::http) path: &'static str,
    /// What it does: a line without its full stop.
    pub(in crate::http) summary: &'static str,
    /// What there is to say beyond that, in Markdown.
    pub(in crate::http) about: &'static str,
    /// Whom it is for.
    pub(in crate::http) audience: Audience,
    /// Whether a page in a browser may ask for it.
    pub(in crate::http) pages: Pages,
    /// The parameters of its path.
    pub(in crate::http) target: &'static [Param],
    /// The parameters of its query and its headers.
    pub(in crate::http) params: Vec<Param>,
    /// The body that it takes.
    pub(in crate::http) body: Option<Taken>,
    /// What it answers where all is well.
    pub(in crate::http) answers: Vec<Answer>,
    /// The errors of its own, beside those that every endpoint has.
    pub(in crate::http) errors: &'static [u16],
    served: Served,
}

/// The body that an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Taken {
    /// Its type.
    pub(in crate::http) schema: SchemaOf,
    /// Whether it must be there.
    pub(in crate::http) required: bool,
}

/// How an endpoint is served: the filter that answers a request which the door has found to be for it.
#[derive(Clone)]
pub(in crate::http) struct Serve(pub(in crate::http) BoxedFilter<(Response,)>);

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serve")
    }
}

/// Declares what answers `GET`, and `HEAD` with it.
pub(in crate::http) fn get(path: &'static str, summary: &'static str) -> Endpoint {
    Endpoint::new("GET", path, summary)
}

/// Declares a page of ours, or a part of one.
pub(in crate::http) fn page(path: &'static str, summary: &'static str) -> Endpoint {
    Endpoint { audience: Audience::People, ..get(path, summary) }
}

/// Declares what answers `POST`.
pub(in crate::http) fn post(path: &'static str, summary: &'static str) -> Endpoint {
    Endpoint::new("POST", path, summary)
}

/// Declares what answers `DELETE`.
pub(in crate::http) fn delete(path: &'static str, summary: &'static str) -> Endpoint {
    Endpoint::new("DELETE", path, summary)
}

impl Endpoint {
    fn new(method: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            summary,
            about: "",
            audience: Audience::Programs,
            pages: Pages::Allowed,
            target: &[],
            params: Vec::new(),
            body: None,
            answers: Vec::new(),
            errors: &[],
            served: (),
        }
    }

    /// What there is to say beyond the summary, in Markdown.
    pub(in crate::http) fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Keeps pages in browsers away.
    pub(in crate::http) fn refuses_pages(self) -> Self {
        Self { pages: Pages::Refused, ..self }
    }

    /// Parameters of its query and its headers.
    pub(in crate::http) fn params(mut self, params: &[Param]) -> Self {
        self.params.extend_from_slice(params);
        self
    }

    /// Takes JSON of this type.
    pub(in crate::http) fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(Taken { schema: schema_of::<T>, required: true }), ..self }
    }

    /// Takes JSON of this type, or nothing.
    pub(in crate::http) fn may_take<T: JsonSchema>(self) -> Self {
        Self { body: Some(Taken { schema: schema_of::<T>, required: false }), ..self }
    }

    /// Answers with JSON of this type.
    pub(in crate::http) fn json<T: JsonSchema>(self, status: StatusCode, when: &'static str) -> Self {
        self.answers(status, when, Content::Json(schema_of::<T>))
    }

    /// Answers with a text of this media type.
    pub(in crate::http) fn text(self, status: StatusCode, when: &'static str, media: &'static str) -> Self {
        self.answers(status, when, Content::Text(media))
    }

    /// Answers without a body.
    pub(in crate::http) fn empty(self, status: StatusCode, when: &'static str) -> Self {
        self.answers(status, when, Content::Nothing)
    }

    /// Has nothing to answer but that all is well.
    pub(in crate::http) fn no_content(self, when: &'static str) -> Self {
        self.empty(StatusCode::NO_CONTENT, when)
    }

    /// Answers with a stream of events whose data is JSON of this type, that goes on where a client was cut off.
    pub(in crate::http) fn events<T: JsonSchema>(self, when: &'static str) -> Self {
        self.params(&[LAST_EVENT_ID]).answers(StatusCode::OK, when, Content::Events(schema_of::<T>))
    }

    fn answers(mut self, status: StatusCode, when: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, when, content });
        self
    }

    /// The errors of its own, beside those that every endpoint has.
    pub(in crate::http) fn errors(self, errors: &'static [u16]) -> Self {
        Self { errors, ..self }
    }

    /// Is answered by this, which does not wait for anything.
    pub(in crate::http) fn map<T: Target>(
        self,
        handler: impl Fn(&Call, &T) -> Result<Response> + Clone + Send + Sync + 'static,
    ) -> Endpoint<Serve> {
        self.then(move |call, target| std::future::ready(handler(&call, &target)))
    }

    /// Is answered by this.
    pub(in crate::http) fn then<T: Target, F>(
        self,
        handler: impl Fn(Call, T) -> F + Clone + Send + Sync + 'static,
    ) -> Endpoint<Serve>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let filter = warp::ext::get::<Arrival>()
            .and(warp::header::headers_cloned())
            .and(body())
            .then(move |arrival: Arrival, headers: HeaderMap, body: Body| {
                let read = Call::read(arrival, headers, body);
                let begun = read.and_then(|(call, given)| Ok(handler(call, T::read(&given)?)));
                async move {
                    answer(match begun {
                        Ok(answering) => answering.await,
                        Err(e) => Err(e),
                    })
                }
            })
            .boxed();
        let Self { method, path, summary, about, audience, pages, params, body, answers, errors, .. } = self;
        let target = T::PARAMS;
        Endpoint {
            method,
            path,
            summary,
            about,
            audience,
            pages,
            target,
            params,
            body,
            answers,
            errors,
            served: Serve(filter),
        }
    }
}

impl Endpoint<Serve> {
    /// What answers a request that the door has found to be for this.
    pub(in crate::http) fn filter(&self) -> BoxedFilter<(Response,)> {
        self.served.0.clone()
    }
}
