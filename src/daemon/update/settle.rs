//! Settles an update at the start of a daemon: decides its result, and lets a new program take its place for good.

use std::{sync::Arc, time::Duration};

use super::{super::core::Core, Seat};
use crate::{
    blocking,
    fsx::{self, steps},
    process::handoff::{Arrival, Heard, Word},
    runner::Result,
    tree::{
        Tree,
        self_update::{SelfUpdate, UpdateState},
    },
};

/// Maximum time of one read of the wire.
const LISTEN: Duration = Duration::from_millis(100);
/// Interval for checking if a daemon without a guard is ready.
const LOOK: Duration = Duration::from_millis(10);

/// The result of an update that was in progress.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// This is the new program, which has to prove itself.
    OnTrial,
    /// The program was replaced.
    Succeeded,
    /// The old program continues, for this reason.
    Failed(String),
}

/// The way in which this process became the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came<'a> {
    Anew,
    OnTrial,
    PutBack(&'a str),
}

/// Judges by the copy: it is gone from beside the program exactly when it has taken the program's place.
fn judge(update: &SelfUpdate, came: Came<'_>, copy_is_there: bool) -> Verdict {
    let replaced = update.state == UpdateState::Applying && update.to_version.is_some() && !copy_is_there;
    match came {
        _ if replaced => Verdict::Succeeded,
        Came::OnTrial => Verdict::OnTrial,
        Came::PutBack(why) => Verdict::Failed(why.to_owned()),
        Came::Anew if update.state == UpdateState::Deferred => {
            Verdict::Failed("the daemon ended while the update waited for root tasks; ask again".to_owned())
        }
        Came::Anew => Verdict::Failed("the daemon ended in the middle of the update; ask again".to_owned()),
    }
}

/// Reads the record of an update, ends an interrupted one, and reports its result.
pub(super) fn at_start(seat: &Seat, tree: &Tree) -> Option<SelfUpdate> {
    let known = seat.lock.last_update(tree).unwrap_or_else(|e| {
        tracing::warn!(error = %e, "what is known of an update cannot be read");
        None
    });
    let mut update = known?;
    if !update.is_pending() {
        return Some(update);
    }
    let came = match &seat.arrival {
        None => Came::Anew,
        Some(Arrival::OnTrial(_)) => Came::OnTrial,
        Some(Arrival::PutBack(why)) => Came::PutBack(why),
    };
    let candidate = update.binary_path.display().to_string();
    match judge(&update, came, fsx::exists_outside(&update.staged)) {
        Verdict::OnTrial => return Some(update),
        Verdict::Succeeded => {
            tracing::warn!(
                candidate,
                "the update had replaced the program when it was cut off: it has succeeded"
            );
            update.state = UpdateState::Idle;
        }
        Verdict::Failed(why) => {
            tracing::error!(candidate, why, "the update failed; the program is the one from before");
            update.state = UpdateState::Failed;
            update.last_error = Some(why);
        }
    }
    update.ended_at = Some(tree.clock().now());
    if let Err(e) = fsx::remove_outside(&update.staged) {
        tracing::warn!(error = %e, "the copy of the candidate is left");
    }
    if let Err(e) = seat.lock.record_update(tree, &update) {
        tracing::error!(error = %e, "it cannot be written down what became of the update");
    }
    Some(update)
}

impl Core {
    /// Proves a new program, if this is one: waits for the guard's word, takes the old program's place, and begins to
    /// drive.
    pub async fn settle(self: Arc<Self>) {
        if self.updates.may_drive() {
            return;
        }
        steps::at("new-begun");
        if !self.is_told_to_go().await {
            self.say(&Word::Bye);
            return;
        }
        steps::at("new-told");
        let core = self.clone();
        let settled = blocking::run(move || core.take_place()).await;
        if let Err(e) = &settled {
            let why = format!("the new program cannot be installed: {e}");
            tracing::error!(why);
            if self.say(&Word::Undo(why.clone())) {
                // The guard ends this process.
                return;
            }
            // No process could restore the old program, so this one continues, and reports that it is not installed.
            let staged = self.updates.state().update.as_ref().map(|u| u.staged.clone()).unwrap_or_default();
            let core = self.clone();
            let _ = blocking::run(move || core.update_failed(&staged, &why)).await;
        }
        self.updates.state().on_trial = false;
        self.poke();
        self.say(&Word::Done);
    }

    /// Waits for the guard's word. Returns false if this process was asked to end.
    async fn is_told_to_go(self: &Arc<Self>) -> bool {
        let down = self.shutdown.token();
        while !down.is_cancelled() {
            let core = self.clone();
            let listen = move || core.updates.seat.wire().map(|wire| wire.listen(LISTEN));
            match blocking::run(listen).await {
                Some(Ok(Heard::Word(Word::Go))) => return true,
                Some(Ok(Heard::Word(_) | Heard::Nothing)) => {}
                // Without a guard the daemon judges its own health.
                Some(Ok(Heard::Closed) | Err(_)) | None => {
                    while !self.index.is_ready() {
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
        let seat = &self.updates.seat;
        let Some(mut update) = self.updates.state().update.clone() else { return Ok(()) };
        fsx::exchange_program(&update.staged, &update.program, &seat.kept())
            .map_err(crate::tree::TreeError::from)?;
        steps::at("new-exchanged");
        update.state = UpdateState::Idle;
        update.ended_at = Some(self.runner.tree.clock().now());
        seat.lock.record_update(&self.runner.tree, &update)?;
        steps::at("new-recorded");
        tracing::info!(
            from = update.from_version,
            to = update.to_version,
            kept = %seat.kept().display(),
            "the program was replaced"
        );
        self.updates.state().update = Some(update);
        Ok(())
    }

    /// Sends a word to the guard. Returns false if the guard is gone.
    fn say(&self, word: &Word) -> bool {
        self.updates.seat.wire().is_some_and(|wire| wire.say(word).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::self_update::UpdateMode;

    #[test]
    fn record_and_copy_say_which_program_it_is() {
        let update = |state, to_version: Option<&str>| SelfUpdate {
            version: 1,
            state,
            mode: UpdateMode::Drain,
            binary_path: "/new".into(),
            program: "/bin/run-agent".into(),
            staged: "/bin/.copy".into(),
            requested_at: chrono::DateTime::UNIX_EPOCH,
            active_runs_at_request: 0,
            from_version: "1".into(),
            to_version: to_version.map(str::to_owned),
            last_error: None,
            ended_at: None,
        };
        let failed = |why: &str| Verdict::Failed(why.to_owned());
        let (deferred, checking, applying) = (
            update(UpdateState::Deferred, Some("2")),
            update(UpdateState::Applying, None),
            update(UpdateState::Applying, Some("2")),
        );
        let waited = "the daemon ended while the update waited for root tasks; ask again";
        let middle = "the daemon ended in the middle of the update; ask again";
        for (update, came, copy_is_there, verdict) in [
            (&deferred, Came::Anew, true, failed(waited)),
            (&deferred, Came::Anew, false, failed(waited)),
            (&checking, Came::Anew, false, failed(middle)),
            (&checking, Came::Anew, true, failed(middle)),
            (&applying, Came::Anew, true, failed(middle)),
            (&applying, Came::Anew, false, Verdict::Succeeded),
            (&applying, Came::OnTrial, true, Verdict::OnTrial),
            (&applying, Came::PutBack("it hung"), true, failed("it hung")),
            (&applying, Came::PutBack("killed"), false, Verdict::Succeeded),
        ] {
            assert_eq!(judge(update, came, copy_is_there), verdict, "{update:?} {came:?} {copy_is_there}");
        }
    }
}
