//! The text of a followed run that a person has already seen, so that its answer is not shown a second time.

use super::{error::CliResult, print::Printer};

/// Number of bytes that are kept. A longer answer is printed again.
const KEPT: usize = 256 * 1024;

/// The end of the text that a follower has shown of a run's stdout.
#[derive(Debug, Default)]
pub(super) struct ShownText {
    tail: Vec<u8>,
}

impl ShownText {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * KEPT {
            self.tail.drain(..self.tail.len() - KEPT);
        }
    }

    /// Returns true if the answer was shown as a whole.
    fn has(&self, answer: &str) -> bool {
        let answer = answer.trim();
        !answer.is_empty() && String::from_utf8_lossy(&self.tail).contains(answer)
    }

    /// Prints the answer of a run whose output was shown on stderr. If stdout is the same terminal, a line separates the
    /// two, and an answer that is already there is not repeated.
    pub(super) fn print_answer(&self, printer: Printer, run: &str, answer: &str) -> CliResult<()> {
        if printer.has_one_terminal() {
            if self.tail.last().is_some_and(|last| *last != b'\n') {
                printer.word("")?;
            }
            if self.has(answer) {
                return Ok(());
            }
            if !self.tail.is_empty() {
                printer.word(&format!("--- the answer of run {run}"))?;
            }
        }
        printer.foreign(answer.as_bytes())?;
        if !answer.ends_with('\n') {
            printer.bytes(b"\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_recognised_in_what_was_shown_last() {
        let mut shown = ShownText::default();
        assert!(!shown.has("") && !shown.has("done"));
        shown.add(b"working\n");
        shown.add(b"all is do");
        shown.add(b"ne\n");
        assert!(shown.has("all is done\n") && !shown.has("all is lost"));
        shown.add(&vec![b'x'; 3 * KEPT]);
        assert!(!shown.has("all is done"));
    }
}
