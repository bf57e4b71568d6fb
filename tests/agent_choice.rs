//! The choice of an agent if none is named, and the refusal of an agent without credentials before anything starts.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio};

use crate::common::{Outcome, Sandbox, daemon::Daemon, in_terminal, outcome};
use serde_json::{Value, json};

/// A program that answers like Claude, for every call.
const CLAUDE: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo '2.1.330 (Claude Code)'; exit; fi
cat >/dev/null
echo '{"type":"result","subtype":"success","is_error":false,"result":"done by claude","session_id":"s"}'
"#;

fn program(sandbox: &Sandbox, name: &str, text: &str) {
    let file = sandbox.write(format!("bin/{name}"), text);
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn path(sandbox: &Sandbox) -> String {
    format!("{}:/usr/bin:/bin", sandbox.path("bin").display())
}

fn run(sandbox: &Sandbox, variables: &[(&str, &str)], line: &str) -> Outcome {
    let mut command = sandbox.command(line.split_whitespace());
    outcome(command.env("PATH", path(sandbox)).envs(variables.iter().copied()))
}

const KEY: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-ant-dummy");
const JOB: &str = "job --project p --prompt do-it";

#[test]
fn the_one_usable_agent_works_where_none_is_named() {
    let sandbox = Sandbox::new();
    program(&sandbox, "claude", CLAUDE);
    let done = run(&sandbox, &[KEY], JOB);
    assert_eq!((done.code, done.stdout.trim()), (0, "done by claude"), "{done:?}");
    assert!(done.stderr.contains("agent claude, the only one that can be used here"), "{done:?}");
    let done = run(&sandbox, &[KEY], &format!("{JOB} --json"));
    let told: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    assert!(done.code == 0 && !done.stderr.contains("the only one"), "{told} {done:?}");
    // With a default agent in the settings, the installed agents are not examined.
    sandbox.configure("defaults: {agent: demo}\n");
    let done = run(&sandbox, &[KEY], JOB);
    assert!(done.code == 0 && !done.stderr.contains("the only one"), "{done:?}");
}

#[test]
fn the_demo_agent_works_only_for_those_that_name_it() {
    let sandbox = Sandbox::new();
    let hint = "--agent demo";
    for verb in ["job", "task"] {
        let refused = run(&sandbox, &[], &format!("{verb} --project p --prompt x"));
        refused.fails(10, "no agent is named, and none is installed here", hint);
    }
    assert!(!sandbox.root().join("p").exists(), "nothing was accepted");
    assert_eq!(run(&sandbox, &[], &format!("{JOB} --agent demo")).code, 0);
    // The same holds if tasks are spread over all usable agents.
    sandbox.configure("defaults: {diversification: {enabled: true}}\n");
    run(&sandbox, &[], JOB).fails(10, "no agent is named", hint);
    program(&sandbox, "claude", CLAUDE);
    for _ in 0..2 {
        assert_eq!(run(&sandbox, &[KEY], JOB).stdout.trim(), "done by claude");
    }
}

#[test]
fn several_agents_are_listed_and_a_terminal_is_asked() {
    let sandbox = Sandbox::new();
    program(&sandbox, "claude", CLAUDE);
    sandbox.configure("agents:\n  mine: {type: command, command: [/bin/echo, by mine]}\n");
    let several = "no agent is named, and 2 can be used here: claude, mine";
    run(&sandbox, &[KEY], JOB).fails(10, several, "defaults.agent in config.yaml");
    let command = |task: &str| {
        let words = JOB.split_whitespace().chain(["--task", task]);
        let mut command = sandbox.command(words);
        command.env("PATH", path(&sandbox)).env(KEY.0, KEY.1);
        command
    };
    let ask = |task: &str, answer: &str| {
        let mut script = in_terminal(&command(task))?;
        let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("script can be started");
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        Some((out.status.code(), String::from_utf8_lossy(&out.stdout).replace('\r', "")))
    };
    let Some((code, shown)) = ask("one", "7\nmine\n") else { return };
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("  1  claude\n  2  mine\n") && shown.contains("by mine"), "{shown}");
    let (code, shown) = ask("two", "1\n").unwrap();
    assert!(code == Some(0) && shown.contains("done by claude"), "{shown}");
    let (code, shown) = ask("three", "\n").unwrap();
    assert!(code == Some(10) && shown.contains(several), "{shown}");
}

#[test]
fn missing_credentials_are_told_before_the_start() {
    let sandbox = Sandbox::new();
    program(&sandbox, "claude", CLAUDE);
    let missing = "agent 'claude' has no credentials: $ANTHROPIC_API_KEY is not set";
    let hint = "log in with `claude`, set $ANTHROPIC_API_KEY, or give agents.claude.token_file";
    for verb in ["job", "task"] {
        let refused = run(&sandbox, &[], &format!("{verb} --agent claude --project p --prompt x"));
        refused.fails(13, missing, hint);
    }
    // The only installed agent is listed with its missing credentials.
    run(&sandbox, &[], JOB).fails(10, &format!("none can be used here: {missing}"), "--agent demo");
    assert!(!sandbox.root().join("p").exists(), "nothing was accepted");
    // HTTP refuses it in the same way, with a hint.
    let daemon = Daemon::start_with(&sandbox, &[("PATH", &path(&sandbox))], &[]);
    let body = json!({"project_id": "p", "task_id": "t", "agent_type": "claude", "prompt": "x"});
    let refused = daemon.post("/api/v1/tasks", &body);
    refused.fails(400, missing);
    refused.fails(400, "log in with `claude`");
    let agents = daemon.get("/api/v1/agents").json();
    let claude = agents["agents"].as_array().unwrap().iter().find(|a| a["name"] == "claude").unwrap();
    assert_eq!((&claude["installed"], &claude["usable"]), (&json!(true), &json!(false)), "{claude}");
    assert!(claude["problem"].as_str().unwrap().contains("has no credentials"), "{claude}");
    let submit = "server job submit --project p --prompt x";
    run(&sandbox, &[], submit).fails(10, "no agent is named", "--agent demo");
    // The document requires that an agent is named.
    let body = json!({"project_id": "p", "task_id": "t", "prompt": "x"});
    daemon.post("/api/v1/tasks", &body).fails(400, "agent_type");
    drop(daemon);
    let daemon = Daemon::start_with(&sandbox, &[("PATH", &path(&sandbox)), KEY], &[]);
    let done = run(&sandbox, &[], &format!("{submit} --task t --config-key max_restarts=0 --json"));
    assert_eq!(done.code, 0, "the daemon has the key: {done:?}");
    let task = daemon.get("/api/v1/tasks/t?project_id=p").json();
    assert_eq!(task["runs"][0]["agent"], "claude", "{task}");
}

#[test]
fn a_login_of_its_own_lets_an_agent_run() {
    let sandbox = Sandbox::new();
    program(&sandbox, "claude", CLAUDE);
    let job = "job --agent claude --project p --prompt x";
    assert_eq!(run(&sandbox, &[("CLAUDE_CODE_USE_BEDROCK", "1")], job).code, 0);
    assert_eq!(run(&sandbox, &[], &format!("{job} --config-key env.ANTHROPIC_API_KEY=k")).code, 0);
    sandbox.write("home/.claude/settings.json", "{\"apiKeyHelper\": \"/bin/key\"}");
    assert_eq!(run(&sandbox, &[], job).code, 0);
    sandbox.write("home/.claude/settings.json", "{}");
    run(&sandbox, &[], job).fails(13, "has no credentials", "");
    sandbox.write("home/.claude/.credentials.json", "{}");
    assert_eq!(run(&sandbox, &[], job).code, 0);
}

/// A program that answers like Claude, with an error of its provider.
fn refusing(status: u16, words: &str) -> String {
    format!(
        r#"#!/bin/sh
if [ "$1" = --version ]; then echo '2.1.330 (Claude Code)'; exit; fi
cat >/dev/null
echo '{{"type":"result","subtype":"success","is_error":true,"api_error_status":{status},"result":"{words}","session_id":"s"}}'
exit 1
"#
    )
}

#[test]
fn an_error_that_no_restart_mends_ends_the_loop_and_says_what_to_do() {
    let sandbox = Sandbox::new();
    for (task, status, words, runs, reason) in [
        (
            "auth",
            401,
            "Failed to authenticate. API Error: 401",
            1,
            "set $ANTHROPIC_API_KEY, or give agents.claude.token_file",
        ),
        ("forbidden", 403, "API Error: 403 Forbidden", 1, "the provider refuses its credentials"),
        ("request", 400, "API Error: 400 model not found", 2, "refused its request twice in a row"),
        ("other", 200, "the model was confused", 4, "it was restarted 3 times"),
    ] {
        program(&sandbox, "claude", &refusing(status, words));
        let line = format!("task --project p --task {task} --prompt x --restart-delay 10ms --max-restarts 3");
        let ended = run(&sandbox, &[KEY], &line);
        let why = run(&sandbox, &[], &format!("why p/{task}")).stdout;
        assert!(ended.code == 1 && why.contains(reason), "{why} {ended:?}");
        assert!(why.contains(&format!("`run-agent resume p/{task}`")), "{why}");
        let begun = fs::read_dir(sandbox.root().join(format!("p/{task}/runs"))).unwrap().count();
        assert_eq!(begun, runs, "{why}");
    }
}
