//! The declaration of an endpoint.

use http::StatusCode;
use schemars::JsonSchema;

use super::{
    param::{LAST_EVENT_ID, Param},
    reply::{Content, Reply, SchemaOf, schema_of},
};
use crate::{keys::Access, socket::SocketLimits};

/// States if a page in a browser may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// The page may call it.
    Allowed,
    /// The page may not call it, because the endpoint destroys something.
    Refused,
}

/// The audience of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Clients: the endpoint is in the document of the API.
    Programs,
    /// Users with a browser: the endpoint is a page of the program, or a part of one.
    People,
}

/// The traces that calls of an endpoint leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traces {
    /// Each call is counted, and logged if it changes something.
    All,
    /// Calls come by the thousand: successful ones are logged only at the level `debug`.
    Quiet,
    /// Monitoring tools call it all the time: its calls are not counted.
    Uncounted,
}

/// The declaration of an endpoint: one method of one path.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Its method.
    pub method: &'static str,
    /// Its path below the mount's prefix, with parameters in braces.
    pub path: &'static str,
    /// The access that it needs.
    pub access: Access,
    /// Its effect: a line without its full stop.
    pub summary: &'static str,
    /// More about it, in Markdown.
    pub about: &'static str,
    /// Its audience.
    pub audience: Audience,
    /// States if a page in a browser may call it.
    pub pages: Pages,
    /// The traces that its calls leave.
    pub traces: Traces,
    /// The parameters of its path.
    pub target: &'static [Param],
    /// The parameters of its query and its headers.
    pub params: Vec<Param>,
    /// The body that it takes.
    pub body: Option<BodyType>,
    /// Maximum size of the body in bytes; without it, the limit of the mount.
    pub max_body: Option<u64>,
    /// The limits of the socket that it opens.
    pub socket: Option<SocketLimits>,
    /// Its answers in case of success.
    pub replies: Vec<Reply>,
    /// Its own errors, beside those that every endpoint has.
    pub errors: &'static [u16],
}

/// The body that an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub struct BodyType {
    /// Its type.
    pub schema: SchemaOf,
    /// True if it is required.
    pub required: bool,
}

/// A declaration without a handler: made by [`get`], [`post`] and similar functions, finished by [`Draft::map`] or
/// [`Draft::then`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Draft(pub(super) Declared);

/// Declares an endpoint for `GET`, and `HEAD` with it.
pub fn get(access: impl Into<Access>, path: &'static str, summary: &'static str) -> Draft {
    Draft::new("GET", access.into(), path, summary)
}

/// Declares a page of the program, or a part of one.
pub fn page(path: &'static str, summary: &'static str) -> Draft {
    let Draft(declared) = get(Access::Open, path, summary);
    Draft(Declared { audience: Audience::People, ..declared })
}

/// Declares an endpoint for `POST`.
pub fn post(access: impl Into<Access>, path: &'static str, summary: &'static str) -> Draft {
    Draft::new("POST", access.into(), path, summary)
}

/// Declares an endpoint for `PUT`.
pub fn put(access: impl Into<Access>, path: &'static str, summary: &'static str) -> Draft {
    Draft::new("PUT", access.into(), path, summary)
}

/// Declares an endpoint for `PATCH`. The fields of its body should be of type [`Field`](crate::Field).
pub fn patch(access: impl Into<Access>, path: &'static str, summary: &'static str) -> Draft {
    Draft::new("PATCH", access.into(), path, summary)
}

/// Declares an endpoint for `DELETE`.
pub fn delete(access: impl Into<Access>, path: &'static str, summary: &'static str) -> Draft {
    Draft::new("DELETE", access.into(), path, summary)
}

impl Draft {
    fn new(method: &'static str, access: Access, path: &'static str, summary: &'static str) -> Self {
        Self(Declared {
            method,
            path,
            access,
            summary,
            about: "",
            audience: Audience::Programs,
            pages: Pages::Allowed,
            traces: Traces::All,
            target: &[],
            params: Vec::new(),
            body: None,
            max_body: None,
            socket: None,
            replies: Vec::new(),
            errors: &[],
        })
    }

    /// Adds a description, in Markdown.
    pub fn about(mut self, about: &'static str) -> Self {
        self.0.about = about;
        self
    }

    /// Refuses pages in browsers.
    pub fn refuses_pages(mut self) -> Self {
        self.0.pages = Pages::Refused;
        self
    }

    /// Declares the traces that its calls leave.
    pub fn leaves(mut self, traces: Traces) -> Self {
        self.0.traces = traces;
        self
    }

    /// Declares parameters of its query and its headers.
    pub fn params(mut self, params: &[Param]) -> Self {
        self.0.params.extend_from_slice(params);
        self
    }

    /// Takes JSON of this type.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.0.body = Some(BodyType { schema: schema_of::<T>, required: true });
        self
    }

    /// Takes JSON of this type, or no body.
    pub fn may_take<T: JsonSchema>(mut self) -> Self {
        self.0.body = Some(BodyType { schema: schema_of::<T>, required: false });
        self
    }

    /// Takes a body of at most this many bytes, instead of the mount's limit.
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.0.max_body = Some(bytes);
        self
    }

    /// Answers with JSON of this type.
    pub fn json<T: JsonSchema>(self, status: StatusCode, when: &'static str) -> Self {
        self.replies(status, when, Content::Json(schema_of::<T>))
    }

    /// Answers with a text of this media type.
    pub fn text(self, status: StatusCode, when: &'static str, media: &'static str) -> Self {
        self.replies(status, when, Content::Text(media))
    }

    /// Answers without a body.
    pub fn empty(self, status: StatusCode, when: &'static str) -> Self {
        self.replies(status, when, Content::Nothing)
    }

    /// Answers 204.
    pub fn no_content(self, when: &'static str) -> Self {
        self.empty(StatusCode::NO_CONTENT, when)
    }

    /// Answers with a stream of events with JSON of this type as their data. A client that was disconnected continues
    /// after its last event.
    pub fn events<T: JsonSchema>(self, when: &'static str) -> Self {
        self.params(&[LAST_EVENT_ID]).replies(StatusCode::OK, when, Content::Events(schema_of::<T>))
    }

    /// Opens a socket on which texts of JSON go: ours of the first type, the client's of the second.
    pub fn frames<Sent: JsonSchema, Taken: JsonSchema>(self, when: &'static str) -> Self {
        let content = Content::Frames { sent: schema_of::<Sent>, taken: schema_of::<Taken> };
        self.replies(StatusCode::SWITCHING_PROTOCOLS, when, content)
    }

    fn replies(mut self, status: StatusCode, when: &'static str, content: Content) -> Self {
        self.0.replies.push(Reply { status, when, content });
        self
    }

    /// Declares its own errors, beside those that every endpoint has.
    pub fn errors(mut self, errors: &'static [u16]) -> Self {
        self.0.errors = errors;
        self
    }
}
