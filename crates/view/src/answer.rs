//! Finds the runs of a task that have an answer.
//!
//! Every run with a committed end has an output.md. If the agent left no answer, the driver writes a sentence that
//! begins with [`NO_ANSWER`], or [`NOT_HEARD`]. Such a sentence, a blank file and a missing file are no answer.

use base::fsx::{FsError, if_file};
use tree::{
    Result, Tree,
    refs::{RunRef, TaskRef},
};

/// The beginning of the sentence that a driver writes into the output.md of a run without an answer.
pub const NO_ANSWER: &str = "(the run left no answer: ";

/// The sentence that a driver writes into the output.md of a session at a terminal.
pub const NOT_HEARD: &str = "(a session at a terminal: what was said there was not recorded)";

/// The maximum length of a driver's sentence; a longer file is an answer.
const LOOK_BYTES: u64 = 16 * 1024;

/// Returns true if a run has an answer. An unreadable file counts as one: so nothing removes it, and its reader gets
/// the error.
#[must_use]
pub fn has_answer(tree: &Tree, run: &RunRef) -> bool {
    look(tree, run).unwrap_or(true)
}

/// Returns the newest run of a task that has an answer.
///
/// # Errors
/// If the folder of its runs cannot be read.
pub fn last_answered(tree: &Tree, task: &TaskRef) -> Result<Option<RunRef>> {
    let newest_first = tree.runs(task)?.into_iter().rev().map(|id| task.run(id));
    Ok(newest_first.into_iter().find(|run| has_answer(tree, run)))
}

fn look(tree: &Tree, run: &RunRef) -> std::result::Result<bool, FsError> {
    let (root, path) = (tree.root(), run.dir().output());
    let Some(file) = if_file(root.open_read(&path))? else { return Ok(false) };
    let begins = file.read_range(0, LOOK_BYTES)?;
    Ok(file.size()? > LOOK_BYTES || is_answer(&String::from_utf8_lossy(&begins)))
}

fn is_answer(text: &str) -> bool {
    let text = text.trim();
    let is_excuse = text.starts_with(NO_ANSWER) && text.ends_with(')');
    !text.is_empty() && !is_excuse && text != NOT_HEARD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excuse_is_no_answer() {
        for (text, expected) in [
            ("", false),
            (" \n\n", false),
            ("(the run left no answer: exit code 3)\n", false),
            ("(the run left no answer: two\nlines)\n", false),
            ("(a session at a terminal: what was said there was not recorded)\n", false),
            ("4\n", true),
            ("(the run left no answer: so I looked for the cause.\n\nIt was the cache.\n", true),
            ("(the last 1048576 bytes)\n\ntext", true),
        ] {
            assert_eq!(is_answer(text), expected, "{text:?}");
        }
    }
}
