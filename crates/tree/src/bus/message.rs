//! A message, as stored in its line.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::meta::Meta;
use crate::{
    TreeError,
    ids::{MAX_ID, MsgId, ProjectId, RunId, TaskId},
};
use base::clock::rfc3339;

/// The time of a hand-written line that has no time, neither in `timestamp` nor in its id. Readers never show it: the
/// bus puts the time of a neighbour in its place.
pub(super) const UNKNOWN_TIME: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// One message of a bus.
///
/// A message written by this program has every field that is not optional. A line written by hand may lack everything
/// but the braces. When a [`Bus`](super::Bus) reads such a line, it fills in: `msg_id` `@<offset>`, `timestamp` the
/// time in the id, else the time of the message before it, `type` `USER`, the bus's own project and task, and an empty
/// body. A known key with a value of the wrong type counts as missing, and is kept below `unreadable`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Its id, larger than the id of every message before it in the file.
    pub msg_id: MsgId,
    /// Time of posting by the poster's clock, in UTC to the microsecond.
    #[serde(serialize_with = "microseconds")]
    pub timestamp: DateTime<Utc>,
    /// The kind of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The project of the message.
    pub project_id: ProjectId,
    /// The task of the message, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task_id: Option<TaskId>,
    /// The run that posted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<RunId>,
    /// The messages that it answers or belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parents: Vec<Parent>,
    /// Pages and files that it refers to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<Link>,
    /// Any data for programs.
    #[serde(skip_serializing_if = "Meta::is_empty", default)]
    pub meta: Meta,
    /// The text, byte for byte as it was posted.
    #[serde(default)]
    pub body: String,
    /// True if the line does not fit its checksum: any part of the message may differ from what was posted, so it decides
    /// nothing. A file has no such key.
    #[serde(skip_serializing_if = "std::ops::Not::not", skip_deserializing)]
    #[schemars(skip)]
    pub damaged: bool,
    /// Keys that another version or a person wrote. They are kept.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Message {
    /// Returns true if the message was posted before a time, according to its id. Ids increase even while the clock steps
    /// back; a message without such an id is not known to be older than any time.
    #[must_use]
    pub fn is_older_than(&self, time: DateTime<Utc>) -> bool {
        self.msg_id.time().is_some_and(|posted| posted < time)
    }
}

fn microseconds<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*at))
}

/// The type of a message: a letter, then letters, digits, `_` and `-`; at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageType(Cow<'static, str>);

impl MessageType {
    /// A run began.
    pub const RUN_START: Self = Self(Cow::Borrowed("RUN_START"));
    /// A run ended.
    pub const RUN_STOP: Self = Self(Cow::Borrowed("RUN_STOP"));
    /// A run failed or crashed.
    pub const RUN_CRASH: Self = Self(Cow::Borrowed("RUN_CRASH"));
    /// A task is finished.
    pub const TASK_DONE: Self = Self(Cow::Borrowed("TASK_DONE"));
    /// A person wrote the message. Also the type of a line that names none.
    pub const USER: Self = Self(Cow::Borrowed("USER"));
    /// A finding of lasting value.
    pub const FACT: Self = Self(Cow::Borrowed("FACT"));
    /// The progress of the work.
    pub const PROGRESS: Self = Self(Cow::Borrowed("PROGRESS"));
    /// A decision.
    pub const DECISION: Self = Self(Cow::Borrowed("DECISION"));
    /// An error.
    pub const ERROR: Self = Self(Cow::Borrowed("ERROR"));
    /// A question that needs an answer.
    pub const QUESTION: Self = Self(Cow::Borrowed("QUESTION"));

    /// Returns the type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageType {
    type Err = TreeError;

    fn from_str(text: &str) -> Result<Self, TreeError> {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if word && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() <= MAX_ID {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        let shown: String = text.chars().take(40).collect();
        Err(TreeError::Invalid(format!(
            "'{}' is not a message type: it is a letter, then letters, digits, '_' and '-', at most {MAX_ID}",
            shown.escape_debug()
        )))
    }
}

impl TryFrom<String> for MessageType {
    type Error = TreeError;

    fn try_from(text: String) -> Result<Self, TreeError> {
        text.parse()
    }
}

impl From<MessageType> for String {
    fn from(kind: MessageType) -> Self {
        kind.0.into_owned()
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for MessageType {
    fn schema_name() -> Cow<'static, str> {
        "MessageType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": MAX_ID })
    }
}

/// A message that this message answers or belongs to. A bare id is accepted, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "ParentForm")]
pub struct Parent {
    /// Id of that message, which may be on another bus.
    pub msg_id: MsgId,
    /// Its relation to this message: `reply`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The two spellings of a parent.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum ParentForm {
    Bare(MsgId),
    Object { msg_id: MsgId, kind: Option<String> },
}

impl From<ParentForm> for Parent {
    fn from(form: ParentForm) -> Self {
        match form {
            ParentForm::Bare(msg_id) => Self { msg_id, kind: None },
            ParentForm::Object { msg_id, kind } => Self { msg_id, kind },
        }
    }
}

/// A page or file that a message refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Address of the target.
    pub url: String,
    /// Text to show for the link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_one_word() {
        let long = "A".repeat(129);
        for bad in ["", "1A", "_A", "-A", "A B", "Ä", "A\n", long.as_str()] {
            let error = bad.parse::<MessageType>().unwrap_err().to_string();
            assert!(error.contains("is not a message type"), "{error}");
        }
        for good in ["A", "USER", "run_start", "x1_", "code-review", "x-"] {
            assert_eq!(good.parse::<MessageType>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_parent_may_be_a_bare_id_and_is_written_as_an_object() {
        let parents: Vec<Parent> =
            serde_json::from_str(r#"["MSG-1", {"msg_id":"MSG-2"}, {"msg_id":"MSG-3","kind":"reply"}]"#)
                .unwrap();
        assert_eq!(
            serde_json::to_string(&parents).unwrap(),
            r#"[{"msg_id":"MSG-1"},{"msg_id":"MSG-2"},{"msg_id":"MSG-3","kind":"reply"}]"#
        );
        assert!(serde_json::from_str::<Parent>(r#""../x""#).is_err());
    }

    #[test]
    fn the_schema_takes_what_is_written_and_nothing_else() {
        let schema = serde_json::to_value(schemars::schema_for!(Message)).unwrap();
        let message = serde_json::json!({
            "msg_id": "MSG-1", "timestamp": "2026-02-05T10:00:01.123456Z", "type": "FACT", "project_id": "p",
            "task_id": "t", "run_id": "r", "parents": [{"msg_id": "MSG-0", "kind": "reply"}, "MSG-00"],
            "links": [{"url": "https://x", "label": "x"}], "meta": {"k": [1]}, "body": "text", "later": true,
        });
        assert!(jsonschema::is_valid(&schema, &message), "{schema:#}");
        for (key, wrong) in [("type", "a b".into()), ("parents", serde_json::json!([{}])), ("body", 5.into())]
        {
            let mut message = message.clone();
            message[key] = wrong;
            assert!(!jsonschema::is_valid(&schema, &message), "{key}");
        }
    }
}
