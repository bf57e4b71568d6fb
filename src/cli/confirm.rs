//! Asking the person at the terminal, above all before something is removed for good.
//!
//! A verb that is given the name of what it removes asks on a terminal and does as it is told elsewhere. A verb that
//! chooses what it removes needs `--yes` where no terminal can be asked, so that no script loses what it did not name.

use std::io::{self, IsTerminal};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    print::Form,
};

/// Longest answer that is read.
const ANSWER_BYTES: u64 = 64;

/// `--yes`, for verbs that remove things.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct YesFlag {
    /// Remove without asking
    #[arg(long, short)]
    yes: bool,
}

/// What the person at the terminal was asked and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// `--yes`, or there is no terminal to ask on.
    Unasked,
    /// Yes.
    Given,
    /// Anything else.
    Refused,
}

impl YesFlag {
    /// Fails where `--yes` is missing and no terminal can be asked.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn required(self, form: Form) -> CliResult<()> {
        if self.yes || can_ask(form) {
            return Ok(());
        }
        Err(CliError::new(Kind::Usage, "nothing was removed: there is no terminal to ask on")
            .with_hint("give --yes to remove without being asked, or --dry-run to see what would go"))
    }

    /// Whether [`Self::ask`] will ask.
    pub(super) fn asks(self, form: Form) -> bool {
        !self.yes && can_ask(form)
    }

    /// Asks on the terminal, unless `--yes` is given or there is none.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub(super) fn ask(self, context: &Context, form: Form, question: &str) -> CliResult<Consent> {
        if !self.asks(form) {
            return Ok(Consent::Unasked);
        }
        if agrees(context, question)? {
            return Ok(Consent::Given);
        }
        context.printer().word("nothing was removed")?;
        Ok(Consent::Refused)
    }
}

/// Whether a person says yes. Only where [`can_ask`] holds.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn agrees(context: &Context, question: &str) -> CliResult<bool> {
    let answer = answer(context, &format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// What a person answers, in one line; empty at the end of input. Only where [`can_ask`] holds.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn answer(context: &Context, question: &str) -> CliResult<String> {
    context.printer().question(question);
    let mut answer = String::new();
    io::BufRead::read_line(&mut io::Read::take(io::stdin().lock(), ANSWER_BYTES), &mut answer)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot read the answer from the terminal", e))?;
    Ok(answer.trim().to_owned())
}

/// Whether a person reads the question and can answer it.
pub(super) fn can_ask(form: Form) -> bool {
    form == Form::Text && io::stdin().is_terminal() && io::stderr().is_terminal()
}
