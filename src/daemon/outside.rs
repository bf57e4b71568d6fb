//! Reports to the outside: ends of runs to webhooks, and the daemon's own state to the service manager.

use std::{sync::Arc, time::Duration};

use super::{parts::Parts, update::Updates};
use crate::{automations::webhook, process::notify::Manager};

/// The interval at which the daemon checks if it is ready.
const LOOK: Duration = Duration::from_millis(20);

/// Posts the contents of the outbox, until the shutdown.
pub(super) async fn post_webhooks(parts: Parts) {
    let runner = &parts.runner;
    let pause = runner.environment.get("CONDUCTOR_TEST_WEBHOOK_PAUSE_MS").filter(|_| cfg!(debug_assertions));
    let pause = pause.and_then(|ms| ms.parse().ok()).map_or(webhook::FIRST, Duration::from_millis);
    let (tree, settings) = (runner.tree.clone(), runner.config.webhook.clone());
    webhook::run(tree, settings, pause, parts.hints.clone(), parts.shutdown.token().clone()).await;
}

/// Tells the service manager that the daemon is ready, and from then on that it is alive.
pub(super) async fn tell_manager(updates: Arc<Updates>, manager: Manager, url: String) {
    let parts = &updates.parts;
    let down = parts.shutdown.token();
    while !(parts.index.is_ready() && updates.may_drive()) {
        tokio::select! {
            () = down.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // After an update this process may be another than the one that the manager has started.
    manager.tell(&format!("READY=1\nMAINPID={}\nSTATUS=serving {url}", std::process::id()));
    let Some(patience) = manager.watchdog else { return };
    loop {
        manager.tell("WATCHDOG=1");
        tokio::select! {
            () = down.cancelled() => return,
            () = tokio::time::sleep(patience / 3) => {}
        }
    }
}
