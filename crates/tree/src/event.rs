//! `events.jsonl`: an agent's stream in one shape for all agents, as stored on disk.
//!
//! Each line is one event and names the bytes of `agent-stdout.txt` that it was made from. So the raw text is never
//! lost, and a new driver continues where the file ends. One raw line may produce several events (`part` of `parts`).
//! Consecutive lines that are not interpreted are one event (`raw` with `lines`).
//! Later versions may add types and fields; readers skip the ones that they do not know.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::usage::Usage;
use base::checksum::{self, Checksum};

/// The version of the shape that this program writes.
pub const EVENT_VERSION: u64 = 1;

/// One event of an agent's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Version of the shape; 1.
    pub version: u64,
    /// Byte offset in `agent-stdout.txt` of the raw line.
    pub offset: u64,
    /// Length of the raw line in bytes, its newline included if it has one. A `raw` event with `lines` covers several.
    pub length: u64,
    /// Number of this event among the events of the raw line; 1 is the first.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub part: u32,
    /// Number of events that the raw line produced.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub parts: u32,
    /// Time of the event, if the agent printed it; otherwise `log-times.jsonl` has the time when the line was printed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The conversation of the event, if it may differ from the run's own: a sub-task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub within: Option<String>,
    /// True if a text was too long and only its beginning is stored here. The raw line has the whole text.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub clipped: bool,
    /// The content of the event.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// Returns the byte offset after the raw line.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Returns the line of the event with its checksum and its newline.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        // An event always converts to JSON: keys are strings, and numbers come from JSON.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        checksum::add(&mut line);
        line.push(b'\n');
        line
    }
}

/// A line of `events.jsonl`, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum EventLine {
    /// An event.
    Event(Box<Event>),
    /// A line that is no event: a dead writer left it incomplete, or another program wrote it.
    Garbage,
    /// A line that was changed after it had been written. Its raw line tells what it was.
    Damaged,
}

impl EventLine {
    /// Parses a line, given without its newline.
    #[must_use]
    pub fn parse(line: &[u8]) -> Self {
        if checksum::check(line) == Checksum::Wrong {
            return Self::Damaged;
        }
        serde_json::from_slice(line).map_or(Self::Garbage, |event| Self::Event(Box::new(event)))
    }
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The conversation has received a name.
    Session {
        /// The agent's own name of the conversation. The next run may resume it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        thread_id: Option<String>,
        /// The model that answers.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        model: Option<String>,
        /// Version of the agent's program.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        agent_version: Option<String>,
    },
    /// A message in the conversation.
    Message {
        /// Its author.
        role: Role,
        /// Its text.
        text: String,
        /// The text continues in the next message of the same role: the agent prints it while it is written.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        partial: bool,
    },
    /// A thought of the model.
    Reasoning {
        /// The text of the thought, as far as the agent shows it.
        text: String,
    },
    /// The agent begins to use a tool.
    ToolCall {
        /// Id of the call, the same in its result.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        call_id: Option<String>,
        /// Name of the tool in the agent's words.
        tool: String,
        /// The tool's input.
        input: Value,
    },
    /// A tool has ended.
    ToolResult {
        /// Id of the call.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        call_id: Option<String>,
        /// Name of the tool, if the result contains it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        tool: Option<String>,
        /// Outcome of the call.
        status: ToolStatus,
        /// The tool's output, as text.
        output: String,
        /// Exit code of a command.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        exit_code: Option<i64>,
    },
    /// A file was changed by the agent's own tools.
    FileChange {
        /// Its path, as the agent prints it.
        path: String,
        /// The kind of change.
        change: Change,
        /// A unified diff, if the agent prints one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        diff: Option<String>,
    },
    /// Tokens and money.
    Usage {
        /// The period that the figures cover.
        scope: UsageScope,
        /// The figures.
        usage: Usage,
    },
    /// An error.
    Error {
        /// The class of error.
        class: ErrorClass,
        /// The agent's message.
        message: String,
        /// Status of the provider's HTTP answer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        http_status: Option<u16>,
        /// Time when a retry makes sense.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_at: Option<DateTime<Utc>>,
        /// Seconds until then, if the agent prints no time.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_after: Option<f64>,
        /// The clock time of a retry, if the agent prints only that.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_clock: Option<WallClock>,
        /// True if the agent itself retries: the turn continues.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        retried: bool,
    },
    /// The agent has finished the turn, or given up. It is the last event of the turn.
    TurnEnd {
        /// Outcome of the turn.
        outcome: TurnOutcome,
        /// The agent's answer, or the reason for giving up.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message: Option<String>,
    },
    /// A line that this version cannot interpret, or several in a row. `agent-stdout.txt` has the whole lines.
    Raw {
        /// The reason why it was not interpreted.
        reason: RawReason,
        /// Its first characters; empty if `lines` is present.
        text: String,
        /// Number of consecutive lines that the event covers. Their text is only in `agent-stdout.txt`.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        lines: Option<u64>,
    },
}

/// A time on a wall clock: it means the next such time after the line was printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WallClock {
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute, 0 to 59.
    pub minute: u32,
    /// Day of the month, 1 to 31.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub day: Option<u32>,
    /// Month, 1 to 12. The day is present, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub month: Option<u32>,
    /// Year. The month and the day are present, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub year: Option<i32>,
    /// Name of the time zone in the IANA database; absent: the zone of the agent's host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zone: Option<String>,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant),* }
    };
}

words!(
    /// The author of a message.
    Role {
        /// The user.
        User,
        /// The agent.
        Assistant,
        /// The agent's program.
        System,
    }
);

words!(
    /// Outcome of a tool call.
    ToolStatus {
        /// The tool succeeded.
        Ok,
        /// The tool failed.
        Error,
        /// The tool was not allowed to start.
        Denied,
    }
);

words!(
    /// The kind of change to a file.
    Change {
        /// The file is new.
        Add,
        /// The content has changed.
        Update,
        /// The file is gone.
        Delete,
    }
);

words!(
    /// The period that usage figures cover.
    UsageScope {
        /// Since the previous event of this scope: the figures of a run are their sum.
        Step,
        /// Since the run began: the last figures count.
        Run,
        /// Since the conversation began, over all its runs: a run's share is the difference to the earlier total.
        Thread,
    }
);

words!(
    /// The class of an error.
    ErrorClass {
        /// The account's limit is used up, or requests come too fast. The condition passes with time.
        UsageLimit,
        /// The provider is overloaded or down. The condition passes with time.
        Overload,
        /// The key or login is refused.
        Auth,
        /// The request is refused: model, input or parameters.
        Request,
        /// The conversation to resume is unknown.
        UnknownSession,
        /// The provider cannot be reached, or the answer was cut off.
        Connection,
        /// Anything else.
        Other,
    }
);

words!(
    /// Outcome of a turn.
    TurnOutcome {
        /// The agent reports that it has finished.
        Completed,
        /// The agent gave up.
        Failed,
        /// The turn was stopped.
        Interrupted,
    }
);

words!(
    /// The reason why a line was not interpreted.
    RawReason {
        /// The line is not JSON.
        NotJson,
        /// The line is JSON of a type that this version does not know.
        Unknown,
        /// The line is too long to be parsed.
        TooLong,
        /// The stream ends in the middle of the line.
        CutOff,
    }
);

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde expects")]
fn is_one(number: &u32) -> bool {
    *number == 1
}
