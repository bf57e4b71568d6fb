//! The scripts of the document's "Common Patterns" and "Error Handling", exactly as printed: bash, curl and jq
//! against a daemon. Only the address, the agent and the pauses are replaced.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::common::{
    Sandbox,
    daemon::{Daemon, PATIENCE, agents},
    fake, tools,
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};

const CREATE_AND_MONITOR: &str = r#"
# 1. Create task
RESPONSE=$(curl -s -X POST http://localhost:14355/api/v1/tasks \
  -H "Content-Type: application/json" \
  -d '{
    "project_id": "my-project",
    "task_id": "task-001",
    "agent_type": "codex",
    "prompt": "Write hello world"
  }')

# 2. Get the latest run ID
RUN_ID=$(curl -s "http://localhost:14355/api/v1/tasks/task-001?project_id=my-project" | \
  jq -r '.runs[0].run_id')

# 3. Stream logs
curl -N "http://localhost:14355/api/v1/runs/$RUN_ID/stream"
"#;

const POLL_FOR_COMPLETION: &str = r#"
# Poll every 5 seconds
while true; do
  STATUS=$(curl -s "http://localhost:14355/api/v1/runs/$RUN_ID/info" | \
    jq -r '.status')

  echo "Status: $STATUS"

  if [[ "$STATUS" == "success" || "$STATUS" == "failed" ]]; then
    break
  fi

  sleep 5
done
"#;

const MONITOR_ALL: &str = r#"
# Stream all run updates
curl -N http://localhost:14355/api/v1/runs/stream/all | \
  while IFS= read -r line; do
    if [[ "$line" == data:* ]]; then
      echo "${line#data: }" | jq .
    fi
  done
"#;

const MESSAGE_UPDATES: &str = r#"
# Get latest message ID
LAST_MSG=$(curl -s "http://localhost:14355/api/v1/messages?project_id=my-project" | \
  jq -r '.messages[-1].msg_id')

# Poll for new messages
while true; do
  curl -s "http://localhost:14355/api/v1/messages?project_id=my-project&after=$LAST_MSG" | \
    jq '.messages[]'
  sleep 5
done
"#;

const ERROR_HANDLING: &str = r#"
RESPONSE=$(curl -s -w "\n%{http_code}" -X POST http://localhost:14355/api/v1/tasks \
  -H "Content-Type: application/json" \
  -d '{"project_id":"test","task_id":"task-001","agent_type":"codex","prompt":"test"}')

HTTP_CODE=$(echo "$RESPONSE" | tail -n1)
BODY=$(echo "$RESPONSE" | sed '$d')

if [ "$HTTP_CODE" -eq 200 ]; then
  echo "Success: $BODY"
else
  echo "Error ($HTTP_CODE): $BODY"
fi
"#;

/// A sandbox, a daemon and the programs that the scripts need; `None`, with a message on stderr, if a program is
/// missing.
fn lab() -> Option<(Sandbox, Daemon)> {
    for program in ["bash", "curl", "jq"] {
        tools::program(program)?;
    }
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "sleep:300", "say:world", "done"]), ("fails", &["exit:3"])];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {max_restarts: 0}\n");
    let daemon = Daemon::start(&sandbox, &[]);
    Some((sandbox, daemon))
}

fn script(daemon: &Daemon, text: &str) -> Command {
    let text = text.replace("localhost:14355", &format!("localhost:{}", daemon.port));
    let text = text.replace("\"codex\"", "\"quick\"").replace("sleep 5", "sleep 0.1");
    let mut command = Command::new("bash");
    command.args(["-c", &text]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // An endless script is ended with all processes that it has started.
    command.process_group(0);
    command
}

/// Runs a script that ends.
fn run(daemon: &Daemon, text: &str) -> String {
    let ran = script(daemon, text).output().expect("bash");
    let out = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{out}\n{}", String::from_utf8_lossy(&ran.stderr));
    out
}

/// A script that never ends.
struct Endless {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Endless {
    fn start(daemon: &Daemon, text: &str) -> Self {
        let mut child = script(daemon, text).spawn().expect("bash");
        let (send, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().expect("its stdout"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// The next JSON value that jq prints, over several lines.
    fn json(&mut self) -> Value {
        let mut text = String::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|e| {
                let mut said = String::new();
                self.end();
                let _ = self.child.stderr.take().map(|mut e| e.read_to_string(&mut said));
                panic!("{e}: {text} {said}")
            });
            text.push_str(&line);
            if let Ok(value) = serde_json::from_str(&text) {
                return value;
            }
        }
    }

    fn end(&mut self) {
        let group = i32::try_from(self.child.id()).expect("a pid");
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn create_and_monitor_a_task_then_poll_for_its_completion() {
    let Some((_sandbox, daemon)) = lab() else { return };
    let both = format!("{CREATE_AND_MONITOR}\n{POLL_FOR_COMPLETION}\necho \"$RESPONSE\"\n");
    let said = run(&daemon, &both);
    let data: Vec<Value> = said
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .map(|d| serde_json::from_str(d).expect("JSON"))
        .collect();
    let lines: Vec<&str> =
        data.iter().filter(|d| d["type"] == "log").filter_map(|d| d["line"].as_str()).collect();
    assert_eq!(lines, ["hello", "world"], "{said}");
    assert_eq!(
        data[data.len() - 2..],
        [json!({"type": "status", "status": "success", "exit_code": 0}), json!({"type": "done"})],
        "{said}"
    );
    assert!(said.contains("Status: success\n"), "{said}");
    let response: Value = serde_json::from_str(said.lines().last().expect("the answer")).expect("JSON");
    assert_eq!((&response["task_id"], &response["status"]), (&json!("task-001"), &json!("started")));
    // `.runs[0]` names the task's second run.
    let resumed = daemon.post("/api/projects/my-project/tasks/task-001/resume", &Value::Null).json();
    let latest = "curl -s \"http://localhost:14355/api/v1/tasks/task-001?project_id=my-project\" | jq -r '.runs[0].run_id'";
    assert_eq!(run(&daemon, latest).trim(), resumed["run_id"].as_str().expect("a run"));
}

#[test]
fn polling_ends_with_a_failure_too() {
    let Some((_sandbox, daemon)) = lab() else { return };
    let run_id = daemon.create("t", "fails");
    let said = run(&daemon, &format!("RUN_ID={run_id}\n{POLL_FOR_COMPLETION}"));
    assert!(said.ends_with("Status: failed\n"), "{said}");
}

#[test]
fn monitor_all_runs() {
    let Some((_sandbox, daemon)) = lab() else { return };
    let mut monitor = Endless::start(&daemon, MONITOR_ALL);
    crate::common::daemon::until("it listens", || {
        daemon.get("/metrics").body.contains("conductor_open_streams 1")
    });
    let run_id = daemon.create("t", "quick");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|e: &Value| e["status"] != "success") {
        seen.push(monitor.json());
    }
    assert!(seen.iter().all(|e| e["run_id"] == run_id.as_str()), "{seen:?}");
    let kinds: Vec<&str> = seen.iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(
        (kinds[0], kinds[1], kinds.last()),
        ("run_created", "run_started", Some(&"run_updated")),
        "{seen:?}"
    );
    assert_eq!((&seen[0]["project_id"], &seen[0]["task_id"]), (&json!("p"), &json!("t")));
    assert_eq!(seen.last().expect("the end")["exit_code"], 0);
}

#[test]
fn get_message_bus_updates() {
    let Some((sandbox, daemon)) = lab() else { return };
    let new = json!({"project_id": "my-project", "project_root": sandbox.work()});
    assert_eq!(daemon.post("/api/projects", &new).status, 201);
    let post = |body: &str| {
        daemon.post("/api/projects/my-project/messages", &json!({"type": "progress", "body": body}))
    };
    // Starting from an empty bus: jq prints `null` then, and the script asks for that.
    let mut from_nothing = Endless::start(&daemon, MESSAGE_UPDATES);
    std::thread::sleep(Duration::from_millis(300));
    post("one");
    assert_eq!(from_nothing.json()["body"], "one");
    drop(from_nothing);
    let mut updates = Endless::start(&daemon, MESSAGE_UPDATES);
    std::thread::sleep(Duration::from_millis(300));
    let posted = post("two").json();
    let told = updates.json();
    assert_eq!(
        (&told["body"], &told["msg_id"], &told["type"]),
        (&json!("two"), &posted["msg_id"], &json!("progress"))
    );
}

#[test]
fn example_error_handling() {
    let Some((_sandbox, daemon)) = lab() else { return };
    // A creation answers 201, as the table of the route says. The example knows only 200, and shows the same answer.
    let said = run(&daemon, ERROR_HANDLING);
    assert!(
        said.starts_with("Error (201): {\"project_id\":\"test\"") && said.contains("\"status\":\"started\""),
        "{said}"
    );
    let said = run(&daemon, &ERROR_HANDLING.replace("\"prompt\":\"test\"", "\"prompt\":\"\""));
    assert!(said.starts_with("Error (400): {\"error\":\""), "{said}");
}
