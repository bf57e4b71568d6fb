//! Finds the notifications in the outbox that are due, and sends them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::post;
use base::blocking;
use config::Webhook;
use tree::{Result, Tree, outbox::Delivery, paths::top};
use view::watch::{Hints, Watched};

/// Number of notifications that are sent at a time, so that one hanging request does not delay the others.
const AT_A_TIME: usize = 4;
/// Pause before a retry after a local failure, for example on a full disk.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// Sends the waiting notifications until the shutdown begins.
pub async fn run(tree: Tree, webhook: Webhook, backoff: Duration, hints: Hints, down: CancellationToken) {
    let sender = Arc::new(Sender { tree, post: post::Post::new(&webhook), backoff });
    let owned = sender.clone();
    let watched = blocking::run(move || owned.watch_outbox(&hints)).await;
    let mut waiter = watched.waiter();
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut in_progress: BTreeSet<String> = BTreeSet::new();
    let mut deliveries = JoinSet::new();
    loop {
        let reader = sender.clone();
        let wait = match blocking::run(move || reader.due()).await {
            Ok((due, next)) => {
                for id in due.into_iter().filter(|id| in_progress.insert(id.clone())).collect::<Vec<_>>() {
                    let (sender, permits) = (sender.clone(), permits.clone());
                    deliveries.spawn(async move {
                        let permit = permits.acquire_owned().await;
                        let name = id.clone();
                        let result = blocking::caught(move || sender.send(&name)).await;
                        drop(permit);
                        if let Ok(Err(e)) = result {
                            tracing::error!(error = %e, id, "cannot record the result of a webhook delivery; the delivery is tried again");
                            tokio::time::sleep(RETRY_PAUSE).await;
                        }
                        id
                    });
                }
                next
            }
            Err(e) => {
                tracing::error!(error = %e, "cannot read the outbox; trying again");
                RETRY_PAUSE
            }
        };
        tokio::select! {
            // The next daemon repeats the deliveries in progress.
            () = down.cancelled() => return,
            () = waiter.next() => {}
            () = tokio::time::sleep(wait) => {}
            Some(ended) = deliveries.join_next() => {
                if let Ok(id) = ended {
                    in_progress.remove(&id);
                }
            }
        }
    }
}

struct Sender {
    tree: Tree,
    /// `None` if no URL is configured any more; the remaining notifications then expire.
    post: Option<post::Post>,
    backoff: Duration,
}

impl Sender {
    /// Watches the outbox. Creates the folder first, because a missing folder cannot be watched.
    fn watch_outbox(&self, hints: &Hints) -> Watched {
        let root = self.tree.root();
        if let Err(e) = root.ensure_dir(&top::outbox()) {
            tracing::error!(error = %e, "cannot create the outbox: no webhook is sent when a run ends");
        }
        hints.watch(&root.absolute(&top::outbox()))
    }

    /// Returns the notifications that are due now, and the time until the next ones.
    fn due(&self) -> Result<(Vec<String>, Duration)> {
        let now = self.tree.clock().now();
        let (mut due, mut next) = (Vec::new(), LONGEST);
        for id in self.tree.deliveries()? {
            let delivery = match self.tree.delivery(&id) {
                Ok(Some(delivery)) => delivery,
                Ok(None) => continue,
                Err(e) => {
                    // `doctor` and `fsck` report the file. The other notifications are sent.
                    tracing::warn!(error = %e, "skipped an unreadable file in the outbox");
                    continue;
                }
            };
            if is_too_old(&delivery, now) {
                self.give_up(&delivery)?;
                continue;
            }
            match wait(&delivery, now) {
                Some(left) => next = next.min(left),
                None if self.post.is_some() => due.push(id),
                None => {}
            }
        }
        Ok((due, next))
    }

    fn send(&self, id: &str) -> Result<()> {
        let (Some(post), Some(mut delivery)) = (&self.post, self.tree.delivery(id)?) else { return Ok(()) };
        match post.deliver(&delivery, self.tree.clock().now()) {
            Ok(()) => {
                tracing::debug!(id, attempts = delivery.attempts + 1, "the receiver accepted a webhook");
                self.tree.remove_delivery(id)
            }
            Err(why) => {
                let now = self.tree.clock().now();
                delivery.attempts += 1;
                let pause = pause(self.backoff, delivery.attempts);
                delivery.not_before = Some(now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1)));
                tracing::warn!(id, why, attempts = delivery.attempts, again_in = ?pause, "cannot deliver a webhook");
                delivery.last_error = Some(why);
                self.tree.update_delivery(&delivery)
            }
        }
    }

    fn give_up(&self, delivery: &Delivery) -> Result<()> {
        tracing::error!(
            id = delivery.id,
            attempts = delivery.attempts,
            last_error = delivery.last_error,
            body = delivery.body,
            "dropped a webhook that could not be delivered for three days"
        );
        self.tree.remove_delivery(&delivery.id)
    }
}

/// Returns the time until the notification may be tried; `None` if it may be tried now.
fn wait(delivery: &Delivery, now: DateTime<Utc>) -> Option<Duration> {
    // A clock that was set back must not delay it for longer than the longest pause.
    let left = (delivery.not_before? - now).to_std().ok()?;
    (!left.is_zero()).then(|| left.min(LONGEST))
}

/// The first pause.
pub const FIRST: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_hours(1);
/// Age at which a notification is dropped, because it no longer matters.
const TOO_OLD: TimeDelta = TimeDelta::days(3);

/// Returns the pause after the nth failed attempt.
fn pause(first: Duration, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(LONGEST)
}

fn is_too_old(delivery: &Delivery, now: DateTime<Utc>) -> bool {
    now - delivery.created_at > TOO_OLD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds = |n| pause(FIRST, n).as_secs();
        assert_eq!([1, 2, 3, 4, 10, 11, 60, u32::MAX].map(seconds), [5, 10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
