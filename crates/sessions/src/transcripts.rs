//! The captured conversations with real agents as table tests: the dialogue sends what was sent there, and a driver that
//! takes over at any line, and between any two effects, comes to the same end.
//!
//! In the fixtures a row is a line to the agent (`send`), a line of the agent (`recv`), or the end of its process
//! (`exit`). `$m3` stands for the id of the third command.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Dialogue, Effect, Input, Language, Settings, message_id};
use base::fsx::Line;
use tree::{
    kinds::ApprovalWord,
    refs::{RunRef, TaskRef},
    session::{ApprovalLine, Command, OutcomeLine},
};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const APPROVALS: &str = include_str!("../fixtures/stream-json-approvals.jsonl");
const KILLED: &str = include_str!("../fixtures/stream-json-killed.jsonl");

/// One event of a conversation, seen by the driver.
#[derive(Debug, Clone)]
enum Step {
    Command(String, Value),
    Answer(ApprovalLine),
    Line(Value),
    Exit,
}

/// The files of a session and of its present run.
#[derive(Debug, Clone, Default, PartialEq)]
struct Files {
    commands: Vec<Command>,
    outcomes: Vec<OutcomeLine>,
    approvals: Vec<ApprovalLine>,
    bus: Vec<String>,
    run: usize,
    stdin: Vec<Value>,
    stdout: Vec<Value>,
    input_ended: bool,
    ended: bool,
    /// The lines for the agents of all runs.
    all_stdin: Vec<Value>,
}

fn task() -> TaskRef {
    TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() }
}

fn run(number: usize) -> RunRef {
    task().run(format!("20260205-10000100001-1-000{number}").parse().unwrap())
}

fn dialogue(number: usize) -> Dialogue {
    Dialogue::new(&run(number), Language::StreamJson, Settings::default())
}

fn key(number: usize) -> String {
    format!("c{number}")
}

fn bytes(line: &Value) -> Vec<u8> {
    serde_json::to_vec(line).unwrap()
}

impl Files {
    /// A driver that takes over.
    fn restored(&self) -> Dialogue {
        let mut dialogue = dialogue(self.run);
        let mut inputs: Vec<Input> = Vec::new();
        inputs.extend(self.commands.iter().cloned().map(Input::Command));
        inputs.extend(self.outcomes.iter().cloned().map(Input::Outcome));
        inputs.extend(self.approvals.iter().cloned().map(Input::Approval));
        inputs.extend(self.stdin.iter().cloned().map(Input::Sent));
        inputs.extend(self.input_ended.then_some(Input::InputEnded));
        inputs.push(Input::Started);
        inputs.extend(self.stdout.iter().map(|line| Input::Line(bytes(line))));
        inputs.extend(self.ended.then_some(Input::Ended));
        for input in inputs {
            dialogue.restore(NOW, input);
        }
        // The state can be stored and read at any time.
        let stored = serde_json::to_string(&dialogue).unwrap();
        assert_eq!(serde_json::from_str::<Dialogue>(&stored).unwrap(), dialogue);
        dialogue
    }

    /// Carries effects out, at most `limit` of them. Returns the inputs that they cause, and the number that was left.
    fn carry_out(&mut self, effects: Vec<Effect>, limit: &mut usize) -> Vec<Input> {
        let mut inputs = Vec::new();
        for effect in effects {
            if *limit == 0 {
                break;
            }
            *limit -= 1;
            match effect {
                Effect::Send(line) => {
                    self.stdin.push(line.clone());
                    self.all_stdin.push(line);
                }
                Effect::Outcome(line) => self.outcomes.push(line),
                Effect::Ask(ask) => {
                    if !self.bus.contains(&ask.request) {
                        self.bus.push(ask.request.clone());
                    }
                    inputs.push(Input::Posted { request: ask.request, at: NOW });
                }
                Effect::Approval(line) => {
                    self.approvals.push(line.clone());
                    inputs.push(Input::Approval(line));
                }
                Effect::EndInput => self.input_ended = true,
            }
        }
        inputs
    }

    /// Feeds an input and all inputs that its effects cause. Returns false if the driver died meanwhile.
    fn feed(&mut self, dialogue: &mut Dialogue, input: Input, limit: &mut usize) -> bool {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = dialogue.step(NOW, input);
            let count = effects.len();
            let before = *limit;
            inputs.extend(self.carry_out(effects, limit));
            if before - *limit < count {
                return false;
            }
        }
        true
    }

    /// Writes the file that an event changes, and returns the input of a driver that sees it.
    fn record(&mut self, step: &Step) -> Input {
        match step {
            Step::Command(id, line) => {
                let mut line = line.clone();
                line["id"] = json!(id);
                let line = Line { offset: self.commands.len() as u64, len: 0, bytes: bytes(&line) };
                let command = Command::of_line(&line).unwrap();
                self.commands.push(command.clone());
                Input::Command(command)
            }
            Step::Answer(line) => {
                self.approvals.push(line.clone());
                Input::Approval(line.clone())
            }
            Step::Line(line) => {
                self.stdout.push(line.clone());
                Input::Line(bytes(line))
            }
            Step::Exit => {
                self.ended = true;
                Input::Ended
            }
        }
    }

    fn next_run(&mut self) -> Dialogue {
        self.run += 1;
        self.stdin.clear();
        self.stdout.clear();
        (self.input_ended, self.ended) = (false, false);
        self.restored()
    }

    /// The facts that every driver has to agree on: the lines for the agent in order, the outcomes of each command, and
    /// the lines about each request.
    fn facts(&self) -> (Vec<Value>, By<'_, OutcomeLine>, By<'_, ApprovalLine>) {
        let mut outcomes = BTreeMap::<_, Vec<_>>::new();
        for line in &self.outcomes {
            let of_command = outcomes.entry(line.command.as_str()).or_default();
            // A driver that dies between an action and its record records the action only.
            if line.outcome.is_final() {
                of_command.push(line);
            }
        }
        let mut approvals = BTreeMap::<_, Vec<_>>::new();
        for line in &self.approvals {
            approvals.entry(line.request.as_str()).or_default().push(line);
        }
        (self.all_stdin.clone(), outcomes, approvals)
    }
}

/// Lines by the command or the request that they are about.
type By<'a, T> = BTreeMap<&'a str, Vec<&'a T>>;

/// Plays a conversation. With a cut, the driver dies at this step after this number of effects, and another one takes
/// over. Returns the files, and the number of effects of each step.
fn play(steps: &[Step], cut: Option<(usize, usize)>) -> (Files, Vec<usize>) {
    let mut files = Files::default();
    let mut counts = Vec::new();
    let mut driver = files.next_run();
    for (number, step) in steps.iter().enumerate() {
        let mut limit = cut.filter(|(at, _)| *at == number).map_or(usize::MAX, |(_, limit)| limit);
        let before = limit;
        let input = files.record(step);
        if !files.feed(&mut driver, input, &mut limit) || limit == 0 {
            driver = files.restored();
            files.feed(&mut driver, Input::Tick, &mut usize::MAX.clone());
        }
        counts.push(before - limit);
        if matches!(step, Step::Exit) {
            driver = files.next_run();
        }
        // The first input of a driver that finds its agent's process.
        files.feed(&mut driver, Input::Started, &mut usize::MAX.clone());
    }
    (files, counts)
}

/// The events of a fixture, and the lines that its agents were sent.
fn steps(fixture: &str) -> (Vec<Step>, Vec<Value>) {
    let (mut steps, mut sent, mut asked) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut commands = 0;
    for row in fixture.lines() {
        let mut text = row.to_owned();
        for number in (1..20).rev() {
            text = text.replace(&format!("$m{number}"), &message_id::of_command("p/t", &key(number)));
        }
        let row: Value = serde_json::from_str(&text).unwrap();
        let line = &row["msg"];
        match (row["dir"].as_str().unwrap(), line["type"].as_str().unwrap_or_default()) {
            ("exit", _) => steps.push(Step::Exit),
            ("recv", kind) => {
                if kind == "control_request" {
                    asked.insert(line["request_id"].to_string(), line["request"]["input"].clone());
                }
                steps.push(Step::Line(line.clone()));
            }
            (_, kind) => {
                sent.push(line.clone());
                match kind {
                    "user" => {
                        commands += 1;
                        let command = json!({"type": "turn", "text": line["message"]["content"]});
                        // Asked for while the turn before it still runs, so that the process goes on with it.
                        let begin =
                            steps.iter().rposition(|s| matches!(s, Step::Exit)).map_or(0, |at| at + 1);
                        let is_result = |s: &Step| matches!(s, Step::Line(l) if l["type"] == "result");
                        let result = steps[begin..].iter().rposition(is_result);
                        let at = begin + result.unwrap_or(0);
                        steps.insert(at, Step::Command(key(commands), command));
                    }
                    "control_response" => steps.push(Step::Answer(answer(&line["response"], &asked))),
                    _ if line["request"]["subtype"] == "interrupt" => {
                        commands += 1;
                        steps.push(Step::Command(key(commands), json!({"type": "interrupt"})));
                    }
                    _ => {}
                }
            }
        }
    }
    (steps, sent)
}

/// The line in approvals.jsonl that makes the driver give this answer.
fn answer(response: &Value, asked: &BTreeMap<String, Value>) -> ApprovalLine {
    let (request, given) = (&response["request_id"], &response["response"]);
    let approved = given["behavior"] == "allow";
    let what = if approved { ApprovalWord::Approved } else { ApprovalWord::Denied };
    let input = (approved && given["updatedInput"] != asked[&request.to_string()])
        .then(|| given["updatedInput"].clone());
    ApprovalLine {
        id: None,
        request: request.as_str().unwrap().to_owned(),
        time: None,
        actor: None,
        source: None,
        what,
        message: given["message"].as_str().map(str::to_owned),
        input,
        extra: BTreeMap::new(),
    }
}

/// A line without the parts that differ between the capture and the driver.
fn essence(line: &Value) -> Value {
    let mut line = line.clone();
    if line["request"]["subtype"] == "initialize" {
        line = json!("initialize");
    }
    line
}

fn words(files: &Files, command: &str) -> Vec<String> {
    let of_command = files.outcomes.iter().filter(|line| line.command == command);
    of_command
        .map(|line| {
            let turn = line.turn.as_ref().map(|turn| format!(" {turn}")).unwrap_or_default();
            format!("{}{turn}", line.outcome)
        })
        .collect()
}

#[test]
fn the_agents_are_sent_what_they_were_sent_in_the_captured_conversations() {
    for fixture in [APPROVALS, KILLED] {
        let (steps, sent) = steps(fixture);
        let (files, _) = play(&steps, None);
        let essence = |lines: &[Value]| lines.iter().map(essence).collect::<Vec<_>>();
        let (got, expected) = (essence(&files.all_stdin), essence(&sent));
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got, expected);
        }
        assert_eq!(got.len(), expected.len());
    }
}

#[test]
fn each_command_ends_with_one_outcome() {
    let (files, _) = play(&steps(APPROVALS).0, None);
    assert_eq!(words(&files, "c1"), ["queued", "sent", "done completed"]);
    assert_eq!(words(&files, "c6"), ["queued", "sent", "done interrupted"]);
    assert_eq!(words(&files, "c7"), ["sent", "done"]);
    let asked: Vec<&str> = files.bus.iter().map(String::as_str).collect();
    assert_eq!(asked.len(), 5, "{asked:?}");
    for request in asked {
        let lines: Vec<_> =
            files.approvals.iter().filter(|l| l.request == request).map(|l| &l.what).collect();
        assert!(lines.len() == 2 && lines[1] == &ApprovalWord::Delivered, "{lines:?}");
    }

    let (files, _) = play(&steps(KILLED).0, None);
    // The process was killed while its request waited for a person.
    assert_eq!(words(&files, "c4"), ["queued", "sent", "done interrupted"]);
    assert_eq!(files.approvals.len(), 1);
    assert_eq!(files.approvals[0].what, ApprovalWord::Withdrawn);
    assert_eq!(words(&files, "c5"), ["queued", "sent", "done completed"]);
}

#[test]
fn a_driver_that_takes_over_anywhere_sends_no_line_twice_and_forgets_none() {
    for fixture in [APPROVALS, KILLED] {
        let (steps, _) = steps(fixture);
        let (uncut, counts) = play(&steps, None);
        let mut cuts = 0;
        for (step, count) in counts.iter().enumerate() {
            for effects in 0..=*count {
                let (files, _) = play(&steps, Some((step, effects)));
                assert_eq!(files.facts(), uncut.facts(), "cut at step {step} after {effects} effects");
                cuts += 1;
            }
        }
        assert!(cuts > steps.len(), "{cuts}");
    }
}
