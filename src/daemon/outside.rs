//! What the daemon says to those outside: to webhooks how runs have ended, to the service manager how it does itself.

use std::{sync::Arc, time::Duration};

use super::core::Core;
use crate::{automations::webhook, process::notify::Manager};

/// How often it is looked whether the daemon is ready.
const LOOK: Duration = Duration::from_millis(20);

impl Core {
    /// Posts what waits in the outbox, until the way down begins.
    pub async fn tell_others(self: Arc<Self>) {
        let runner = &self.runner;
        let pause =
            runner.environment.get("CONDUCTOR_TEST_WEBHOOK_PAUSE_MS").filter(|_| cfg!(debug_assertions));
        let pause = pause.and_then(|ms| ms.parse().ok()).map_or(webhook::FIRST, Duration::from_millis);
        let (tree, settings) = (runner.tree.clone(), runner.config.webhook.clone());
        webhook::run(tree, settings, pause, self.hints.clone(), self.shutdown.token().clone()).await;
    }

    /// Tells the service manager that the daemon is ready, and from then on that it lives.
    pub async fn tell_manager(self: Arc<Self>, manager: Manager, url: String) {
        let down = self.shutdown.token();
        while !(self.index.is_ready() && self.updates.may_drive()) {
            tokio::select! {
                () = down.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        // The process may be another than the one that the manager has started, after an update.
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
}
