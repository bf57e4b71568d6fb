//! The state of a dialogue, and the facts that change it. Nothing here acts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    effect::{Ask, Input},
    language::Language,
    message_id,
    news::{Messages, News, Request},
};
use tree::{
    ids::RunId,
    kinds::{ApprovalWord, CommandOutcome, TurnEnd},
    refs::RunRef,
    session::{ApprovalLine, Command, OutcomeLine},
};

/// The reason of a turn that ended with its process.
const PROCESS_ENDED: &str = "the agent's process ended during the turn";

/// The state of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The name of the session, which is a part of the ids.
    session: String,
    pub(crate) run: RunId,
    pub(crate) language: Language,
    pub(crate) process: Process,
    /// True if the agent takes messages.
    pub(crate) ready: bool,
    /// The message that the agent began last.
    begun: Option<String>,
    /// True if the agent's input was asked to end. Nothing is sent any more.
    pub(crate) input_ended: bool,
    /// The commands in the order of their lines.
    pub(crate) commands: Vec<Entry>,
    /// The requests of the agent, oldest first.
    pub(crate) asks: Vec<AskEntry>,
    /// The line that decides each request. It may be read before the request itself.
    pub(crate) decisions: BTreeMap<String, ApprovalLine>,
    /// The requests with a recorded delivery or withdrawal.
    pub(crate) settled: BTreeSet<String>,
    /// Answers to requests that this version does not know.
    pub(crate) refusals: Vec<Request>,
    /// The names of the lines in stdin.jsonl.
    pub(crate) sent: BTreeSet<String>,
    /// Number of tasks in the agent's background.
    pub(crate) background: usize,
}

/// The agent's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Process {
    NotStarted,
    Running,
    Ended,
}

/// A command and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) command: Command,
    /// The id of the request that the command causes.
    pub(crate) message: String,
    /// The last recorded outcome.
    pub(crate) outcome: Option<CommandOutcome>,
    /// True if this run's process was sent the request.
    pub(crate) sent: bool,
    /// True if the agent has begun the turn.
    began: bool,
    /// The end that is to be recorded.
    pub(crate) end: Option<End>,
    /// True if the command is to be held.
    pub(crate) hold: bool,
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) outcome: CommandOutcome,
    pub(crate) turn: Option<TurnEnd>,
    pub(crate) reason: Option<String>,
}

/// A request of the agent and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskEntry {
    pub(crate) ask: Ask,
    /// Time when the request was first seen.
    pub(crate) opened: DateTime<Utc>,
    pub(crate) posted: bool,
    pub(crate) wait: AskWait,
    /// True if a line that decides the request was written, and not read back yet.
    pub(crate) decision_written: bool,
}

/// The agent's wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AskWait {
    /// The agent waits.
    Open,
    /// The agent was sent an answer.
    Answered,
    /// The agent does not wait any more, and got no answer.
    Closed,
}

impl Entry {
    /// Returns true if the command asks for a turn.
    pub(crate) fn is_turn(&self) -> bool {
        self.command.line.as_ref().is_ok_and(|line| line.kind == "turn")
    }

    /// Returns true if the command is not carried out, and not on its way.
    pub(crate) fn is_pending(&self) -> bool {
        !self.sent && self.end.is_none() && !self.is_final()
    }

    /// Returns true if the command is on its way: sent and not answered.
    pub(crate) fn is_open(&self) -> bool {
        self.sent && self.end.is_none() && !self.is_final()
    }

    fn is_final(&self) -> bool {
        self.outcome.as_ref().is_some_and(CommandOutcome::is_final)
    }

    fn ends(&mut self, turn: Option<TurnEnd>, reason: Option<String>) {
        self.end = Some(End { outcome: CommandOutcome::Done, turn, reason });
    }
}

impl AskEntry {
    /// Returns true if the agent waits for an answer.
    pub(crate) fn is_open(&self) -> bool {
        self.wait == AskWait::Open
    }
}

impl State {
    pub(crate) fn new(run: &RunRef, language: Language) -> Self {
        Self {
            session: run.task.to_string(),
            run: run.run.clone(),
            language,
            process: Process::NotStarted,
            ready: false,
            begun: None,
            input_ended: false,
            commands: Vec::new(),
            asks: Vec::new(),
            decisions: BTreeMap::new(),
            settled: BTreeSet::new(),
            refusals: Vec::new(),
            sent: BTreeSet::new(),
            background: 0,
        }
    }

    /// Returns the turn that runs.
    pub(crate) fn running(&self) -> Option<&Entry> {
        self.commands.iter().find(|entry| entry.is_turn() && entry.is_open())
    }

    /// Returns the time since when the oldest undecided request waits.
    pub(crate) fn oldest_open_ask(&self) -> Option<DateTime<Utc>> {
        let undecided = |a: &&AskEntry| a.is_open() && !self.decisions.contains_key(&a.ask.request);
        self.asks.iter().filter(undecided).map(|a| a.opened).min()
    }

    /// Takes a fact.
    pub(crate) fn take(&mut self, now: DateTime<Utc>, input: Input) {
        match input {
            Input::Command(command) => self.take_command(command),
            Input::Outcome(line) => self.take_outcome(line),
            Input::Approval(line) => self.take_approval(line),
            Input::Sent(line) => self.take_sent(&line),
            Input::InputEnded => self.input_ended = true,
            Input::Started => {
                if self.process == Process::NotStarted {
                    self.process = Process::Running;
                }
            }
            Input::Line(bytes) => {
                if let Ok(line) = serde_json::from_slice::<Value>(&bytes) {
                    for news in self.language.read(&line) {
                        self.take_news(now, news);
                    }
                }
            }
            Input::Posted { request, at } => {
                for ask in self.asks.iter_mut().filter(|a| a.ask.request == request) {
                    (ask.posted, ask.opened) = (true, at);
                }
            }
            Input::Tick => {}
            Input::Ended => self.take_process_end(),
        }
    }

    fn take_command(&mut self, command: Command) {
        if self.commands.iter().any(|entry| entry.command.key == command.key) {
            return;
        }
        let message = message_id::of_command(&self.session, &command.key);
        self.commands.push(Entry {
            command,
            message,
            outcome: None,
            sent: false,
            began: false,
            end: None,
            hold: false,
        });
    }

    fn take_outcome(&mut self, line: OutcomeLine) {
        if let Some(entry) = self.commands.iter_mut().find(|entry| entry.command.key == line.command) {
            entry.outcome = Some(line.outcome);
        }
    }

    fn take_approval(&mut self, line: ApprovalLine) {
        if matches!(line.what, ApprovalWord::Delivered | ApprovalWord::Withdrawn) {
            self.settled.insert(line.request.clone());
        }
        if line.decides() {
            self.decisions.entry(line.request.clone()).or_insert(line);
        }
    }

    fn take_sent(&mut self, line: &Value) {
        let Some(key) = self.language.key_of(line) else { return };
        for entry in &mut self.commands {
            entry.sent |= request_key(self.language, entry) == key;
        }
        self.sent.insert(key);
    }

    fn take_news(&mut self, now: DateTime<Utc>, news: News) {
        match news {
            News::Ready => self.ready = true,
            News::Began { message } => {
                for entry in self.commands.iter_mut().filter(|e| e.sent && e.message == message) {
                    entry.began = true;
                }
                self.begun = Some(message);
            }
            News::Ended { messages, end, reason } => self.take_turn_end(&messages, &end, reason.as_deref()),
            News::Asked(ask) => {
                if self.asks.iter().all(|a| a.ask.request != ask.request) {
                    let answered = self.sent.contains(&self.language.answer_key(&ask.request));
                    let wait = if answered { AskWait::Answered } else { AskWait::Open };
                    self.asks.push(AskEntry {
                        ask,
                        opened: now,
                        posted: false,
                        wait,
                        decision_written: false,
                    });
                }
            }
            News::AskEnded { request } => {
                self.close_asks(|ask| ask.ask.request == request);
            }
            News::Unanswerable(refusal) => {
                if !self.sent.contains(&refusal.key) {
                    self.refusals.push(refusal);
                }
            }
            News::Replied { request, error } => {
                let asked = |e: &&mut Entry| !e.is_turn() && e.is_open() && e.message == request;
                for entry in self.commands.iter_mut().filter(asked) {
                    entry.ends(None, None);
                    if let (Some(end), Some(error)) = (&mut entry.end, &error) {
                        end.outcome = CommandOutcome::Refused;
                        end.reason = Some(error.clone());
                    }
                }
            }
            News::Background(tasks) => self.background = tasks,
        }
    }

    fn take_turn_end(&mut self, messages: &Messages, end: &TurnEnd, reason: Option<&str>) {
        let begun = self.begun.clone();
        let of_turn = |entry: &Entry| match messages {
            Messages::These(ids) => ids.contains(&entry.message),
            Messages::Running => begun.as_deref() == Some(entry.message.as_str()),
        };
        let mut ended = false;
        for entry in self.commands.iter_mut().filter(|e| e.is_turn() && e.is_open()) {
            if of_turn(entry) {
                entry.ends(Some(end.clone()), reason.map(str::to_owned));
                ended = true;
            }
        }
        // An end that is recorded already has held the others before, so a driver that takes over holds none that came
        // later.
        if ended && *end != TurnEnd::Completed {
            self.hold(|entry| entry.outcome == Some(CommandOutcome::Queued));
        }
        if self.running().is_none() && self.background == 0 {
            self.close_asks(|_| true);
        }
    }

    fn take_process_end(&mut self) {
        self.process = Process::Ended;
        self.close_asks(|_| true);
        for entry in self.commands.iter_mut().filter(|e| e.is_open()) {
            match (entry.is_turn(), entry.began) {
                (true, true) => entry.ends(Some(TurnEnd::Interrupted), Some(PROCESS_ENDED.to_owned())),
                // The next process gets it.
                (true, false) => {
                    (entry.sent, entry.hold) = (false, entry.outcome != Some(CommandOutcome::Held));
                }
                (false, _) => entry.ends(None, None),
            }
        }
        if self.input_ended {
            return;
        }
        // A process that took no message fails again: the first message must not restart it for ever.
        let took_none = self.commands.iter().all(|e| !self.sent.contains(&request_key(self.language, e)));
        self.hold(|entry| took_none || entry.outcome == Some(CommandOutcome::Queued));
    }

    fn hold(&mut self, which: impl Fn(&Entry) -> bool) {
        for entry in self.commands.iter_mut().filter(|e| e.is_turn() && e.is_pending()) {
            entry.hold |= which(entry) && entry.outcome != Some(CommandOutcome::Held);
        }
    }

    fn close_asks(&mut self, which: impl Fn(&AskEntry) -> bool) {
        for ask in self.asks.iter_mut().filter(|ask| ask.is_open() && which(ask)) {
            ask.wait = AskWait::Closed;
        }
    }
}

fn request_key(language: Language, entry: &Entry) -> String {
    if entry.is_turn() { language.message_key(&entry.message) } else { language.request_key(&entry.message) }
}
