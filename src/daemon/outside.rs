//! Messages of the daemon to the outside: the ends of runs to webhooks, and its own state to the service manager.

use std::{sync::Arc, time::Duration};

use super::core::Core;
use crate::{automations::webhook, process::notify::Manager};

/// Interval for checking if the daemon is ready.
const LOOK: Duration = Duration::from_millis(20);

impl Core {
    /// Posts the content of the outbox, until the shutdown begins.
    pub async fn tell_others(self: Arc<Self>) {
        let runner = &self.runner;
        let pause =
            runner.environment.get("CONDUCTOR_TEST_WEBHOOK_PAUSE_MS").filter(|_| cfg!(debug_assertions));
        let pause = pause.and_then(|ms| ms.parse().ok()).map_or(webhook::FIRST, Duration::from_millis);
        let (tree, settings) = (runner.tree.clone(), runner.config.webhook.clone());
        webhook::run(tree, settings, pause, self.hints.clone(), self.shutdown.token().clone()).await;
    }

    /// Notifies the service manager that the daemon is ready, and then regularly that it is alive.
    pub async fn tell_manager(self: Arc<Self>, manager: Manager, url: String) {
        let down = self.shutdown.token();
        while !(self.index.is_ready() && self.updates.may_drive()) {
            tokio::select! {
                () = down.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        // After an update the process may be another one than the manager has started.
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
