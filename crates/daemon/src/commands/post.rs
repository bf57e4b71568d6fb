//! Posting to a bus.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{super::core::Core, Novelty};
use base::blocking;
use engine::runner::{Result, RunnerError};
use tree::{
    bus::{BusOwner, Draft, LookBack, Message, Posted},
    task::Idempotency,
};

/// Time for which the request behind a posted message is remembered.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// The metadata of a message that name the request which posted it, and a digest of that request.
const KEY: &str = "idempotency_key";
const DIGEST: &str = "idempotency_digest";

impl Core {
    /// Posts a message. When this function returns, the message is as durable as the settings require.
    ///
    /// # Errors
    /// If the project or task does not exist, or the message cannot be stored.
    pub async fn post(&self, owner: BusOwner, draft: Draft) -> Result<Message> {
        Ok(self.mailboxes.post(owner, draft).await?)
    }

    /// Posts a message once, however often the same request is sent within a day.
    ///
    /// # Errors
    /// As [`Core::post`], and [`RunnerError::Reused`] if a request with the same key has posted something else.
    pub async fn post_once(
        self: &Arc<Self>,
        owner: BusOwner,
        draft: Draft,
        asked: Idempotency,
    ) -> Result<(Message, Novelty)> {
        let bus = self.runner.tree.bus(owner.clone());
        let core = self.clone();
        let oldest = self.runner.tree.clock().now() - REMEMBERED;
        let work = move || {
            let draft = draft.with_meta(KEY, asked.key.as_str()).with_meta(DIGEST, asked.digest.as_str());
            let posted = bus.post_once(&draft, |m| match m.meta.get(KEY) {
                Some(key) if key == asked.key.as_str() => LookBack::Found,
                _ if m.is_older_than(oldest) => LookBack::Stop,
                _ => LookBack::Continue,
            })?;
            core.index.posted_to(&owner);
            match posted {
                Posted::New(message) => Ok((message, Novelty::New)),
                Posted::AlreadyThere(message) if message.meta.get(DIGEST) == draft.meta.get(DIGEST) => {
                    Ok((message, Novelty::Repeated))
                }
                Posted::AlreadyThere(_) => Err(RunnerError::Reused { key: asked.key }),
            }
        };
        self.shutdown.owned(blocking::run(work)).await
    }
}
