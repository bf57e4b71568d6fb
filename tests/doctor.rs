//! The report of `doctor` about this machine, and about one that is set up badly.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
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

/// Returns the check of one agent.
fn agent(said: &Outcome, name: &str) -> Value {
    let of = |c: &Value| c["name"] == "agent" && c["what"].as_str().unwrap().starts_with(&format!("{name} "));
    checks(said).into_iter().find(of).unwrap_or_else(|| panic!("no {name}: {said:?}"))
}

#[test]
fn everything_is_looked_at_once() {
    let sandbox = Sandbox::new();
    let said = sandbox.run("doctor --json");
    let checks = checks(&said);
    let mut names: Vec<&str> = checks.iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.dedup();
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
        "git",
        "daemon",
        "agent",
    ];
    assert_eq!(names, all);
    for check in &checks {
        assert_eq!(check["hint"].is_string(), check["state"] != "ok", "{check}");
    }
    let fails = checks.iter().any(|c| c["state"] == "fail");
    assert_eq!(said.code, if fails { 17 } else { 0 }, "{said:?}");
    // The checks of a new tree have known results; the others depend on this machine.
    for name in ["clock", "leftovers", "daemon"] {
        assert_eq!(check(&said, name)["state"], "ok", "{said:?}");
    }
    assert_eq!(agent(&said, "demo")["state"], "ok", "{said:?}");
    assert!(!said.stdout.contains("perplexity"), "nobody has asked for it: {said:?}");
    let words = sandbox.run("doctor");
    assert!(all.iter().all(|name| words.stdout.contains(name)), "{words:?}");
}

#[test]
fn what_is_wrong_is_said_and_fails() {
    let sandbox = Sandbox::new();
    sandbox.configure("defaults: {agent: codex}\nwatch: {mode: poll}\n");
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    fs::create_dir_all(sandbox.root().join("p")).unwrap();
    fs::File::open(sandbox.root().join("p")).unwrap().set_modified(tomorrow).unwrap();
    let said = sandbox.run("doctor --json");
    assert_eq!(said.code, 17, "{said:?}");
    let codex = agent(&said, "codex");
    assert_eq!(
        (codex["state"].as_str(), codex["hint"].as_str()),
        (Some("fail"), Some("npm install -g @openai/codex"))
    );
    assert_eq!(check(&said, "clock")["state"], "warn");
    assert_eq!(check(&said, "inotify")["what"], "not used: changes are found by polling");
}

#[test]
fn an_agent_is_said_with_path_version_and_credentials_and_a_configured_one_has_to_be_there() {
    let sandbox = Sandbox::new();
    let program = sandbox.write("bin/codex", "#!/bin/sh\necho codex-cli 0.1.2\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let agents = format!(
        "codex: {{command: [{}]}}, claude: {{command: [/proc/nonexistent/claude]}}",
        program.display()
    );
    sandbox.configure(format!("agents: {{{agents}}}\n"));
    let said = sandbox.run_with(&[("CODEX_API_KEY", "sk-secret-1")], "doctor --json");
    let what = format!("codex 0.1.2: {}, credentials $CODEX_API_KEY, dry run ok", program.display());
    assert_eq!(
        (agent(&said, "codex")["what"].as_str(), agent(&said, "codex")["state"].as_str()),
        (Some(&*what), Some("ok"))
    );
    let claude = agent(&said, "claude");
    assert_eq!(claude["state"], "warn", "{said:?}");
    assert!(
        claude["what"]
            .as_str()
            .unwrap()
            .contains("'/proc/nonexistent/claude' of agent 'claude' does not exist"),
        "{said:?}"
    );
    assert!(
        claude["hint"].as_str().unwrap().contains("check the path") && claude["subject"] == "claude",
        "{said:?}"
    );
    // If claude is the default agent, its failure is an error.
    sandbox.configure(format!("agents: {{{agents}}}\ndefaults: {{agent: claude}}\n"));
    let said = sandbox.run("doctor --json");
    assert_eq!((said.code, agent(&said, "claude")["state"].as_str()), (17, Some("fail")), "{said:?}");
    assert_eq!(agent(&said, "codex")["state"], "warn", "without credentials: {said:?}");
}
