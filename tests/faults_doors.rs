//! Permissions, faults 21 to 23 of `docs/original-faults.md`: a page, a body or a link in the tree grants no
//! additional rights.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "err:careful", "bus:FACT:x", "done"]), ("env", &["env:MY_OWN", "done"])];
    agents(&sandbox, &fake::agent(), &steps, "");
    sandbox
}

fn new(change: &Value) -> Value {
    let mut new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    new.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    new
}

/// Fault 21: the API was open to the network, to any page, and to any variable of the agent's environment.
#[test]
fn nobody_starts_an_agent_from_a_page_or_decides_what_it_runs() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let listens = sandbox.root().join("_daemon/daemon.yaml");
    let listens = fs::read_to_string(listens).expect("where it listens");
    assert!(listens.contains("127.0.0.1") && !listens.contains("0.0.0.0"), "{listens}");
    let body = new(&json!({})).to_string();
    let post = |headers: &str| {
        daemon.raw(&format!(
            "POST /api/v1/tasks HTTP/1.1\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let own = format!("Host: 127.0.0.1:{}\r\n", daemon.port);
    for (headers, status) in [
        (format!("{own}Content-Type: text/plain\r\n"), 415),
        (own.clone(), 415),
        (format!("{own}Content-Type: application/json\r\nOrigin: http://evil.example\r\n"), 403),
        (format!("{own}Content-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        ("Host: evil.example\r\nContent-Type: application/json\r\n".to_owned(), 421),
    ] {
        let answer = post(&headers);
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
    }
    for (name, why) in [
        ("PATH", "which programs run"),
        ("LD_PRELOAD", "which programs run"),
        ("LD_LIBRARY_PATH", "which programs run"),
        ("JRUN_TASK_ID", "run-agent itself"),
        ("CONDUCTOR_API_KEY", "run-agent itself"),
        ("OPENAI_API_KEY", "another agent"),
        ("A=B", "name of a variable"),
        ("", "name of a variable"),
    ] {
        let refused = daemon.post("/api/v1/tasks", &new(&json!({"config": {format!("env.{name}"): "x"}})));
        refused.fails(400, why);
        refused.fails(400, &format!("env.{name}"));
    }
    assert!(!sandbox.root().join("p").exists(), "nothing was begun");
    let fine = new(&json!({"agent_type": "env", "config": {"env.MY_OWN": "blue"}}));
    let run = daemon.post("/api/v1/tasks", &fine).json()["run_id"].as_str().expect("a run").to_owned();
    daemon.until_task("t", "completed");
    assert_eq!(daemon.get(&format!("/api/v1/runs/{run}")).json()["output"], "MY_OWN=blue\n");
}

/// Fault 22: `process_import` served any file as a run's output, and let a stop signal any process.
#[test]
fn a_request_names_no_file_and_no_process_of_the_machine() {
    let sandbox = sandbox();
    let secret = sandbox.write("secret", "the secret of somebody else\n");
    let daemon = Daemon::start(&sandbox, &[]);
    let import = json!({"process_import": {"pid": 1, "pgid": 1, "commandline": "x", "stdout_path": secret, "ownership": "managed"}});
    daemon.post("/api/v1/tasks", &new(&import)).fails(400, "process_import");
    assert!(!sandbox.root().join("p").exists());
    let run =
        daemon.post("/api/v1/tasks", &new(&json!({}))).json()["run_id"].as_str().expect("a run").to_owned();
    daemon.until_task("t", "completed");
    for name in [
        "../../../../../secret",
        "/etc/passwd",
        "..%2f..%2fTASK.md",
        "run.lock",
        "agent-stdout.txt/../claim.json",
    ] {
        let answer = daemon.get(&format!("/api/projects/p/tasks/t/runs/{run}/file?name={name}"));
        answer.fails(400, "name");
    }
    // Paths in a record are not trusted: the daemon reads a run's files in the run's own folder.
    let info = sandbox.root().join(format!("p/t/runs/{run}/run-info.yaml"));
    let record = fs::read_to_string(&info).expect("a record");
    let stdout = record.lines().find(|l| l.starts_with("stdout_path:")).expect("a path").to_owned();
    fs::write(&info, record.replace(&stdout, &format!("stdout_path: {}", secret.display())))
        .expect("written");
    drop(daemon);
    let daemon = Daemon::start(&sandbox, &[]);
    for path in
        [format!("/api/v1/runs/{run}"), format!("/api/projects/p/tasks/t/runs/{run}/file?name=stdout")]
    {
        let answer = daemon.get(&path);
        assert!(!answer.body.contains("secret of somebody"), "{answer:?}");
    }
}

/// Fault 23: prompts, secrets and output were readable by every user, and links led out of the tree.
#[test]
fn files_are_their_owners_and_links_lead_nowhere() {
    let sandbox = sandbox();
    let secret = sandbox.write("secret", "the secret of somebody else\n");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    daemon.post("/api/projects/p/messages", &json!({"body": "x"}));
    let mut open = Vec::new();
    modes(&sandbox.root(), &mut open);
    assert!(open.is_empty(), "others may read {open:?}");

    let stdout = sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt"));
    fs::remove_file(&stdout).expect("removed");
    std::os::unix::fs::symlink(&secret, &stdout).expect("a link");
    std::os::unix::fs::symlink(sandbox.path("work"), sandbox.root().join("p/linked")).expect("a link");
    std::os::unix::fs::symlink("/etc", sandbox.root().join("elsewhere")).expect("a link");
    for path in [
        format!("/api/v1/runs/{run}"),
        format!("/api/projects/p/tasks/t/runs/{run}/file?name=stdout"),
        format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout"),
        format!("/api/v1/runs/{run}/stream"),
    ] {
        let answer =
            daemon.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(!answer.body.contains("secret of somebody"), "{path}: {answer:?}");
    }
    until("links are no projects or tasks", || {
        let names = daemon.get("/api/projects").body + &daemon.get("/api/projects/p/tasks").body;
        !names.contains("elsewhere") && !names.contains("linked")
    });
    daemon.get("/api/projects/elsewhere").fails(404, "elsewhere");
    let refused = daemon.post("/api/projects/elsewhere/messages", &json!({"body": "x"}));
    assert!(refused.status >= 400 && !Path::new("/etc/PROJECT-MESSAGE-BUS.jsonl").exists(), "{refused:?}");
}

fn modes(path: &Path, open: &mut Vec<String>) {
    let mode = fs::symlink_metadata(path).expect("what was listed").permissions().mode();
    // DONE is made by the agent, in a folder that is closed.
    if mode & 0o077 != 0 && !path.ends_with("DONE") {
        open.push(format!("{} {:o}", path.display(), mode & 0o777));
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            modes(&entry.path(), open);
        }
    }
}
