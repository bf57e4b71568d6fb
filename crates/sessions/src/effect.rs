//! The inputs and effects of a dialogue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use tree::session::{ApprovalLine, Command, OutcomeLine};

/// A fact that the dialogue depends on. Each but [`Input::Started`], [`Input::Ended`] and [`Input::Tick`] is in a file,
/// so a driver that takes over feeds all of them again.
#[derive(Debug, Clone)]
pub enum Input {
    /// A line of commands.jsonl.
    Command(Command),
    /// A line of outcomes.jsonl.
    Outcome(OutcomeLine),
    /// A line of approvals.jsonl.
    Approval(ApprovalLine),
    /// A line of the run's stdin.jsonl.
    Sent(Value),
    /// The run's inbox.jsonl asks for the end of the agent's input.
    InputEnded,
    /// The agent's process runs.
    Started,
    /// A line of the agent's output.
    Line(Vec<u8>),
    /// A request of the agent is on the bus since this time.
    Posted {
        /// The request.
        request: String,
        /// Time of the message.
        at: DateTime<Utc>,
    },
    /// Time has passed.
    Tick,
    /// The agent's process has ended, and all of its output was fed.
    Ended,
}

/// An action that the driver owes.
///
/// Each effect leaves a trace in a file, which is an input of the next driver. So an effect that was carried out is not
/// owed again, and one that was not still is.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Append a line to the run's stdin.jsonl.
    Send(Value),
    /// Append a line to outcomes.jsonl.
    Outcome(OutcomeLine),
    /// Post a request of the agent to the bus, unless it is there.
    Ask(Ask),
    /// Append a line to approvals.jsonl.
    Approval(ApprovalLine),
    /// Ask the shim to end the agent's input.
    EndInput,
}

/// A request of the agent that a person answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The agent's name of the request.
    pub request: String,
    /// The tool that the agent wants to use.
    pub tool: String,
    /// The input of the tool.
    pub input: Value,
    /// The agent's description of the call.
    pub description: Option<String>,
}
