//! `events.jsonl`: an agent's stream in one shape for all agents, as it lies on disk.
//!
//! A line is one event and names the bytes of `agent-stdout.txt` that it came from, so the raw
//! words are never lost and whoever takes over goes on where the file ends. One raw line may give
//! several events (`part` of `parts`). New types and fields may come; readers skip what they do not know.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::usage::Usage;

/// The version of the shape that this program writes.
pub const EVENT_VERSION: u64 = 1;

/// One event of an agent's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Version of the shape; 1.
    pub version: u64,
    /// Byte offset in `agent-stdout.txt` of the line that it came from.
    pub offset: u64,
    /// Length of that line in bytes, its newline included where it has one.
    pub length: u64,
    /// Which of the events of that line this is; 1 is the first.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub part: u32,
    /// How many events that line gave.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub parts: u32,
    /// When it happened, if the agent said so; else the run's `log-times.jsonl` tells when it was printed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The conversation it belongs to, where that may be another than the run's own: a sub-task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub within: Option<String>,
    /// A text in it was too long and stands here with its beginning only; the raw line has all of it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub clipped: bool,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// Byte offset behind the line that it came from.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The conversation has a name.
    Session {
        /// The agent's own name of the conversation; the next run may resume it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        thread_id: Option<String>,
        /// The model that answers.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        model: Option<String>,
        /// Version of the agent's program.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        agent_version: Option<String>,
    },
    /// Somebody said something.
    Message {
        /// Who.
        role: Role,
        /// What.
        text: String,
        /// It goes on in the next message of the same role: part of a text that is told as it is written.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        partial: bool,
    },
    /// The model thinks aloud.
    Reasoning {
        /// What it thinks, as far as it is shown.
        text: String,
    },
    /// The agent begins to use a tool.
    ToolCall {
        /// Name of the call, the same in its result.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        call_id: Option<String>,
        /// Name of the tool, as the agent has it.
        tool: String,
        /// What the tool is given.
        input: Value,
    },
    /// A tool has ended.
    ToolResult {
        /// Name of the call.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        call_id: Option<String>,
        /// Name of the tool, where the result says it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        tool: Option<String>,
        /// How it ended.
        status: ToolStatus,
        /// What it gave, as text.
        output: String,
        /// Exit code of a command.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        exit_code: Option<i64>,
    },
    /// A file was changed by the agent's own tools.
    FileChange {
        /// Its path, as the agent has it.
        path: String,
        /// What was done to it.
        change: Change,
        /// A unified diff, where the agent gives one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        diff: Option<String>,
    },
    /// Tokens and money.
    Usage {
        /// Since when they are counted.
        scope: UsageScope,
        /// The figures.
        usage: Usage,
    },
    /// Something went wrong.
    Error {
        /// What kind of thing.
        class: ErrorClass,
        /// The agent's words.
        message: String,
        /// Status of the provider's HTTP answer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        http_status: Option<u16>,
        /// When it makes sense to try again.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_at: Option<DateTime<Utc>>,
        /// After how many seconds, where the agent tells no time.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_after: Option<f64>,
        /// What a clock will show then, where the agent tells only that.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_clock: Option<WallClock>,
        /// The agent itself tries again: the turn goes on.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        retried: bool,
    },
    /// The agent has finished what it was asked, or given up: its last word on the turn.
    TurnEnd {
        /// How.
        outcome: TurnOutcome,
        /// Its answer, or why it gave up.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message: Option<String>,
    },
    /// A line that says nothing we know; it stands in `agent-stdout.txt`.
    Raw {
        /// Why it was left as it is.
        reason: RawReason,
        /// Its first characters.
        text: String,
    },
}

/// A time as a clock on a wall shows it: the next such time is meant, seen from when it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WallClock {
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute, 0 to 59.
    pub minute: u32,
    /// Day of the month, 1 to 31.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub day: Option<u32>,
    /// Month, 1 to 12; there is a day, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub month: Option<u32>,
    /// Year; there are a month and a day, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub year: Option<i32>,
    /// Name of the time zone in the IANA database; without one it is that of the agent's host.
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
    /// Who says something.
    Role {
        /// Whoever asks.
        User,
        /// The agent.
        Assistant,
        /// The agent's program.
        System,
    }
);

words!(
    /// How a tool ended.
    ToolStatus {
        /// Well.
        Ok,
        /// Not well.
        Error,
        /// It was not allowed to begin.
        Denied,
    }
);

words!(
    /// What was done to a file.
    Change {
        /// It is new.
        Add,
        /// It is another.
        Update,
        /// It is gone.
        Delete,
    }
);

words!(
    /// Since when usage is counted.
    UsageScope {
        /// Since the event of the same scope before: the figures of a run are their sum.
        Step,
        /// Since the run began: the last figures hold.
        Run,
        /// Since the conversation began, over all its runs: a run's own are the difference.
        Thread,
    }
);

words!(
    /// What kind of thing went wrong.
    ErrorClass {
        /// The account's limit is used up, or requests come too fast: it passes with time.
        UsageLimit,
        /// The provider is overloaded or down: it passes with time.
        Overload,
        /// The key or login is refused.
        Auth,
        /// The request is refused: model, input or parameters.
        Request,
        /// The conversation that was to be resumed is not known.
        UnknownSession,
        /// The provider cannot be reached, or the answer was cut off.
        Connection,
        /// Anything else.
        Other,
    }
);

words!(
    /// How a turn ended.
    TurnOutcome {
        /// The agent says that it is through.
        Completed,
        /// It gave up.
        Failed,
        /// Somebody stopped it.
        Interrupted,
    }
);

words!(
    /// Why a line was left as it is.
    RawReason {
        /// No JSON.
        NotJson,
        /// JSON of a type that this version does not know.
        Unknown,
        /// Longer than is understood.
        TooLong,
        /// The stream ends in the middle of it.
        CutOff,
    }
);

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(number: &u32) -> bool {
    *number == 1
}
