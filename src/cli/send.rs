//! `run-agent send`: sends a message to a session, and prints the answer.

use std::{collections::BTreeMap, io::Read as _, process::ExitCode};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    reference::References,
    submission,
    turn::{self, Wait},
};
use base::record::MAX_RECORD;
use tree::{ids::RunId, session::CommandLine};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A message during a turn waits for its end. After a turn that failed or was interrupted, the waiting messages are held until \
the next one.

Examples:
  run-agent send my-project/review 'Now the tests, please'
  git diff | run-agent send review -
  run-agent send review 'Go on' --no-wait")]
pub struct Args {
    /// PROJECT/TASK, or a task id alone
    #[arg(value_name = "NAME")]
    name: String,
    /// Message text; - reads standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
    /// Return as soon as the session has the message, without waiting for the answer
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Sends the message.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let task = References::of(context, &runner.tree).task(Some(&args.name))?;
    turn::must_be_session(&runner, &task)?;
    let now = runner.tree.clock().now();
    let key = RunId::generate(now).to_string();
    let line = CommandLine {
        id: Some(key.clone()),
        time: Some(now),
        actor: submission::actor(context),
        source: Some("cli".to_owned()),
        kind: "turn".to_owned(),
        text: Some(text(args)?),
        turn: None,
        extra: BTreeMap::new(),
    };
    runner.tree.append_command(&task, &line)?;
    let wait = if args.no_wait { Wait::UntilTaken } else { Wait::UntilAnswered(None) };
    turn::attend(context, &runner, &task, &key, wait, args.json.form())
}

fn text(args: &Args) -> CliResult<String> {
    let text = if args.text == "-" {
        let mut text = String::new();
        std::io::stdin()
            .take(MAX_RECORD)
            .read_to_string(&mut text)
            .map_err(|e| CliError::caused(Kind::Failed, "cannot read the message from standard input", e))?;
        text
    } else {
        args.text.clone()
    };
    if text.trim().is_empty() {
        return Err(CliError::new(Kind::Usage, "the message is empty")
            .with_hint("give it as TEXT, or pipe it in with -"));
    }
    Ok(text)
}
