//! What `doctor` says of this machine, and of one that is not as it should be.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use crate::common::{Outcome, Sandbox};
use serde_json::Value;

fn checks(said: &Outcome) -> Vec<Value> {
    let all: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    all["checks"].as_array().unwrap().clone()
}

fn check(said: &Outcome, name: &str) -> Value {
    checks(said).into_iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no {name}: {said:?}"))
}

#[test]
fn everything_is_looked_at_once() {
    let sandbox = Sandbox::new();
    let said = sandbox.run("doctor --json");
    let checks = checks(&said);
    let names: Vec<&str> = checks.iter().map(|c| c["name"].as_str().unwrap()).collect();
    let all = [
        "file_system",
        "disk",
        "inotify",
        "openat2",
        "pidfd",
        "cgroup",
        "user_namespaces",
        "clock",
        "leftovers",
        "daemon",
        "agents",
    ];
    assert_eq!(names, all);
    for check in &checks {
        assert_eq!(check["hint"].is_string(), check["state"] != "ok", "{check}");
    }
    let fails = checks.iter().any(|c| c["state"] == "fail");
    assert_eq!(said.code, if fails { 17 } else { 0 }, "{said:?}");
    // What a new tree has is known: the rest is this machine's.
    for name in ["clock", "leftovers", "daemon", "agents"] {
        assert_eq!(check(&said, name)["state"], "ok", "{said:?}");
    }
    let words = sandbox.run("doctor");
    assert!(all.iter().all(|name| words.stdout.contains(name)), "{words:?}");
}

#[test]
fn what_is_wrong_is_said_and_fails() {
    let sandbox = Sandbox::new();
    sandbox.write("work/config.yaml", "defaults: {agent: codex}\nwatch: {mode: poll}\n");
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    fs::create_dir_all(sandbox.root().join("p")).unwrap();
    fs::File::open(sandbox.root().join("p")).unwrap().set_modified(tomorrow).unwrap();
    let said = sandbox.run("doctor --json");
    assert_eq!(said.code, 17, "{said:?}");
    assert_eq!(check(&said, "agents")["state"], "fail");
    assert_eq!(check(&said, "agents")["hint"], "run-agent validate");
    assert_eq!(check(&said, "clock")["state"], "warn");
    assert_eq!(check(&said, "inotify")["what"], "not used: changes are noticed by looking");
}
