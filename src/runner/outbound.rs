//! Puts the end of a run into the outbox, from which it is posted to the webhook. This happens before the end is
//! committed, so that no end is lost, and it never prevents the commit.

use super::{Runner, error::Result};
use crate::tree::{
    outbox::{Delivery, MOST, RunStop},
    run_info::RunInfo,
};

/// Puts the end into the outbox if the settings ask for it. A failure is only logged, because the end itself matters
/// more.
pub(super) fn announce_end(runner: &Runner, info: &RunInfo) {
    let webhook = &runner.config.webhook;
    let wanted = webhook.url.is_some() && webhook.events.iter().any(|e| e == RunStop::EVENT);
    if wanted && let Err(e) = put(runner, info) {
        tracing::error!(error = %e, run = %info.run_id, "the end of this run will not be posted to the webhook");
    }
}

fn put(runner: &Runner, info: &RunInfo) -> Result<()> {
    let body = RunStop::of(info, |words| runner.redactor.text(words).into_owned());
    let delivery = Delivery {
        version: 1,
        id: format!("{}.{}", info.run_id, RunStop::EVENT),
        event: RunStop::EVENT.to_owned(),
        created_at: runner.tree.clock().now(),
        attempts: 0,
        not_before: None,
        last_error: None,
        body: serde_json::to_string(&body).map_err(|e| crate::tree::TreeError::Invalid(e.to_string()))?,
    };
    if runner.tree.put_delivery(&delivery)? {
        let waiting = runner.tree.deliveries()?;
        let over = waiting.len().saturating_sub(MOST);
        for id in waiting.iter().take(over) {
            tracing::error!(id, "the outbox is full: the end of this run will not be posted to the webhook");
            runner.tree.remove_delivery(id)?;
        }
    }
    Ok(())
}
