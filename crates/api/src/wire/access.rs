//! The caller, codes, keys of pages, and tickets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;
use daemon::NewKey;
use tree::login::BrowserKey;

/// The need for a key, and the identity of the key that came with the request.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WhoAsks<'a> {
    pub(crate) required: bool,
    pub(crate) authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<&'static str>,
}

/// The purpose of a new code.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCode {
    /// Scope of the key, at most that of the key in the request; absent: that scope.
    #[serde(default)]
    #[schemars(extend("enum" = ["read", "run", "admin", null]))]
    pub(crate) scope: Option<String>,
}

/// A code that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "fields of the wire format")]
pub(crate) struct Code<'a> {
    code: &'a str,
    scope: &'static str,
    expires_at: Time,
}

/// A code to exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenCode {
    pub(crate) code: String,
}

/// The key of a page.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "fields of the wire format")]
pub(crate) struct Key<'a> {
    key: &'a str,
    name: &'a str,
    scope: &'static str,
    expires_at: Time,
}

/// The keys that pages hold.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Keys<'a> {
    pub(crate) keys: Vec<HeldKey<'a>>,
}

/// A key that a page holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HeldKey<'a> {
    name: &'a str,
    scope: &'a str,
    created_at: Time,
    expires_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<&'a str>,
}

/// The purpose of a new ticket.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTicket {
    /// Path of the request; a query behind it is ignored.
    pub(crate) path: String,
}

/// A ticket that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "fields of the wire format")]
pub(crate) struct Ticket<'a> {
    pub(crate) ticket: &'a str,
    pub(crate) path: &'a str,
    pub(crate) expires_at: Time,
}

impl<'a> From<&'a NewKey> for Code<'a> {
    fn from(new: &'a NewKey) -> Self {
        Self { code: new.secret.expose(), scope: new.scope.as_str(), expires_at: Time(new.expires_at) }
    }
}

impl<'a> From<&'a NewKey> for Key<'a> {
    fn from(new: &'a NewKey) -> Self {
        Self {
            key: new.secret.expose(),
            name: &new.name,
            scope: new.scope.as_str(),
            expires_at: Time(new.expires_at),
        }
    }
}

impl<'a> From<&'a BrowserKey> for HeldKey<'a> {
    fn from(key: &'a BrowserKey) -> Self {
        Self {
            name: &key.name,
            scope: &key.scope,
            created_at: Time(key.created_at),
            expires_at: Time(key.expires_at),
            made_by: key.made_by.as_ref().map(|by| by.name.as_str()),
        }
    }
}
