//! The dialogue of one run: `(state, input) → (state, effects)`.
//!
//! 1. One message at a time: a message of a caller waits until the turn before it has ended (`queued`).
//! 2. After a turn that failed or was interrupted, the waiting messages are held. A newer message releases them, and they
//!    go first.
//! 3. A message that the agent had begun is never sent again. One that it had not begun is sent to the next process,
//!    with the same id.
//! 4. A request of the agent is posted to the bus. The first line in approvals.jsonl that decides it is delivered, once.
//!    Without one in time the driver writes such a line itself, and the agent is told no.
//! 5. An interrupt names its turn, and is refused once that turn has ended. Open requests are settled first.
//! 6. A request or command that this version does not know is refused, never left open.
//! 7. When no turn runs, no message waits, no request is open and nothing runs in the agent's background, its input ends.
//!
//! A driver that takes over feeds all files with [`Dialogue::restore`]; the next [`Dialogue::step`] returns the effects
//! that the driver before it still owed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    effect::{Effect, Input},
    language::Language,
    owed,
    state::State,
};
use tree::refs::RunRef;

/// The settings of a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Time for the answer to a request of the agent.
    pub approval_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { approval_timeout: Duration::from_hours(12) }
    }
}

/// The dialogue of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dialogue {
    settings: Settings,
    state: State,
}

impl Dialogue {
    /// Begins the dialogue of a run.
    #[must_use]
    pub fn new(run: &RunRef, language: Language, settings: Settings) -> Self {
        Self { settings, state: State::new(run, language) }
    }

    /// Takes a fact from a file without acting on it: a driver that takes over acts once it knows all of them.
    pub fn restore(&mut self, now: DateTime<Utc>, input: Input) {
        self.state.take(now, input);
    }

    /// Takes an input, and returns the actions that are owed now, in their order.
    #[must_use]
    pub fn step(&mut self, now: DateTime<Utc>, input: Input) -> Vec<Effect> {
        self.state.take(now, input);
        let timeout = self.approval_timeout();
        owed::owed(&mut self.state, now, timeout)
    }

    /// Returns the time at which the dialogue needs an [`Input::Tick`].
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let timeout = self.approval_timeout();
        self.state.oldest_open_ask().and_then(|opened| opened.checked_add_signed(timeout))
    }

    /// Returns true if a request of the agent waits for a person.
    #[must_use]
    pub fn awaits_a_person(&self) -> bool {
        self.state.oldest_open_ask().is_some()
    }

    fn approval_timeout(&self) -> TimeDelta {
        TimeDelta::from_std(self.settings.approval_timeout).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use base::fsx::Line;
    use tree::{
        refs::TaskRef,
        session::{ApprovalLine, Command, OutcomeLine},
    };

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// A dialogue, and the effects since the last look, one word each.
    struct Talk(Dialogue, Vec<String>);

    impl Talk {
        fn new() -> Self {
            let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
            let run = task.run("20260205-10000100001-1-0001".parse().unwrap());
            Self(Dialogue::new(&run, Language::StreamJson, Settings::default()), Vec::new())
        }

        /// One that has begun the turn of message `a`.
        fn busy() -> Self {
            let mut talk = Self::new();
            talk.command(r#"{"id":"a","type":"turn","text":"a"}"#);
            talk.feed(Input::Started);
            talk.ready();
            talk.said();
            talk
        }

        fn feed(&mut self, input: Input) {
            self.feed_at(NOW, input);
        }

        fn feed_at(&mut self, now: DateTime<Utc>, input: Input) {
            for effect in self.0.step(now, input) {
                self.1.push(match &effect {
                    Effect::Send(line) => sent(line),
                    Effect::Outcome(line) => format!("{} {}", line.command, line.outcome),
                    Effect::Ask(ask) => format!("ask {}", ask.request),
                    Effect::Approval(line) => format!("{} {}", line.request, line.what),
                    Effect::EndInput => "end input".to_owned(),
                });
                if let Effect::Approval(line) = effect {
                    self.feed_at(now, Input::Approval(line));
                }
            }
        }

        fn command(&mut self, text: &str) {
            let bytes = text.as_bytes().to_vec();
            let line = Line { offset: 0, len: bytes.len() as u64, bytes };
            self.feed(Input::Command(Command::of_line(&line).unwrap()));
        }

        fn line(&mut self, line: &Value) {
            self.feed(Input::Line(serde_json::to_vec(line).unwrap()));
        }

        fn ready(&mut self) {
            let response = json!({"subtype": "success", "request_id": "conductor-initialize"});
            self.line(&json!({"type": "control_response", "response": response}));
        }

        fn begins(&mut self, key: &str) {
            self.line(&json!({"type": "user", "isReplay": true, "uuid": id(key)}));
        }

        fn ends(&mut self, key: &str, is_error: bool) {
            self.line(&json!({
                "type": "result", "is_error": is_error, "result": "words", "user_message_uuids": [id(key)],
            }));
        }

        fn asks(&mut self) {
            let request = json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}});
            self.line(&json!({"type": "control_request", "request_id": "r", "request": request}));
        }

        fn answer(&mut self, what: &str) {
            let line: ApprovalLine = serde_json::from_value(json!({"request": "r", "what": what})).unwrap();
            self.feed(Input::Approval(line));
        }

        fn said(&mut self) -> String {
            std::mem::take(&mut self.1).join(", ")
        }
    }

    fn id(key: &str) -> String {
        crate::message_id::of_command("p/t", key)
    }

    fn sent(line: &Value) -> String {
        let response = &line["response"]["response"]["behavior"];
        match line["type"].as_str().unwrap() {
            "user" => format!("send {}", line["message"]["content"].as_str().unwrap()),
            "control_request" => line["request"]["subtype"].as_str().unwrap().to_owned(),
            _ => response.as_str().unwrap_or("error").to_owned(),
        }
    }

    fn turn(key: &str) -> String {
        format!(r#"{{"id":"{key}","type":"turn","text":"{key}"}}"#)
    }

    #[test]
    fn messages_go_one_by_one_and_then_the_input_ends() {
        let mut talk = Talk::new();
        talk.command(&turn("a"));
        talk.command(&turn("a"));
        talk.feed(Input::Started);
        assert_eq!(talk.said(), "initialize, a queued");
        talk.ready();
        assert_eq!(talk.said(), "send a, a sent");
        talk.command(&turn("b"));
        talk.ends("a", false);
        assert_eq!(talk.said(), "b queued, a done, send b, b sent");
        talk.line(&json!({"type": "system", "subtype": "background_tasks_changed", "tasks": [1]}));
        talk.ends("b", false);
        assert_eq!(talk.said(), "b done");
        talk.line(&json!({"type": "system", "subtype": "background_tasks_changed", "tasks": []}));
        assert_eq!(talk.said(), "end input");
        talk.command(&turn("c"));
        talk.feed(Input::Ended);
        assert_eq!(talk.said(), "", "the next process gets it");
    }

    #[test]
    fn a_failed_turn_holds_the_messages_until_a_newer_one() {
        let mut talk = Talk::busy();
        talk.command(&turn("b"));
        talk.ends("a", true);
        assert_eq!(talk.said(), "b queued, b held, a done, end input");

        let mut next = Talk::new();
        for (key, outcomes) in [("a", "done"), ("b", "held"), ("c", "")] {
            next.command(&turn(key));
            if !outcomes.is_empty() {
                let line: OutcomeLine =
                    serde_json::from_value(json!({"in": key, "outcome": outcomes})).unwrap();
                next.feed(Input::Outcome(line));
            }
        }
        next.feed(Input::Started);
        next.ready();
        assert_eq!(next.said(), "initialize, c queued, send b, b sent");
    }

    #[test]
    fn a_process_that_dies_interrupts_the_turn_it_had_begun_and_gives_the_message_back_otherwise() {
        let mut begun = Talk::busy();
        begun.begins("a");
        begun.command(&turn("b"));
        begun.feed(Input::Ended);
        assert_eq!(begun.said(), "b queued, b held, a done");
        let mut not_begun = Talk::busy();
        not_begun.feed(Input::Ended);
        assert_eq!(not_begun.said(), "a held");
        let mut never_started = Talk::new();
        never_started.command(&turn("a"));
        never_started.feed(Input::Ended);
        assert_eq!(never_started.said(), "a held", "or it would be started for ever");
    }

    #[test]
    fn the_first_answer_is_delivered_and_no_other() {
        let mut talk = Talk::busy();
        talk.asks();
        talk.asks();
        assert_eq!(talk.said(), "ask r");
        assert!(talk.0.awaits_a_person());
        talk.answer("perhaps");
        talk.answer("denied");
        talk.answer("approved");
        assert_eq!(talk.said(), "deny, r delivered");
        assert!(!talk.0.awaits_a_person());
    }

    #[test]
    fn without_an_answer_in_time_the_agent_is_told_no() {
        let mut talk = Talk::busy();
        talk.asks();
        talk.feed(Input::Posted { request: "r".to_owned(), at: NOW - TimeDelta::hours(1) });
        let expiry = NOW + TimeDelta::hours(11);
        assert_eq!(talk.0.deadline(), Some(expiry));
        talk.feed_at(expiry - TimeDelta::seconds(1), Input::Tick);
        assert_eq!(talk.said(), "ask r");
        talk.feed_at(expiry, Input::Tick);
        assert_eq!(talk.said(), "r expired, deny, r delivered");
    }

    #[test]
    fn a_request_that_the_agent_gives_up_is_withdrawn() {
        let mut talk = Talk::busy();
        talk.asks();
        talk.line(&json!({"type": "control_cancel_request", "request_id": "r"}));
        talk.answer("approved");
        assert_eq!(talk.said(), "ask r, r withdrawn");
    }

    #[test]
    fn an_interrupt_settles_open_requests_first_and_names_its_turn() {
        let mut talk = Talk::busy();
        talk.asks();
        talk.command(r#"{"id":"other","type":"interrupt","turn":"z"}"#);
        talk.command(r#"{"id":"i","type":"interrupt","turn":"a"}"#);
        assert_eq!(talk.said(), "ask r, other refused, r withdrawn, deny, interrupt, i sent");
        let response = json!({"subtype": "success", "request_id": id("i")});
        talk.line(&json!({"type": "control_response", "response": response}));
        let aborted = json!({"type": "result", "is_error": true, "terminal_reason": "aborted_tools",
            "user_message_uuids": [id("a")]});
        talk.line(&aborted);
        assert_eq!(talk.said(), "i done, a done, end input");
        talk.command(r#"{"id":"late","type":"interrupt"}"#);
        assert_eq!(talk.said(), "late refused");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let mut talk = Talk::busy();
        let request = json!({"subtype": "elicitation"});
        talk.line(&json!({"type": "control_request", "request_id": "e", "request": request}));
        talk.command(r#"{"id":"s","type":"steer","text":"x"}"#);
        talk.command(r#"{"id":"n","type":"turn","text":" "}"#);
        assert_eq!(talk.said(), "error, s refused, n refused");
    }
}
