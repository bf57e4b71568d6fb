//! Files of runs and tasks, their streams, and the stream of all runs of a task.

use std::io::Read;

use crate::common::{
    Sandbox,
    daemon::{Daemon, Event, agents},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 5] = [
        ("talks", &["say:one", "say:two", "err:three", "say:<script>ü", "done"]),
        ("odd", &["say:a\rid: 9", "say:", "say:end", "done"]),
        ("floods", &["flood:2", "done"]),
        ("waits", &["say:ready", "wait-for:../go", "say:gone on", "done"]),
        ("fails", &["say:alas", "exit:3"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {restart_delay: 10ms, max_restarts: 2}\n");
    sandbox
}

/// Decodes the events of a plain file stream, as a client does.
fn text(raw: &str) -> (String, Vec<String>) {
    let (mut text, mut names) = (String::new(), Vec::new());
    for block in raw.split("\n\n").filter(|b| b.lines().any(|l| l.starts_with("data:"))) {
        let data: Vec<&str> = block.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
        if let Some(name) = block.lines().find_map(|l| l.strip_prefix("event: ")) {
            names.push(format!("{name} {}", data.join("\n")));
        } else {
            text.push_str(&data.join("\n"));
            text.push('\n');
        }
    }
    (text, names)
}

#[test]
fn a_file_is_shown_whole_its_end_or_a_range() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let file = |query: &str| daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/file?{query}"));
    let shown = file("name=stdout").json();
    let whole = "one\ntwo\n<script>ü\n";
    assert_eq!(
        (&shown["name"], &shown["content"], &shown["size_bytes"]),
        (&json!("stdout"), &json!(whole), &json!(whole.len()))
    );
    assert!(shown["modified"].is_string() && shown.get("truncated").is_none(), "{shown}");
    for (name, content) in [("agent-stdout.txt", whole), ("output.md", whole), ("stderr", "three\n")] {
        assert_eq!(file(&format!("name={name}")).json()["content"], content, "{name}");
    }
    assert!(file("name=prompt").json()["content"].as_str().is_some_and(|p| p.contains("work")));
    let tail = file("name=stdout&tail=2").json();
    assert_eq!(
        (&tail["content"], &tail["offset"], &tail["truncated"]),
        (&json!("two\n<script>ü\n"), &json!(4), &json!(true))
    );
    assert_eq!(file("name=stdout&tail=99").json()["content"], whole);

    let raw = file("name=stdout&format=raw");
    assert_eq!(raw.body, whole);
    assert!(
        raw.head.contains("content-type: text/plain; charset=utf-8") && raw.head.contains("nosniff"),
        "{raw:?}"
    );
    let range = |range: &str| {
        daemon.send(
            "GET",
            &format!("/api/projects/p/tasks/t/runs/{run}/file?name=stdout"),
            &format!("Range: {range}\r\n"),
            "",
        )
    };
    let part = range("bytes=4-6");
    assert_eq!((part.status, part.body.as_str()), (206, "two"));
    assert!(part.head.contains(&format!("content-range: bytes 4-6/{}", whole.len())), "{part:?}");
    assert_eq!(range("bytes=-3").body, "ü\n");
    let outside = range("bytes=100-");
    outside.fails(416, "range");
    assert!(outside.head.contains(&format!("content-range: bytes */{}", whole.len())), "{outside:?}");

    let task = |query: &str| daemon.get(&format!("/api/projects/p/tasks/t/file?{query}"));
    let shown = task("name=TASK.md").json();
    assert_eq!(
        (&shown["name"], &shown["content"], &shown["size_bytes"]),
        (&json!("TASK.md"), &json!("work"), &json!(4))
    );
    for (answer, status, said) in [
        (file(""), 400, "name"),
        (file("name=../../TASK.md"), 400, "name"),
        (file("name=claim.json"), 400, "name"),
        (file("name=changes.patch"), 404, "changes.patch"),
        (file("name=stdout&tail=-1"), 400, "tail"),
        (file("name=stdout&format=html"), 400, "format"),
        (task("name=TASK-CONFIG.yaml"), 400, "name"),
        (task("name=TASK_STATE.md"), 404, "TASK_STATE.md"),
    ] {
        answer.fails(status, said);
    }
}

#[test]
fn a_file_is_told_to_its_end_and_no_further() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let path = format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout");
    let mut live = daemon.stream(&format!("{path}&format=json"), None);
    assert_eq!(live.next().expect("what stands there").data, json!({"offset": 0, "text": "ready\n"}));
    sandbox.write("home/run-agent/p/go", "");
    let next = live.next().expect("what comes");
    assert_eq!(next.data, json!({"offset": 6, "text": "gone on\n"}));
    let done = live.next().expect("the end");
    assert_eq!((done.name.as_deref(), &done.data), (Some("done"), &json!({"type": "done"})));
    assert_eq!(live.next(), None);

    // Plain text, as the original's clients read it.
    let plain = daemon.get(&path);
    assert!(plain.head.contains("text/event-stream"), "{plain:?}");
    assert_eq!(text(&plain.body), ("ready\ngone on\n".to_owned(), vec!["done run completed".to_owned()]));
    for (last, rest) in [(next.id.as_deref(), 1), (Some("o=6"), 2)] {
        assert_eq!(daemon.stream(&format!("{path}&format=json"), last).rest().len(), rest, "{last:?}");
    }
    assert_eq!(daemon.stream(&path, done.id.as_deref()).status, 204);
    assert_eq!(daemon.get(&format!("{path}&after=o=999")).status, 204);
    daemon.get(&format!("{path}&after=7")).fails(400, "after");
    let reset = daemon.stream(&format!("{path}&format=json"), Some("nonsense")).rest();
    assert_eq!((&reset[0].data, reset.len()), (&json!({"type": "reset"}), 3));
    let output = daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/stream?name=output.md"));
    assert_eq!(text(&output.body).0, "ready\ngone on\n");
    daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/stream")).fails(400, "name");
    daemon.get(&format!("{path}&format=html")).fails(400, "format");
}

#[test]
fn what_an_agent_prints_forges_no_event() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "odd");
    daemon.until_task("t", "completed");
    let path = format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout");
    let plain = daemon.get(&path);
    assert!(!plain.body.contains('\r') && !plain.body.contains("\nid: 9"), "{plain:?}");
    assert_eq!(text(&plain.body).0, "a\nid: 9\n\nend\n", "a carriage return ends a line");
    let exact = daemon.stream(&format!("{path}&format=json"), None).rest();
    let exact: String = exact.iter().filter_map(|e| e.data["text"].as_str()).collect();
    assert_eq!(exact, "a\rid: 9\n\nend\n");
}

#[test]
fn a_large_file_that_is_cut_anywhere_goes_on_exactly_there() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "floods");
    let path = format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout&format=json");
    let (mut told, mut last, mut cuts): (String, Option<String>, u32) = (String::new(), None, 0);
    loop {
        let mut stream = daemon.stream(&path, last.as_deref());
        if stream.status == 204 {
            break;
        }
        for _ in 0..=cuts % 5 {
            let Some(event) = stream.next() else { break };
            told.push_str(event.data["text"].as_str().unwrap_or_default());
            last = event.id;
        }
        cuts += 1;
    }
    let printed = std::fs::read_to_string(sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt")))
        .expect("its output");
    assert!(told == printed, "{} bytes told, {} printed", told.len(), printed.len());
    assert!(cuts > 5, "it was cut {cuts} times");
    let raw = daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/file?name=stdout&format=raw"));
    assert!(raw.body == printed && raw.head.contains(&format!("content-length: {}", printed.len())));
}

#[test]
fn all_runs_of_a_task_are_told_in_one_stream() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "fails");
    let path = "/api/projects/p/tasks/t/runs/stream";
    let told = |last: Option<&str>, ends: usize| {
        let mut stream = daemon.stream(path, last);
        assert!(stream.status == 200, "{}", stream.head);
        let mut events: Vec<Event> = Vec::new();
        while events.iter().filter(|e| e.data["status"] == "failed").count() < ends {
            events.push(stream.next().expect("the stream goes on"));
        }
        events
    };
    // Live, across all restarts so far.
    let live = told(None, 3);
    let runs = daemon.until_task("t", "failed")["runs"].as_array().expect("runs").clone();
    let oldest_first: Vec<&Value> = runs.iter().rev().map(|r| &r["run_id"]).collect();
    let lines: Vec<&Event> = live.iter().filter(|e| e.name.as_deref() == Some("log")).collect();
    assert_eq!(lines.iter().map(|e| &e.data["run_id"]).collect::<Vec<_>>(), oldest_first);
    for line in lines {
        assert_eq!(
            (&line.data["line"], &line.data["stream"], &line.data["type"]),
            (&json!("alas"), &json!("stdout"), &json!("log"))
        );
        assert_eq!((&line.data["project_id"], &line.data["task_id"]), (&json!("p"), &json!("t")));
    }
    let ends: Vec<&Event> = live.iter().filter(|e| e.data["status"] == "failed").collect();
    assert!(ends.iter().all(|e| e.name.as_deref() == Some("status") && e.data["exit_code"] == 3));
    // Later, and from any event on.
    let all = told(None, 3);
    for (n, event) in all.iter().enumerate().take(all.len() - 1) {
        let left = all[n + 1..].iter().filter(|e| e.data["status"] == "failed").count();
        assert_eq!(told(event.id.as_deref(), left), all[n + 1..], "behind {:?}", event.id);
    }
    // The stream continues after the end: a later run is reported, too.
    let mut open = daemon.stream(path, all.last().expect("an event").id.as_deref());
    let resumed = daemon.post("/api/projects/p/tasks/t/resume", &Value::Null).json();
    assert_eq!(open.next().expect("the new run").data["run_id"], resumed["run_id"]);
    let mut reset = daemon.stream(path, Some("nonsense"));
    assert_eq!(reset.next().expect("an event").data, json!({"type": "reset"}));
    daemon.get(&format!("{path}?after=nonsense")).fails(400, "after");
    daemon.until_task("t", "failed");
}

#[test]
fn a_stream_of_a_silent_file_opens_at_once() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let mut stream = daemon.connect();
    let path = format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stderr");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("a request");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("headers, though there is nothing to tell");
    assert_eq!(&head, b"HTTP/1.1 200");
    sandbox.write("home/run-agent/p/go", "");
    daemon.until_task("t", "completed");
}
