//! `/api/v1/stream`: what a page follows, as one stream.

use crate::common::{
    Sandbox,
    daemon::{Daemon, Event, Events, agents, until as until_holds},
    fake,
};
use serde_json::{Value, json};

/// Prints a hundred lines.
const PRINTS: [&str; 101] = {
    let mut steps = ["say:one line of a hundred"; 101];
    steps[100] = "done";
    steps
};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("prints", &PRINTS),
        ("talks", &["say:one", "err:two", "done"]),
        ("waits", &["say:ready", "wait-for:../go", "say:gone on", "done"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {restart_delay: 10ms}\n");
    sandbox
}

fn open(daemon: &Daemon, topics: &str, last: Option<&str>) -> Events {
    let stream = daemon.stream(&format!("/api/v1/stream?topics={topics}"), last);
    assert_eq!(stream.status, 200, "{}", stream.head);
    stream
}

/// Reads until an event of this topic and type arrives. Returns all events until then.
fn until(stream: &mut Events, topic: &str, kind: &str) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let event = stream.next().expect("the stream goes on");
        let found = event.data["topic"] == topic && event.data["type"] == kind;
        events.push(event);
        if found {
            return events;
        }
    }
}

fn of<'a>(events: &'a [Event], topic: &str, kind: &str) -> Vec<&'a Value> {
    events.iter().map(|e| &e.data).filter(|d| d["topic"] == topic && d["type"] == kind).collect()
}

#[test]
fn a_page_follows_everything_over_one_stream() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let topics = [
        "tree".to_owned(),
        "tree:p/t".to_owned(),
        "runs".to_owned(),
        format!("run:{run}"),
        "log:p/t".to_owned(),
        "bus:p".to_owned(),
        "bus:p/t".to_owned(),
        format!("file:{run}/stdout"),
    ];
    let mut stream = open(&daemon, &topics.join(","), None);
    let mut seen = Vec::new();
    for topic in &topics {
        if of(&seen, topic, "ready").is_empty() {
            seen.extend(until(&mut stream, topic, "ready"));
        }
    }
    assert!(seen.iter().all(|e| e.name.is_none() && e.id.is_some()), "{seen:?}");
    let tree = of(&seen, "tree", "task").pop().expect("the task")["task"].clone();
    assert_eq!((&tree["id"], &tree["project_id"]), (&json!("t"), &json!("p")), "{tree}");
    assert_eq!(of(&seen, "tree", "project").pop().expect("the project")["project"]["id"], "p");
    let posted = daemon.post("/api/v1/messages", &json!({"project_id": "p", "body": "hello"})).json();
    seen.extend(until(&mut stream, "bus:p", "message"));
    let message = &of(&seen, "bus:p", "message").pop().expect("it")["message"];
    assert_eq!((&message["msg_id"], &message["body"]), (&posted["msg_id"], &json!("hello")));

    sandbox.write("home/run-agent/p/go", "");
    seen.extend(until(&mut stream, &format!("file:{run}/stdout"), "done"));
    while of(&seen, "tree:p/t", "task").last().is_none_or(|d| d["task"]["status"] != "completed") {
        seen.push(stream.next().expect("the stream goes on"));
    }
    while of(&seen, &format!("run:{run}"), "done").is_empty() {
        seen.push(stream.next().expect("the stream goes on"));
    }
    let texts: String = of(&seen, &topics[7], "text").iter().filter_map(|d| d["text"].as_str()).collect();
    assert_eq!(texts, "ready\ngone on\n");
    for topic in [&topics[3], "log:p/t"] {
        let lines: Vec<_> = of(&seen, topic, "log").iter().filter_map(|d| d["line"].as_str()).collect();
        assert_eq!(lines, ["ready", "gone on"], "{topic}");
    }
    let detail = &of(&seen, "tree:p/t", "task").pop().expect("it")["task"];
    assert_eq!(detail["runs"][0]["run_id"], run.as_str(), "{detail}");
    // Fetched again after each event: the task may change once more after it has completed.
    let listed = || daemon.get("/api/projects/p/tasks").json()["items"].clone();
    while of(&seen, "tree", "task").last().is_none_or(|d| json!([d["task"]]) != listed()) {
        seen.push(stream.next().expect("the tree says in the end what the list says"));
    }
    let named = of(&seen, "tree", "task");
    assert!(
        named.iter().all(|d| d["task"]["id"] == "t"),
        "a file in the project's folder is no task: {named:?}"
    );
}

#[test]
fn other_topics_join_where_the_old_ones_go_on() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let mut stream = open(&daemon, "tree,bus:p/t", None);
    let mut seen = until(&mut stream, "tree", "ready");
    if of(&seen, "bus:p/t", "ready").is_empty() {
        seen.extend(until(&mut stream, "bus:p/t", "ready"));
    }
    let cursor = seen.last().and_then(|e| e.id.clone()).expect("a cursor");
    drop(stream);
    let topics = format!("bus:p/t,run:{run},file:{run}/stdout%3Ftail=4,bus:nobody,tree");
    let mut stream = open(&daemon, &topics, Some(&cursor));
    daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": "t", "body": "new"}));
    let mut seen = until(&mut stream, &format!("run:{run}"), "done");
    for (topic, kind) in
        [("bus:p/t", "message"), ("bus:nobody", "gone"), (&*format!("file:{run}/stdout"), "done")]
    {
        if of(&seen, topic, kind).is_empty() {
            seen.extend(until(&mut stream, topic, kind));
        }
    }
    let bodies: Vec<_> =
        of(&seen, "bus:p/t", "message").iter().map(|d| d["message"]["body"].clone()).collect();
    assert_eq!(bodies, ["new"], "what was told is not told again");
    assert_eq!(of(&seen, &format!("run:{run}"), "log").len(), 2);
    let text = of(&seen, &format!("file:{run}/stdout"), "text");
    assert_eq!(
        (&text[0]["text"], &text[0]["offset"], &text[0]["end"]),
        (&json!("one\n"), &json!(0), &json!(4))
    );
    assert!(of(&seen, "tree", "task").is_empty() && of(&seen, "tree", "project").is_empty(), "{seen:?}");

    // A topic that did not exist is reported once it does.
    daemon.post("/api/projects", &json!({"project_id": "nobody", "project_root": sandbox.path("")}));
    let back = until(&mut stream, "bus:nobody", "ready");
    assert!(of(&back, "bus:nobody", "gone").is_empty());
}

#[test]
fn the_log_of_a_task_begins_with_its_end_if_wanted() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let first = daemon.create("t", "prints");
    daemon.until_task("t", "completed");
    let resumed = daemon.post("/api/projects/p/tasks/t/resume", &Value::Null);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    let second = || daemon.task("t")["runs"][0]["run_id"].as_str().unwrap_or_default().to_owned();
    until_holds("the second run is there", || second() != first);
    daemon.until_task("t", "completed");
    let second = second();
    let printed = std::fs::read(sandbox.path(format!("home/run-agent/p/t/runs/{second}/agent-stdout.txt")))
        .expect("the second run has printed");

    // The lines that a topic sends until it is ready, and the position after them.
    let told = |topic: &str, after: Option<&str>| {
        let mut stream = open(&daemon, topic, after);
        let events = until(&mut stream, "log:p/t", "ready");
        let cursor = events.last().and_then(|e| e.id.clone()).expect("a cursor");
        let lines: Vec<(String, usize)> = of(&events, "log:p/t", "log")
            .iter()
            .map(|d| {
                let text = |key: &str| d[key].as_str().unwrap_or_default().to_owned();
                (text("run_id"), text("line").len() + usize::from(d["continues"] != true))
            })
            .collect();
        (lines, cursor)
    };
    let of_run = |lines: &[(String, usize)], run: &str| -> usize {
        lines.iter().filter(|(id, _)| id == run).map(|(_, bytes)| bytes).sum()
    };
    let both = printed.len() * 2;
    for (tail, least, most) in [
        (0, 0, 0),
        (400, 1, 400),
        (printed.len(), printed.len(), printed.len()),
        (printed.len() + 400, printed.len() + 1, printed.len() + 400),
        (both + 64, both, both),
    ] {
        let topic = format!("log:p/t%3Ftail={tail}");
        let (lines, cursor) = told(&topic, None);
        let bytes = of_run(&lines, &first) + of_run(&lines, &second);
        assert!((least..=most).contains(&bytes), "tail={tail} told {bytes} of {both} bytes");
        assert_eq!(of_run(&lines, &second), bytes.min(printed.len()), "tail={tail} begins with the newest");
        assert_eq!(told(&topic, Some(&cursor)).0, [], "tail={tail} goes on where it was");
    }
}

#[test]
fn another_daemon_says_reset_for_its_index_and_nothing_twice_of_files() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let topics = format!("tree,runs,run:{run},bus:p/t");
    let mut stream = open(&daemon, &topics, None);
    let mut seen = Vec::new();
    for topic in topics.split(',') {
        if of(&seen, topic, "ready").is_empty() {
            seen.extend(until(&mut stream, topic, "ready"));
        }
    }
    let cursor = seen.last().and_then(|e| e.id.clone()).expect("a cursor");
    daemon.kill();
    daemon = Daemon::start(&sandbox, &[]);
    let mut stream = open(&daemon, &topics, Some(&cursor));
    let mut again = Vec::new();
    for topic in topics.split(',') {
        if of(&again, topic, "ready").is_empty() {
            again.extend(until(&mut stream, topic, "ready"));
        }
    }
    for topic in ["tree", "runs"] {
        let first = again.iter().find(|e| e.data["topic"] == topic).expect("an event");
        assert_eq!(first.data["type"], "reset");
    }
    assert_eq!(of(&again, "tree", "task"), of(&seen, "tree", "task"));
    assert_eq!(of(&again, "runs", "run_updated").len(), 1);
    let of_files = again.iter().filter(|e| e.data["topic"] != "tree" && e.data["topic"] != "runs");
    assert!(of_files.clone().all(|e| e.data["type"] == "ready") && of_files.count() == 2, "{again:?}");
}

#[test]
fn what_is_not_understood_is_said() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.get("/api/v1/stream").fails(400, "topics is missing");
    daemon.get("/api/v1/stream?topics=,").fails(400, "topics is missing");
    daemon.get("/api/v1/stream?topics=tree,file:r/task.lock").fails(400, "task.lock");
    daemon.get("/api/v1/stream?topics=tree&after=7").fails(400, "after");
    let many = vec!["runs"; 201].join(",");
    daemon.get(&format!("/api/v1/stream?topics={many}")).fails(400, "at most 200");
    let mut stream = open(&daemon, "tree&topics=runs", Some("nonsense"));
    assert_eq!(stream.next().expect("an event").data, json!({"type": "reset"}));
    let mut seen = until(&mut stream, "runs", "ready");
    if of(&seen, "tree", "ready").is_empty() {
        seen.extend(until(&mut stream, "tree", "ready"));
    }
}
