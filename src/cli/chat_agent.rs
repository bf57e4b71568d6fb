//! `run-agent chat-agent`, hidden: an agent that calls a chat API, started by a shim like any other agent.

use std::{io::Read, path::PathBuf, process::ExitCode, time::Duration};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use agents::{
    AGENTS, Agent,
    chat::{Api, ChatOutcome, Question, ask},
};
use config::Secret;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// API to call: the type of an agent that is one
    #[arg(long, value_name = "NAME", value_parser = api)]
    api: &'static Api,
    /// Model to use [default: the usual model of the API]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Base URL of the API [default: its public address]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Give up after this many seconds without a byte from the API
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS")]
    patience: f64,
}

fn api(name: &str) -> Result<&'static Api, String> {
    agents::of_word(name).and_then(Agent::api).ok_or_else(|| {
        let known = AGENTS.iter().filter_map(|agent| agent.api()).map(|api| api.agent_type.as_str());
        format!("unknown API '{name}'; known are {}", known.collect::<Vec<_>>().join(" and "))
    })
}

/// Reads the prompt from standard input, calls the API, and prints events.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let mut prompt = Vec::new();
    std::io::stdin()
        .read_to_end(&mut prompt)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot read the prompt", e))?;
    let environment = context.environment();
    let key = args.api.agent_type.key_variables().iter().find_map(|name| environment.get(name));
    let patience = Duration::try_from_secs_f64(args.patience)
        .map_err(|e| CliError::caused(Kind::Usage, "--patience takes a number of seconds", e))?;
    let question = Question {
        api: args.api,
        prompt: String::from_utf8_lossy(&prompt).into_owned(),
        model: args.model.clone(),
        base_url: args.base_url.clone(),
        key: key.map(Secret::new),
        patience,
        task_folder: environment.get_os("JRUN_TASK_FOLDER").map(PathBuf::from),
    };
    match ask(&question, &mut std::io::stdout()) {
        Ok(ChatOutcome::Answered) => Ok(ExitCode::SUCCESS),
        // The events already contain the error.
        Ok(ChatOutcome::Failed) => Ok(ExitCode::from(Kind::Failed.code())),
        Err(e) => Err(CliError::caused(Kind::Failed, "the agent cannot work", e)),
    }
}
