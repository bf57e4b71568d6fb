//! The streams of `/api/v1`: order, resume at any point, and ends.

use crate::common::{
    Sandbox,
    daemon::{Daemon, Event, Events, agents, until},
    fake, processes,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("talks", &["say:one", "err:two", "sleep:60", "say:a\rid: 9", "half-utf8", "done"]),
        ("floods", &["flood:2", "err:aside", "done"]),
        ("waits", &["say:ready", "wait-for:../go", "say:gone on", "done"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {restart_delay: 10ms}\n");
    sandbox
}

fn lines(events: &[Event], stream: &str) -> Vec<String> {
    let of = |e: &&Event| e.data["type"] == "log" && e.data["stream"] == stream;
    events.iter().filter(of).map(|e| e.data["line"].as_str().expect("a line").to_owned()).collect()
}

#[test]
fn a_run_is_told_line_by_line_to_its_end() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    let path = format!("/api/v1/runs/{run}/stream");
    let stream = daemon.stream(&path, None);
    assert!(stream.status == 200 && stream.head.contains("text/event-stream"), "{}", stream.head);
    let events = stream.rest();
    assert_eq!(lines(&events, "stdout"), ["one", "a\rid: 9", "\u{fffd}"]);
    assert_eq!(lines(&events, "stderr"), ["two"]);
    let tail: Vec<&Value> = events.iter().rev().take(2).map(|e| &e.data).collect();
    assert_eq!(
        tail,
        [&json!({"type": "done"}), &json!({"type": "status", "status": "success", "exit_code": 0})]
    );
    let times: Vec<&str> = events.iter().filter_map(|e| e.data["timestamp"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");

    // A later client sees the same.
    let again = daemon.stream(&path, None).rest();
    for stream in ["stdout", "stderr"] {
        assert_eq!(lines(&again, stream), lines(&events, stream));
    }
    let end = again.last().and_then(|e| e.id.clone()).expect("a cursor");
    assert_eq!(daemon.stream(&path, Some(&end)).status, 204);
    assert_eq!(daemon.get(&format!("{path}?after=s=999999;e=0;n=running")).status, 204);
    daemon.get(&format!("{path}?after=nonsense")).fails(400, "cursor");
    let reset = daemon.stream(&path, Some("nonsense")).rest();
    assert_eq!(reset[0].data, json!({"type": "reset"}));
    assert_eq!(reset.len(), again.len() + 1);
}

#[test]
fn a_stream_that_is_cut_anywhere_goes_on_exactly_there() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "floods");
    let path = format!("/api/v1/runs/{run}/stream");
    let (mut events, mut last): (Vec<Event>, Option<String>) = (Vec::new(), None);
    let mut seed = 7_u64;
    let mut rounds = 0;
    while events.last().is_none_or(|e| e.data["type"] != "done") {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut stream = daemon.stream(&path, last.as_deref());
        let take = 1 + (seed >> 33) % 4000;
        for _ in 0..take {
            let Some(event) = stream.next() else { break };
            last.clone_from(&event.id);
            events.push(event);
        }
        rounds += 1;
        if rounds == 3 {
            daemon.kill();
            daemon = Daemon::start(&sandbox, &[]);
        }
    }
    assert!(rounds > 4, "it was cut {rounds} times");
    let printed = std::fs::read_to_string(sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt")));
    let told = lines(&events, "stdout").iter().flat_map(|l| [l.as_str(), "\n"]).collect::<String>();
    assert!(told == printed.expect("its output"), "what was told is what was printed");
    assert_eq!(lines(&events, "stderr"), ["aside"]);
}

#[test]
fn all_runs_are_told_of_and_nothing_is_missed() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let mut stream = daemon.stream("/api/v1/runs/stream/all", None);
    let run = daemon.create("t", "talks");
    let mut seen: Vec<Event> = Vec::new();
    while seen.last().is_none_or(|e| e.data["status"] != "success") {
        seen.push(stream.next().expect("the stream goes on"));
    }
    let kinds: Vec<&str> = seen.iter().filter_map(|e| e.data["type"].as_str()).collect();
    assert_eq!(kinds[..2], ["run_created", "run_started"]);
    assert_eq!(kinds.last(), Some(&"run_updated"));
    assert!(seen.iter().all(|e| e.data["run_id"] == run.as_str() && e.data["task_id"] == "t"));
    assert_eq!(seen.last().expect("the end").data["exit_code"], 0);
    // A run has no start before it starts, and one from then on.
    let start = daemon.get(&format!("/api/v1/runs/{run}/info")).json()["start_time"].clone();
    for event in &seen {
        let before = event.data["status"] == "created";
        assert_eq!(event.data.get("start_time"), Some(&start).filter(|_| !before), "{event:?}");
    }

    let mut again = daemon.stream("/api/v1/runs/stream/all", seen[0].id.as_deref());
    assert_eq!(again.next().as_ref(), Some(&seen[1]));
    for unknown in ["other.1", "nonsense", &format!("{}9", seen[0].id.as_deref().expect("an id"))] {
        let mut reset = daemon.stream("/api/v1/runs/stream/all", Some(unknown));
        assert_eq!(reset.next().expect("an event").data, json!({"type": "reset"}));
        let all = reset.next().expect("the snapshot").data;
        assert_eq!((&all["run_id"], &all["status"]), (&json!(run), &json!("success")));
    }
}

#[test]
fn a_bus_is_followed_from_any_message() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let post = |body: &str| daemon.post("/api/v1/messages", &json!({"project_id": "p", "body": body}));
    let path = "/api/v1/messages/stream?project_id=p";
    let mut stream = daemon.stream(path, None);
    assert_eq!(stream.next().expect("what stands there").data["type"], "FACT");
    let first = post("first").json()["msg_id"].as_str().expect("an id").to_owned();
    let event = stream.next().expect("a message");
    assert_eq!((event.id.as_deref(), event.name.as_deref()), (Some(first.as_str()), Some("message")));
    assert_eq!(event.data["body"], "first");
    post("second");
    assert_eq!(stream.next().expect("a message").data["body"], "second");
    for mut stream in
        [daemon.stream(path, Some(&first)), daemon.stream(&format!("{path}&after={first}"), None)]
    {
        assert_eq!(stream.next().expect("a message").data["body"], "second");
    }
    let mut reset = daemon.stream(path, Some("MSG-unknown"));
    assert_eq!(reset.next().expect("an event").data, json!({"type": "reset"}));
    assert_eq!(reset.next().expect("the first message").data["type"], "FACT");
    daemon.get(&format!("{path}&after=MSG-unknown")).fails(404, "MSG-unknown");
}

#[test]
fn a_signal_ends_every_stream_and_no_agent() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(daemon.stream(&format!("/api/v1/runs/{run}/stream"), None));
        streams.push(daemon.stream("/api/v1/runs/stream/all", None));
        streams.push(daemon.stream("/api/v1/messages/stream?project_id=p&task_id=t", None));
    }
    // Clients that began a request and fell silent delay nothing.
    let half: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = daemon.connect();
            std::io::Write::write_all(&mut stream, b"GET /api/v1/health HTTP/1.1\r\nHost: loc")
                .expect("half a request");
            stream
        })
        .collect();
    while streams[0].next().expect("an event").data["line"] != "ready" {}
    daemon.signal(Signal::SIGTERM);
    let (code, took) = daemon.ended();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took.as_secs() < 5, "{took:?}");
    for stream in streams {
        stream.rest();
    }
    drop(half);
    assert!(daemon.log().contains("SIGTERM"), "{}", daemon.log());
    assert!(!sandbox.root().join("_daemon/daemon.yaml").exists());

    let daemon = Daemon::start(&sandbox, &[]);
    let task = daemon.task("t");
    assert_eq!((&task["status"], &task["runs"][0]["run_id"]), (&json!("running"), &json!(run)));
    sandbox.write("home/run-agent/p/go", "");
    daemon.until_task("t", "completed");
    until("the run is told to its end", || {
        let events = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None).rest();
        lines(&events, "stdout") == ["ready", "gone on"]
    });
}

#[test]
fn a_client_that_does_not_read_costs_no_memory_and_misses_nothing() {
    const STALLED: usize = 9;
    let sandbox = Sandbox::new();
    let floods: [(&str, &[&str]); 1] = [("floods", &["flood:12", "done"])];
    agents(&sandbox, &fake::agent(), &floods, "");
    let daemon = Daemon::start(&sandbox, &[]);
    // The daemon's own memory: the pages of its program count as resident when they are first used.
    let held = || processes::status(daemon.pid(), "RssAnon");
    let before = held();
    let run = daemon.create("t", "floods");
    let path = format!("/api/v1/runs/{run}/stream");
    let mut stalled: Vec<_> = (0..STALLED).map(|_| daemon.stream(&path, None)).collect();
    daemon.until_task("t", "completed");
    // One reader continues while the others stand still.
    let size =
        std::fs::metadata(sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt"))).expect("a file");
    assert!(size.len() > 11 << 20, "{size:?}");
    let told = |events: &mut Events| {
        let mut bytes = 0;
        while let Some(event) = events.next() {
            bytes += event.data["line"].as_str().map_or(0, |line| line.len() as u64 + 1);
        }
        bytes
    };
    let all = told(&mut stalled[0]);
    // Each thread may have its own heap of a few megabytes; output that is held for the others takes nearly 100.
    let grown = held().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} kB more than before");
    assert_eq!(all, size.len());
    assert_eq!(told(&mut stalled[1]), size.len());
}

/// An agent that empties its own output file begins it anew. Every reader shows all lines of both.
#[test]
fn output_that_is_cut_in_place_is_read_on_from_its_beginning() {
    let sandbox = Sandbox::new();
    let script = r#"wait_for() { until [ -e ../$1 ]; do sleep 0.02; done; }
echo one; echo two; printf half; wait_for cut; : >"$JRUN_RUN_FOLDER/agent-stdout.txt"
echo three; wait_for go; echo four; touch "$JRUN_TASK_FOLDER/DONE""#;
    let script = sandbox.write("cuts.sh", script);
    let cuts = format!("  cuts: {{type: command, command: [sh, {:?}]}}\n", script.display().to_string());
    agents(&sandbox, &fake::agent(), &[], &cuts);
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "cuts");
    let mut stream = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None);
    let mut next_line = || loop {
        let event = stream.next().expect("an event");
        if event.data["type"] == "log" {
            return event.data["line"].as_str().expect("a line").to_owned();
        }
    };
    let printed = sandbox.path("followed");
    let file = std::fs::File::create(&printed).expect("a file");
    let mut follow = sandbox.command(["output", "p/t", "--file", "stdout", "--follow"]);
    let mut follow = follow.stdout(file).spawn().expect("it starts");
    let shown = || std::fs::read_to_string(&printed).unwrap_or_default();

    assert_eq!([next_line(), next_line()], ["one", "two"]);
    until("it is followed", || shown() == "one\ntwo\nhalf");
    std::fs::write(sandbox.root().join("p/cut"), "").expect("it is told");
    assert_eq!([next_line(), next_line()], ["half", "three"]);
    until("it is followed on", || shown() == "one\ntwo\nhalfthree\n");
    std::fs::write(sandbox.root().join("p/go"), "").expect("it is told");
    assert_eq!(next_line(), "four");
    assert!(follow.wait().expect("it ends").success());
    assert_eq!(shown(), "one\ntwo\nhalfthree\nfour\n");
    // A later client gets what the file has.
    let rest = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None).rest();
    assert_eq!(lines(&rest, "stdout"), ["three", "four"]);
}
