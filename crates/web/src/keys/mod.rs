//! Keys: the identity that a request shows, by a key or by a ticket made with one, and the access that it has.

mod identity;
mod keyring;
mod tickets;

pub use identity::{Access, Identity, Proof, Scope};
pub use keyring::{KeyLocations, Keyring, Keys};
pub use tickets::TICKET_LIFE;
