//! The files of a session, which is a task that people talk to: its commands, their outcomes, and the answers to the
//! agent's requests.
//!
//! Each file has one JSON object a line. Any process appends commands and answers, also a person with `echo`, so a line
//! may lack everything that is optional here. Only the driver appends outcomes. A line that cannot be read is skipped.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Tree, TreeError,
    error::Result,
    ids::RunId,
    kinds::{ApprovalWord, CommandOutcome, TurnEnd},
    refs::TaskRef,
};
use base::fsx::{FsError, FsErrorKind, Line, LineReader, RelPath, Root};

/// A line of commands.jsonl: what a caller asks of the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandLine {
    /// The caller's name of the command. A second line with the same id is the same command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Time of the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The person or program that asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// The way of the request: `cli`, ….
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// The kind of command: `turn` or `interrupt`. A driver refuses any other.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message, for a turn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The command of the turn to interrupt; without it, the turn that runs and was asked for before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<String>,
    /// Keys that another version or a person wrote.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// A command of a session with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Its id, else `@` and the offset of its line.
    pub key: String,
    /// The offset of its line, which is its place in the order of all commands.
    pub offset: u64,
    /// The line; `Err` with the reason if it cannot be read.
    pub line: std::result::Result<CommandLine, String>,
}

impl Command {
    /// Reads a line of commands.jsonl. An empty line is no command.
    #[must_use]
    pub fn of_line(line: &Line) -> Option<Self> {
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let read = serde_json::from_slice::<CommandLine>(&line.bytes);
        let id = read.as_ref().ok().and_then(|line| line.id.clone()).filter(|id| !id.is_empty());
        Some(Self {
            key: id.unwrap_or_else(|| format!("@{}", line.offset)),
            offset: line.offset,
            line: read.map_err(|e| format!("the line is no command: {e}")),
        })
    }
}

/// A line of outcomes.jsonl: what became of a command. The last line of a command counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeLine {
    /// The command: its id, else `@` and the offset of its line.
    #[serde(rename = "in")]
    pub command: String,
    /// Time of the outcome.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The outcome.
    pub outcome: CommandOutcome,
    /// The run that the command went to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<RunId>,
    /// The end of the turn, if the command asked for one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<TurnEnd>,
    /// The reason, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A line of approvals.jsonl: an answer to a request of the agent, or a later fact about the request.
///
/// The first line of a request that answers, expires or withdraws it is valid; its later answers have no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalLine {
    /// The writer's name of the line, by which the writer finds it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The agent's name of the request.
    pub request: String,
    /// Time of the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<DateTime<Utc>>,
    /// The person or program that answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// The way of the answer: `cli`, `driver`, ….
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// The content of the line.
    pub what: ApprovalWord,
    /// A text for the agent with a denial, or the reason of a withdrawal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// The input that the tool gets in place of the requested one, where the agent takes one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Value>,
    /// Keys that another version or a person wrote.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl ApprovalLine {
    /// Returns true if the line decides its request, unless an earlier line has decided it.
    #[must_use]
    pub fn decides(&self) -> bool {
        match self.what {
            // An edited input is an object, as each tool's input is.
            ApprovalWord::Approved => self.input.as_ref().is_none_or(Value::is_object),
            ApprovalWord::Denied | ApprovalWord::Expired | ApprovalWord::Withdrawn => true,
            ApprovalWord::Delivered | ApprovalWord::Unknown(_) => false,
        }
    }
}

/// The position of a reader in a file of whole lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinePosition(u64);

impl LinePosition {
    /// Reads the complete lines after this position, and moves the position behind them. A missing file has none.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read(&mut self, root: &Root, rel: &RelPath) -> Result<Vec<Line>> {
        let file = match root.open_read(rel) {
            Ok(file) => file,
            Err(e) if e.is_wrong_kind() || e.kind() == FsErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
        };
        let lines = LineReader::new(&file).forward(self.0, file.size()?);
        let lines = lines.collect::<std::result::Result<Vec<_>, FsError>>()?;
        self.0 = lines.last().map_or(self.0, Line::end);
        Ok(lines)
    }

    /// Reads the records after this position. Lines that are none are skipped.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn records<T: DeserializeOwned>(&mut self, root: &Root, rel: &RelPath) -> Result<Vec<T>> {
        let lines = self.read(root, rel)?;
        Ok(lines.iter().filter_map(|line| serde_json::from_slice(&line.bytes).ok()).collect())
    }
}

impl Tree {
    /// Appends a command of a session.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn append_command(&self, task: &TaskRef, line: &CommandLine) -> Result<()> {
        append(self.root(), &task.dir().commands(), line)
    }

    /// Appends the outcome of a command. Only the driver of the task does so.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn append_outcome(&self, task: &TaskRef, line: &OutcomeLine) -> Result<()> {
        append(self.root(), &task.dir().outcomes(), line)
    }

    /// Appends a line about a request of the agent.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn append_approval(&self, task: &TaskRef, line: &ApprovalLine) -> Result<()> {
        append(self.root(), &task.dir().approvals(), line)
    }
}

fn append(root: &Root, rel: &RelPath, record: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(record)
        .map_err(|e| TreeError::Invalid(format!("a line of {rel} cannot be written: {e}")))?;
    line.push(b'\n');
    root.append(rel, |_| Ok::<_, FsError>((line, ())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};

    fn command(text: &str) -> Command {
        let line = Line { offset: 7, len: text.len() as u64, bytes: text.into() };
        Command::of_line(&line).unwrap()
    }

    #[test]
    fn a_command_by_hand_has_the_name_of_its_place() {
        let by_hand = command(r#"{"type":"turn","text":"hello"}"#);
        assert_eq!((by_hand.key.as_str(), by_hand.line.unwrap().text.as_deref()), ("@7", Some("hello")));
        assert_eq!(command(r#"{"id":"c1","type":"turn"}"#).key, "c1");
        assert_eq!(command(r#"{"id":"","type":"turn"}"#).key, "@7");
        assert!(command("no json").line.unwrap_err().starts_with("the line is no command: "));
        assert_eq!(Command::of_line(&Line { offset: 0, len: 1, bytes: b" ".into() }), None);
    }

    #[test]
    fn lines_are_read_once_and_a_torn_one_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let task: TaskRef = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        tree.root().ensure_dir(task.dir().path()).unwrap();
        let (mut position, rel) = (LinePosition::default(), task.dir().outcomes());
        assert!(position.read(tree.root(), &rel).unwrap().is_empty());
        tree.root().replace(&rel, b"{\"in\":\"a\",\"outcome\":\"sent\"}\n{\"in\":\"b\",\"out").unwrap();
        let read: Vec<OutcomeLine> = position.records(tree.root(), &rel).unwrap();
        assert_eq!((read.len(), &read[0].outcome), (1, &CommandOutcome::Sent));
        let line = OutcomeLine { command: "c".to_owned(), ..read[0].clone() };
        tree.append_outcome(&task, &line).unwrap();
        assert_eq!(position.records::<OutcomeLine>(tree.root(), &rel).unwrap(), [line]);
    }

    #[test]
    fn only_answers_decide_a_request() {
        let line = |text: &str| serde_json::from_str::<ApprovalLine>(text).unwrap().decides();
        for what in ["approved", "denied", "expired", "withdrawn"] {
            assert!(line(&format!(r#"{{"request":"r","what":"{what}"}}"#)), "{what}");
        }
        assert!(!line(r#"{"request":"r","what":"delivered"}"#) && !line(r#"{"request":"r","what":"maybe"}"#));
        assert!(!line(r#"{"request":"r","what":"approved","input":"ls"}"#));
    }
}
