//! The operator's view: the audit log, request ids, and metrics.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] =
        [("quick", &["say:hello", "done"]), ("fails", &["exit:3"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {max_restarts: 0}\n");
    sandbox
}

fn audit(sandbox: &Sandbox) -> Vec<Value> {
    let text =
        std::fs::read_to_string(sandbox.root().join("_audit/form-submissions.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect()
}

#[test]
fn every_accepted_submission_is_written_down_without_its_secrets() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let post = |path: &str, body: &Value| {
        daemon.send("POST", path, &format!("{JSON}X-Request-ID: req-{}\r\n", path.len()), &body.to_string())
    };
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTEyMw";
    let task = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": format!("use Bearer abcdef123456 and {jwt}"),
                      "config": {"env.MY_API_KEY": "plain-secret", "model": "m"}});
    let created = post("/api/v1/tasks", &task);
    assert_eq!(created.status, 201, "{created:?}");
    assert!(created.head.contains("x-request-id: req-13\r\n"), "{}", created.head);
    let run = created.json()["run_id"].clone();
    let project = json!({"project_id": "q", "project_root": sandbox.work()});
    assert_eq!(post("/api/projects", &project).status, 201);
    let long = "x".repeat(20_000);
    let v1 = post(
        "/api/v1/messages",
        &json!({"project_id": "p", "task_id": "t", "body": long, "meta": {"password": "hush"}}),
    );
    let on_project = post("/api/projects/p/messages", &json!({"body": "one"}));
    let on_task = post("/api/projects/p/tasks/t/messages", &json!({"body": "two"}));
    // A refused request is not in the audit log.
    assert_eq!(post("/api/v1/tasks", &task).status, 409);
    assert_eq!(post("/api/projects/p/messages", &json!({"body": ""})).status, 400);

    let entries = audit(&sandbox);
    let told: Vec<_> = entries
        .iter()
        .map(|e| {
            (
                e["endpoint"].as_str().unwrap_or(""),
                &e["project_id"],
                &e["task_id"],
                &e["run_id"],
                &e["message_id"],
            )
        })
        .collect();
    let id = |answer: &crate::common::daemon::Response| answer.json()["msg_id"].clone();
    let (p, t, q, none) = (json!("p"), json!("t"), json!("q"), Value::Null);
    assert_eq!(
        told,
        [
            ("/api/v1/tasks", &p, &t, &run, &none),
            ("/api/projects", &q, &none, &none, &none),
            ("/api/v1/messages", &p, &t, &none, &id(&v1)),
            ("/api/projects/{project_id}/messages", &p, &none, &none, &id(&on_project)),
            ("/api/projects/{project_id}/tasks/{task_id}/messages", &p, &t, &none, &id(&on_task)),
        ]
    );
    let first = &entries[0];
    assert_eq!((&first["request_id"], &first["correlation_id"]), (&json!("req-13"), &json!("req-13")));
    assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!("/api/v1/tasks")));
    assert!(first["timestamp"].as_str().is_some_and(|t| t.ends_with('Z')), "{first}");
    assert!(first["remote_addr"].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")), "{first}");
    assert_eq!(first["payload"]["prompt"], "use Bearer [REDACTED] and [REDACTED]");
    assert_eq!(first["payload"]["config"], json!({"env.MY_API_KEY": "[REDACTED]", "model": "m"}));
    let cut = entries[2]["payload"]["body"].as_str().expect("a body");
    assert!(cut.len() < 5000 && cut.contains("truncated"), "{} bytes", cut.len());
    assert_eq!(entries[2]["payload"]["meta"]["password"], "[REDACTED]");
    assert_eq!(entries[4]["path"], "/api/projects/p/tasks/t/messages");
    let messages = daemon.get("/api/projects/p/tasks/t/messages").json()["messages"].clone();
    let whole = messages.as_array().expect("messages").iter().any(|m| m["body"] == long);
    assert!(whole, "the message itself is not cut");
}

/// The value of a variable with a secret name is masked in all our output, however plain the value looks.
#[test]
fn what_a_variable_with_a_secret_name_holds_is_in_nothing_that_we_write() {
    const SECRET: &str = "plain-words-of-mine";
    let sandbox = Sandbox::new();
    let config = format!(
        "agents:\n  leaks: {{type: command, command: [/bin/sh, -c, \"echo {SECRET} >&2; exit 3\"]}}\n  \
         given: {{type: command, command: [/bin/sh, -c, 'exit 3', other-plain-words]}}\ndefaults: {{max_restarts: 0}}\n"
    );
    sandbox.configure(config);
    let daemon = Daemon::start_with(&sandbox, &[("MY_DB_PASSWORD", SECRET)], &[]);
    daemon.create("t", "leaks");
    let given = json!({"project_id": "p", "task_id": "u", "agent_type": "given", "prompt": "x",
                       "config": {"env.OTHER_TOKEN": "other-plain-words"}});
    assert_eq!(daemon.post("/api/v1/tasks", &given).status, 201);
    daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": "t", "body": SECRET}));
    for task in ["t", "u"] {
        daemon.until_task(task, "failed");
    }
    let ours = |folder: &std::path::Path, names: &[&str]| -> Vec<(std::path::PathBuf, String)> {
        let files = names.iter().map(|name| folder.join(name));
        files.map(|file| (file.clone(), std::fs::read_to_string(file).expect("our file"))).collect()
    };
    for (task, secret) in [("t", SECRET), ("u", "other-plain-words")] {
        let folder = sandbox.root().join("p").join(task);
        let runs = std::fs::read_dir(folder.join("runs")).expect("runs");
        for run in runs.map(|run| run.expect("a run").path()) {
            for (file, text) in ours(&run, &["run-info.yaml"]) {
                assert!(text.contains("[REDACTED]") && !text.contains(secret), "{}: {text}", file.display());
            }
        }
        // A posted message is the user's own content and is not masked.
        let bus = std::fs::read_to_string(folder.join("TASK-MESSAGE-BUS.jsonl")).expect("the bus");
        let told = bus.lines().filter(|line| line.contains(secret)).count();
        assert_eq!(told, usize::from(task == "t"), "{bus}");
    }
    let audit =
        std::fs::read_to_string(sandbox.root().join("_audit/form-submissions.jsonl")).expect("the log");
    assert!(audit.contains("[REDACTED]") && !audit.contains(SECRET), "{audit}");
    assert!(!daemon.log().contains(SECRET), "{}", daemon.log());
}

#[test]
fn an_audit_log_that_cannot_be_written_holds_nobody_up() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    std::fs::write(sandbox.root().join("_audit"), "in the way").expect("a file");
    let posted = daemon.post("/api/projects", &json!({"project_id": "q", "project_root": sandbox.work()}));
    assert_eq!(posted.status, 201, "{posted:?}");
    assert!(daemon.log().contains("audit log"), "{}", daemon.log());
}

#[test]
fn every_answer_names_its_request() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let named = |path: &str, header: &str| {
        let answer = daemon.send("GET", path, header, "");
        let id = answer.head.lines().find_map(|l| l.strip_prefix("x-request-id: ")).map(str::to_owned);
        id.unwrap_or_else(|| panic!("{path}: {answer:?}"))
    };
    for path in ["/api/v1/health", "/api/v1/tasks", "/nothing", "/api/v1/tasks?limit=x", "/metrics"] {
        assert_eq!(named(path, "X-Request-ID: mine-7\r\n"), "mine-7");
        let made = named(path, "");
        let (nanos, random) = made.strip_prefix("req-").and_then(|m| m.split_once('-')).expect("our form");
        assert!(nanos.bytes().all(|b| b.is_ascii_digit()) && random.len() == 12, "{made}");
        assert_ne!(named(path, "X-Request-ID: a b\r\n"), "a b");
    }
}

#[test]
fn figures_are_counted() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &["--api-key", "sesame-sesame"]);
    let key = "X-API-Key: sesame-sesame\r\n";
    let create = |task: &str, agent: &str| {
        let new = json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "x"});
        assert_eq!(
            daemon.send("POST", "/api/v1/tasks", &format!("{JSON}{key}"), &new.to_string()).status,
            201
        );
    };
    let figures = || {
        let answer = daemon.get("/metrics");
        assert!(
            answer.status == 200 && answer.head.contains("content-type: text/plain; version=0.0.4\r\n"),
            "{answer:?}"
        );
        answer.body
    };
    let value = |text: &str, name: &str| -> String {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let number = |text: &str, name: &str| -> f64 { value(text, name).parse().expect("a number") };
    let before = figures();
    for (name, kind, help) in [
        ("uptime_seconds", "gauge", "Server uptime in seconds"),
        ("active_runs_total", "gauge", "Currently active (running) agent runs"),
        ("completed_runs_total", "counter", "Total completed agent runs since startup"),
        ("failed_runs_total", "counter", "Total failed agent runs since startup"),
        ("messagebus_appends_total", "counter", "Total message bus append operations"),
        ("api_requests_total", "counter", "Total API requests by method and status"),
    ] {
        let head = format!("# HELP conductor_{name} {help}\n# TYPE conductor_{name} {kind}\n");
        assert!(before.contains(&head), "{name}: {before}");
    }
    assert_eq!(value(&before, "conductor_completed_runs_total"), "0");
    create("good", "quick");
    create("bad", "fails");
    create("long", "waits");
    crate::common::daemon::until("two runs have ended, and the third has started", || {
        let now = figures();
        value(&now, "conductor_completed_runs_total") == "1"
            && value(&now, "conductor_failed_runs_total") == "1"
            // Three RUN_START, and the end of two runs.
            && number(&now, "conductor_messagebus_appends_total") >= 5.0
    });
    let appends = number(&figures(), "conductor_messagebus_appends_total");
    let posted =
        daemon.send("POST", "/api/v1/messages", &format!("{JSON}{key}"), r#"{"project_id":"p","body":"x"}"#);
    assert_eq!(posted.status, 201);
    let stream = daemon.connect();
    std::io::Write::write_all(
        &mut &stream,
        format!("GET /api/v1/runs/stream/all HTTP/1.1\r\nHost: localhost\r\n{key}\r\n").as_bytes(),
    )
    .expect("a request");
    crate::common::daemon::until("the stream is counted", || {
        value(&figures(), "conductor_open_streams") == "1"
    });
    let now = figures();
    assert!(number(&now, "conductor_messagebus_appends_total") > appends);
    assert_eq!(value(&now, "conductor_active_runs_total"), "1");
    assert!(number(&now, "conductor_uptime_seconds") > number(&before, "conductor_uptime_seconds"));
    assert_eq!(value(&now, "conductor_api_requests_total{method=\"POST\",status=\"201\"}"), "4");
    let refused = daemon.get("/api/v1/tasks");
    assert_eq!(refused.status, 401);
    assert_eq!(value(&figures(), "conductor_api_requests_total{method=\"GET\",status=\"401\"}"), "1");
    drop(stream);
    crate::common::daemon::until("it is counted no more", || {
        value(&figures(), "conductor_open_streams") == "0"
    });
    daemon.send("DELETE", "/api/v1/tasks/long?project_id=p", key, "");
    crate::common::daemon::until("nothing runs", || value(&figures(), "conductor_active_runs_total") == "0");
}

/// Parses the families of an exposition with their types and samples. Panics if it violates version 0.0.4 of the
/// format.
fn families(text: &str) -> std::collections::BTreeMap<String, (String, Vec<(String, f64)>)> {
    let mut all = std::collections::BTreeMap::new();
    let (mut current, mut helped) = (String::new(), String::new());
    for line in text.lines().filter(|l| !l.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split_once(' ').expect("a help").0.clone_into(&mut helped);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, helped, "help and type stand together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let before = all.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
            assert!(before.is_none(), "{name} twice");
            name.clone_into(&mut current);
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            assert!(sample.starts_with(&current), "{sample} stands in {current}");
            let value = if value == "+Inf" { f64::INFINITY } else { value.parse().expect("a number") };
            let (_, samples) = all.get_mut(&current).expect("a family");
            assert!(!samples.iter().any(|(s, _)| s == sample), "{sample} twice");
            samples.push((sample.to_owned(), value));
        }
    }
    all
}

#[test]
#[expect(clippy::float_cmp, reason = "the figures that are compared are whole numbers")]
fn an_operator_sees_queue_durations_tokens_money_buses_streams_and_the_watcher() {
    let sandbox = Sandbox::new();
    let captured = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/agents/claude");
    let script = sandbox.write("home/claude", format!("if [ \"$1\" = --version ]; then echo 1.0; exit; fi\ncat '{}/bash-allowed.jsonl'; touch \"$JRUN_TASK_FOLDER\"/DONE\n", captured.display()));
    let more = format!(
        "  claude: {{command: [sh, {}]}}\ndefaults: {{max_restarts: 0, max_concurrent_root_tasks: 1}}\n",
        script.display()
    );
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:hello", "done"]),
        ("fails", &["exit:3"]),
        ("waits", &["say:ready", "wait-for:../go", "done"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, &more);
    let daemon = Daemon::start(&sandbox, &[]);
    let figures = || families(&daemon.get("/metrics").body);
    let value = |name: &str| {
        let name = format!("conductor_{name}");
        let all = figures();
        let of = |(_, samples): &(String, Vec<(String, f64)>)| {
            samples.iter().find(|(s, _)| *s == name).map(|(_, v)| *v)
        };
        all.values().find_map(of).unwrap_or_else(|| panic!("no {name}: {all:#?}"))
    };
    for (task, agent, end) in
        [("a", "quick", "completed"), ("b", "fails", "failed"), ("c", "claude", "completed")]
    {
        daemon.create(task, agent);
        daemon.until_task(task, end);
    }
    assert_eq!(value("agent_runs_total{agent=\"quick\",status=\"completed\"}"), 1.0);
    assert_eq!(value("agent_runs_total{agent=\"fails\",status=\"failed\"}"), 1.0);
    for agent in ["quick", "fails", "claude"] {
        assert_eq!(value(&format!("run_duration_seconds_count{{agent=\"{agent}\"}}")), 1.0);
        assert_eq!(value(&format!("run_duration_seconds_bucket{{agent=\"{agent}\",le=\"+Inf\"}}")), 1.0);
        assert!(value(&format!("run_duration_seconds_sum{{agent=\"{agent}\"}}")) < 30.0);
    }
    let all = figures();
    assert_eq!(all["conductor_run_duration_seconds"].0, "histogram");
    let buckets: Vec<f64> = all["conductor_run_duration_seconds"]
        .1
        .iter()
        .filter(|(s, _)| s.contains("_bucket{agent=\"quick\""))
        .map(|(_, v)| *v)
        .collect();
    assert!(buckets.is_sorted() && buckets.len() == 10, "{buckets:?}");
    // As in the run's own record.
    let run = daemon.task("c")["runs"][0]["run_id"].as_str().expect("a run").to_owned();
    let record = std::fs::read_to_string(sandbox.root().join(format!("p/c/runs/{run}/run-info.yaml")))
        .expect("a record");
    let said = |key: &str| -> f64 {
        let line = record
            .lines()
            .find_map(|l| l.trim().strip_prefix(key)?.strip_prefix(": "))
            .unwrap_or_else(|| panic!("{key}: {record}"));
        line.parse().expect("a number")
    };
    assert!(
        (value("agent_cost_usd_total{agent=\"claude\"}") - said("cost_usd")).abs() < 1e-6
            && said("cost_usd") > 0.0
    );
    for (kind, key) in [("input", "input_tokens"), ("output", "output_tokens"), ("cached", "cached_tokens")] {
        assert_eq!(
            value(&format!("agent_tokens_total{{agent=\"claude\",kind=\"{kind}\"}}")),
            said(key),
            "{kind}"
        );
    }

    daemon.create("live", "waits");
    daemon.create("next", "quick");
    assert_eq!(
        (value("queued_runs_total"), value("live_tasks"), value("active_runs_total")),
        (1.0, 1.0, 1.0)
    );
    assert_eq!((value("known_tasks"), value("known_runs"), value("unreadable_files")), (5.0, 5.0, 0.0));
    let (events, bytes, hints) =
        (value("stream_events_total"), value("stream_bytes_total"), value("watcher_hints_total"));
    let mut stream = daemon.stream("/api/projects/p/messages/stream", None);
    let appended = value("messagebus_bytes_total");
    daemon.post("/api/projects/p/messages", &json!({"body": "x".repeat(1000)}));
    while stream.next().expect("an event").data["body"].as_str().is_none_or(|b| b.len() < 1000) {}
    assert!(value("messagebus_bytes_total") >= appended + 1000.0);
    assert!(value("stream_events_total") >= events + 2.0 && value("stream_bytes_total") >= bytes + 1000.0);
    assert_eq!(value("open_streams"), 1.0);
    assert_eq!(value("watcher_native"), 1.0);
    assert!(value("watched_folders") >= 4.0 && value("watcher_hints_total") > hints);
    // Events before the start are not counted, and absent things have no figure.
    sandbox.write("home/run-agent/p/go", "");
    daemon.until_task("next", "completed");
    drop(daemon);
    let daemon = Daemon::start(&sandbox, &[]);
    let all = families(&daemon.get("/metrics").body);
    assert_eq!(all["conductor_agent_runs_total"].1, []);
    assert_eq!(all["conductor_completed_runs_total"].1, [("conductor_completed_runs_total".to_owned(), 0.0)]);
    let again = families(&daemon.get("/metrics").body);
    let requests = "conductor_api_requests_total";
    assert_eq!(all[requests], again[requests], "it does not count itself");
}
