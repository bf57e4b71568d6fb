//! A new program takes the place of the old one for good.

use std::{sync::Arc, time::Duration};

use super::state::Updates;
use base::{
    blocking,
    fsx::{self, steps},
};
use engine::runner::Result;
use process::handoff::{Received, Word};
use tree::{TreeError, self_update::UpdateState};

/// Maximum time of one read of the wire.
const LISTEN: Duration = Duration::from_millis(100);
/// Interval for checking if a daemon without a guard is ready.
const LOOK: Duration = Duration::from_millis(10);

impl Updates {
    /// Proves a new program, if this is one: waits for the guard's word, takes the old program's place, and begins to
    /// drive.
    pub(crate) async fn settle(self: Arc<Self>) {
        if self.may_drive() {
            return;
        }
        steps::at("new-begun");
        if !self.is_told_to_go().await {
            self.say(&Word::Bye);
            return;
        }
        steps::at("new-told");
        let updates = self.clone();
        let settled = blocking::run(move || updates.take_place()).await;
        if let Err(e) = &settled {
            let why = format!("the new program cannot be installed: {e}");
            tracing::error!(why);
            if self.say(&Word::Undo(why.clone())) {
                // The guard ends this process.
                return;
            }
            // No process could restore the old program, so this one continues, and reports that it is not installed.
            let staged = self.state().update.as_ref().map(|u| u.staged.clone()).unwrap_or_default();
            let updates = self.clone();
            let _ = blocking::run(move || updates.failed(&staged, &why)).await;
        }
        self.state().on_trial = false;
        self.parts.wake.up();
        self.say(&Word::Done);
    }

    /// Waits for the guard's word. Returns false if this process was asked to end.
    async fn is_told_to_go(self: &Arc<Self>) -> bool {
        let down = self.parts.shutdown.token();
        while !down.is_cancelled() {
            let updates = self.clone();
            let listen = move || updates.seat.wire().map(|wire| wire.listen(LISTEN));
            match blocking::run(listen).await {
                Some(Ok(Received::Word(Word::Go))) => return true,
                Some(Ok(Received::Word(_) | Received::Nothing)) => {}
                // Without a guard the daemon judges its own health.
                Some(Ok(Received::Closed) | Err(_)) | None => {
                    while !self.parts.index.is_ready() {
                        tokio::select! {
                            () = down.cancelled() => return false,
                            () = tokio::time::sleep(LOOK) => {}
                        }
                    }
                    return true;
                }
            }
        }
        false
    }

    fn take_place(&self) -> Result<()> {
        let seat = &self.seat;
        let Some(mut update) = self.state().update.clone() else { return Ok(()) };
        fsx::exchange_program(&update.staged, &update.program, &seat.kept()).map_err(TreeError::from)?;
        steps::at("new-exchanged");
        update.state = UpdateState::Idle;
        update.ended_at = Some(self.parts.runner.tree.clock().now());
        seat.lock.record_update(&self.parts.runner.tree, &update)?;
        steps::at("new-recorded");
        tracing::info!(
            from = update.from_version,
            to = update.to_version,
            kept = %seat.kept().display(),
            "the program was replaced"
        );
        self.state().update = Some(update);
        Ok(())
    }

    /// Sends a word to the guard. Returns false if the guard is gone.
    fn say(&self, word: &Word) -> bool {
        self.seat.wire().is_some_and(|wire| wire.say(word).is_ok())
    }
}
