//! Webhooks: what waits in the outbox is posted to `webhook.url`, signed, again and again until it is taken or too old.
//!
//! At least once: a daemon that is killed between the answer and the removal tells it again, with the same id.

mod post;
mod retry;
mod sign;
mod teller;

pub use retry::FIRST;
pub use teller::run;
