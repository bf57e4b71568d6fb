//! The file formats: a JSON Schema per file, checked against the types that write it, the sample trees and a real
//! run.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its samples has failed")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use agents::replay::Recording;
use process::{claim::Claim, exit::ExitRecord};
use serde_json::Value;
use tree::{
    archive::Manifest,
    audit::AuditEntry,
    bus::Message,
    changes::Changes,
    daemon_info::DaemonInfo,
    event::Event,
    kinds::Protocol,
    known_programs::KnownPrograms,
    login::{BrowserKeys, LoginCode},
    outbox::{Delivery, RunStop},
    run_info::RunInfo,
    self_update::SelfUpdate,
    session::{ApprovalLine, CommandLine, OutcomeLine},
    task::TaskConfig,
    task_end::TaskEnd,
    thread_link::ThreadLink,
    ticket::Ticket,
    transcript::events_of_line,
};

use crate::common::Sandbox;

/// A file name, or its end, and the schema for its records.
const FILES: &[(&str, &str)] = &[
    ("run-info.yaml", "run-info"),
    ("TASK-CONFIG.yaml", "task-config"),
    ("TASK-END.yaml", "task-end"),
    ("TASK-THREAD-LINK.yaml", "thread-link"),
    ("form-submissions.jsonl", "audit"),
    ("daemon.yaml", "daemon"),
    ("agents.yaml", "agents"),
    ("browser-keys.json", "browser-keys"),
    ("self-update.yaml", "self-update"),
    ("claim.json", "claim"),
    ("exit.json", "exit"),
    ("MESSAGE-BUS.jsonl", "message"),
    ("log-times.jsonl", "log-time"),
    ("inbox.jsonl", "inbox"),
    ("events.jsonl", "event"),
    ("changes.json", "changes"),
    ("commands.jsonl", "command"),
    ("outcomes.jsonl", "outcome"),
    ("approvals.jsonl", "approval"),
    ("recording.json", "recording"),
];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn schema_file(name: &str) -> PathBuf {
    repository().join(format!("docs/formats/{name}.schema.json"))
}

/// The schemas of the types that write the files.
fn generated() -> BTreeMap<&'static str, Value> {
    macro_rules! schemas {
        ($($name:literal: $type:ty),* $(,)?) => {
            BTreeMap::from([$(($name, serde_json::to_value(schemars::schema_for!($type)).unwrap())),*])
        };
    }
    schemas! {
        "run-info": RunInfo,
        "task-config": TaskConfig,
        "task-end": TaskEnd,
        "thread-link": ThreadLink,
        "audit": AuditEntry,
        "ticket": Ticket,
        "daemon": DaemonInfo,
        "agents": KnownPrograms,
        "browser-keys": BrowserKeys,
        "login-code": LoginCode,
        "self-update": SelfUpdate,
        "webhook-delivery": Delivery,
        "webhook-run-stop": RunStop,
        "claim": Claim,
        "exit": ExitRecord,
        "message": Message,
        "event": Event,
        "changes": Changes,
        "command": CommandLine,
        "outcome": OutcomeLine,
        "approval": ApprovalLine,
        "recording": Recording,
        "bundle-manifest": Manifest,
    }
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let update = std::env::var_os("CONDUCTOR_UPDATE_SCHEMAS").is_some();
    for (name, schema) in generated() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let file = schema_file(name);
        if update {
            fs::write(&file, &text).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            kept,
            text,
            "{} is not what the type says: CONDUCTOR_UPDATE_SCHEMAS=1 writes it",
            file.display()
        );
    }
}

/// The schema for a file of a tree; `None` for files without records.
fn schema_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?.file_name()?.to_str()?;
    if folder == "login-codes" {
        return Some("login-code");
    }
    if matches!(folder, "queue" | "live") && path.extension().is_some_and(|e| e == "yaml") {
        return Some("ticket");
    }
    FILES.iter().find(|(end, _)| name.ends_with(end)).map(|(_, schema)| *schema)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    match path.extension().and_then(|e| e.to_str()) {
        Some("yaml") => vec![serde_yaml::from_str(&text).unwrap()],
        Some("json") => vec![serde_json::from_str(&text).unwrap()],
        // Text after the last newline is not a line yet.
        _ => text
            .split_inclusive('\n')
            .filter(|l| l.ends_with('\n'))
            .filter_map(|l| serde_json::from_str(l).ok())
            .collect(),
    }
}

/// Checks every record of a tree against its schema. Returns the used schemas.
fn hold(tree: &Path) -> Vec<&'static str> {
    let mut used = Vec::new();
    for path in files_below(tree) {
        let Some(name) = schema_of(&path) else { continue };
        let schema: Value = serde_json::from_str(&fs::read_to_string(schema_file(name)).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        // The schema describes our own lines; a line written by hand may lack everything but the braces.
        let by_hand = |r: &Value| name == "message" && r.get("msg_id").is_none();
        for record in records(&path).into_iter().filter(|r| !by_hand(r)) {
            let wrong: Vec<String> = validator.iter_errors(&record).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("; "));
        }
        used.push(name);
    }
    used
}

#[test]
fn the_sample_trees_keep_to_the_schemas() {
    let mut used = Vec::new();
    for tree in fs::read_dir(repository().join("fixtures/trees")).unwrap().flatten() {
        used.extend(hold(&tree.path()));
    }
    for schema in [
        "run-info",
        "task-config",
        "task-end",
        "ticket",
        "claim",
        "exit",
        "message",
        "log-time",
        "inbox",
        "event",
        "command",
        "outcome",
        "approval",
    ] {
        assert!(used.contains(&schema), "no sample of {schema}");
    }
}

/// Old samples stay readable: this program lists the tasks that an earlier version wrote, with each status.
#[test]
fn the_sample_trees_are_still_read() {
    let sandbox = Sandbox::new();
    copy(&repository().join("fixtures/trees/v1"), &sandbox.root());
    let listed = sandbox.run("list --json").succeeds();
    let tasks: Value = serde_json::from_str(&listed).unwrap();
    let seen: Vec<(String, String)> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["task_id"].as_str().unwrap().to_owned(), t["status"].as_str().unwrap().to_owned()))
        .collect();
    let expected =
        [("answered", "completed"), ("failing", "failed"), ("stopped", "stopped"), ("waiting", "blocked")];
    assert_eq!(seen, expected.map(|(t, s)| (t.to_owned(), s.to_owned())));
    let answer = sandbox.run("output sample/answered").succeeds();
    assert!(answer.contains("| Rust |"), "{answer}");
}

/// `protocol` was formerly called `driver`: either name is read, and the new one is written.
#[test]
fn a_record_names_its_protocol_by_either_key() {
    let info = |tree: &str| {
        let runs = repository().join("fixtures/trees").join(tree).join("sample/answered/runs");
        let run = fs::read_dir(runs).unwrap().flatten().next().unwrap().path();
        let text = fs::read_to_string(run.join("run-info.yaml")).unwrap();
        (serde_yaml::from_str::<RunInfo>(&text).unwrap(), text)
    };
    let ((old, old_text), (new, new_text)) = (info("v1"), info("v1-protocol"));
    assert!(old_text.contains("\ndriver: exec\n") && new_text.contains("\nprotocol: exec\n"));
    assert_eq!(old, new);
    assert_eq!(old.protocol, Protocol::Exec);
    let written = serde_yaml::to_string(&old).unwrap();
    assert!(written.contains("\nprotocol: exec\n") && !written.contains("driver"), "{written}");
    let other =
        new_text.replace("protocol: exec", "protocol: acp").replace("executor: local", "executor: slurm");
    let other: RunInfo = serde_yaml::from_str(&other).unwrap();
    let written = serde_yaml::to_string(&other).unwrap();
    assert!(written.contains("\nprotocol: acp\n") && written.contains("\nexecutor: slurm\n"), "{written}");
}

/// The events in a sample tree are those of the stream beside them.
#[test]
fn the_sample_events_are_those_of_their_stream() {
    let runs = repository().join("fixtures/trees/v1-events/sample/asked/runs");
    let run = fs::read_dir(runs).unwrap().flatten().next().unwrap().path();
    let stream = fs::read(run.join("agent-stdout.txt")).unwrap();
    let mut offset = 0;
    let mut made = Vec::new();
    let dialect = agents::of_word("claude").expect("an agent").dialect();
    for line in stream.split_inclusive(|b| *b == b'\n') {
        let length = line.len() as u64;
        made.extend(events_of_line(dialect, offset, length, line.trim_ascii_end()));
        offset += length;
    }
    let kept = records(&run.join("events.jsonl")).into_iter();
    let kept: Vec<Event> = kept.map(|r| serde_json::from_value(r).unwrap()).collect();
    assert_eq!(kept, made);
}

#[test]
fn a_real_run_keeps_to_the_schemas() {
    let sandbox = Sandbox::new();
    let job = "job --json --project p --task t --prompt hello -- cat --number";
    let ran = sandbox.run(job);
    assert_eq!(ran.code, 0, "{ran:?}");
    let used = hold(&sandbox.root());
    for schema in ["run-info", "task-config", "task-end", "claim", "exit", "message", "log-time"] {
        assert!(used.contains(&schema), "{schema} is missing: {used:?}");
    }
}

/// Our YAML means the same to other readers: no bare `no`, `0123` or `12:30`.
#[test]
fn yaml_is_not_misread_by_others() {
    let config: TaskConfig = serde_json::from_value(serde_json::json!({
        "version": 1, "agent": "no", "cwd": "0123", "command": ["12:30:00", "=", "on", "~", "null", "a: b", "- x", "é\u{2028}"],
    }))
    .unwrap();
    let text = serde_yaml::to_string(&config).unwrap();
    let back: TaskConfig = serde_yaml::from_str(&text).unwrap();
    assert_eq!(back, config);
    for bare in ["agent: no\n", "cwd: 0123\n", "- 12:30:00\n", "- on\n", "- =\n", "- ~\n", "- null\n"] {
        assert!(!text.contains(bare), "{bare:?} in\n{text}");
    }
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}
