//! The verdict of a starting daemon on an update that was under way.

use super::seat::{Seat, remove_copy};
use base::fsx;
use process::handoff::Arrival;
use tree::{
    Tree,
    self_update::{SelfUpdate, UpdateState},
};

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
enum StartKind<'a> {
    Fresh,
    OnTrial,
    Restored(&'a str),
}

/// Judges by the copy: it is gone from beside the program exactly when it has taken the program's place.
fn judge(update: &SelfUpdate, came: StartKind<'_>, copy_is_there: bool) -> Verdict {
    let replaced = update.state == UpdateState::Applying && update.to_version.is_some() && !copy_is_there;
    match came {
        _ if replaced => Verdict::Succeeded,
        StartKind::OnTrial => Verdict::OnTrial,
        StartKind::Restored(why) => Verdict::Failed(why.to_owned()),
        StartKind::Fresh if update.state == UpdateState::Deferred => {
            Verdict::Failed("the daemon ended while the update waited for root tasks; ask again".to_owned())
        }
        StartKind::Fresh => {
            Verdict::Failed("the daemon ended in the middle of the update; ask again".to_owned())
        }
    }
}

/// Reads the record of an update, ends an interrupted one, and reports its result.
pub(super) fn at_start(seat: &Seat, tree: &Tree) -> Option<SelfUpdate> {
    let known = seat.lock.last_update(tree).unwrap_or_else(|e| {
        tracing::warn!(error = %e, "cannot read the update record");
        None
    });
    let mut update = known?;
    if !update.is_pending() {
        // A daemon that was killed after a cancellation may have left the copy.
        remove_copy(&update.staged);
        return Some(update);
    }
    let came = match &seat.arrival {
        None => StartKind::Fresh,
        Some(Arrival::OnTrial(_)) => StartKind::OnTrial,
        Some(Arrival::PutBack(why)) => StartKind::Restored(why),
    };
    let candidate = update.binary_path.display().to_string();
    match judge(&update, came, fsx::exists_outside(&update.staged)) {
        Verdict::OnTrial => return Some(update),
        Verdict::Succeeded => {
            tracing::warn!(
                candidate,
                "the update was interrupted after it had replaced the program: it has succeeded"
            );
            update.state = UpdateState::Idle;
        }
        Verdict::Failed(why) => {
            tracing::error!(candidate, why, "the update failed; the old program keeps running");
            update.state = UpdateState::Failed;
            update.last_error = Some(why);
        }
    }
    update.ended_at = Some(tree.clock().now());
    remove_copy(&update.staged);
    if let Err(e) = seat.lock.record_update(tree, &update) {
        tracing::error!(error = %e, "cannot record the result of the update");
    }
    Some(update)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tree::self_update::UpdateMode;

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
            (&deferred, StartKind::Fresh, true, failed(waited)),
            (&deferred, StartKind::Fresh, false, failed(waited)),
            (&checking, StartKind::Fresh, false, failed(middle)),
            (&checking, StartKind::Fresh, true, failed(middle)),
            (&applying, StartKind::Fresh, true, failed(middle)),
            (&applying, StartKind::Fresh, false, Verdict::Succeeded),
            (&applying, StartKind::OnTrial, true, Verdict::OnTrial),
            (&applying, StartKind::Restored("it hung"), true, failed("it hung")),
            (&applying, StartKind::Restored("killed"), false, Verdict::Succeeded),
        ] {
            assert_eq!(judge(update, came, copy_is_there), verdict, "{update:?} {came:?} {copy_is_there}");
        }
    }
}
