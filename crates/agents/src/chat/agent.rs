//! The agent that a service with chat completions is: `run-agent chat-agent`, a process like any other.
//! Its call, and the stream that it prints.

use serde::Deserialize;
use serde_json::Value;

use super::endpoint::Api;
use crate::{
    agent::{Agent, Program},
    error::AgentError,
    login::Login,
    request::{Call, PlanFor},
};
use config::AgentType;
use tree::{
    event::EventKind,
    transcript::{Dialect, Language, LineContent, Retry, fields::time},
};

/// An agent that is an API. Each one is declared in its own folder.
#[derive(Debug)]
pub(crate) struct ChatAgent {
    /// The service.
    pub(crate) api: &'static Api,
    /// The arguments of `run-agent` that select it.
    pub(crate) arguments: &'static [&'static str],
}

impl Agent for ChatAgent {
    fn agent_type(&self) -> AgentType {
        self.api.agent_type
    }

    fn program(&self) -> Program {
        Program::Own(self.arguments)
    }

    fn api(&self) -> Option<&'static Api> {
        Some(self.api)
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        let mut call = Call::default();
        call.flag("--model", of.model);
        call.flag("--base-url", of.settings.base_url.as_deref());
        call.args.extend(of.settings.args.iter().cloned());
        Ok(call)
    }

    fn dialect(&self) -> Dialect {
        Dialect::Lines(&LANGUAGE)
    }

    fn login(&self) -> Option<Login> {
        Some(Login::default())
    }
}

/// The language of its stream: each line is a [`EventKind`] as it stands in `events.jsonl`, with an optional `time`.
static LANGUAGE: Language = Language { name: "native", parse, refusal: None, background: None };

/// The content of a line; `None` if its type is unknown, or a field is missing.
fn parse(line: &Value) -> Option<LineContent> {
    let mut what = EventKind::deserialize(line).ok()?;
    if let EventKind::Error { retry_after, .. } = &mut what {
        *retry_after = retry_after.and_then(|seconds| Retry::after(seconds).after);
    }
    Some(LineContent { time: time(line, "time"), ..LineContent::of([what]) })
}
