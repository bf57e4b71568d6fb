//! The command line and its configuration, as a user meets them: precedence, refusals and their messages.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use crate::common::{Outcome, Sandbox, outcome};
use agents::agent_types;
use config::{Environment, Flags, Loaded, Origin};
use serde_json::Value;

/// `config show --origin --json` as a map from key to value and origin.
fn shown(outcome: Outcome) -> BTreeMap<String, (Value, String)> {
    let text = outcome.succeeds();
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let settings = answer["settings"].as_array().expect("a list");
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    settings.iter().map(|s| (text(&s["key"]), (s["value"].clone(), text(&s["origin"])))).collect()
}

const SHOW: &str = "config show --origin --json";

fn load_defaults(environment: &Environment) -> Loaded {
    config::load(&Flags::default(), environment, Path::new("/proc/nonexistent"), agent_types())
        .expect("the defaults are right")
}

/// Returns true for the settings of agents and executors, which have the names that a user gives them.
fn named(key: &str) -> bool {
    key.starts_with("agents.") || key.starts_with("executors.")
}

#[test]
fn the_sample_file_holds_every_key_with_its_default() {
    let environment = Environment::from_iter([("HOME", "/home/somebody")]);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.yaml");
    let flags = Flags { config: Some(sample.clone()), ..Flags::default() };
    let mut loaded = config::load(&flags, &environment, Path::new("/proc/nonexistent"), agent_types())
        .expect("the sample is right");
    assert_eq!(loaded.config.source.take(), Some(sample));
    assert_eq!(loaded.config, load_defaults(&environment).config);
    for setting in loaded.settings.iter().filter(|s| !named(&s.key)) {
        // An empty list of sections has no value of its own, and neither has an empty path.
        let empty = ["api.keys", "api.socket"].contains(&setting.key.as_str());
        let in_file = matches!(setting.origin, Origin::File(..)) || empty;
        assert!(in_file, "config.yaml does not show {}", setting.key);
    }
}

#[test]
fn the_page_lists_every_key_with_its_default() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md"))
        .expect("the page");
    let environment = Environment::from_iter([("HOME", "~")]);
    let settings = load_defaults(&environment).settings;
    let of_page = |line: &&str| line.strip_prefix("| `").is_some_and(|key| !named(key));
    let keys = page.lines().filter(of_page).filter(|l| !l.starts_with("| `$")).count();
    let mut expected = 0;
    for setting in settings.iter().filter(|s| !named(&s.key)) {
        let default = match setting.value.as_str() {
            Some("") => "\"\"".to_owned(),
            Some(path) => path.replace("/proc/nonexistent/", ""),
            None => setting.value.to_string(),
        };
        let row = format!("| `{}` | `{default}` |", setting.key);
        assert!(page.contains(&row), "docs/configuration.md has no row {row}");
        expected += 1;
    }
    assert_eq!(keys, expected + 1, "rows of the page: every setting, and `faces`");
}

#[test]
fn flags_beat_the_environment_beats_the_file_beats_defaults() {
    let sandbox = Sandbox::new();
    let file = sandbox
        .configure("api:\n  host: file\n  port: 1\nstorage:\n  runs_dir: tree\ndefaults: {timeout: 1h30m}\n");
    let at = |line: u32| format!("{}:{line}", file.display());
    let text = |s: &str| Value::from(s);
    let of_file = shown(sandbox.run(SHOW));
    assert_eq!(of_file["api.host"], (text("file"), at(2)));
    assert_eq!(
        of_file["storage.runs_dir"].0,
        text(sandbox.home().join(".config/conductor/tree").to_str().expect("text"))
    );
    assert_eq!(of_file["defaults.timeout"], (text("1h30m"), at(6)));
    assert_eq!(of_file["defaults.stop_grace"], (text("10s"), "default".to_owned()));

    let variables =
        [("CONDUCTOR_HOST", "env"), ("CONDUCTOR_ROOT", "/env"), ("CONDUCTOR_DISABLE_TASK_START", "1")];
    let of_env = shown(sandbox.run_with(&variables, SHOW));
    assert_eq!(of_env["api.host"], (text("env"), "$CONDUCTOR_HOST".to_owned()));
    assert_eq!(of_env["api.port"], (Value::from(1), at(3)));
    assert_eq!(of_env["storage.runs_dir"], (text("/env"), "$CONDUCTOR_ROOT".to_owned()));
    assert_eq!(of_env["disable_task_start"].0, Value::from(true));

    let of_flag = shown(sandbox.run_with(&variables, &format!("{SHOW} --root ~/flag")));
    let home = sandbox.home().join("flag");
    assert_eq!(of_flag["storage.runs_dir"], (text(home.to_str().expect("text")), "--root".to_owned()));
}

#[test]
fn the_file_is_found_where_it_is_said_to_be() {
    let sandbox = Sandbox::new();
    let path = |variables: &[(&str, &str)], line: &str| sandbox.run_with(variables, line);
    let none = path(&[], "config path");
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:?}");
    assert!(none.stderr.contains("no configuration file"), "{none:?}");
    let usual = sandbox.home().join(".config/conductor/config.yaml");
    assert!(none.stderr.contains(usual.to_str().expect("text")), "the path to create is named: {none:?}");

    let home = sandbox.write("home/.config/conductor/config.yaml", "");
    let is = |outcome: Outcome, file: &Path| {
        assert_eq!(outcome.succeeds().trim_end(), file.to_str().expect("text"));
    };
    is(path(&[], "config path"), &home);
    let xdg = sandbox.write("xdg/conductor/config.yaml", "");
    let xdg_home = xdg.ancestors().nth(2).and_then(Path::to_str).expect("text");
    is(path(&[("XDG_CONFIG_HOME", xdg_home)], "config path"), &xdg);
    // A config.yaml in the working folder may belong to another program, or to a repository that was just cloned.
    sandbox.write("work/config.yaml", "");
    is(path(&[("XDG_CONFIG_HOME", xdg_home)], "config path"), &xdg);
    is(path(&[], "config path --config config.yaml"), &sandbox.work().join("config.yaml"));
    is(path(&[("JRUN_ID", "x")], "config path"), &home);
    let variable = sandbox.write("work/variable.yaml", "");
    is(path(&[("CONDUCTOR_CONFIG", "variable.yaml")], "config path"), &variable);
    let flag = sandbox.write("work/flag.yaml", "");
    is(path(&[("CONDUCTOR_CONFIG", "variable.yaml")], "config path --config flag.yaml"), &flag);

    let missing = "No such file or directory";
    path(&[], "config show --config no.yaml").fails(12, "the configuration file that --config names", "");
    path(&[], "config show --config no.yaml").fails(12, missing, "config reference");
    path(&[("CONDUCTOR_CONFIG", "no.yaml")], "config show").fails(12, "$CONDUCTOR_CONFIG names", "");
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_line() {
    let sandbox = Sandbox::new();
    let hint = "`run-agent config reference` explains every key";
    for (text, error) in [
        (
            "defaults:\n  timout: 5m\n",
            "c.yaml:2: unknown key 'defaults.timout', did you mean 'defaults.timeout'?",
        ),
        ("\ndefualts: {}\n", "c.yaml:2: unknown key 'defualts', did you mean 'defaults'?"),
        ("timeout: 5m\n", "c.yaml:1: unknown key 'timeout', did you mean 'defaults.timeout'?"),
        (
            "agents:\n  codex:\n    modle: x\n",
            "c.yaml:3: unknown key 'agents.codex.modle', did you mean 'agents.codex.model'?",
        ),
        (
            "defaults:\n  diversification:\n    strategie: x",
            "c.yaml:3: unknown key 'defaults.diversification.strategie'",
        ),
        (
            "api:\n  keys:\n    - {name: a, key: b}\n    - {nmae: c, key: d}\n",
            "c.yaml:4: unknown key 'api.keys[1].nmae'",
        ),
        ("disable_task_start: true\n", "c.yaml:1: unknown key 'disable_task_start'"),
        ("api:\n  port: eight\n", "c.yaml:2: 'api.port' takes a whole number from 0 to 65535, not 'eight'"),
        ("api:\n  port: 70000\n", "not the number 70000"),
        ("api:\n  port: \"80\"\n", "not '80'"),
        ("api: 5\n", "c.yaml:1: 'api' takes a section (keys with values below it), not the number 5"),
        ("- a\n", "c.yaml:1: 'the file' takes a section"),
        ("defaults: {timeout: 10x}\n", "'defaults.timeout' takes a duration (10s, 5m, 1h30m, 7d), not '10x'"),
        (
            "defaults:\n  timeout: 300\n",
            "c.yaml:2: 'defaults.timeout' has no unit; write 300s, 300m, 300h or 300d",
        ),
        ("defaults: {restart_delay: \"5\"}\n", "c.yaml:1: 'defaults.restart_delay' has no unit; write 5s"),
        ("watch: {sweep: -1}\n", "'watch.sweep' takes a duration (10s, 5m, 1h30m, 7d), not the number -1"),
        ("defaults:\n  max_restarts: -1\n", "c.yaml:2: 'defaults.max_restarts' takes a whole number from 0"),
        (
            "api: {allowed_hosts: [a, 5]}\n",
            "'api.allowed_hosts' has an item 2 that is a number; put it in quotes",
        ),
        ("api: {max_body: 1 MB}\n", "'api.max_body' takes a size"),
        ("storage: {fsync: sometimes}\n", "'storage.fsync' takes always or never, not 'sometimes'"),
        ("watch: {mode: fast}\n", "'watch.mode' takes auto, native or poll, not 'fast'"),
        ("watch: {sweep: 0}\n", "'watch.sweep' must be longer than 0"),
        ("api: {api_key: 12345}\n", "'api.api_key' is a number; put it in quotes"),
        ("a: 1\na: 2\n", "c.yaml:2: key 'a' is already set in line 1"),
        (
            "defaults:\n  timeout: 1s\n  agent: demo\n  timeout: 2s\n",
            "c.yaml:4: key 'defaults.timeout' is already set in line 2",
        ),
        (
            "defaults: {agent: cluade}\n",
            "'defaults.agent' names an unknown agent 'cluade', did you mean 'claude'?",
        ),
        (
            "defaults:\n  diversification: {agents: [demo], weights: [1, 2]}\n",
            "c.yaml:2: 'defaults.diversification.weights' has 2 weights for 1 agents",
        ),
        (
            "agents:\n  mine: {model: x}\n",
            "c.yaml:2: 'agents.mine.command' is missing, and the type of 'mine' names no program",
        ),
        ("agents:\n  mine: {type: command}\n", "'agents.mine.command' is missing; it is the program"),
        ("agents:\n  mine: {type: codx}\n", "'agents.mine.type' takes demo, command, claude"),
        ("agents:\n  a b: {type: demo}\n", "'agents.a b' is not a valid agent name"),
        ("api:\n  keys: [{key: x}]\n", "'api.keys[0].name' is missing"),
        ("api:\n  keys: [{name: x}]\n", "'api.keys[0].key' is missing; give key or key_file"),
        ("defaults: [\n", "c.yaml:"),
        ("a: b: c\n", "c.yaml:1: not valid YAML: mapping values are not allowed in this context\n"),
        ("a: 1\n---\nb: 2\n", "c.yaml:3: not valid YAML: a second document begins here\n"),
    ] {
        sandbox.write("work/c.yaml", text);
        let outcome = sandbox.run("config show --config c.yaml");
        outcome.fails(12, error, hint);
    }
    sandbox.write("work/c.yaml", b"a: 1\nb: \xff\n");
    sandbox.run("config show --config c.yaml").fails(
        12,
        "c.yaml:2: not valid YAML: it is not UTF-8 text",
        hint,
    );
    sandbox.run_with(&[("CONDUCTOR_PORT", "x")], "config show").fails(
        12,
        "$CONDUCTOR_PORT: 'api.port' takes",
        hint,
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let sandbox = Sandbox::new();
    sandbox.configure("api: {prot: 1}\ndefaults:\n  timeout: soon\nlimits: {max_tokens: []}\n");
    let outcome = sandbox.run("config show");
    outcome.fails(12, "unknown key 'api.prot'", "`run-agent config reference` explains every key");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].contains("config.yaml:3: ") && lines[2].contains("config.yaml:4: "), "{lines:?}");
    // A JSON error has the same words as a text error.
    let report: Value = serde_json::from_str(&sandbox.run("config show --json").stderr).expect("JSON");
    assert_eq!(report["code"], 12);
    assert!(report["error"].as_str().is_some_and(|e| e.lines().count() == 3), "{report}");
    assert!(report["hint"].is_string(), "{report}");
}

#[test]
fn a_token_file_that_is_missing_or_empty_is_named_with_its_agent() {
    let sandbox = Sandbox::new();
    sandbox.configure("agents:\n  codex:\n    token_file: ~/token\n");
    let hint = "$CONDUCTOR_AGENT_<NAME>_TOKEN";
    let token = sandbox.home().join("token");
    let said = |problem: &str| {
        format!("config.yaml:3: the token file {} of agent 'codex' {problem}", token.display())
    };
    let job = "job --agent codex --prompt x";
    sandbox.run(job).fails(13, &said("is missing"), hint);
    sandbox.write("home/token", " \n");
    sandbox.run(job).fails(13, &said("is empty"), hint);
    sandbox.write("home/token", "two words\n");
    sandbox.run(job).fails(13, &said("holds more than one word"), hint);
    // A broken file of one agent stops no other agent, and `validate` reports it.
    assert_eq!(sandbox.run("job --agent demo --project p --prompt x").code, 0);
    let validated = sandbox.run("validate --agent codex");
    assert!(format!("{validated:?}").contains("holds more than one word"), "{validated:?}");

    sandbox.write("home/token", "sk-secret-12345678\n");
    let shown_file = shown(sandbox.run(SHOW));
    assert_eq!(shown_file["agents.codex.token_file"].0, Value::from(token.to_str().expect("text")));
    let variables = [("CONDUCTOR_AGENT_CODEX_TOKEN", "sk-secret-12345678")];
    std::fs::remove_file(&token).expect("the token is there");
    let outcome = sandbox.run_with(&variables, SHOW);
    assert!(!outcome.stdout.contains("sk-secret"), "{outcome:?}");
    let origin = "$CONDUCTOR_AGENT_CODEX_TOKEN".to_owned();
    assert_eq!(shown(outcome)["agents.codex.token"], (Value::from("[REDACTED]"), origin));
}

#[test]
fn no_secret_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("home/.config/conductor/key", "file-secret-1");
    sandbox.configure(
        "api: {api_key: inline-secret-2, keys: [{name: a, key: inline-secret-3}, {name: b, key_file: key}]}\n\
         webhook: {secret: inline-secret-4}\n",
    );
    for line in ["config show", "config show --origin", "config show --json"] {
        let outcome = sandbox.run_with(&[("CONDUCTOR_AGENT_XAI_TOKEN", "env-secret-5")], line).succeeds();
        assert!(outcome.contains("[REDACTED]") && !outcome.contains("secret-"), "{line}: {outcome}");
    }
    sandbox.configure("api: {api_key: [inline-secret-2]}\n");
    let outcome = sandbox.run("config show");
    outcome.fails(12, "'api.api_key' takes text, not a list", "");
    // The key itself in place of the path of its file.
    sandbox.configure(format!("agents: {{xai: {{token_file: xai-{}}}}}\n", "a1".repeat(20)));
    sandbox.run("job --agent xai --prompt x").fails(13, "/[REDACTED] of agent 'xai' is missing", "");
    let shown = sandbox.run("config show").succeeds();
    assert!(shown.contains("[REDACTED]") && !shown.contains("a1a1"), "{shown}");
}

#[test]
fn unknown_faces_and_settings_of_faces_are_refused_with_the_nearest_name() {
    let sandbox = Sandbox::new();
    for (faces, problem, hint) in [
        (
            "orbitdok: {listen: 'a:1'}",
            "config.yaml:2: unknown key 'faces.orbitdok'",
            "did you mean 'faces.orbitdock'?",
        ),
        (
            "orbitdock: {listn: 'a:1'}",
            "config.yaml:2: unknown key 'faces.orbitdock.listn'",
            "'faces.orbitdock.listen'?",
        ),
        ("zebra: true", "config.yaml:2: unknown key 'faces.zebra'", ""),
        (
            "agent_runtime: {listen: a}",
            "config.yaml:2: 'faces.agent_runtime.listen' must be a host and a port",
            "",
        ),
        ("conductor_loop: {}", "config.yaml:2: 'faces.conductor_loop' takes", ""),
        ("command_center: true", "config.yaml:2: 'faces.command_center' takes a section", ""),
    ] {
        sandbox.configure(format!("faces:\n  {faces}\n"));
        let refused = sandbox.run("config show");
        assert_eq!(refused.code, 12, "{faces}: {refused:?}");
        assert!(refused.stderr.contains(problem) && refused.stderr.contains(hint), "{faces}: {refused:?}");
    }
}

#[test]
fn what_is_shown_can_be_loaded() {
    let sandbox = Sandbox::new();
    sandbox.configure("agents: {mine: {command: [cat, -n], prompt: arg}}\nfaces: {orbitdock: {listen: 'a:1'}, conductor_loop: true}\n");
    let first = sandbox.run("config show").succeeds();
    sandbox.write("work/shown.yaml", &first);
    assert_eq!(sandbox.run("config show --config shown.yaml").succeeds(), first);
}

#[test]
fn bad_ids_are_refused_by_name() {
    let sandbox = Sandbox::new();
    let long = "a".repeat(129);
    for (id, problem) in [
        ("..", "only letters"),
        ("a/b", "only letters"),
        ("_planner", "starts with '_' or '-'"),
        (long.as_str(), "longer than 128"),
    ] {
        let args = ["job", "--prompt", "x", "--project", id];
        let outcome = outcome(&mut sandbox.command(args));
        outcome.fails(7, problem, "an id has letters");
    }
    let args = ["job", "--prompt", "x", "--project", ".."];
    let report = outcome(sandbox.command(args).arg("--json"));
    let report: Value = serde_json::from_str(&report.stderr).expect("JSON");
    assert_eq!(report["code"], 7);
    assert!(!sandbox.root().exists(), "nothing was made");
}

#[test]
fn a_root_that_cannot_be_one_is_refused() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("work/file", "x");
    let hint = "choose another folder with --root";
    for root in
        [file.clone(), file.join("below"), "/sys/run-agent".into(), "/proc/run-agent".into(), "/sys".into()]
    {
        let root = root.to_str().expect("text");
        let outcome =
            outcome(&mut sandbox.command(["job", "--agent", "demo", "--prompt", "x", "--root", root]));
        outcome.fails(8, root, hint);
    }
    assert_eq!(std::fs::read(&file).expect("still there"), b"x");
}

#[test]
fn a_wrong_command_line_is_usage() {
    let sandbox = Sandbox::new();
    for line in [
        "frobnicate",
        "config",
        "config show --no-such-flag",
        "version --log warn=nonsense=x",
        "--color blue version",
    ] {
        let outcome = sandbox.run(line);
        assert_eq!(outcome.code, 2, "{line}: {outcome:?}");
        assert!(!outcome.stderr.is_empty(), "{line}");
    }
    let report = sandbox.run("config show --json --no-such-flag");
    let json: Value = serde_json::from_str(&report.stderr).expect("JSON");
    assert_eq!(json["code"], 2, "{report:?}");
    assert!(json["error"].as_str().is_some_and(|e| e.contains("'--no-such-flag'")), "{report:?}");
}

#[test]
fn help_and_version_succeed() {
    let sandbox = Sandbox::new();
    for line in ["--help", "config --help", "config show --help", "--version", "version"] {
        assert!(!sandbox.run(line).succeeds().is_empty(), "{line}");
    }
    let version: Value = serde_json::from_str(&sandbox.run("version --json").succeeds()).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn colour_is_for_those_who_want_it() {
    let sandbox = Sandbox::new();
    let plain = sandbox.run("config show --origin").succeeds();
    assert!(!plain.contains('\u{1b}'), "not a terminal");
    let forced = sandbox.run_with(&[("CLICOLOR_FORCE", "1")], "config show --origin").succeeds();
    assert!(forced.contains('\u{1b}'));
    assert!(sandbox.run("config show --origin --color always").succeeds().contains('\u{1b}'));
    let error = sandbox.run("config show --config no.yaml --color always");
    assert!(error.stderr.starts_with("\u{1b}[1;31merror:\u{1b}[0m "), "{error:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let outcome =
        sandbox.command(["config", "show"]).stdout(Stdio::from(writer)).output().expect("it starts");
    assert_eq!((outcome.status.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome:?}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut deaf = sandbox.command(["config", "show", "--config", "no.yaml"]);
    let status = deaf.stderr(Stdio::from(writer)).status().expect("it starts");
    assert_eq!(status.code(), Some(12), "an error nobody reads is one");
}
