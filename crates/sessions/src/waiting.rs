//! The messages of a session that no process has: decided from the two files alone, for the loop between runs.

use std::collections::HashMap;

use tree::{
    kinds::CommandOutcome,
    session::{Command, OutcomeLine},
};

/// Returns true if a message wants a turn: it has no final outcome and is not held.
#[must_use]
pub fn message_waits(commands: &[Command], outcomes: &[OutcomeLine]) -> bool {
    let last: HashMap<&str, &CommandOutcome> =
        outcomes.iter().map(|line| (line.command.as_str(), &line.outcome)).collect();
    commands.iter().any(|command| {
        let wants_turn = command.line.as_ref().is_ok_and(|line| line.kind == "turn");
        let outcome = last.get(command.key.as_str());
        wants_turn && outcome.is_none_or(|o| !o.is_final() && **o != CommandOutcome::Held)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fsx::Line;

    #[test]
    fn a_message_waits_until_it_is_done_or_held() {
        let command = |text: &str| {
            Command::of_line(&Line { offset: 0, len: 0, bytes: text.as_bytes().to_vec() }).unwrap()
        };
        let turn = [command(r#"{"id":"a","type":"turn","text":"x"}"#)];
        let outcome = |word: &str| OutcomeLine {
            command: "a".to_owned(),
            time: None,
            outcome: CommandOutcome::from(word),
            run_id: None,
            turn: None,
            reason: None,
        };
        let waits = |words: &[&str]| {
            message_waits(&turn, &words.iter().map(|word| outcome(word)).collect::<Vec<_>>())
        };
        assert!(waits(&[]) && waits(&["queued"]) && waits(&["held", "queued"]) && waits(&["sent"]));
        assert!(!waits(&["queued", "held"]) && !waits(&["sent", "done"]) && !waits(&["of the future"]));
        assert!(!message_waits(&[command(r#"{"type":"interrupt"}"#)], &[]));
    }
}
