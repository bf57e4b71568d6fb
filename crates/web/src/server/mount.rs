//! A mount: an API below a prefix of its own.

use std::sync::Arc;

use super::{
    super::{caller::Peer, endpoint::Table, keys::Keys, live::Live, manners::Manners},
    connection::Unread,
    slots::Turn,
};

/// An API with the state `S`, below a prefix. Cheap to clone.
#[derive(Debug)]
pub struct Mount<S> {
    /// The path below which it is mounted: empty, or as in `/faces/other`.
    pub prefix: &'static str,
    /// The state that its endpoints work with.
    pub api: S,
    /// Its endpoints.
    pub table: Arc<Table<S>>,
    /// The keys of its clients.
    pub keys: Keys,
    /// Its manners.
    pub manners: Arc<Manners>,
    /// Counts, and the shutdown.
    pub live: Live,
}

/// A request that is being answered, and the connection that it came by.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) peer: Peer,
    /// Set if the client may still be sending a body.
    pub(super) unread: Unread,
    /// Keeps the connection's slot busy.
    pub(super) turn: Arc<Turn>,
    /// True if the head states the length of the body in two ways.
    pub(super) two_lengths: bool,
}

/// Returns the rest of a path below a prefix: at least a slash.
pub(super) fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    match rest {
        "" => Some("/"),
        rest => (prefix.is_empty() || rest.starts_with('/')).then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for (prefix, path, rest) in [
            ("", "/a", Some("/a")),
            ("/faces/x", "/faces/x/a", Some("/a")),
            ("/faces/x", "/faces/x", Some("/")),
            ("/faces/x", "/faces/xy/a", None),
            ("/faces/x", "/a", None),
        ] {
            assert_eq!(below(prefix, path), rest, "{prefix} {path}");
        }
    }
}
