//! Looks for what waits in the outbox, and tells it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{post, retry};
use crate::{
    blocking,
    config::Webhook,
    tree::{Result, Tree, outbox::Delivery, paths::top},
    watch::{Hints, Watched},
};

/// So many are told at a time: one that hangs holds up nobody but himself.
const AT_A_TIME: usize = 4;
/// How soon what failed on our own side, on a full disk for example, is looked at again.
const TROUBLE: Duration = Duration::from_secs(10);

/// Tells what waits, until the way down begins.
pub async fn run(tree: Tree, webhook: Webhook, backoff: Duration, hints: Hints, down: CancellationToken) {
    let teller = Arc::new(Teller { tree, post: post::Post::new(&webhook), backoff });
    let looked = teller.clone();
    let watched = blocking::run(move || looked.watch_outbox(&hints)).await;
    let mut waiter = watched.waiter();
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut on_their_way: BTreeSet<String> = BTreeSet::new();
    let mut tellings = JoinSet::new();
    loop {
        let looked = teller.clone();
        let wait = match blocking::run(move || looked.due()).await {
            Ok((due, next)) => {
                for id in due.into_iter().filter(|id| on_their_way.insert(id.clone())).collect::<Vec<_>>() {
                    let (teller, room) = (teller.clone(), room.clone());
                    tellings.spawn(async move {
                        let place = room.acquire_owned().await;
                        let name = id.clone();
                        let told = blocking::caught(move || teller.tell(&name)).await;
                        drop(place);
                        if let Ok(Err(e)) = told {
                            tracing::error!(error = %e, id, "it cannot be written down what came of a webhook");
                            tokio::time::sleep(TROUBLE).await;
                        }
                        id
                    });
                }
                next
            }
            Err(e) => {
                tracing::error!(error = %e, "the outbox cannot be read");
                TROUBLE
            }
        };
        tokio::select! {
            // What is under way is told again by the next daemon.
            () = down.cancelled() => return,
            () = waiter.next() => {}
            () = tokio::time::sleep(wait) => {}
            Some(told) = tellings.join_next() => {
                if let Ok(id) = told {
                    on_their_way.remove(&id);
                }
            }
        }
    }
}

struct Teller {
    tree: Tree,
    /// `None`: nobody is to be told any more; what is left gets old.
    post: Option<post::Post>,
    backoff: Duration,
}

impl Teller {
    /// Watches the outbox, which is made first: a missing folder cannot be watched.
    fn watch_outbox(&self, hints: &Hints) -> Watched {
        let root = self.tree.root();
        if let Err(e) = root.ensure_dir(&top::outbox()) {
            tracing::error!(error = %e, "the outbox cannot be made: no webhook is sent when a run ends");
        }
        hints.watch(&root.absolute(&top::outbox()))
    }

    /// What is to be told now, and how long until there is more.
    fn due(&self) -> Result<(Vec<String>, Duration)> {
        let now = self.tree.clock().now();
        let (mut due, mut next) = (Vec::new(), retry::LONGEST);
        for id in self.tree.deliveries()? {
            let delivery = match self.tree.delivery(&id) {
                Ok(Some(delivery)) => delivery,
                Ok(None) => continue,
                Err(e) => {
                    // `doctor` and `fsck` have the file; the others are told.
                    tracing::warn!(error = %e, "something in the outbox is not understood");
                    continue;
                }
            };
            if retry::is_too_old(&delivery, now) {
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

    fn tell(&self, id: &str) -> Result<()> {
        let (Some(post), Some(mut delivery)) = (&self.post, self.tree.delivery(id)?) else { return Ok(()) };
        match post.deliver(&delivery, self.tree.clock().now()) {
            Ok(()) => {
                tracing::debug!(id, attempts = delivery.attempts + 1, "a webhook was taken");
                self.tree.remove_delivery(id)
            }
            Err(why) => {
                let now = self.tree.clock().now();
                delivery.attempts += 1;
                let pause = retry::pause(self.backoff, delivery.attempts);
                delivery.not_before = Some(now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1)));
                tracing::warn!(id, why, attempts = delivery.attempts, again_in = ?pause, "a webhook was not taken");
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
            "a webhook was not taken for days and is given up"
        );
        self.tree.remove_delivery(&delivery.id)
    }
}

/// How long one is not to be tried; `None`: it may be.
fn wait(delivery: &Delivery, now: DateTime<Utc>) -> Option<Duration> {
    // A clock that was set back must not hold it for longer than any pause.
    let left = (delivery.not_before? - now).to_std().ok()?;
    (!left.is_zero()).then(|| left.min(retry::LONGEST))
}
