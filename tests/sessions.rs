//! Sessions from end to end by the command line: with and without a daemon, with a person's answers, and across the
//! death of the driver.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::common::{
    Outcome, Sandbox,
    agents::{Lab, RealAgent},
    daemon::Daemon,
    outcome,
    processes::{until, until_true},
};

const KEY: [(&str, &str); 1] = [("ANTHROPIC_API_KEY", "dummy")];

/// An agent that speaks the protocol: it notes its arguments, asks about messages with `ask`, and fails on `fail`.
const AGENT: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/calls"
while IFS= read -r line; do
    case $line in
    *'"subtype":"initialize"'*)
        echo '{"type":"control_response","response":{"subtype":"success","request_id":"conductor-initialize","response":{}}}' ;;
    *'"type":"user"'*)
        id=$(printf %s "$line" | sed 's/.*"uuid":"\([^"]*\)".*/\1/')
        text=$(printf %s "$line" | sed 's/.*"content":"\([^"]*\)".*/\1/')
        echo '{"type":"system","subtype":"init","session_id":"thread-1","model":"m"}'
        echo '{"type":"user","message":{"role":"user","content":"'"$text"'"},"uuid":"'"$id"'","isReplay":true}'
        error=false
        case $text in
        ask*)
            echo '{"type":"control_request","request_id":"request-'"$text"'","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{"command":"make"}}}'
            IFS= read -r answer || exit 1
            printf '%s\n' "$answer" >> "$HOME/answers"
            text=answered ;;
        fail*) error=true ;;
        esac
        echo '{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"said '"$text"'"}]}}'
        echo '{"type":"result","subtype":"success","is_error":'$error',"result":"said '"$text"'","session_id":"thread-1","user_message_uuids":["'"$id"'"]}' ;;
    esac
done
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let agent = sandbox.write("agent.sh", AGENT);
    let command = serde_json::to_string(&["/bin/sh", agent.to_str().unwrap()]).unwrap();
    sandbox.configure(format!("agents:\n  claude: {{command: {command}, permissions: ask}}\n"));
    sandbox
}

fn run(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.run_with(&KEY, line)
}

/// Returns the standard output of a verb that succeeds. Its words on standard error are for people.
fn output(outcome: Outcome) -> String {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.stdout
}

fn json(sandbox: &Sandbox, line: &str) -> Value {
    serde_json::from_str(&output(run(sandbox, &format!("{line} --json")))).unwrap()
}

fn task(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("p/t")
}

/// The lines of a file of the session, or of all runs.
fn lines(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sent(sandbox: &Sandbox) -> Vec<Value> {
    let mut runs: Vec<PathBuf> =
        fs::read_dir(task(sandbox).join("runs")).unwrap().map(|run| run.unwrap().path()).collect();
    runs.sort();
    runs.iter().flat_map(|run| lines(&run.join("stdin.jsonl"))).collect()
}

fn words(sandbox: &Sandbox, command: &str) -> Vec<String> {
    let outcomes = lines(&task(sandbox).join("outcomes.jsonl"));
    let of_command = outcomes.iter().filter(|line| line["in"] == command);
    of_command.map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
}

const NEW: &str = "session new --agent claude --project p --task t --prompt";

#[test]
fn a_session_answers_and_goes_on_with_the_same_conversation() {
    let sandbox = sandbox();
    let first = output(run(&sandbox, &format!("{NEW} one")));
    assert_eq!(first, "said one\n");
    let second = json(&sandbox, "send p/t two");
    assert_eq!((&second["turn"], &second["output"]), (&"completed".into(), &"said two\n".into()));
    let calls = fs::read_to_string(sandbox.home().join("calls")).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    assert!(calls.len() == 2 && !calls[0].contains("--resume"), "{calls:?}");
    assert!(calls[1].contains("--resume thread-1"), "{calls:?}");
    assert_eq!(words(&sandbox, "first"), ["queued", "sent", "done"]);

    // A failed turn is a failure, and the session goes on after it.
    let failed = run(&sandbox, "send p/t fail");
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(json(&sandbox, "send p/t three")["turn"], "completed");
    output(run(&sandbox, "fsck"));
}

#[test]
fn a_message_by_hand_is_answered_with_the_next_one() {
    let sandbox = sandbox();
    output(run(&sandbox, &format!("{NEW} one")));
    let commands = task(&sandbox).join("commands.jsonl");
    let mut text = fs::read_to_string(&commands).unwrap();
    let offset = text.len();
    text.push_str("{\"type\":\"turn\",\"text\":\"by hand\"}\nno json\n{\"type\":\"dance\"}\n");
    fs::write(&commands, text).unwrap();
    assert_eq!(json(&sandbox, "send p/t two")["turn"], "completed");
    assert_eq!(words(&sandbox, &format!("@{offset}")).last().unwrap(), "done");
    let refused = lines(&task(&sandbox).join("outcomes.jsonl"));
    assert_eq!(refused.iter().filter(|line| line["outcome"] == "refused").count(), 2, "{refused:?}");
}

#[test]
fn a_session_at_rest_is_continued_by_a_message_only() {
    let sandbox = sandbox();
    let first = run(&sandbox, &format!("{NEW} one"));
    assert!(first.stderr.contains("works in ") && first.stderr.contains("recorded in "), "{first:?}");
    run(&sandbox, "resume p/t").fails(16, "no message waits", "send p/t TEXT");
    assert!(output(run(&sandbox, "why p/t")).contains("is at rest since"));
    run(&sandbox, &format!("{NEW} again")).fails(4, "exists already", "send p/t TEXT");
    output(run(&sandbox, "stop p/t"));
    assert_eq!(json(&sandbox, "send p/t two")["turn"], "completed");

    // A message by hand can be answered without another one.
    let commands = task(&sandbox).join("commands.jsonl");
    let mut text = fs::read_to_string(&commands).unwrap();
    let offset = text.len();
    text.push_str("{\"type\":\"turn\",\"text\":\"by hand\"}\n");
    fs::write(&commands, text).unwrap();
    run(&sandbox, "resume p/t");
    assert_eq!(words(&sandbox, &format!("@{offset}")).last().unwrap(), "done");
}

/// A daemon knows the configuration of its start. A verb that waits knows the present one, and drives the session.
#[test]
fn a_session_is_started_with_the_settings_of_the_verb_that_waits() {
    let sandbox = sandbox();
    let asks = fs::read_to_string(sandbox.path("home/.config/conductor/config.yaml")).unwrap();
    sandbox.configure(asks.replace("permissions: ask", "permissions: bypass"));
    let _daemon = Daemon::start_with(&sandbox, &KEY, &[]);
    sandbox.configure(asks);
    for n in 0..5 {
        let task = format!("t{n}");
        let line = format!("session new --agent claude --project p --task {task} --prompt one");
        output(run(&sandbox, &line));
        output(run(&sandbox, &format!("send p/{task} two")));
    }
    let calls = fs::read_to_string(sandbox.home().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 10, "{calls}");
    assert!(!calls.contains("--dangerously-skip-permissions"), "{calls}");
}

#[test]
fn what_is_no_session_is_refused() {
    let sandbox = sandbox();
    output(run(&sandbox, "job --agent demo --project p --task t --prompt x"));
    run(&sandbox, "send p/t hello").fails(16, "is no session", "session new");
    let other = run(&sandbox, "session new --agent demo --project p --task u --prompt x");
    assert!(other.code != 0 && other.stderr.contains("takes one prompt only"), "{other:?}");
    assert!(!sandbox.root().join("p/u").exists());
}

/// Returns the only open request, as soon as there is one.
fn request(sandbox: &Sandbox) -> String {
    until("a request", || {
        let open = json(sandbox, "approvals");
        open[0]["request"].as_str().map(str::to_owned)
    })
}

#[test]
fn a_request_waits_for_a_person_and_the_first_answer_counts() {
    let sandbox = sandbox();
    let _daemon = Daemon::start_with(&sandbox, &KEY, &[]);
    output(run(&sandbox, &format!("{NEW} ask-1 --no-wait")));
    let id = request(&sandbox);
    let agent = sandbox.run_with(&[("JRUN_ID", "20260205-10000100001-1-0001")], &format!("approve {id}"));
    assert!(agent.code != 0 && agent.stderr.contains("must not answer"), "{agent:?}");
    let denied = json(&sandbox, &format!("deny {id} --message no"));
    assert_eq!(denied["result"], "applied");
    let late = run(&sandbox, &format!("approve {id} --task p/t --json"));
    assert_eq!(late.code, 4, "{late:?}");
    assert_eq!(serde_json::from_str::<Value>(&late.stdout).unwrap()["result"], "stale");
    until_true("the end of the turn", || words(&sandbox, "first").last().is_some_and(|word| word == "done"));
    let answers = fs::read_to_string(sandbox.home().join("answers")).unwrap();
    assert!(answers.lines().count() == 1 && answers.contains(r#""message":"no""#), "{answers}");

    assert_eq!(json(&sandbox, "approvals"), Value::Array(Vec::new()));
}

#[test]
fn a_request_outlives_the_daemon_and_its_answer_arrives_once() {
    let sandbox = sandbox();
    let daemon = Daemon::start_with(&sandbox, &KEY, &[]);
    output(run(&sandbox, &format!("{NEW} ask-1 --no-wait")));
    let id = request(&sandbox);
    daemon.kill();
    // Without a driver the answer waits in its file, and so does the next message.
    assert_eq!(json(&sandbox, &format!("approve {id}"))["result"], "pending");
    let message = r#"{"id":"second","type":"turn","text":"two"}"#;
    let commands = task(&sandbox).join("commands.jsonl");
    fs::write(&commands, fs::read_to_string(&commands).unwrap() + message + "\n").unwrap();
    let _daemon = Daemon::start_with(&sandbox, &KEY, &[]);
    until_true("the end of both turns", || {
        words(&sandbox, "second").last().is_some_and(|word| word == "done")
    });
    assert_eq!(words(&sandbox, "first").last().unwrap(), "done");
    let sent = sent(&sandbox);
    let of = |kind: &str| sent.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("user"), of("control_response")), (2, 1), "{sent:?}");
    let requests: Vec<Value> = lines(&task(&sandbox).join("TASK-MESSAGE-BUS.jsonl"))
        .into_iter()
        .filter(|message| message["type"] == "APPROVAL_REQUEST")
        .collect();
    assert_eq!(requests.len(), 1, "{requests:?}");
}

#[test]
fn the_real_agent_asks_a_person_and_goes_on_after_its_driver_was_killed() {
    let Some(lab) = Lab::of(RealAgent::Claude, "    permissions: ask\n") else { return };
    let prompt = "Make a file. [[run echo made > made.txt]] [[say It is made.]]";
    let mut new = lab.command(&["session", "new", "--agent", "claude", "--project", "p", "--task", "t"]);
    new.args(["--prompt", prompt, "--cwd"]).arg(lab.sandbox.work());
    let mut driver = new.spawn().unwrap();
    let approvals = || {
        let listed = output(outcome(&mut lab.command(&["approvals", "--json"])));
        serde_json::from_str::<Value>(&listed).unwrap()[0]["request"].as_str().map(str::to_owned)
    };
    let id =
        crate::common::processes::until_within(std::time::Duration::from_secs(90), "a request", approvals);
    assert!(!lab.sandbox.work().join("made.txt").exists());
    driver.kill().unwrap();
    driver.wait().unwrap();
    output(outcome(&mut lab.command(&["approve", &id])));
    let mut drive = lab.command(&["drive", "p/t"]);
    output(outcome(&mut drive));
    assert_eq!(fs::read_to_string(lab.sandbox.work().join("made.txt")).unwrap(), "made\n");
    assert_eq!(lab.read("t", "output.md"), "It is made.\n");
    let again = output(outcome(&mut lab.command(&["send", "p/t", "[[say Again.]]"])));
    assert_eq!(again, "Again.\n");
    let runs = lab.runs("t");
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[0].thread_id, runs[1].thread_id);
    until_true("the end of all", || lab.processes().is_empty());
}
