//! Words of records that name a kind: the type of an agent, a protocol, an executor.
//!
//! A record may come from a newer version of this program, or from another tool. So an unknown word is kept and written
//! back unchanged. It is never an error.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares an enum of words that also accepts unknown words. Two values are equal exactly if their words are equal.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A word that this version does not know.
            Unknown(String),
        }

        impl $name {
            /// Every known value.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)*];

            /// Returns the word that records and answers use.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    word => Self::Unknown(word.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(&*String::deserialize(deserializer)?))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    };
}

open_words!(
    /// The type of an agent in a record.
    ///
    /// A record keeps the word and gives it no meaning, so every agent but the one below is an unknown word here. The
    /// registry of `agents` knows which agent a word means (`agents::of_word`); a new agent changes no record.
    AgentType {
        /// Any program. Its records differ: an exit code can be a refusal.
        Command = "command",
    }
);

open_words!(
    /// The way in which the driver of a run talks to its agent.
    Protocol {
        /// One prompt, one process.
        Exec = "exec",
        /// A person talks to the agent at a terminal. The conversation is not recorded.
        Wrap = "wrap",
        /// A conversation of JSON lines, as Claude Code holds it.
        ClaudeStream = "claude-stream",
    }
);

impl Protocol {
    /// Returns the protocol of a record that names none.
    pub(super) fn usual() -> Self {
        Self::Exec
    }
}

open_words!(
    /// The place where the shim of a run was started.
    Executor {
        /// On this machine.
        Local = "local",
        /// Nowhere: another tool ran the agent, and the record was imported.
        Imported = "imported",
    }
);

open_words!(
    /// The outcome of a session's command.
    CommandOutcome {
        /// The command waits for the end of the present turn.
        Queued = "queued",
        /// The command waits for the next message, because the turn before it failed or was interrupted.
        Held = "held",
        /// The agent was sent the command.
        Sent = "sent",
        /// The command was carried out. For a turn: it has ended.
        Done = "done",
        /// The command cannot be carried out.
        Refused = "refused",
        /// The caller took the command back.
        Cancelled = "cancelled",
        /// No process can tell if the agent got the command: a person decides.
        Undecidable = "unknown",
    }
);

impl CommandOutcome {
    /// Returns true if the command is never acted on again. A word of a newer version counts as final, because acting
    /// twice is worse than not at all.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Queued | Self::Held | Self::Sent)
    }
}

open_words!(
    /// The end of a turn.
    TurnEnd {
        /// The agent ended the turn by itself.
        Completed = "completed",
        /// The turn ended with an error.
        Failed = "failed",
        /// The turn was cut off: on request, or because the agent's process ended.
        Interrupted = "interrupted",
    }
);

open_words!(
    /// The content of a line in approvals.jsonl.
    ApprovalWord {
        /// The request is approved.
        Approved = "approved",
        /// The request is denied.
        Denied = "denied",
        /// No answer came in time: the agent is told no.
        Expired = "expired",
        /// The agent does not wait for an answer any more.
        Withdrawn = "withdrawn",
        /// The agent has the answer.
        Delivered = "delivered",
    }
);

impl Executor {
    /// Returns true if a driver on the run's machine starts the shim itself, and sees its process.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local | Self::Imported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_and_written_back_as_it_is() {
        for word in ["exec", "wrap", "claude-stream", "acp", "", "Exec"] {
            let protocol: Protocol = serde_json::from_value(word.into()).unwrap();
            assert_eq!(serde_json::to_value(&protocol).unwrap(), word);
            let known = matches!(word, "exec" | "wrap" | "claude-stream");
            assert_eq!(matches!(protocol, Protocol::Unknown(_)), !known, "{word}");
        }
        for known in AgentType::KNOWN {
            assert_eq!(AgentType::from(known.as_str()), *known);
        }
        assert!(serde_json::from_value::<Executor>(7.into()).is_err(), "a number is no word");
    }
}
