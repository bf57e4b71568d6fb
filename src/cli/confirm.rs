//! Asks the user at the terminal, above all before something is removed for good.
//!
//! A verb that removes things asks on a terminal, and elsewhere needs `--yes`: a short name may mean another task than
//! the script's author thought of. The command lines of the original are the exception, because its scripts know no
//! `--yes`: `task delete --project … --task …`, `server task delete` and `server project delete` name the whole of
//! what they remove, and ask on a terminal only.

use std::io::{self, IsTerminal};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    print::Form,
};

/// Maximum length of an answer, in bytes.
const ANSWER_BYTES: u64 = 64;

/// `--yes`, for verbs that remove things.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct YesFlag {
    /// Remove without asking
    #[arg(long, short)]
    yes: bool,
}

/// The outcome of a question at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// `--yes` is given, or there is no terminal to ask on.
    Unasked,
    /// The user agreed.
    Given,
    /// The user gave any other answer.
    Refused,
}

impl YesFlag {
    /// Fails if `--yes` is missing and no terminal can be asked.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn required(self, form: Form) -> CliResult<()> {
        if self.yes || can_ask(form) {
            return Ok(());
        }
        Err(CliError::new(Kind::Usage, "nothing was removed: there is no terminal to ask on")
            .with_hint("add --yes to remove without being asked"))
    }

    /// Returns true if [`Self::ask`] will ask a question.
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

/// Asks a yes-or-no question; only an explicit yes agrees. Call it only if [`can_ask`] returns true.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn agrees(context: &Context, question: &str) -> CliResult<bool> {
    let answer = answer(context, &format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Returns the user's answer of one line, which is empty at the end of input. Call it only if [`can_ask`] returns
/// true.
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

/// Returns true if a user can read a question and answer it.
pub(super) fn can_ask(form: Form) -> bool {
    form == Form::Text && io::stdin().is_terminal() && io::stderr().is_terminal()
}
