//! Tickets: they let a link or an `EventSource`, which send no header, make one request for one path.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::identity::Identity;
use base::secret::{Digest, Secret, new_secret};

/// The parameter of a query that holds a ticket.
pub(super) const PARAMETER: &str = "ticket";
/// Lifetime of a ticket.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);
/// Maximum number of unused tickets; further ones are refused.
const MOST: usize = 4096;

/// The unused tickets, by the digits of their SHA-256. They die with the process.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

#[derive(Debug)]
struct Ticket {
    path: String,
    made_by: Identity,
    until: Instant,
}

impl Tickets {
    /// Makes a ticket for one request of this path, with the rights of `made_by`. Returns none while too many wait.
    pub(super) fn make(&self, path: &str, made_by: Identity) -> std::io::Result<Option<Secret>> {
        let secret = new_secret("cdt")?;
        let now = Instant::now();
        let mut tickets = self.lock();
        if tickets.len() >= MOST {
            tickets.retain(|_, ticket| ticket.until > now);
        }
        if tickets.len() >= MOST {
            return Ok(None);
        }
        let ticket = Ticket { path: path.to_owned(), made_by, until: now + TICKET_LIFE };
        tickets.insert(Digest::of(secret.expose()).hex(), ticket);
        Ok(Some(secret))
    }

    /// Uses a ticket up, whether or not it is for this path. Returns the identity that made it, if it is.
    pub(super) fn take(&self, ticket: &str, path: &str) -> Option<Identity> {
        let ticket = self.lock().remove(&Digest::of(ticket).hex())?;
        (ticket.until > Instant::now() && ticket.path == path).then_some(ticket.made_by)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::identity::{Proof, Scope},
        *,
    };

    fn ann() -> Identity {
        Identity { name: Some("ann".to_owned()), scope: Scope::Read, proof: Proof::Owner }
    }

    #[test]
    fn a_ticket_is_for_one_path_and_one_time() {
        let tickets = Tickets::default();
        let make = |path| tickets.make(path, ann()).unwrap().unwrap();
        let good = make("/a");
        assert_eq!(tickets.take(good.expose(), "/a"), Some(ann()));
        assert_eq!(tickets.take(good.expose(), "/a"), None, "a second time");
        let elsewhere = make("/a");
        assert_eq!(tickets.take(elsewhere.expose(), "/b"), None);
        assert_eq!(tickets.take(elsewhere.expose(), "/a"), None, "it was used up");
        assert_eq!(tickets.take("cdt_x", "/a"), None);
    }

    #[test]
    fn there_are_never_too_many() {
        let tickets = Tickets::default();
        for _ in 0..MOST {
            tickets.make("/a", ann()).unwrap().unwrap();
        }
        assert_eq!(tickets.make("/a", ann()).unwrap(), None);
        tickets.lock().values_mut().for_each(|ticket| ticket.until = Instant::now());
        assert!(tickets.make("/a", ann()).unwrap().is_some());
    }
}
