//! What a guard decides: a function of what it hears and sees, step by step, that ends with leaving or taking over.
//!
//! 1. Until the daemon says that it becomes the other program, its death is made good; its word that nothing comes of it is the end.
//! 2. From then on the successor is asked for its health. If it dies, or is not healthy in time, it is undone.
//! 3. Once it is healthy it is told so, and has to take its place for good. If it dies before it has, it is undone.
//! 4. A successor that was asked to end has ended: nothing is put in its place.

use super::wire::Word;

/// Where the guard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The daemon is still itself.
    Before,
    /// The successor has begun.
    Trial,
    /// It is healthy, and settles.
    Settling,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A word.
    Word(Word),
    /// Daemon or successor has ended: how.
    Ended(String),
    /// The successor is healthy.
    Healthy,
    /// The stage has taken too long.
    Late,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on in this stage.
    Stay(Stage),
    /// It is over.
    Leave,
    /// Put a daemon back: why.
    TakeOver(String),
}

pub(super) fn next(stage: Stage, seen: Seen) -> Step {
    match (stage, seen) {
        (_, Seen::Word(Word::Bye | Word::Done)) | (Stage::Settling, Seen::Late) => Step::Leave,
        (_, Seen::Word(Word::Undo(why))) => Step::TakeOver(why),
        (Stage::Before, Seen::Word(Word::Exec)) => Step::Stay(Stage::Trial),
        (Stage::Trial, Seen::Healthy) => Step::Stay(Stage::Settling),
        (Stage::Before, Seen::Ended(how)) => {
            Step::TakeOver(format!("the daemon {how} before it handed over"))
        }
        (Stage::Before, Seen::Late) => Step::TakeOver("the daemon did not come to hand over".to_owned()),
        (Stage::Trial, Seen::Ended(how)) => {
            Step::TakeOver(format!("the new program {how} before it was healthy"))
        }
        (Stage::Trial, Seen::Late) => Step::TakeOver("the new program was not healthy in time".to_owned()),
        (Stage::Settling, Seen::Ended(how)) => {
            Step::TakeOver(format!("the new program {how} before it had taken its place"))
        }
        (stage, Seen::Word(Word::Ready | Word::Go | Word::Exec) | Seen::Healthy) => Step::Stay(stage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_dies_unasked_is_replaced() {
        let ended = || Seen::Ended("ended with signal 9".to_owned());
        for stage in [Stage::Before, Stage::Trial, Stage::Settling] {
            assert!(matches!(next(stage, ended()), Step::TakeOver(why) if why.contains("signal 9")));
            assert_eq!(next(stage, Seen::Word(Word::Bye)), Step::Leave);
            assert_eq!(next(stage, Seen::Word(Word::Undo("no".into()))), Step::TakeOver("no".into()));
        }
        assert_eq!(next(Stage::Before, Seen::Word(Word::Exec)), Step::Stay(Stage::Trial));
        assert_eq!(next(Stage::Before, Seen::Healthy), Step::Stay(Stage::Before));
        assert_eq!(next(Stage::Trial, Seen::Healthy), Step::Stay(Stage::Settling));
        assert_eq!(next(Stage::Settling, Seen::Word(Word::Done)), Step::Leave);
        assert!(matches!(next(Stage::Before, Seen::Late), Step::TakeOver(_)));
        assert!(matches!(next(Stage::Trial, Seen::Late), Step::TakeOver(_)));
        assert_eq!(next(Stage::Settling, Seen::Late), Step::Leave, "it is healthy");
    }
}
