//! The clients of the original Conductor Loop: its command line and its page read more than its document says, and
//! differ from it in a few points, which `faces.conductor_loop` turns on.

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, Events, agents, until},
    fake,
};

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:one", "say:two", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "sleep:60000"]),
    ];
    let defaults =
        "defaults: {restart_delay: 10ms, restart_delay_max: 10ms, max_restarts: 1, stop_grace: 2s}\n";
    agents(&sandbox, &fake::agent(), &steps, &format!("{defaults}{more}"));
    sandbox
}

fn cancel(daemon: &Daemon, task: &str) -> (u16, Value) {
    let answer = daemon.send("DELETE", &format!("/api/v1/tasks/{task}?project_id=p"), "", "");
    (answer.status, answer.json())
}

#[test]
fn the_task_of_a_project_has_what_the_original_s_page_reads() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("bad", "fails");
    let newest_first = daemon.until_task("bad", "failed")["runs"].clone();
    let shown = daemon.get("/api/projects/p/tasks/bad").json();
    let ids: Vec<&Value> = shown["runs"].as_array().expect("runs").iter().map(|run| &run["run_id"]).collect();
    assert_eq!(
        ids,
        [&newest_first[1]["run_id"], &newest_first[0]["run_id"]],
        "the latest run is the last one"
    );
    for run in shown["runs"].as_array().expect("runs") {
        let names: Vec<&str> =
            run["files"].as_array().expect("files").iter().filter_map(|file| file["name"].as_str()).collect();
        assert!(names.contains(&"stdout") && names.contains(&"prompt"), "{run}");
    }
    assert_eq!((&shown["status"], &shown["done"]), (&json!("failed"), &json!(true)));
    let bare = daemon.get("/api/projects/p/tasks/bad?include_files=0").json()["runs"][0].clone();
    assert!(bare["id"] == shown["runs"][0]["id"] && bare.get("files").is_none(), "{bare}");

    daemon.create("live", "waits");
    let done = |task: &str| daemon.get(&format!("/api/projects/p/tasks/{task}")).json()["done"].clone();
    assert_eq!(done("live"), false);
    assert_eq!(cancel(&daemon, "live"), (200, json!({"status": "cancelled", "stopped_runs": 1})));
    assert_eq!(done("live"), true);
    daemon.create("good", "quick");
    daemon.until_task("good", "completed");
    assert_eq!(done("good"), true);
}

#[test]
fn dependencies_may_stand_in_one_text() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let new = |task: &str, depends_on: Value| json!({"project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "x", "depends_on": depends_on});
    for (task, given, understood) in [
        ("one", json!(["a,b"]), json!(["a", "b"])),
        ("spaces", json!(["a , b", "b", "c"]), json!(["a", "b", "c"])),
        ("list", json!(["a", "b"]), json!(["a", "b"])),
    ] {
        let started = daemon.post("/api/v1/tasks", &new(task, given));
        assert_eq!((started.status, &started.json()["depends_on"]), (201, &understood), "{started:?}");
    }
    for bad in [json!(["a,"]), json!([","]), json!(["a,../b"]), json!("a,b")] {
        assert_eq!(daemon.post("/api/v1/tasks", &new("bad", bad.clone())).status, 400, "{bad}");
    }
}

#[test]
fn messages_have_the_original_s_time_and_types() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let posted = daemon
        .post("/api/projects/p/tasks/t/messages", &json!({"type": "code-review", "body": "looks good"}))
        .json();
    let all = daemon.get("/api/projects/p/tasks/t/messages").json()["messages"].clone();
    let mut stream = daemon.stream("/api/projects/p/tasks/t/messages/stream", None);
    let streamed =
        std::iter::from_fn(|| stream.next()).find(|event| event.data["msg_id"] == posted["msg_id"]);
    for message in [all.as_array().expect("messages").last().expect("one"), &streamed.expect("it").data] {
        assert_eq!((&message["msg_id"], &message["type"]), (&posted["msg_id"], &json!("code-review")));
        assert_eq!((&message["ts"], &message["timestamp"]), (&posted["timestamp"], &posted["timestamp"]));
    }
}

#[test]
fn a_stop_is_answered_when_the_task_has_ended_and_an_ended_task_is_left_alone() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("stopped", "waits");
    let stopped = daemon.post(&format!("/api/v1/runs/{run}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (200, json!({"status": "stopped"})));
    let at_rest = |task: &str| {
        let shown = daemon.task(task);
        let reason = shown["reason"].as_str().unwrap_or_default().to_owned();
        assert_eq!(shown["status"], "stopped", "{shown}");
        assert!(reason.contains("was stopped at"), "{reason}");
    };
    at_rest("stopped");

    daemon.create("cancelled", "waits");
    assert_eq!(cancel(&daemon, "cancelled"), (200, json!({"status": "cancelled", "stopped_runs": 1})));
    at_rest("cancelled");

    for (task, agent, status) in [("good", "quick", "completed"), ("bad", "fails", "failed")] {
        let run = daemon.create(task, agent);
        let before = daemon.until_task(task, status);
        assert_eq!(cancel(&daemon, task), (200, json!({"status": "ended", "stopped_runs": 0})));
        daemon.post(&format!("/api/v1/runs/{run}/stop"), &Value::Null).fails(409, "ended");
        let path = format!("/api/projects/p/tasks/{task}/runs/{run}/stop");
        daemon.post(&path, &Value::Null).fails(409, "not running");
        assert!(!sandbox.root().join(format!("p/{task}/STOP")).exists(), "{task}");
        assert_eq!(daemon.task(task), before);
    }
}

/// Returns the events of a run until its end, as `status <word>` and `log <line>`.
fn until_end_of(events: &mut Events, run: &str) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let event = events.next().expect("an event");
        if event.data["run_id"] != run {
            continue;
        }
        let name = event.name.expect("a name");
        let key = if name == "log" { "line" } else { "status" };
        said.push(format!("{name} {}", event.data[key].as_str().expect("a text")));
        for key in ["project_id", "task_id"] {
            assert!(event.data[key].is_string(), "{}", event.data);
        }
        if name == "status" && event.data["status"] != "running" {
            assert!(
                said.last().is_some_and(|last| last != "status completed") || event.data["exit_code"] == 0
            );
            return said;
        }
    }
}

#[test]
fn with_its_face_the_stream_of_all_runs_is_the_original_s() {
    let sandbox = sandbox("faces: {conductor_loop: true}\n");
    let daemon = Daemon::start(&sandbox, &[]);
    let mut events = daemon.stream("/api/v1/runs/stream/all", None);
    let good = daemon.create("good", "quick");
    assert_eq!(
        until_end_of(&mut events, &good),
        ["status running", "log one", "log two", "status completed"],
        "the lines stand before the end"
    );
    let bad = daemon.create("bad", "fails");
    assert_eq!(until_end_of(&mut events, &bad), ["status running", "log alas", "status failed"]);

    // A client that comes later learns of the ends that it may have missed, and of what is live.
    let live = daemon.create("live", "waits");
    until("it has said so", || {
        daemon.get(&format!("/api/v1/runs/{live}")).json()["output"].as_str() == Some("ready\n")
    });
    let mut late = daemon.stream("/api/v1/runs/stream/all", None);
    assert_eq!(until_end_of(&mut late, &good), ["status completed"]);
    assert_eq!(cancel(&daemon, "live").0, 202);
    assert_eq!(until_end_of(&mut late, &live), ["status running", "status stopped"], "no earlier output");
}

#[test]
fn with_its_face_words_and_statuses_are_the_original_s() {
    let sandbox = sandbox("faces: {conductor_loop: true}\n");
    let daemon = Daemon::start(&sandbox, &[]);
    let good = daemon.create("good", "quick");
    let task = daemon.until_task("good", "completed");
    for shown in [
        &task["runs"][0],
        &daemon.get(&format!("/api/v1/runs/{good}")).json(),
        &daemon.get("/api/v1/runs?status=completed").json()["runs"][0],
        &daemon.get("/api/v1/runs?status=success").json()["runs"][0],
    ] {
        assert_eq!((&shown["run_id"], &shown["status"]), (&json!(good), &json!("completed")));
    }
    let log = daemon.stream(&format!("/api/v1/runs/{good}/stream"), None).rest();
    assert!(log.iter().any(|event| event.data["status"] == "completed"), "{log:?}");

    let live = daemon.create("live", "waits");
    let stopped = daemon.post(&format!("/api/v1/runs/{live}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (202, json!({"status": "stopping"})));
    daemon.until_task("live", "stopped");
    daemon.create("other", "waits");
    assert_eq!(cancel(&daemon, "other"), (202, json!({"status": "cancelling", "stopped_runs": 1})));
    daemon.until_task("other", "stopped");
    assert_eq!(cancel(&daemon, "other"), (202, json!({"status": "ended", "stopped_runs": 0})));
}
