//! The actions that a state owes. Each is owed once: the state remembers it, and so does its file.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    effect::Effect,
    news::Request,
    state::{AskEntry, AskWait, End, Entry, Process, State},
};
use tree::{
    kinds::{ApprovalWord, CommandOutcome},
    session::{ApprovalLine, OutcomeLine},
};

/// Returns the actions that are owed now, in their order.
pub(crate) fn owed(state: &mut State, now: DateTime<Utc>, timeout: TimeDelta) -> Vec<Effect> {
    let mut owed = Owed { state, now, timeout, effects: Vec::new() };
    if owed.can_send() {
        for line in owed.state.language.opening() {
            owed.send(line);
        }
        for refusal in std::mem::take(&mut owed.state.refusals) {
            owed.send(refusal);
        }
    }
    owed.requests();
    owed.ends();
    owed.interrupts();
    owed.messages();
    owed.sent();
    owed.end_of_input();
    owed.effects
}

struct Owed<'a> {
    state: &'a mut State,
    now: DateTime<Utc>,
    timeout: TimeDelta,
    effects: Vec<Effect>,
}

impl Owed<'_> {
    fn can_send(&self) -> bool {
        self.state.process == Process::Running && !self.state.input_ended
    }

    fn send(&mut self, request: Request) {
        if self.state.sent.insert(request.key) {
            self.effects.push(Effect::Send(request.line));
        }
    }

    /// Settles the requests of the agent.
    fn requests(&mut self) {
        for at in 0..self.state.asks.len() {
            let AskEntry { ask, opened, posted, .. } = self.state.asks[at].clone();
            let decision = self.state.decisions.get(&ask.request).cloned();
            let settled = self.state.settled.contains(&ask.request);
            if self.state.asks[at].wait == AskWait::Answered {
                if !settled {
                    self.record(at, ApprovalWord::Delivered, None);
                }
            } else if self.state.asks[at].wait == AskWait::Closed {
                if !settled {
                    self.record(at, ApprovalWord::Withdrawn, Some("the agent does not wait for it any more"));
                }
            } else if let Some(decision) = decision {
                if self.can_send() {
                    let answer = self.state.language.answer(&ask, &decision);
                    self.send(answer);
                    self.state.asks[at].wait = AskWait::Answered;
                    if !settled {
                        self.record(at, ApprovalWord::Delivered, None);
                    }
                }
            } else {
                if !posted {
                    self.effects.push(Effect::Ask(ask));
                    self.state.asks[at].posted = true;
                }
                if self.now - opened >= self.timeout {
                    self.decide(at, ApprovalWord::Expired, "no person has answered in time");
                }
            }
        }
    }

    /// Records the delivery or withdrawal of a request.
    fn record(&mut self, at: usize, what: ApprovalWord, message: Option<&str>) {
        let request = self.state.asks[at].ask.request.clone();
        self.effects.push(Effect::Approval(self.approval(&request, what, message)));
        self.state.settled.insert(request);
    }

    /// Writes a line that decides a request, unless another one came first: the file tells when it is read back.
    fn decide(&mut self, at: usize, what: ApprovalWord, message: &str) {
        if !self.state.asks[at].decision_written {
            self.state.asks[at].decision_written = true;
            let request = self.state.asks[at].ask.request.clone();
            self.effects.push(Effect::Approval(self.approval(&request, what, Some(message))));
        }
    }

    fn approval(&self, request: &str, what: ApprovalWord, message: Option<&str>) -> ApprovalLine {
        ApprovalLine {
            id: None,
            request: request.to_owned(),
            time: Some(self.now),
            actor: None,
            source: Some("driver".to_owned()),
            what,
            message: message.map(str::to_owned),
            input: None,
            extra: std::collections::BTreeMap::new(),
        }
    }

    /// Records the messages that are held, and then the ends. In this order, a driver that takes over in between holds
    /// them as well.
    fn ends(&mut self) {
        for at in 0..self.state.commands.len() {
            if std::mem::take(&mut self.state.commands[at].hold) {
                let reason = "the turn before it did not complete; the next message releases it";
                self.outcome(at, CommandOutcome::Held, None, Some(reason.to_owned()));
            }
        }
        for at in 0..self.state.commands.len() {
            if let Some(End { outcome, turn, reason }) = self.state.commands[at].end.take() {
                self.outcome(at, outcome, turn, reason);
            }
        }
    }

    fn outcome(
        &mut self,
        at: usize,
        outcome: CommandOutcome,
        turn: Option<tree::kinds::TurnEnd>,
        reason: Option<String>,
    ) {
        let entry = &mut self.state.commands[at];
        entry.outcome = Some(outcome.clone());
        self.effects.push(Effect::Outcome(OutcomeLine {
            command: entry.command.key.clone(),
            time: Some(self.now),
            outcome,
            run_id: Some(self.state.run.clone()),
            turn,
            reason,
        }));
    }

    fn refuse(&mut self, at: usize, reason: &str) {
        self.outcome(at, CommandOutcome::Refused, None, Some(reason.to_owned()));
    }

    /// Refuses commands that cannot be carried out, and interrupts the turn that runs.
    fn interrupts(&mut self) {
        for at in 0..self.state.commands.len() {
            let entry = &self.state.commands[at];
            if !entry.is_pending() {
                continue;
            }
            match &entry.command.line {
                Err(problem) => {
                    let problem = problem.clone();
                    self.refuse(at, &problem);
                }
                Ok(line) if line.kind == "turn" => {
                    if line.text.as_deref().is_none_or(|text| text.trim().is_empty()) {
                        self.refuse(at, "the message has no text");
                    }
                }
                Ok(line) if line.kind == "interrupt" => {
                    let turn = line.turn.clone();
                    self.interrupt(at, turn.as_deref());
                }
                Ok(line) => {
                    let reason = format!("this version does not know the command '{}'", line.kind);
                    self.refuse(at, &reason);
                }
            }
        }
    }

    fn interrupt(&mut self, at: usize, turn: Option<&str>) {
        let entry = &self.state.commands[at];
        let is_meant = |running: &Entry| match turn {
            Some(turn) => running.command.key == turn,
            None => running.command.offset < entry.command.offset,
        };
        if self.state.running().is_none_or(|running| !is_meant(running)) {
            let reason = if turn.is_some() { "that turn does not run" } else { "no turn runs" };
            return self.refuse(at, reason);
        }
        if !self.can_send() {
            return;
        }
        let open: Vec<usize> =
            (0..self.state.asks.len()).filter(|&at| self.state.asks[at].is_open()).collect();
        if open.is_empty() {
            let request = self.state.language.interrupt(&entry.message);
            self.send(request);
            self.state.commands[at].sent = true;
        }
        for at in open {
            self.decide(at, ApprovalWord::Withdrawn, "the turn was interrupted");
        }
    }

    /// Sends the next message, or records that it waits.
    fn messages(&mut self) {
        if !self.can_send() {
            return;
        }
        let waits = |entry: &Entry| entry.is_turn() && entry.is_pending();
        // A message that was never held releases those before it.
        let released =
            self.state.commands.iter().any(|e| waits(e) && e.outcome != Some(CommandOutcome::Held));
        for at in 0..self.state.commands.len() {
            if !waits(&self.state.commands[at]) {
                continue;
            }
            if self.state.running().is_some() || !self.state.ready {
                if self.state.commands[at].outcome.is_none() {
                    self.outcome(at, CommandOutcome::Queued, None, None);
                }
            } else if released {
                let entry = &self.state.commands[at];
                let text = entry.command.line.as_ref().ok().and_then(|line| line.text.as_deref());
                let request = self.state.language.turn(&entry.message, text.unwrap_or_default());
                self.send(request);
                self.state.commands[at].sent = true;
            }
        }
    }

    /// Records the commands that are on their way.
    fn sent(&mut self) {
        for at in 0..self.state.commands.len() {
            let entry = &self.state.commands[at];
            if entry.is_open() && entry.outcome != Some(CommandOutcome::Sent) {
                self.outcome(at, CommandOutcome::Sent, None, None);
            }
        }
    }

    /// Ends the agent's input when there is nothing left to do.
    fn end_of_input(&mut self) {
        let state = &*self.state;
        let waits = |e: &Entry| e.is_turn() && e.is_pending() && e.outcome != Some(CommandOutcome::Held);
        let is_idle = state.ready
            && state.background == 0
            && !state.commands.iter().any(|e| e.is_open() || waits(e))
            && !state.asks.iter().any(AskEntry::is_open);
        if self.can_send() && is_idle {
            self.state.input_ended = true;
            self.effects.push(Effect::EndInput);
        }
    }
}
