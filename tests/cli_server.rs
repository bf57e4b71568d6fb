//! `run-agent server`: the verbs over HTTP, with a daemon found by its root or by name, and the exit codes of its
//! refusals.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::common::{
    Outcome, Sandbox,
    daemon::{Daemon, agents, until},
    fake, outcome,
};

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:hello", "err:careful", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "wait-for:../go", "say:gone on", "done"]),
    ];
    let defaults =
        "defaults: {restart_delay: 10ms, restart_delay_max: 10ms, max_restarts: 0, agent: quick}\n";
    agents(&sandbox, &fake::agent(), &steps, &format!("{defaults}{more}"));
    sandbox
}

fn ask(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.run(&format!("server {line}"))
}

fn json(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {}", outcome.stdout))
}

#[test]
fn work_is_submitted_followed_and_answered() {
    let sandbox = sandbox("");
    let _daemon = Daemon::start(&sandbox, &[]);
    let done = ask(&sandbox, "job submit --project p --task t --prompt do --follow");
    assert_eq!((done.code, done.stdout.as_str()), (0, "hello\n"), "{done:?}");
    for said in ["p/t/", "started", "hello", "careful", "completed"] {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    let submit =
        ["server", "job", "submit", "--project", "p", "--prompt", "'x", "--agent", "fails", "--json"];
    let started = json(&outcome(&mut sandbox.command(submit)));
    let task = started["task_id"].as_str().unwrap().to_owned();
    let watched = ask(&sandbox, &format!("watch p/{task} --timeout 30s"));
    assert_eq!(watched.code, 1, "{watched:?}");
    assert!(watched.stdout.contains("exit code 3"), "{watched:?}");

    let list = json(&ask(&sandbox, "task list --project p --json"));
    assert_eq!(list.as_array().unwrap().len(), 2);
    let table = ask(&sandbox, "task list").stdout;
    assert!(table.starts_with("TASK") && table.contains("p/t") && table.contains("completed"), "{table}");
    let runs = ask(&sandbox, "task runs t --project p").stdout;
    assert!(runs.lines().count() == 2 && runs.contains("success"), "{runs}");
    assert_eq!(ask(&sandbox, "task logs p/t --follow").stdout, "hello\n");
    assert!(ask(&sandbox, "task status p/t").stdout.starts_with("task p/t completed"));
    // A name that is taken, and one that does not exist.
    ask(&sandbox, "job submit --project p --task t --prompt again").fails(4, "exists already", "");
    ask(&sandbox, "task status p/nobody").fails(3, "nobody", "");
    ask(&sandbox, "job submit --project p --task u --prompt x --agent nobody").fails(16, "nobody", "");
    ask(&sandbox, "job submit --project p --task u --prompt x --agent nobody").fails(
        16,
        "when it starts",
        "",
    );
    // The project of the working folder is meant, as without a daemon.
    assert!(ask(&sandbox, "task status t").stdout.starts_with("task p/t completed"));
    let elsewhere = outcome(sandbox.command(["server", "task", "status", "t"]).current_dir(sandbox.home()));
    elsewhere.fails(2, "no project is named", "PROJECT/TASK");
}

/// The demo agent prints a log and writes its answer into a file.
#[test]
fn what_is_submitted_and_followed_is_printed_as_job_prints_it() {
    let sandbox = Sandbox::new();
    sandbox.configure("agents: {demo: {args: [--pace, \"0\"]}}\n");
    sandbox.write("work/src/main.rs", "fn main() {}\n");
    let _daemon = Daemon::start(&sandbox, &[]);
    let flags = "--project p --agent demo --prompt report --follow";
    let (job, submitted) = (
        sandbox.run(&format!("job --task a {flags}")),
        ask(&sandbox, &format!("job submit --task b {flags}")),
    );
    for (task, done) in [("a", &job), ("b", &submitted)] {
        assert_eq!((done.code, &done.stdout), (0, &sandbox.run(&format!("output p/{task}")).succeeds()));
        assert!(done.stderr.contains("made DONE") && !done.stdout.contains("made DONE"), "{done:?}");
    }
}

/// An agent with a known stream is shown as text, and the loop is followed through its attempts.
#[test]
fn a_known_stream_is_followed_as_text_over_all_attempts() {
    let sandbox = Sandbox::new();
    let line =
        r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"I look."}]}}"#;
    let script = format!(
        "cat <<'X'\n{line}\nX\n[ $(ls \"$JRUN_TASK_FOLDER\"/runs | wc -l) -lt 2 ] || touch \"$JRUN_TASK_FOLDER\"/DONE"
    );
    let command = serde_json::to_string(&["sh", "-c", &script]).unwrap();
    sandbox.configure(format!(
        "defaults: {{restart_delay: 10ms, restart_delay_max: 10ms}}\nagents:\n  known: {{type: claude, command: {command}}}\n"
    ));
    let _daemon = Daemon::start_with(&sandbox, &[("ANTHROPIC_API_KEY", "k")], &[]);
    let done = ask(&sandbox, "job submit --project p --task t --prompt do --agent known --follow");
    assert_eq!(done.stderr.matches("I look.\n").count(), 2, "{done:?}");
    assert!(!done.stderr.contains("\"assistant\""), "{done:?}");
}

#[test]
fn a_stopped_task_ends_its_follower_with_the_code_of_a_stop() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let words = [
        "server",
        "job",
        "submit",
        "--project",
        "p",
        "--task",
        "t",
        "--prompt",
        "x",
        "--agent",
        "waits",
        "--follow",
    ];
    let mut command = sandbox.command(words);
    let follower = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut follower = Ended(follower);
    until("it runs", || daemon.get("/api/v1/tasks/t?project_id=p").body.contains("runs since"));
    assert_eq!(sandbox.run("stop p/t").code, 0);
    assert_eq!(follower.0.wait().unwrap().code(), Some(130));
}

/// A process that ends with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_says_that_the_usual_port_is_taken_and_by_what() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let sandbox = sandbox(&format!("api: {{port: {port}}}\n"));
    let mut command = sandbox.command(["serve"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut daemon = Ended(child);
    let first_line = |from: &mut dyn std::io::Read| {
        let mut line = String::new();
        BufReader::new(from).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let listening = first_line(daemon.0.stdout.as_mut().unwrap());
    let another = listening.rsplit_once(':').unwrap().1;
    assert_ne!(another, port.to_string());
    let (mut stderr, mut said) = (BufReader::new(daemon.0.stderr.as_mut().unwrap()).lines(), Vec::new());
    let notice = stderr.by_ref().map(Result::unwrap).find(|line| {
        said.push(line.clone());
        line.starts_with(&format!("port {port} is taken"))
    });
    let notice = notice.unwrap_or_else(|| panic!("no notice: {said:?}"));
    let holder = format!("(pid {}); listening on {another}", std::process::id());
    assert!(notice.ends_with(&holder), "{notice}");
    // A port that the user insists on is not replaced.
    let root = sandbox.path("another root").display().to_string();
    std::fs::create_dir(&root).unwrap();
    let insists = outcome(&mut sandbox.command(["serve", "--root", &root, "--port", &port.to_string()]));
    insists.fails(4, &format!("cannot listen on 127.0.0.1:{port}: the port is taken by"), "--port 0");
}

#[test]
fn a_batch_is_understood_before_any_of_it_is_submitted() {
    let sandbox = sandbox("");
    let _daemon = Daemon::start(&sandbox, &[]);
    let good = "{\"prompt\": \"one\", \"task_id\": \"a\"}\n\n{\"prompt\": \"two\", \"task_id\": \"b\", \"depends_on\": [\"a\"]}\n";
    sandbox.write("work/bad.jsonl", format!("{good}{{\"promt\": 1}}\n"));
    sandbox.write("work/good.jsonl", good);
    ask(&sandbox, "job submit-batch bad.jsonl --project p").fails(16, "line 4 of bad.jsonl", "");
    assert_eq!(json(&ask(&sandbox, "task list --json")), serde_json::json!([]));
    let done = ask(&sandbox, "job submit-batch good.jsonl --project p --wait");
    assert_eq!((done.code, done.stdout.as_str()), (0, "hello\nhello\n"), "{done:?}");
}

#[test]
fn a_log_is_followed_over_a_restart_of_the_daemon() {
    let sandbox = sandbox("");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let daemon = Daemon::start(&sandbox, &["--port", &port]);
    daemon.create("t", "waits");
    until("it runs", || ask(&sandbox, "task status p/t").stdout.contains("runs since"));
    let mut command = sandbox.command(["server", "task", "logs", "p/t", "--follow"]);
    let mut follower = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    daemon.kill();
    let _daemon = Daemon::start(&sandbox, &["--port", &port]);
    sandbox.write("home/run-agent/p/go", "");
    assert_eq!(lines.collect::<Vec<_>>(), ["gone on"]);
    assert!(follower.wait().unwrap().success());
}

#[test]
fn messages_are_posted_and_read_page_by_page() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let id = ask(&sandbox, "bus post --project p --task t --type FACT --body it-is-so").succeeds();
    let read = ask(&sandbox, "bus read --project p --task t").succeeds();
    assert!(read.contains(&format!("FACT {id}")) && read.contains("  it-is-so\n"), "{read}");
    assert_eq!(ask(&sandbox, &format!("bus read --project p --task t --after {}", id.trim())).succeeds(), "");
    let lines = ask(&sandbox, "bus read --project p --task t --json").succeeds();
    assert!(lines.lines().all(|l| serde_json::from_str::<Value>(l).is_ok()) && lines.lines().count() > 3);
}

#[test]
fn a_daemon_is_stopped_from_asking_in_vain() {
    let sandbox = sandbox("api: {auth_enabled: true, api_key: secret-of-the-house}\n");
    let nobody = ask(&sandbox, "status --server http://127.0.0.1:1");
    nobody.fails(5, "cannot reach the daemon at http://127.0.0.1:1", "run-agent serve");
    let daemon = Daemon::start(&sandbox, &[]);
    // The key comes from the configuration; a wrong key on the command line is refused.
    assert_eq!(ask(&sandbox, "status").code, 0);
    let there = format!("--server http://127.0.0.1:{}", daemon.port);
    let refused = ask(&sandbox, &format!("task list {there} --api-key wrong"));
    refused.fails(6, "", "--api-key");
    assert!(!format!("{refused:?}").contains("secret-of-the-house"));
    let started = json(&ask(&sandbox, "job submit --project p --task t --prompt x --agent waits --json"));
    assert_eq!(started["status"], "started");
    let stopped = ask(&sandbox, "task stop p/t");
    assert!(stopped.code == 0 && stopped.stderr.contains("cancelled"), "{stopped:?}");
    ask(&sandbox, "job submit --project p --prompt x -- sh -c true").fails(
        2,
        "does not run a program",
        "agents",
    );
}

/// Calls every verb of a daemon that requires a key, which the command line takes from the environment.
#[test]
fn every_verb_works_where_a_key_is_asked_for() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &["--api-key", "key-of-the-house"]);
    let there = format!("http://127.0.0.1:{}", daemon.port);
    let plain = |line: &str| ask(&sandbox, line);
    let keyed = |line: &str| {
        sandbox.run_with(&[("CONDUCTOR_API_KEY", "key-of-the-house")], &format!("server {line}"))
    };
    for verb in [
        "status",
        "task list",
        "job list",
        "project list",
        "bus read --project p --task a",
        "job submit --project p --prompt x",
    ] {
        plain(verb).fails(6, "unauthorized", "--api-key");
    }
    let batch = "{\"prompt\": \"one\", \"task_id\": \"a\"}\n{\"prompt\": \"two\", \"task_id\": \"b\", \"agent_type\": \"fails\"}\n";
    sandbox.write("work/batch.jsonl", batch);
    let submitted = keyed("job submit-batch batch.jsonl --project p --json");
    let lines: Vec<Value> = submitted.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((submitted.code, lines.len(), &lines[1]["task_id"]), (0, 2, &"b".into()), "{submitted:?}");
    let watched = keyed("watch a b --project p --timeout 30s --json");
    assert_eq!(watched.code, 1, "one of them fails: {watched:?}");
    let answers: Value = serde_json::from_str(&watched.stdout).unwrap();
    assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&"completed".into(), &"failed".into()));
    assert_eq!(keyed("job submit --project p --task c --prompt x --wait").stdout, "hello\n");
    // The flag and an explicit address take precedence over the environment.
    let flagged =
        sandbox.run(&format!("server --server {there} --api-key key-of-the-house task status p/c --json"));
    assert_eq!(json(&flagged)["status"], "completed");
    let named = sandbox.run_with(
        &[
            ("JRUN_CONDUCTOR_URL", &there),
            ("CONDUCTOR_API_KEY", "key-of-the-house"),
            ("CONDUCTOR_ROOT", "/proc/nonexistent"),
        ],
        "server project list --json",
    );
    assert_eq!(json(&named)[0]["id"], "p");

    assert!(keyed("task logs p/a").stdout.contains("hello"));
    assert_eq!(json(&keyed("task runs p/b --json"))[0]["exit_code"], 3);
    let resumed = json(&keyed("task resume p/b --json"));
    assert_eq!(resumed["resumed"], true);
    until("it has failed again", || {
        json(&keyed("task status p/b --json"))["runs"].as_array().unwrap().len() == 2
            && json(&keyed("task status p/b --json"))["status"] == "failed"
    });
    keyed("task resume p/nobody").fails(3, "nobody", "");
    let posted = keyed("bus post --project p --task a --type FACT --body said");
    assert_eq!(posted.code, 0, "{posted:?}");
    assert!(keyed("bus read --project p --task a").stdout.contains("said"));
    let table = keyed("project list").stdout;
    assert!(table.starts_with("PROJECT") && table.contains("p "), "{table}");
    let stats = keyed("project stats p").stdout;
    assert!(stats.contains("total_runs") && stats.contains('4'), "{stats}");
    let gc = |flags: &str| json(&keyed(&format!("project gc p --older-than 0s {flags} --json")));
    assert_eq!(gc("--dry-run --keep-failed")["deleted_runs"], 0, "the older run of b did not succeed");
    assert_eq!(gc("--dry-run")["deleted_runs"], 1);
    keyed("project gc p --older-than 0s").fails(2, "", "add --yes to remove 1 old run, ");
    assert_eq!((&gc("--yes")["deleted_runs"], &gc("--yes")["deleted_runs"]), (&1.into(), &0.into()));
    assert_eq!(keyed("task delete p/a").code, 0);
    keyed("task status p/a").fails(3, "p/a", "");
    assert_eq!(
        json(&keyed("job submit --project p --task live --prompt x --agent waits --json"))["status"],
        "started"
    );
    assert!(keyed("job list").stdout.contains("p/live") && keyed("status").stdout.contains("p/live"));
    keyed("project delete p").fails(4, "", "");
    assert_eq!(json(&keyed("project delete p --force --json"))["deleted_tasks"], 3);
    keyed("project stats p").fails(3, "project p", "");
    let empty = keyed("job list");
    assert!(empty.code == 0 && empty.stderr.contains("nothing is queued or running"), "{empty:?}");
}
