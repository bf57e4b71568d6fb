//! Decides a guard's next step from the current stage and the next event. The guard finally leaves or takes over.
//!
//! 1. Before the daemon announces the exec of the other program, its death leads to a restored daemon. If it
//!    announces that there will be no successor, the guard leaves.
//! 2. After the announcement the guard asks the successor for its health. If the successor dies, or is not healthy
//!    in time, the update is undone.
//! 3. The guard reports the success to a healthy successor, which then has to take its place for good. If it dies
//!    before that, the update is undone.
//! 4. A successor that was asked to end may end: nothing replaces it.

use super::wire::Word;

/// The guard's stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The daemon still runs the old program.
    Before,
    /// The successor has begun.
    Trial,
    /// The successor is healthy, and settles.
    Settling,
}

/// An event that the guard noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GuardEvent {
    /// A word arrived on the wire.
    Word(Word),
    /// The daemon or the successor has ended; with a description of the end.
    Ended(String),
    /// The successor is healthy.
    Healthy,
    /// The stage has taken too long.
    Late,
}

/// The guard's next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Continue in this stage.
    Stay(Stage),
    /// The guard is done.
    Leave,
    /// Restore a daemon; with the reason.
    TakeOver(String),
}

pub(super) fn next(stage: Stage, seen: GuardEvent) -> Step {
    match (stage, seen) {
        (_, GuardEvent::Word(Word::Bye | Word::Done)) | (Stage::Settling, GuardEvent::Late) => Step::Leave,
        (_, GuardEvent::Word(Word::Undo(why))) => Step::TakeOver(why),
        (Stage::Before, GuardEvent::Word(Word::Exec)) => Step::Stay(Stage::Trial),
        (Stage::Trial, GuardEvent::Healthy) => Step::Stay(Stage::Settling),
        (Stage::Before, GuardEvent::Ended(how)) => {
            Step::TakeOver(format!("the daemon {how} before it handed over"))
        }
        (Stage::Before, GuardEvent::Late) => {
            Step::TakeOver("the daemon did not begin the handover in time".to_owned())
        }
        (Stage::Trial, GuardEvent::Ended(how)) => {
            Step::TakeOver(format!("the new program {how} before it was healthy"))
        }
        (Stage::Trial, GuardEvent::Late) => {
            Step::TakeOver("the new program was not healthy in time".to_owned())
        }
        (Stage::Settling, GuardEvent::Ended(how)) => {
            Step::TakeOver(format!("the new program {how} before it had taken its place"))
        }
        (stage, GuardEvent::Word(Word::Ready | Word::Go | Word::Exec) | GuardEvent::Healthy) => {
            Step::Stay(stage)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_dies_unasked_is_replaced() {
        let ended = || GuardEvent::Ended("ended with signal 9".to_owned());
        for stage in [Stage::Before, Stage::Trial, Stage::Settling] {
            assert!(matches!(next(stage, ended()), Step::TakeOver(why) if why.contains("signal 9")));
            assert_eq!(next(stage, GuardEvent::Word(Word::Bye)), Step::Leave);
            assert_eq!(next(stage, GuardEvent::Word(Word::Undo("no".into()))), Step::TakeOver("no".into()));
        }
        assert_eq!(next(Stage::Before, GuardEvent::Word(Word::Exec)), Step::Stay(Stage::Trial));
        assert_eq!(next(Stage::Before, GuardEvent::Healthy), Step::Stay(Stage::Before));
        assert_eq!(next(Stage::Trial, GuardEvent::Healthy), Step::Stay(Stage::Settling));
        assert_eq!(next(Stage::Settling, GuardEvent::Word(Word::Done)), Step::Leave);
        assert!(matches!(next(Stage::Before, GuardEvent::Late), Step::TakeOver(_)));
        assert!(matches!(next(Stage::Trial, GuardEvent::Late), Step::TakeOver(_)));
        assert_eq!(next(Stage::Settling, GuardEvent::Late), Step::Leave, "it is healthy");
    }
}
