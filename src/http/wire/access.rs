//! The caller, codes, keys of pages, and tickets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::{daemon::NewKey, tree::login::BrowserKey};

/// The need for a key, and the identity of the key that came with the request.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct WhoAsks<'a> {
    pub(in crate::http) required: bool,
    pub(in crate::http) authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) scope: Option<&'static str>,
}

/// The purpose of a new code.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewCode {
    /// Scope of the key, at most that of the key in the request; absent: that scope.
    #[serde(default)]
    #[schemars(extend("enum" = ["read", "run", "admin", null]))]
    pub(in crate::http) scope: Option<String>,
}

/// A code that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "on the wire it stands among others")]
pub(in crate::http) struct Code<'a> {
    code: &'a str,
    scope: &'static str,
    expires_at: Time,
}

/// A code to exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct GivenCode {
    pub(in crate::http) code: String,
}

/// The key of a page.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "on the wire it stands among others")]
pub(in crate::http) struct Key<'a> {
    key: &'a str,
    name: &'a str,
    scope: &'static str,
    expires_at: Time,
}

/// The keys that pages hold.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Keys<'a> {
    pub(in crate::http) keys: Vec<HeldKey<'a>>,
}

/// A key that a page holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct HeldKey<'a> {
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
pub(in crate::http) struct NewTicket {
    /// Path of the request; a query behind it is ignored.
    pub(in crate::http) path: String,
}

/// A ticket that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "on the wire it stands among others")]
pub(in crate::http) struct Ticket<'a> {
    pub(in crate::http) ticket: &'a str,
    pub(in crate::http) path: &'a str,
    pub(in crate::http) expires_at: Time,
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
