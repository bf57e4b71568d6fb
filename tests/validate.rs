//! `validate`: which agents could be called, the memory of that, and no check at a launch.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::common::{Outcome, Sandbox, daemon::Daemon, outcome, processes::until_true, words};
use base::{clock::Clock, fsx::Durability};
use serde_json::Value;
use tree::Tree;

/// A sandbox with a folder of programs in front of the usual ones.
fn sandbox_with(programs: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, script) in programs {
        install(&sandbox, name, script);
    }
    sandbox
}

/// Installs a program, replacing an existing one as an update does.
fn install(sandbox: &Sandbox, name: &str, script: &str) {
    let new = sandbox.write(format!("bin/.{name}"), format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, sandbox.path(format!("bin/{name}"))).unwrap();
}

fn validate(sandbox: &Sandbox, variables: &[(&str, &str)], flags: &str) -> Outcome {
    let mut command = sandbox.command(words(&format!("validate {flags}")));
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    outcome(command.env("PATH", path).envs(variables.iter().copied()))
}

/// The report about one agent.
fn report(said: &Outcome, agent: &str) -> Value {
    let all: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    all["agents"].as_array().unwrap().iter().find(|r| r["agent"] == agent).unwrap().clone()
}

const CODEX: &str = "echo asked $1 >> \"$HOME\"/asked; echo codex-cli 0.1.2; [ $1 = --version ]";

fn asked(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.home().join("asked")).unwrap_or_default().lines().count()
}

fn tree(sandbox: &Sandbox) -> Tree {
    Tree::create(&sandbox.root(), Durability::Never, Clock::System).unwrap()
}

#[test]
fn an_agent_is_said_with_its_program_its_version_and_its_credentials() {
    let sandbox = sandbox_with(&[("codex", CODEX)]);
    let said = validate(&sandbox, &[("CODEX_API_KEY", "sk-secret-1")], "--json --dry-run");
    assert_eq!(said.code, 0, "{said:?}");
    let codex = report(&said, "codex");
    let program = sandbox.path("bin/codex");
    assert_eq!((codex["usable"].as_bool(), codex["version"].as_str()), (Some(true), Some("0.1.2")));
    assert_eq!(codex["program"].as_str(), program.to_str());
    assert_eq!(codex["credentials"], "$CODEX_API_KEY");
    assert_eq!(codex["problems"], serde_json::json!([]));
    assert_eq!(codex["command"][1], "exec");
    assert!(!said.stdout.contains("sk-secret"), "{said:?}");
    // The other agents are not installed, which is no failure; the default agent is usable.
    assert_eq!(report(&said, "claude")["usable"], false);
    assert_eq!(report(&said, "demo")["usable"], true);
    assert_eq!(agents::version_of(&tree(&sandbox), &program).as_deref(), Some("0.1.2"));
}

#[test]
fn what_is_wrong_with_an_agent_has_a_hint_and_a_code() {
    let sandbox = sandbox_with(&[("codex", "exit 3"), ("claude", "echo hello")]);
    sandbox.configure("agents: {mine: {type: command, command: [/proc/nonexistent/x]}}\n");
    for (flags, code, problem, hint) in [
        ("--agent gemini", 11, "'gemini' is not installed", "npm install -g @google/gemini-cli"),
        ("--agent codex", 1, "fails with --version: exit status: 3", "start it by hand"),
        ("--agent claude", 1, "does not print its version", "start it by hand"),
        ("--agent mine", 11, "'/proc/nonexistent/x' of agent 'mine' does not exist", "check the path"),
    ] {
        let said = validate(&sandbox, &[], flags);
        assert_eq!(said.code, code, "{flags}: {said:?}");
        assert!(said.stderr.contains(problem) && said.stderr.contains(hint), "{flags}: {said:?}");
    }
    // Without a name, all agents are reported. An agent that the file names must be usable, the others need not be.
    let said = validate(&sandbox, &[], "--json");
    assert_eq!((said.code, &report(&said, "mine")["configured"]), (11, &Value::Bool(true)), "{said:?}");
    assert_eq!(report(&said, "gemini")["configured"], false);
    validate(&sandbox, &[], "--agent nobody").fails(10, "there is no agent 'nobody'", "config show");
    // A key that Codex does not look at does not count.
    install(&sandbox, "codex", CODEX);
    let said = validate(&sandbox, &[("OPENAI_API_KEY", "sk-1")], "--agent codex --json");
    assert_eq!((said.code, &report(&said, "codex")["usable"]), (13, &Value::Bool(false)), "{said:?}");
    let said = validate(&sandbox, &[("OPENAI_API_KEY", "sk-1")], "--agent codex");
    assert!(said.stdout.contains("codex  codex  no ") && said.stdout.contains("missing"), "{said:?}");
    assert!(
        said.stderr.contains("no credentials: $CODEX_API_KEY is not set")
            && said.stderr.contains("codex login"),
        "{said:?}"
    );
    // A sign of another login method is enough.
    sandbox.write("home/.codex/config.toml", "model_provider = \"ollama\"\n");
    let said = validate(&sandbox, &[], "--agent codex --json");
    let codex = report(&said, "codex");
    assert_eq!((said.code, &codex["credentials"]), (0, &Value::from("unknown")), "{said:?}");
    assert!(codex["notes"][0].as_str().unwrap().contains("config.toml may name one"), "{said:?}");
    sandbox.write("home/.codex/auth.json", "{}");
    let said = validate(&sandbox, &[], "--agent codex --json");
    let file = sandbox.home().join(".codex/auth.json");
    assert_eq!(report(&said, "codex")["credentials"].as_str(), file.to_str());
}

#[test]
fn a_program_is_asked_at_the_start_of_the_daemon_and_not_at_a_launch() {
    let sandbox = sandbox_with(&[("codex", CODEX)]);
    sandbox.configure(format!("agents: {{codex: {{command: [{}]}}}}\n", sandbox.path("bin/codex").display()));
    sandbox.write("home/.codex/auth.json", "{}");
    let program = sandbox.path("bin/codex");
    let version = || agents::version_of(&tree(&sandbox), &program);
    let start = |expected: &str| {
        let daemon = Daemon::start(&sandbox, &[]);
        until_true("the version", || version().as_deref() == Some(expected));
        daemon
    };
    drop(start("0.1.2"));
    assert_eq!(asked(&sandbox), 1);
    // The same file is not asked again; another file is unknown until it is asked.
    let daemon = start("0.1.2");
    assert_eq!(asked(&sandbox), 1);
    // A launch calls the program with the arguments of the run, and makes no other call before.
    let run = daemon.create("t", "codex");
    let calls = || fs::read_to_string(sandbox.home().join("asked")).unwrap();
    until_true("the launch", || calls().contains("asked exec"));
    let calls = calls();
    assert_eq!(calls.lines().filter(|l| *l == "asked --version").count(), 1, "{calls}");
    let info = || fs::read_to_string(sandbox.root().join(format!("p/t/runs/{run}/run-info.yaml"))).unwrap();
    until_true("its record says the version", || {
        info().lines().any(|l| l.starts_with("agent_version:") && l.contains("0.1.2"))
    });
}

#[test]
fn a_program_that_was_replaced_is_unknown_until_it_is_asked() {
    let sandbox = sandbox_with(&[("codex", CODEX)]);
    sandbox.write("home/.codex/auth.json", "{}");
    validate(&sandbox, &[], "--agent codex");
    let program = sandbox.path("bin/codex");
    assert_eq!(agents::version_of(&tree(&sandbox), &program).as_deref(), Some("0.1.2"));
    install(&sandbox, "codex", "echo 9.9.9");
    assert_eq!(agents::version_of(&tree(&sandbox), &program), None);
    validate(&sandbox, &[], "--agent codex");
    assert_eq!(agents::version_of(&tree(&sandbox), &program).as_deref(), Some("9.9.9"));
    assert_eq!(agents::version_of(&tree(&sandbox), Path::new("/proc/nonexistent")), None);
    // The file is only a cache: an unreadable one is built again.
    fs::write(sandbox.root().join("_daemon/agents.yaml"), "{").unwrap();
    assert_eq!(agents::version_of(&tree(&sandbox), &program), None);
    assert_eq!(validate(&sandbox, &[], "--agent codex").code, 0);
    assert_eq!(agents::version_of(&tree(&sandbox), &program).as_deref(), Some("9.9.9"));
}
