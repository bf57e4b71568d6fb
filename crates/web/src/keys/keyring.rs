//! The keys of an API's clients: known by a keyring, shown in headers, or replaced by a ticket for one request.

use std::{fmt::Debug, sync::Arc};

use http::{HeaderMap, Method, Request, header};

use super::{
    super::{
        caller::Peer,
        error::{Error, Origin, Result},
    },
    identity::{Identity, Proof, Scope},
    tickets::{self, Tickets},
};
use base::secret::Secret;

/// Names that a key may have in a query, where it ends up in histories, logs and `Referer` headers.
const KEY_NAMES: &[&str] = &["api_key", "apikey", "api-key", "x-api-key", "access_token", "token", "key"];

/// Knows the keys of an API's clients.
pub trait Keyring: Debug + Send + Sync {
    /// Returns true if clients need a key.
    fn is_required(&self) -> bool;

    /// Returns the identity behind a key, if the key is known.
    fn identify(&self, key: &str) -> Option<Identity>;
}

/// The places in which clients of an API put their key.
#[derive(Debug, Clone, Copy)]
pub struct KeyLocations {
    /// Headers that contain only a key, beside `Authorization: Bearer`.
    pub headers: &'static [&'static str],
    /// The parameter of a query that may hold a key, for clients that cannot set headers.
    pub query: Option<&'static str>,
    /// The hint for a client that put a key into a query where none is allowed.
    pub advice: &'static str,
}

/// The keys and tickets of a mount. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys {
    keyring: Arc<dyn Keyring>,
    tickets: Arc<Tickets>,
}

impl Keys {
    /// Creates the keys of a keyring, without tickets.
    #[must_use]
    pub fn new(keyring: impl Keyring + 'static) -> Self {
        Self { keyring: Arc::new(keyring), tickets: Arc::default() }
    }

    /// Makes a ticket: for one request of one path, within [`TICKET_LIFE`](super::TICKET_LIFE), with the rights of
    /// `identity`. Returns none while too many tickets are unused.
    ///
    /// # Errors
    /// If the machine has no random bytes to give.
    pub fn make_ticket(&self, path: &str, identity: Identity) -> std::io::Result<Option<Secret>> {
        self.tickets.make(path, identity)
    }

    /// Returns the identity behind a request; none if a key is required and no known one was shown.
    pub(crate) fn identify<B>(
        &self,
        request: &Request<B>,
        peer: Peer,
        places: &KeyLocations,
    ) -> Result<Option<Identity>> {
        no_key_in_the_url(request.uri().query(), places)?;
        if peer == Peer::Owner {
            let name = Some("owner".to_owned());
            return Ok(Some(Identity { name, scope: Scope::Admin, proof: Proof::Owner }));
        }
        if !self.keyring.is_required() {
            return Ok(Some(Identity { name: None, scope: Scope::Admin, proof: Proof::None }));
        }
        let query = request.uri().query();
        let in_query = places.query.and_then(|name| value(query?, name));
        if let Some(key) = shown(request.headers(), places).or(in_query) {
            return Ok(self.keyring.identify(key));
        }
        let ticket = query.and_then(|query| value(query, tickets::PARAMETER));
        match ticket {
            Some(ticket) if request.method() == Method::GET => {
                Ok(self.tickets.take(ticket, request.uri().path()))
            }
            _ => Ok(None),
        }
    }
}

fn no_key_in_the_url(query: Option<&str>, places: &KeyLocations) -> Result<()> {
    let names = query.unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    for name in names.filter(|name| places.query != Some(*name)) {
        if KEY_NAMES.iter().any(|key| key.eq_ignore_ascii_case(name)) {
            let text = format!("a key does not belong into a URL ('{name}'): {}", places.advice);
            return Err(Error::bad_request(text).from(Origin::Key));
        }
    }
    Ok(())
}

/// Returns the value of a parameter that needs no unescaping.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name).map(|(_, value)| value))
}

fn shown<'a>(headers: &'a HeaderMap, places: &KeyLocations) -> Option<&'a str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let bearer = bearer.and_then(|v| {
        let (scheme, key) = v.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| places.headers.iter().find_map(|name| headers.get(*name)?.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: KeyLocations =
        KeyLocations { headers: &["x-api-key"], query: None, advice: "send it in a header" };

    #[test]
    fn a_key_comes_in_a_header() {
        for (name, value, key) in [
            ("authorization", "Bearer k", Some("k")),
            ("authorization", "bearer k", Some("k")),
            ("authorization", "Basic k", None),
            ("x-api-key", "k", Some("k")),
            ("x-other", "k", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(shown(&headers, &PLACES), key, "{name}: {value}");
        }
        for (query, refused) in [
            (None, false),
            (Some("limit=3"), false),
            (Some("ticket=x"), false),
            (Some("a=1&API_KEY=x"), true),
            (Some("access_token=x"), true),
            (Some("monkey=x"), false),
        ] {
            assert_eq!(no_key_in_the_url(query, &PLACES).is_err(), refused, "{query:?}");
        }
        let in_query = KeyLocations { query: Some("token"), ..PLACES };
        assert!(no_key_in_the_url(Some("token=x"), &in_query).is_ok());
        assert!(no_key_in_the_url(Some("token=x&api_key=x"), &in_query).is_err());
        assert_eq!(value("a=1&ticket=x&b=2", "ticket"), Some("x"));
        assert_eq!(value("a=ticket", "ticket"), None);
    }
}
