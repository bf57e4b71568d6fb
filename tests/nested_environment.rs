//! A run that is started inside of another run: of what was set for the outer one, the inner one inherits nothing.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::common::{
    Outcome, Sandbox,
    daemon::Daemon,
    outcome,
    tasks::{Bench, until},
    words,
};

/// Agents that write down their environment. The ones with a type of their own start another agent as a child, with what
/// such programs set for their commands.
const CONFIG: &str = "\
agents:
  probe: {type: command, command: [sh, -c, 'env >\"$JRUN_RUN_FOLDER/env\"; touch \"$JRUN_TASK_FOLDER/DONE\"']}
  claude: {command: [sh, CLAUDE], base_url: 'http://claude.example', token_file: claude-token}
  codex: {command: [sh, CODEX], base_url: 'http://codex.example/v1', token_file: codex-token}
  gemini: {command: [sh, GEMINI], base_url: 'http://gemini.example', token_file: gemini-token}
  opencode: {command: [sh, OPENCODE], base_url: 'http://opencode.example/v1', token_file: opencode-token, permissions: ask}
";

/// The end of each agent's stream.
const RESULTS: [(&str, &str); 4] = [
    ("claude", r#"{"type":"result","subtype":"success","is_error":false,"result":"done"}"#),
    ("codex", r#"{"type":"turn.completed","usage":{"input_tokens":1}}"#),
    ("gemini", r#"{"type":"result","status":"success"}"#),
    ("opencode", r#"{"type":"step_finish","sessionID":"ses_1","part":{"reason":"stop"}}"#),
];

/// The environment of a user who has set a few things.
const USER: [(&str, &str); 4] = [
    ("ANTHROPIC_BASE_URL", "http://gateway.example"),
    ("CODEX_HOME", "/home/me/codex"),
    ("LANG", "C.UTF-8"),
    ("CLAUDE_CODE_USE_BEDROCK", "0"),
];

fn bench() -> Bench {
    let bench = Bench::new();
    let mut config = CONFIG.to_owned();
    for (agent, result) in RESULTS {
        let script = format!(
            "env >\"$JRUN_RUN_FOLDER/env\"\n\
             export CLAUDECODE=1 CLAUDE_CODE_SESSION_ID=s CLAUDE_CODE_ENTRYPOINT=cli CLAUDE_CODE_SSE_PORT=1\n\
             export CODEX_SANDBOX=seatbelt CODEX_SANDBOX_NETWORK_DISABLED=1 CODEX_THREAD_ID=t CODEX_CI=1\n\
             export GEMINI_CLI=1 OPENCODE=1 OPENCODE_PID=1 AI_AGENT=x\n\
             if [ -n \"$CHILD\" ]; then\n\
             run-agent job --project p --task \"$JRUN_TASK_ID-child\" --agent $CHILD --prompt x || exit 1\n\
             fi\n\
             echo '{result}'\n"
        );
        let path = bench.sandbox.write(format!("{agent}.sh"), script);
        config = config.replace(&agent.to_uppercase(), &format!("'{}'", path.display()));
        bench.sandbox.write(format!("home/.config/conductor/{agent}-token"), format!("sk-{agent}-secret\n"));
    }
    bench.sandbox.configure(config);
    bench
}

/// Runs a command line in an environment.
fn run_in(sandbox: &Sandbox, environment: &BTreeMap<String, String>, line: &str) -> Outcome {
    outcome(sandbox.command(words(line)).env_clear().envs(environment))
}

/// The environment of a user, as the sandbox has it.
fn user(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let command = sandbox.command(["version"]);
    let own = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    own.chain(USER).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The environment that a task's nth run has written down.
fn environment_of(bench: &Bench, task: &str, n: usize) -> BTreeMap<String, String> {
    let text = fs::read_to_string(bench.run_file(task, n, "env")).unwrap_or_else(|e| panic!("{task}: {e}"));
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The same without what describes the run itself, and what shells set.
fn comparable(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of_the_run = |name: &str| {
        name.starts_with("JRUN_") && !name.starts_with("JRUN_SET") && !name.starts_with("JRUN_OUTER")
    };
    environment
        .retain(|name, _| !of_the_run(name) && !["_", "SHLVL", "PWD", "OLDPWD"].contains(&name.as_str()));
    environment
}

#[test]
fn the_run_of_a_child_has_the_environment_of_a_run_of_its_own() {
    let bench = bench();
    let user = user(&bench.sandbox);
    let inner = ["probe", "claude", "codex", "gemini", "opencode"];
    let mut alone = BTreeMap::new();
    for agent in inner {
        let ran = run_in(
            &bench.sandbox,
            &user,
            &format!("job --project p --task {agent} --agent {agent} --prompt x"),
        );
        assert_eq!(ran.code, 0, "{agent}: {ran:?}");
        alone.insert(agent, comparable(environment_of(&bench, agent, 0)));
    }
    // What is set for a run arrives there, and nowhere else.
    assert_eq!(alone["claude"]["ANTHROPIC_BASE_URL"], "http://claude.example");
    assert_eq!(alone["claude"]["ANTHROPIC_API_KEY"], "sk-claude-secret");
    assert_eq!(alone["opencode"]["OPENCODE_API_KEY"], "sk-opencode-secret");
    assert!(alone["opencode"].contains_key("OPENCODE_PERMISSION"), "{alone:?}");
    assert!(alone["gemini"].contains_key("GEMINI_CLI_SYSTEM_DEFAULTS_PATH"), "{alone:?}");
    assert_eq!(alone["probe"]["ANTHROPIC_BASE_URL"], "http://gateway.example");
    for (outer, _) in RESULTS {
        for agent in inner {
            let task = format!("{outer}-{agent}");
            let line = format!(
                "job --project p --task {task} --agent {outer} --prompt x --config-key env.CHILD={agent} \
                 --config-key env.FLAVOUR=vanilla --config-key env.LANG=C --config-key env.TMPDIR=/tmp/own"
            );
            let ran = run_in(&bench.sandbox, &user, &line);
            assert_eq!(ran.code, 0, "{task}: {ran:?}");
            assert_eq!(environment_of(&bench, &task, 0)["FLAVOUR"], "vanilla");
            let mut nested = comparable(environment_of(&bench, &format!("{task}-child"), 0));
            // Each run has a file of its own.
            let file = "GEMINI_CLI_SYSTEM_DEFAULTS_PATH";
            if let (Some(own), Some(other)) = (nested.get_mut(file), alone[agent].get(file)) {
                own.clone_from(other);
            }
            assert_eq!(nested, alone[agent], "{agent} inside of {outer}");
        }
    }
}

/// The environment of the commands of a Claude run with variables of its own.
fn inside_of_claude(bench: &Bench, user: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let line = "job --project p --task outer --agent claude --prompt x --config-key env.FLAVOUR=vanilla";
    assert_eq!(run_in(&bench.sandbox, user, line).code, 0);
    let mut inside = environment_of(bench, "outer", 0);
    inside.extend([("CLAUDECODE", "1"), ("CLAUDE_PID", "7")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    // The run has ended, and would be refused as a parent.
    inside.remove("JRUN_ID");
    inside
}

#[test]
fn a_daemon_that_an_agent_has_started_gives_its_runs_nothing_of_that_agents() {
    let bench = bench();
    let user = user(&bench.sandbox);
    assert_eq!(
        run_in(&bench.sandbox, &user, "job --project p --task alone --agent probe --prompt x").code,
        0
    );
    let inside = inside_of_claude(&bench, &user);
    let variables: Vec<(&str, &str)> = inside.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let daemon = Daemon::start_with(&bench.sandbox, &variables, &[]);
    daemon.create("by-http", "probe");
    daemon.until_task("by-http", "completed");
    assert_eq!(
        comparable(environment_of(&bench, "by-http", 0)),
        comparable(environment_of(&bench, "alone", 0))
    );
}

#[test]
fn each_attempt_and_a_resumed_task_have_the_same_environment() {
    let bench = bench();
    let user = user(&bench.sandbox);
    assert_eq!(
        run_in(&bench.sandbox, &user, "job --project p --task alone --agent probe --prompt x").code,
        0
    );
    let alone = comparable(environment_of(&bench, "alone", 0));
    let inside = inside_of_claude(&bench, &user);
    let script = "env >\"$JRUN_RUN_FOLDER/env\"; n=$(ls \"$JRUN_RUNS_DIR\" | wc -l); [ $n -lt 2 ] && exit 1; touch \"$JRUN_TASK_FOLDER/DONE\"";
    let args = ["task", "--project", "p", "--task", "again", "--agent", "command", "--prompt", "x"];
    let args = [&args[..], &["--restart-delay", "10ms", "--", "sh", "-c", script]].concat();
    let ran = outcome(bench.sandbox.command(args).env_clear().envs(&inside));
    assert_eq!(ran.code, 0, "{ran:?}");
    let resumed = run_in(&bench.sandbox, &inside, "resume p/again");
    assert_eq!(resumed.code, 0, "{resumed:?}");
    until("three runs", || bench.runs("again").len() == 3 && bench.runs("again")[2].status.is_final());
    for n in 0..3 {
        assert_eq!(comparable(environment_of(&bench, "again", n)), alone, "run {n}");
    }
}

#[test]
fn keys_of_providers_stay_out_unless_a_setting_lets_them_pass() {
    let probe = "type: command, command: [sh, -c, 'env >\"$JRUN_RUN_FOLDER/env\"']";
    for (pass, seen) in [("[]", false), ("[GROQ_API_KEY, OPENAI_API_KEY]", true)] {
        let bench = Bench::new();
        bench.sandbox.configure(format!("agents: {{probe: {{{probe}}}}}\nenv: {{pass: {pass}}}\n"));
        let keys = [("GROQ_API_KEY", "gsk-1"), ("OPENAI_API_KEY", "sk-1"), ("MISTRAL_API_KEY", "m-1")];
        let job = "job --project p --agent probe --prompt x --task";
        let ran = bench.sandbox.run_with(&keys, &format!("{job} t"));
        assert_eq!(ran.code, 0, "{ran:?}");
        let given = environment_of(&bench, "t", 0);
        for (name, value) in keys {
            let expected = Some(value).filter(|_| seen && name != "MISTRAL_API_KEY");
            assert_eq!(given.get(name).map(String::as_str), expected, "{name} with {pass}");
        }
        let own = bench.sandbox.run(&format!("{job} own --config-key env.GROQ_API_KEY=mine"));
        assert_eq!(own.code, if seen { 0 } else { 12 }, "{own:?}");
    }
    let bench = Bench::new();
    bench.sandbox.configure("env: {pass: [JRUN_ID, 'a b']}\n");
    let refused = bench.run("job --project p --agent demo --prompt x");
    assert_eq!(refused.code, 12, "{refused:?}");
    for problem in
        ["'env.pass' has 'JRUN_ID', which agents never inherit", "has 'a b', which is not the name"]
    {
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
}

#[test]
fn the_key_of_an_outer_run_is_no_login_of_the_inner_one() {
    let bench = Bench::new();
    let folder = bench.sandbox.path("bin");
    let program = bench.sandbox.write("bin/claude", "#!/bin/sh\necho 2.1.0\n");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let script = bench.sandbox.write("outer.sh", "run-agent validate --agent claude --json >validated\n");
    let outer = json!({"type": "claude", "command": ["sh", script], "token_file": "token"});
    bench.sandbox.configure(json!({"agents": {"outer": outer}}).to_string());
    bench.sandbox.write("home/.config/conductor/token", "sk-ant-secret\n");
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let ran = bench.sandbox.run_with(&[("PATH", &path)], "job --project p --agent outer --prompt x");
    let validated = fs::read_to_string(bench.sandbox.work().join("validated"));
    let validated = validated.unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let validated: Value = serde_json::from_str(&validated).unwrap();
    assert_eq!(validated["agents"][0]["credentials"], "missing", "{validated}");
}
