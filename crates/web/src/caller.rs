//! The caller of a request: the other end of the connection, the identity behind the key, and the request's own name.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::keys::Identity;

/// The header that names a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of a client's name for a request.
const LONGEST: usize = 128;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client at this address.
    At(SocketAddr),
    /// The user, or root, at the socket of the file system, as the kernel confirms.
    Owner,
}

impl Peer {
    /// The address that connections are counted by.
    pub(super) fn ip(self) -> IpAddr {
        match self {
            Self::At(address) => address.ip(),
            Self::Owner => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Owner => f.write_str("unix"),
        }
    }
}

/// A request that was let in.
#[derive(Debug)]
pub struct Caller {
    /// The request's own name, as in the answer and the log.
    pub request_id: Arc<str>,
    /// The other end of the connection.
    pub peer: Peer,
    /// The method of the endpoint.
    pub method: &'static str,
    /// The requested path.
    pub path: Arc<str>,
    /// The path of the endpoint, with its parameters in braces.
    pub endpoint: &'static str,
    /// The identity behind the key; absent at an open endpoint that was called without one.
    pub identity: Option<Identity>,
}

impl Caller {
    /// The name of the key that the request came with.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.identity.as_ref()?.name.as_deref()
    }
}

/// Returns the name that a client gave to its request, if it is fit for a log, else a new one.
pub(super) fn request_id(headers: &HeaderMap, now: DateTime<Utc>) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).map(str::trim);
    let fits = |id: &&str| !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
    given.filter(fits).map_or_else(|| new_id(now).into(), Arc::from)
}

/// `req-<nanoseconds>-<12 hexadecimal digits>`.
fn new_id(now: DateTime<Utc>) -> String {
    let nanos = now.timestamp_nanos_opt().unwrap_or_default();
    // Each state has new, random keys.
    let chance = RandomState::new().build_hasher().finish();
    format!("req-{nanos}-{:012x}", chance & 0xffff_ffff_ffff)
}

/// A request's name as a header.
pub(super) fn header(id: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_if_it_fits_into_a_log() {
        let now = DateTime::from_timestamp(1, 5).unwrap();
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            request_id(&headers, now)
        };
        assert_eq!(&*of("abc-1"), "abc-1");
        for bad in ["", "a b", "ü", &"x".repeat(129)] {
            let id = of(bad);
            assert!(id.starts_with("req-1000000005-") && id.len() == "req-1000000005-".len() + 12, "{id}");
        }
        assert_ne!(new_id(now), new_id(now));
    }
}
