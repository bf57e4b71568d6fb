//! Webhooks: posts the notifications in the outbox to `webhook.url`, signed, repeatedly until each is accepted or too
//! old.
//!
//! Delivery is at least once: a daemon that is killed between the answer and the removal sends the notification again,
//! with the same id.

mod post;
mod sender;

pub use sender::{FIRST, run};
