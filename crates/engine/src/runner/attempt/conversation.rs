//! Carries out the conversation of a run: feeds its files to the dialogue, and does what the dialogue owes.
//!
//! Nothing is kept in memory only: each effect is a line in a file, and a driver that takes over reads them all. After an
//! error the files are read again from the start, so an effect that failed is owed again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::runner::{Runner, error::Result};
use base::fsx::FsError;
use sessions::{Ask, Dialogue, Effect, Input, Language, Settings};
use tree::{
    Tree,
    bus::{Draft, LookBack, MessageType},
    refs::{RunRef, TaskRef},
    run_info::RunInfo,
    session::{Command, LinePosition, OutcomeLine},
};

/// The type of message with a request of an agent.
pub const APPROVAL_REQUEST: &str = "APPROVAL_REQUEST";

/// Number of bytes of a tool's input that a message has.
const LONGEST_INPUT: usize = 64 * 1024;

/// The agent's process, as the driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Process {
    /// The agent and its shim run.
    Running,
    /// The agent runs, and its input has ended.
    InputEnded,
    /// The agent has ended, and its output is complete.
    Ended,
}

/// The conversation of a run; none for a run that has one prompt.
#[derive(Debug, Default)]
pub(in crate::runner) struct Conversation {
    open: Option<Open>,
}

/// A conversation, after its files were read.
#[derive(Debug)]
struct Open {
    dialogue: Dialogue,
    commands: LinePosition,
    approvals: LinePosition,
    stdout: LinePosition,
    /// Time when the agent was last heard, or a person answered.
    heard: DateTime<Utc>,
    /// True if the shim was asked to end a silent agent.
    given_up: bool,
}

/// A line of inbox.jsonl.
#[derive(Deserialize)]
struct InboxLine {
    #[serde(rename = "type")]
    kind: String,
}

/// Returns true if a message of a session waits for a turn.
pub(in crate::runner) fn message_waits(tree: &Tree, task: &TaskRef) -> Result<bool> {
    let commands = commands(tree, task, &mut LinePosition::default())?;
    let outcomes: Vec<OutcomeLine> = LinePosition::default().records(tree.root(), &task.dir().outcomes())?;
    Ok(sessions::message_waits(&commands, &outcomes))
}

impl Conversation {
    /// Carries the conversation on: all that can be done now. An agent that is silent for longer than `silence` while it
    /// waits for no person is ended. Returns the time until the next look without a hint.
    pub(in crate::runner) fn advance(
        &mut self,
        runner: &Runner,
        info: &RunInfo,
        process: Process,
        silence: Option<Duration>,
    ) -> Result<Option<Duration>> {
        let Some(language) = Language::of(&info.protocol) else { return Ok(None) };
        let run = info.run_ref();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::read(runner, &run, language)?,
        };
        // Left out after an error, so that the next look reads the files again.
        open.advance(runner, &run, process)?;
        let next = open.next_look(runner, &run, process, silence)?;
        self.open = Some(open);
        Ok(next)
    }
}

impl Open {
    /// Reads the files of a conversation, as a driver that takes over.
    fn read(runner: &Runner, run: &RunRef, language: Language) -> Result<Self> {
        let (tree, task) = (&runner.tree, &run.task);
        let now = tree.clock().now();
        let mut open = Self {
            dialogue: Dialogue::new(run, language, Settings::default()),
            commands: LinePosition::default(),
            approvals: LinePosition::default(),
            stdout: LinePosition::default(),
            heard: now,
            given_up: false,
        };
        let mut inputs: Vec<Input> = Vec::new();
        inputs.extend(commands(tree, task, &mut open.commands)?.into_iter().map(Input::Command));
        let outcomes = LinePosition::default().records(tree.root(), &task.dir().outcomes())?;
        inputs.extend(outcomes.into_iter().map(Input::Outcome));
        let approvals = open.approvals.records(tree.root(), &task.dir().approvals())?;
        inputs.extend(approvals.into_iter().map(Input::Approval));
        let sent: Vec<Value> = LinePosition::default().records(tree.root(), &run.dir().stdin())?;
        inputs.extend(sent.into_iter().map(Input::Sent));
        let inbox: Vec<InboxLine> = LinePosition::default().records(tree.root(), &run.dir().inbox())?;
        open.given_up = inbox.iter().any(|line| line.kind == "idle_timeout");
        inputs.extend(inbox.iter().any(|line| line.kind == "end_of_input").then_some(Input::InputEnded));
        let said = open.stdout.read(tree.root(), &run.dir().stdout())?;
        inputs.extend(said.into_iter().map(|line| Input::Line(line.bytes)));
        for input in inputs {
            open.dialogue.restore(now, input);
        }
        Ok(open)
    }

    fn advance(&mut self, runner: &Runner, run: &RunRef, process: Process) -> Result<()> {
        let (tree, dirs) = (&runner.tree, (run.task.dir(), run.dir()));
        match process {
            Process::Running => self.feed(runner, run, Input::Started)?,
            Process::InputEnded => {
                self.dialogue.restore(tree.clock().now(), Input::Started);
                self.feed(runner, run, Input::InputEnded)?;
            }
            Process::Ended => {}
        }
        let said = self.stdout.read(tree.root(), &dirs.1.stdout())?;
        if !said.is_empty() {
            self.heard = tree.clock().now();
        }
        for line in said {
            self.feed(runner, run, Input::Line(line.bytes))?;
        }
        for command in commands(tree, &run.task, &mut self.commands)? {
            self.heard = tree.clock().now();
            self.feed(runner, run, Input::Command(command))?;
        }
        self.read_approvals(runner, run)?;
        let last = if process == Process::Ended { Input::Ended } else { Input::Tick };
        self.feed(runner, run, last)?;
        // The dialogue's own lines decide requests as well, once they are in the file.
        self.read_approvals(runner, run)
    }

    fn read_approvals(&mut self, runner: &Runner, run: &RunRef) -> Result<()> {
        loop {
            let lines = self.approvals.records(runner.tree.root(), &run.task.dir().approvals())?;
            if lines.is_empty() {
                return Ok(());
            }
            self.heard = runner.tree.clock().now();
            for line in lines {
                self.feed(runner, run, Input::Approval(line))?;
            }
        }
    }

    /// Feeds an input, and does all that is owed then.
    fn feed(&mut self, runner: &Runner, run: &RunRef, input: Input) -> Result<()> {
        let (tree, task) = (&runner.tree, &run.task);
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.dialogue.step(tree.clock().now(), input) {
                match effect {
                    Effect::Send(line) => append(runner, &run.dir().stdin(), &line)?,
                    Effect::Outcome(line) => tree.append_outcome(task, &line)?,
                    Effect::Approval(line) => tree.append_approval(task, &line)?,
                    Effect::Ask(ask) => inputs.push(post(runner, run, ask)?),
                    Effect::EndInput => append(runner, &run.dir().inbox(), &json!({"type": "end_of_input"}))?,
                }
            }
        }
        Ok(())
    }

    fn next_look(
        &mut self,
        runner: &Runner,
        run: &RunRef,
        process: Process,
        silence: Option<Duration>,
    ) -> Result<Option<Duration>> {
        let now = runner.tree.clock().now();
        let until = |at: DateTime<Utc>| (at - now).to_std().unwrap_or_default();
        let expiry = self.dialogue.deadline().map(until);
        if process == Process::Ended || self.given_up || self.dialogue.awaits_a_person() {
            return Ok(expiry);
        }
        let Some(silence) = silence else { return Ok(expiry) };
        let silent = (now - self.heard).to_std().unwrap_or_default();
        if let Some(left) = silence.checked_sub(silent).filter(|left| !left.is_zero()) {
            return Ok(Some(left));
        }
        append(runner, &run.dir().inbox(), &json!({"type": "idle_timeout"}))?;
        self.given_up = true;
        Ok(None)
    }
}

fn commands(tree: &Tree, task: &TaskRef, position: &mut LinePosition) -> Result<Vec<Command>> {
    let lines = position.read(tree.root(), &task.dir().commands())?;
    Ok(lines.iter().filter_map(Command::of_line).collect())
}

fn append(runner: &Runner, rel: &tree::RelPath, line: &Value) -> Result<()> {
    let bytes = format!("{line}\n").into_bytes();
    Ok(runner.tree.root().append(rel, |_| Ok::<_, FsError>((bytes, ())))?)
}

/// Posts a request of the agent, unless it is on the bus.
fn post(runner: &Runner, run: &RunRef, ask: Ask) -> Result<Input> {
    let Ask { request, tool, input, description } = ask;
    let mut shown = serde_json::to_string_pretty(&input).unwrap_or_default();
    // A message has a largest size, and an agent may write a file of any.
    let is_whole = shown.len() <= LONGEST_INPUT;
    if !is_whole {
        shown.truncate(shown.floor_char_boundary(LONGEST_INPUT));
        shown.push_str("\n… (agent-stdout.txt of the run has all of it)");
    }
    let about = description.map(|text| format!(" ({text})")).unwrap_or_default();
    let body = format!(
        "The agent asks to use {tool}{about}:\n\n{shown}\n\n\
         `run-agent approve {request}` allows it once; `run-agent deny {request}` does not."
    );
    let kind: MessageType = APPROVAL_REQUEST.parse()?;
    let draft = Draft::new(kind.clone(), body)
        .by_run(&run.run)
        .with_meta("request", request.clone())
        .with_meta("tool", tool);
    let draft = if is_whole { draft.with_meta("input", input) } else { draft };
    let posted = runner.tree.task_bus(&run.task).post_once(&draft, |message| {
        let is_it =
            message.kind == kind && message.meta.get("request").is_some_and(|r| r == request.as_str());
        // An earlier run has asked for something else.
        let is_older = message.kind == MessageType::RUN_START && message.run_id.as_ref() == Some(&run.run);
        match (is_it, is_older) {
            (true, _) => LookBack::Found,
            (_, true) => LookBack::Stop,
            _ => LookBack::Continue,
        }
    })?;
    Ok(Input::Posted { request, at: posted.into_message().timestamp })
}
