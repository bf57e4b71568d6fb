//! Assembly: the start of a daemon's nouns and loops, and their orderly end.

use std::{ffi::OsStr, future::Future, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use super::{
    core::Core,
    parts::Parts,
    programs,
    update::{Handover, Seat, Updates},
};
use base::{blocking, shutdown::Shutdown};
use engine::{
    automations::webhook,
    runner::{Result, Runner, RunnerError},
};
use process::notify::Manager;
use tree::{FsErrorKind, TreeError, daemon_info::DaemonInfo};
use view::watch::Hints;

/// The time that work other than requests may take during the shutdown.
const REST: Duration = Duration::from_secs(1);

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    core: Arc<Core>,
    manager: Manager,
    /// The server, once it answers.
    server: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Puts the nouns together and starts their loops. It answers nothing yet.
    #[must_use]
    pub fn start(runner: Runner, hints: Hints, seat: Seat) -> Self {
        let environment = runner.environment.clone();
        let successor = seat.arrival.is_some();
        let manager = Manager::of(|name| environment.get_os(name).map(OsStr::to_owned), successor);
        let core = Core::new(runner, hints, Shutdown::default(), seat);
        let parts = &core.updates.parts;
        core.shutdown.spawn(core.keeper.clone().keep());
        core.shutdown.spawn(core.gate.clone().run());
        core.shutdown.spawn(programs::look_in_background(parts.clone()));
        core.shutdown.spawn(core.audit.clone().keep());
        Self { core, manager, server: None }
    }

    /// The nouns, for a server that answers with them.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Starts a server, and the loops that need one that answers. `addresses` are where it listens, the URL first.
    ///
    /// # Errors
    /// If the addresses cannot be announced to the command line. A full disk is no reason to serve nothing: they are
    /// announced when there is room.
    pub fn serve(
        &mut self,
        server: impl Future<Output = ()> + Send + 'static,
        addresses: Vec<String>,
    ) -> Result<()> {
        let core = &self.core;
        let url = addresses.first().cloned().unwrap_or_default();
        self.server = Some(core.shutdown.spawn(server));
        core.shutdown.spawn(core.updates.clone().settle());
        core.shutdown.spawn(post_webhooks(core.updates.parts.clone()));
        core.shutdown.spawn(tell_manager(core.updates.clone(), self.manager.clone(), url.clone()));
        let info = DaemonInfo {
            version: 1,
            pid: std::process::id(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: addresses,
            started_at: core.runner.tree.clock().now(),
        };
        match core.updates.announce(&info) {
            Err(RunnerError::Tree(TreeError::Fs(e))) if e.kind() == FsErrorKind::Full => {
                tracing::error!(error = %e, cause = %e.source, "the command line does not find this daemon until there is room");
                core.shutdown.spawn(announce_later(core.updates.clone(), info));
            }
            announced => announced?,
        }
        tracing::info!(root = %core.runner.tree.root().path().display(), url, "the daemon is ready");
        Ok(())
    }

    /// Waits for the end: a signal (`signal` returns its name), or another program that takes over.
    pub async fn ended(&self, signal: impl Future<Output = &'static str>) -> Option<Handover> {
        tokio::select! {
            signal = signal => {
                tracing::info!(signal, "shutting down on a signal; agents keep running");
                self.manager.tell("STOPPING=1");
                self.core.updates.close_listeners();
                None
            }
            handover = self.core.updates.handed_over() => {
                tracing::info!("handing over to another program; agents keep running");
                self.manager.tell("STATUS=handing over to another program");
                Some(handover)
            }
        }
    }

    /// Shuts down: answers the requests under way, ends the loops, and makes the audit log durable.
    pub async fn shut_down(&mut self) {
        self.core.shutdown.begin();
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
        let left = self.core.shutdown.drain(REST).await;
        if left > 0 {
            tracing::warn!(left, "shutting down with unfinished work; the next daemon continues it");
        }
        if let Err(e) = self.core.runner.tree.sync_audit() {
            tracing::warn!(error = %e, "cannot sync the audit log: recent entries could be lost in a power failure");
        }
    }

    /// Withdraws the announcement, because no other program follows.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn withdraw(self) -> Result<()> {
        self.core.updates.withdraw()?;
        tracing::info!("the daemon has shut down");
        Ok(())
    }
}

/// The pause before another attempt to announce the addresses.
const ROOM: Duration = Duration::from_secs(5);

/// Announces the addresses once the disk has room.
async fn announce_later(updates: Arc<Updates>, info: DaemonInfo) {
    loop {
        tokio::select! {
            () = updates.parts.shutdown.token().cancelled() => return,
            () = tokio::time::sleep(ROOM) => {}
        }
        let (updates, info) = (updates.clone(), info.clone());
        if blocking::run(move || updates.announce(&info)).await.is_ok() {
            return;
        }
    }
}

/// The interval at which the daemon checks if it is ready.
const LOOK: Duration = Duration::from_millis(20);

/// Posts the contents of the outbox, until the shutdown.
async fn post_webhooks(parts: Parts) {
    let runner = &parts.runner;
    let pause = runner.environment.get("CONDUCTOR_TEST_WEBHOOK_PAUSE_MS").filter(|_| cfg!(debug_assertions));
    let pause = pause.and_then(|ms| ms.parse().ok()).map_or(webhook::FIRST, Duration::from_millis);
    let (tree, settings) = (runner.tree.clone(), runner.config.webhook.clone());
    webhook::run(tree, settings, pause, parts.hints.clone(), parts.shutdown.token().clone()).await;
}

/// Tells the service manager that the daemon is ready, and from then on that it is alive.
async fn tell_manager(updates: Arc<Updates>, manager: Manager, url: String) {
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
