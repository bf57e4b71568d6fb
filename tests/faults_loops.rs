//! Loops, faults 4 to 8, 15, 16 and 27 of `docs/original-faults.md`: a request has its effect once, a stop ends a
//! loop, and a loop survives the death of a daemon.

use std::{fs, time::Duration};

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents, until},
    fake,
    processes::{Cleanup, marked},
};
use serde_json::{Value, json};

const DEFAULTS: &str = "restart_delay: 10ms, restart_delay_max: 10ms, stop_grace: 300ms";

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 5] = [
        ("quick", &["say:hello", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "wait-for:../go", "done"]),
        ("stubborn", &["ignore-term", "say:ready", "sleep:60000"]),
        ("silent", &["spawn-tree:2x2:60000", "sleep:60000"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, &format!("defaults: {{{DEFAULTS}{more}}}\n"));
    sandbox
}

fn new(task: &str, agent: &str) -> Value {
    json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "work"})
}

fn runs(daemon: &Daemon, task: &str) -> usize {
    daemon.task(task)["runs"].as_array().expect("runs").len()
}

/// The number of agents started for a task, by its bus.
fn starts(sandbox: &Sandbox, task: &str) -> usize {
    let bus = sandbox.root().join(format!("p/{task}/TASK-MESSAGE-BUS.jsonl"));
    fs::read_to_string(bus).unwrap_or_default().matches("\"type\":\"RUN_START\"").count()
}

/// Fault 4: a task that waited for longer than 5 s was started again and again, in the same folder, and held a place
/// meanwhile.
#[test]
fn what_waits_long_starts_once_and_takes_no_place() {
    let sandbox = sandbox(", max_concurrent_root_tasks: 1, max_concurrent_runs: 1");
    let daemon = Daemon::start(&sandbox, &[]);
    let mut blocked = new("blocked", "quick");
    blocked["depends_on"] = json!(["first"]);
    assert_eq!(daemon.post("/api/v1/tasks", &blocked).json()["status"], "queued");
    // The only place is free for it, although the blocked task came first.
    assert_eq!(daemon.post("/api/v1/tasks", &new("first", "waits")).json()["status"], "started");
    let third = daemon.post("/api/v1/tasks", &new("third", "quick")).json();
    assert_eq!((&third["status"], &third["queue_position"]), (&json!("queued"), &json!(1)), "{third}");
    // The original took 5 s to fail.
    let patience = if std::env::var_os("CONDUCTOR_SOAK").is_some() { 7000 } else { 1500 };
    std::thread::sleep(Duration::from_millis(patience));
    assert_eq!(["blocked", "first", "third"].map(|t| starts(&sandbox, t)), [0, 1, 0]);
    sandbox.write("home/run-agent/p/go", "");
    for task in ["first", "blocked", "third"] {
        daemon.until_task(task, "completed");
        assert_eq!((starts(&sandbox, task), runs(&daemon, task)), (1, 1), "{task}");
    }
}

/// Fault 5: after the server's death its runs were not followed any more, and the queue stood still until the next
/// submission.
#[test]
fn a_queue_goes_on_behind_a_daemon_that_died() {
    let sandbox = sandbox(", max_concurrent_root_tasks: 1, max_restarts: 0");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("first", "waits");
    for task in ["second", "third"] {
        assert_eq!(daemon.post("/api/v1/tasks", &new(task, "quick")).json()["status"], "queued");
    }
    daemon.kill();
    sandbox.write("home/run-agent/p/go", "");
    let exit = sandbox.root().join(format!("p/first/runs/{run}/exit.json"));
    until("it ends while there is no daemon", || exit.exists());
    let daemon = Daemon::start(&sandbox, &[]);
    for task in ["first", "second", "third"] {
        daemon.until_task(task, "completed");
        assert_eq!(starts(&sandbox, task), 1, "{task}");
    }
    let info = daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    assert_eq!((&info["status"], &info["exit_code"]), (&json!("success"), &json!(0)));
    let written =
        fs::read_to_string(sandbox.root().join(format!("p/first/runs/{run}/output.md"))).expect("an answer");
    assert_eq!(written, "ready\n");
}

/// Fault 6: two submissions of one name started two loops in one folder.
#[test]
fn of_many_submissions_of_one_name_one_is_accepted() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let body = new("t", "waits");
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..12).map(|_| scope.spawn(|| daemon.post("/api/v1/tasks", &body))).collect();
        calls.into_iter().map(|c| c.join().expect("an answer")).collect()
    });
    let accepted = answers.iter().filter(|a| a.status == 201).count();
    assert_eq!(accepted, 1, "{answers:?}");
    answers.iter().filter(|a| a.status != 201).for_each(|a| a.fails(409, "p/t"));
    until("it runs", || starts(&sandbox, "t") == 1);
    let attach = json!({"project_id": "p", "task_id": "t", "agent_type": "waits", "prompt": "work", "attach_mode": "attach"});
    let attached = daemon.post("/api/v1/tasks", &attach);
    assert_eq!(attached.status, 201, "{attached:?}");
    assert_eq!((starts(&sandbox, "t"), runs(&daemon, "t")), (1, 1), "to attach starts nothing");
    sandbox.write("home/run-agent/p/go", "");
    daemon.until_task("t", "completed");
    assert_eq!((starts(&sandbox, "t"), runs(&daemon, "t")), (1, 1));
}

/// Fault 7: a stop was a SIGTERM that could be ignored, and a second later the next attempt began.
#[test]
fn a_stop_ends_who_ignores_it_and_nothing_comes_after() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "stubborn");
    until("it ignores SIGTERM", || daemon.get(&format!("/api/v1/runs/{run}")).json()["output"] == "ready\n");
    let stopped = daemon.post(&format!("/api/v1/runs/{run}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (200, json!({"status": "stopped"})));
    let info = daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    assert_eq!(info["status"], "stopped", "{info}");
    daemon.until_task("t", "stopped");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((starts(&sandbox, "t"), runs(&daemon, "t")), (1, 1), "ten restart delays later");
    // The API, the command line and a shell all use the same marker.
    let markers = |task: &str| {
        let names = fs::read_dir(sandbox.root().join("p").join(task)).expect("its folder").flatten();
        let names = names.filter_map(|e| e.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|n| n.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(markers("t"), ["STOP"]);
    daemon.create("by-hand", "stubborn");
    sandbox.write("home/run-agent/p/by-hand/STOP", "");
    daemon.until_task("by-hand", "stopped");
    daemon.create("by-verb", "stubborn");
    assert_eq!(sandbox.run("stop p/by-verb").code, 0);
    daemon.until_task("by-verb", "stopped");
    assert_eq!((markers("by-hand"), markers("by-verb")), (vec!["STOP".to_owned()], vec!["STOP".to_owned()]));
}

/// Fault 8: resuming removed DONE, and nothing ran.
#[test]
fn to_resume_is_to_run() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let first = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let resumed = daemon.post("/api/projects/p/tasks/t/resume", &Value::Null);
    assert_eq!((resumed.status, &resumed.json()["resumed"]), (200, &json!(true)), "{resumed:?}");
    let second = resumed.json()["run_id"].clone();
    assert_ne!(second, first);
    until("it has run again", || starts(&sandbox, "t") == 2);
    daemon.until_task("t", "completed");
    assert_eq!(daemon.task("t")["runs"][0]["run_id"], second);
}

/// Fault 15: over HTTP neither restarts nor times could be set, and a restart knew nothing of the run before it. An
/// agent that fell silent lost only its first process.
#[test]
fn a_task_sets_its_own_limits_and_a_restart_knows_what_was() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let mut fails = new("fails", "fails");
    fails["config"] = json!({"max_restarts": 2, "restart_delay": "20ms", "env.TEST_COLOUR": "blue"});
    assert_eq!(daemon.post("/api/v1/tasks", &fails).status, 201);
    let task = daemon.until_task("fails", "failed");
    assert_eq!(task["runs"].as_array().map(Vec::len), Some(3), "one and two restarts: {task}");
    let last = task["runs"][0]["run_id"].as_str().expect("a run").to_owned();
    let prompt = fs::read_to_string(sandbox.root().join(format!("p/fails/runs/{last}/prompt.md")))
        .expect("its prompt");
    let before = task["runs"][1]["run_id"].as_str().expect("a run");
    for said in ["Continue working on the following:\n\nwork", before, "exit code 3", "attempt 2"] {
        assert!(prompt.contains(said), "{said}: {prompt}");
    }

    let mark = format!("TEST_MARK=faults-{}-{}", std::process::id(), daemon.port);
    let _cleanup = Cleanup::of(&mark);
    let mut silent = new("silent", "silent");
    let (name, value) = mark.split_once('=').expect("a variable");
    silent["config"] = json!({"timeout": "300ms", "max_restarts": 0});
    silent["config"][format!("env.{name}")] = value.into();
    assert_eq!(daemon.post("/api/v1/tasks", &silent).status, 201);
    until("its processes are there", || marked(&mark).len() >= 5);
    let ended = daemon.until_task("silent", "failed");
    let run = ended["runs"][0]["run_id"].as_str().expect("a run");
    let why = daemon.get(&format!("/api/v1/runs/{run}/info")).json()["error_summary"].clone();
    assert!(
        why.as_str()
            .is_some_and(|w| w.contains("timeout") || w.contains("silent") || w.contains("no output")),
        "{why}"
    );
    until("all of its processes have gone", || marked(&mark).is_empty());
}

/// Fault 16: a fresh install answered 201, ran nothing, and gave its agents commands that did not exist.
#[test]
fn a_fresh_install_runs_a_task_and_tells_its_agent_what_works() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "demo");
    daemon.until_task("t", "completed");
    assert_eq!(daemon.get(&format!("/api/v1/runs/{run}/info")).json()["status"], "success");
    drop(daemon);

    // An agent that runs every command of its prompt, exactly as printed there.
    let script = r#"set -e
        sed -n '/^---$/q; s/^- `\(run-agent [^`]*\)`.*/\1/p; s/^- .*: `\(run-agent [^`]*\)`.*/\1/p' "$JRUN_RUN_FOLDER/prompt.md" > commands
        while IFS= read -r line; do
            # It would ask itself without end.
            line=$(echo "$line" | sed 's/--agent obeys/--agent demo/'); echo "doing: $line"; eval "$line" </dev/null
        done < commands
        touch "$JRUN_TASK_FOLDER/DONE""#;
    let command = serde_json::to_string(&["/bin/sh", "-c", script]).expect("JSON");
    sandbox.configure(format!(
        "agents:\n  obeys: {{type: command, command: {command}}}\ndefaults: {{max_restarts: 0}}\n"
    ));
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("obeys", "obeys");
    let task = until_ended(&daemon, "obeys");
    let said = daemon.get(&format!("/api/v1/runs/{run}")).json();
    assert_eq!(task["status"], "completed", "{task}\n{said}\n{}", file(&daemon, "obeys", &run, "stderr"));
    let done = said["output"].as_str().expect("its output").matches("doing: run-agent").count();
    assert!(done >= 4, "{said}");
    let messages = daemon.get("/api/projects/p/tasks/obeys/messages").body;
    assert!(messages.contains("what you found out"), "{messages}");
}

fn until_ended(daemon: &Daemon, task: &str) -> Value {
    until("the task has ended", || {
        ["completed", "failed"].contains(&daemon.task(task)["status"].as_str().unwrap_or(""))
    });
    daemon.task(task)
}

fn file(daemon: &Daemon, task: &str, run: &str, name: &str) -> String {
    daemon.get(&format!("/api/projects/p/tasks/{task}/runs/{run}/file?name={name}")).body
}

/// Fault 27: the end of each task put forty lines on the project's bus, again whenever DONE was touched.
#[test]
fn the_end_of_a_task_is_told_once_and_in_one_line() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    for task in ["a", "b"] {
        daemon.create(task, "quick");
        daemon.until_task(task, "completed");
    }
    drop(daemon);
    sandbox.write("home/run-agent/p/a/DONE", "");
    let daemon = Daemon::start(&sandbox, &[]);
    until("the tree is read", || {
        daemon.get("/api/v1/tasks").json()["tasks"].as_array().map(Vec::len) == Some(2)
    });
    let messages =
        daemon.get("/api/projects/p/messages").json()["messages"].as_array().expect("messages").clone();
    assert_eq!(messages.len(), 2, "{messages:?}");
    for message in messages {
        let body = message["body"].as_str().expect("a body");
        assert!(!body.contains('\n') && body.len() < 400, "{body}");
    }
}
