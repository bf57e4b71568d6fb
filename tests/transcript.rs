//! The agents' streams: every captured line with its events, and lines that no agent has printed yet.
//!
//! `fixtures/agents/<agent>/<name>.jsonl` are real streams (those named `made-…` were written after public reports).
//! Beside each stands `<name>.events.jsonl`, and `accounts.txt` has the account of each. `CONDUCTOR_UPDATE_EVENTS=1`
//! rewrites both: review the difference before you keep it.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, FixedOffset};
use proptest::prelude::*;
use serde_json::Value;
use tree::{
    event::{ErrorClass, Event, EventKind, RawReason, ToolStatus, TurnOutcome},
    transcript::{Account, Dialect, MOST_EVENTS, events_of_line},
    usage::Usage,
};

/// Types of lines that other lines repeat.
const SILENT: &[&str] = &[
    "stream_event",
    "status",
    "thinking_tokens",
    "turn.started",
    "rate_limit_event",
    "control_request",
    "control_response",
    "control_cancel_request",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/agents")
}

fn dialect(agent: &str) -> Dialect {
    // The agents that are APIs share one language.
    let word = if agent == "native" { "xai" } else { agent };
    agents::of_word(word).unwrap_or_else(|| panic!("no such agent: {agent}")).dialect()
}

/// `<agent>/<name>` of every stream, and its bytes.
fn streams() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in fs::read_dir(fixtures()).unwrap().flatten().filter(|f| f.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            if let Some(name) = name.strip_suffix(".jsonl").filter(|n| !n.ends_with(".events")) {
                let key = format!("{}/{name}", folder.file_name().to_str().unwrap());
                all.insert(key, fs::read(file.path()).unwrap());
            }
        }
    }
    assert!(all.len() > 60, "{} streams in {}", all.len(), fixtures().display());
    all
}

fn dialect_of(stream: &str) -> Dialect {
    dialect(stream.split('/').next().unwrap())
}

/// Every line of a stream without its newline, with its offset and its length.
fn lines(bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut at = 0;
    let line = |line: &'_ [u8]| {
        let (offset, length) = (at, line.len() as u64);
        at += length;
        (offset, length)
    };
    let places: Vec<(u64, u64)> = bytes.split_inclusive(|b| *b == b'\n').map(line).collect();
    let text = bytes.split_inclusive(|b| *b == b'\n').map(|l| l.strip_suffix(b"\n").unwrap_or(l));
    places.into_iter().zip(text).map(|((offset, length), text)| (offset, length, text)).collect()
}

fn events(stream: &str, bytes: &[u8]) -> Vec<Event> {
    let each =
        |(offset, length, line): (u64, u64, &[u8])| events_of_line(dialect_of(stream), offset, length, line);
    lines(bytes).into_iter().flat_map(each).collect()
}

fn account<'a>(events: impl IntoIterator<Item = &'a Event>) -> Account {
    let mut account = Account::default();
    events.into_iter().for_each(|e| account.add(e));
    account
}

fn account_of(stream: &str) -> Account {
    account(&events(stream, &streams()[stream]))
}

fn json_lines(events: &[Event]) -> String {
    events.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect()
}

/// Compares with the content of a file, or writes it.
fn held(file: &Path, text: &str) {
    if std::env::var_os("CONDUCTOR_UPDATE_EVENTS").is_some() {
        fs::write(file, text).unwrap();
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(kept, text, "{} differs: CONDUCTOR_UPDATE_EVENTS=1 writes it", file.display());
}

#[test]
fn every_stream_gives_the_events_that_are_kept() {
    let schema = fs::read_to_string(fixtures().join("../../docs/formats/event.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for (stream, bytes) in streams() {
        let events = events(&stream, &bytes);
        let text = json_lines(&events);
        held(&fixtures().join(format!("{stream}.events.jsonl")), &text);
        for (line, event) in text.lines().zip(&events) {
            let value = serde_json::from_str(line).unwrap();
            let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{stream}: {line}: {}", wrong.join("; "));
            assert_eq!(&serde_json::from_str::<Event>(line).unwrap(), event, "{stream}");
        }
    }
}

#[test]
fn every_line_gives_events_and_none_is_left_raw() {
    for (stream, bytes) in streams() {
        for (offset, length, line) in lines(&bytes) {
            let events = events_of_line(dialect_of(&stream), offset, length, line);
            let raw = events.iter().any(|e| matches!(e.kind, EventKind::Raw { .. }));
            // `codex exec` without `--json`.
            assert_eq!(raw, stream == "codex/plain", "{stream} at {offset}: {events:?}");
            let value: Value = serde_json::from_slice(line).unwrap_or_default();
            let is_silent = ["type", "subtype"]
                .iter()
                .any(|key| value[*key].as_str().is_some_and(|t| SILENT.contains(&t)));
            assert!(!events.is_empty() || is_silent, "{stream} at {offset} says nothing");
        }
    }
}

fn shown_usage(usage: Option<&Usage>) -> String {
    let number = |n: Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
    usage.map_or("-".to_owned(), |u| {
        let cost = u.cost_usd.map_or(String::new(), |c| format!(" ${c}"));
        format!("{}({}) > {}{cost}", number(u.input_tokens), number(u.cached_tokens), number(u.output_tokens))
    })
}

#[test]
fn every_stream_comes_to_the_account_that_is_kept() {
    let mut text = String::from(
        "# What each stream comes to. Usage: tokens read (from the cache) > tokens written, and dollars.\n",
    );
    for (stream, bytes) in streams() {
        let account = account(&events(&stream, &bytes));
        let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
        writeln!(text, "\n{stream}").unwrap();
        writeln!(text, "  thread   {}", or_none(account.thread_id.as_deref())).unwrap();
        writeln!(
            text,
            "  model    {} {}",
            or_none(account.model.as_deref()),
            or_none(account.agent_version.as_deref())
        )
        .unwrap();
        writeln!(text, "  used     {}", shown_usage(account.used.as_ref())).unwrap();
        writeln!(text, "  thread's {}", shown_usage(account.used_by_thread.as_ref())).unwrap();
        let word = account.last_word.as_ref().map(|w| format!("{:?} {:?}", w.outcome, w.message));
        writeln!(text, "  end      {}", or_none(word.as_deref())).unwrap();
        let failure = account.failure.as_ref().map(|f| format!("{:?} {:?}", f.class, f.message));
        writeln!(text, "  failure  {}", or_none(failure.as_deref())).unwrap();
        let said = DateTime::parse_from_rfc3339("2026-11-22T12:00:00+01:00").unwrap();
        let again = account.failure.as_ref().and_then(|f| f.not_before(said)).map(|t| t.to_rfc3339());
        writeln!(text, "  again    {}", or_none(again.as_deref())).unwrap();
        let answer = account.answer().map(|a| format!("{a:?}"));
        writeln!(text, "  answer   {}", or_none(answer.as_deref())).unwrap();
    }
    held(&fixtures().join("accounts.txt"), &text);
}

/// Checks facts that the expected files must never contradict, even after they are rewritten.
#[test]
fn a_run_succeeds_only_by_its_agents_last_word() {
    let outcome = |stream: &str| account_of(stream).last_word.map(|w| w.outcome);
    let class = |stream: &str| account_of(stream).failure.map(|f| f.class);
    for agent in ["claude", "codex", "gemini", "opencode"] {
        let hello = account_of(&format!("{agent}/hello"));
        assert_eq!(hello.last_word.as_ref().map(|w| w.outcome), Some(TurnOutcome::Completed), "{agent}");
        assert_eq!(hello.answer(), Some("Hello from the fake model."), "{agent}");
        assert!(hello.thread_id.is_some() && hello.failure.is_none(), "{agent}");
        assert_eq!(outcome(&format!("{agent}/slow-SIGTERM")), None, "{agent}");
        assert_eq!(outcome(&format!("{agent}/err400")), Some(TurnOutcome::Failed), "{agent}");
        assert_eq!(class(&format!("{agent}/err400")), Some(ErrorClass::Request), "{agent}");
    }
    assert_eq!(outcome("claude/slow-SIGINT"), Some(TurnOutcome::Interrupted));
    assert_eq!(outcome("claude/maxbudget"), Some(TurnOutcome::Failed));
    assert_eq!(outcome("opencode/ask"), None, "it ends behind a step that called a tool");
    assert_eq!(outcome("opencode/made-sub-task"), None, "the sub-task's end is not the run's");
    assert_eq!(outcome("codex/dead"), None);
    assert_eq!(class("codex/dead"), None, "it tries again by itself");
    let unknown = account_of("claude/resume-unknown");
    assert_eq!((unknown.thread_id, unknown.failure.unwrap().class), (None, ErrorClass::UnknownSession));
    for (stream, expected) in [
        ("claude/err401", ErrorClass::Auth),
        ("claude/err429", ErrorClass::UsageLimit),
        ("claude/err500", ErrorClass::Overload),
        ("claude/err529", ErrorClass::Overload),
        ("codex/err401", ErrorClass::Auth),
        ("codex/err429", ErrorClass::UsageLimit),
        ("codex/err500", ErrorClass::Overload),
        ("codex/drop", ErrorClass::Connection),
        ("codex/dead-bounded", ErrorClass::Connection),
        ("gemini/err401", ErrorClass::Auth),
        ("opencode/made-rate-limit", ErrorClass::UsageLimit),
    ] {
        assert_eq!(class(stream), Some(expected), "{stream}");
    }
}

#[test]
fn tools_and_files_are_told_alike_by_all_agents() {
    let told = |stream: &str| -> Vec<String> {
        let one = |event: Event| match event.kind {
            EventKind::ToolCall { tool, .. } => Some(format!("call {tool}")),
            EventKind::ToolResult { status, exit_code, .. } => {
                Some(format!("{status:?}{}", exit_code.map_or(String::new(), |c| format!(" {c}"))))
            }
            EventKind::FileChange { path, change, .. } => Some(format!("{change:?} {path}")),
            _ => None,
        };
        events(stream, &streams()[stream]).into_iter().filter_map(one).collect()
    };
    assert_eq!(told("claude/write-accept"), ["call Write", "Ok", "Add /w/cwork/written.txt"]);
    assert_eq!(told("claude/bash-default"), ["call Bash", "Denied"]);
    assert_eq!(told("claude/bash-bypass-sandboxenv"), ["call Bash", "Ok", "Add /w/cwork/made.txt"]);
    assert_eq!(told("codex/patch"), ["call file_change", "Ok", "Add /w/work/patched.txt"]);
    assert_eq!(told("codex/fail"), ["call command_execution", "Error 3"]);
    assert_eq!(told("gemini/run-yolo"), ["call run_shell_command", "Ok", "call write_file", "Ok"]);
    assert_eq!(told("opencode/tools"), ["call bash", "Ok 0", "call write", "Ok", "Add /w/owork/ow.txt"]);
    assert_eq!(told("opencode/ask"), ["call bash", "Denied"]);
    let denied = |e: &Event| matches!(e.kind, EventKind::ToolResult { status: ToolStatus::Denied, .. });
    let stream = "gemini/made-quota";
    assert!(events(stream, &streams()[stream]).iter().any(denied));
}

/// A driver that takes over between any two lines produces the same events and the same account.
#[test]
fn it_does_not_matter_who_reads_which_line() {
    for (stream, bytes) in streams() {
        let all = events(&stream, &bytes);
        for (offset, length, line) in lines(&bytes).into_iter().rev() {
            let again = events_of_line(dialect_of(&stream), offset, length, line);
            let kept: Vec<Event> = all.iter().filter(|e| e.offset == offset).cloned().collect();
            assert_eq!(again, kept, "{stream} at {offset}");
            assert!(again.iter().all(|e| e.end() == offset + length));
        }
        let read_back: Vec<Event> =
            json_lines(&all).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(account(&read_back), account(&all), "{stream}");
    }
}

/// One change to a value somewhere in a line.
#[derive(Debug, Clone)]
enum Change {
    Delete,
    Replace(Value),
    Nest,
    Longer,
}

fn change() -> impl Strategy<Value = Change> {
    let odd = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("resets 3am (Europe/Berlin), try again in 9 days, status: 429, reached|1749924000")),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([null, 1, "x", {"type": "text"}, {"type": "tool_result", "content": [1]}])),
    ];
    prop_oneof![Just(Change::Delete), odd.prop_map(Change::Replace), Just(Change::Nest), Just(Change::Longer)]
}

/// The places of all values in a line, as JSON pointers that end with their key.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let place = format!("{at}/{key}");
        places(child, &place, all);
        all.push(place);
    }
}

fn changed(line: &Value, changes: &[(prop::sample::Index, Change)]) -> Value {
    let mut line = line.clone();
    for (index, change) in changes {
        let mut all = Vec::new();
        places(&line, "", &mut all);
        if all.is_empty() {
            break;
        }
        let place = index.get(&all).clone();
        let Some(value) = line.pointer_mut(&place) else { continue };
        match change {
            Change::Replace(other) => *value = other.clone(),
            Change::Nest => *value = serde_json::json!({ "value": value.take() }),
            // A long value is not lengthened again: after five times it would be a line of gigabytes.
            Change::Longer if value.to_string().len() < 1000 => {
                *value = Value::from(value.to_string().repeat(50));
            }
            Change::Longer => {}
            Change::Delete => {
                let (parent, key) = place.rsplit_once('/').unwrap();
                let key = key.replace("~1", "/").replace("~0", "~");
                match line.pointer_mut(parent).unwrap() {
                    Value::Object(map) => drop(map.remove(&key)),
                    Value::Array(list) => drop(list.remove(key.parse().unwrap())),
                    _ => unreachable!("a parent holds values"),
                }
            }
        }
    }
    line
}

/// Checks the properties of any line at all.
fn hold(dialect: Dialect, line: &[u8], has_newline: bool) {
    let length = line.len() as u64 + u64::from(has_newline);
    let events = events_of_line(dialect, 7, length, line);
    assert_eq!(events, events_of_line(dialect, 7, length, line));
    assert!(events.len() <= MOST_EVENTS);
    for (n, event) in events.iter().enumerate() {
        assert_eq!((event.offset, event.end()), (7, 7 + length));
        assert_eq!((event.part as usize, event.parts as usize), (n + 1, events.len()));
        let text = serde_json::to_string(event).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        if let EventKind::Error { retry_after: Some(seconds), .. } = event.kind {
            assert!(seconds.is_finite() && seconds >= 0.0, "{text}");
        }
    }
    if !has_newline
        && serde_json::from_slice::<Value>(line).is_err()
        && !line.iter().all(u8::is_ascii_whitespace)
    {
        assert!(matches!(events[0].kind, EventKind::Raw { reason: RawReason::CutOff, .. }), "{events:?}");
    }
    let account = account(&events);
    let _ = account.answer();
    let said: DateTime<FixedOffset> = DateTime::parse_from_rfc3339("2026-11-22T12:00:00+01:00").unwrap();
    let _ = account.failure.and_then(|f| f.not_before(said));
}

/// Every captured line that is JSON, with its dialect.
fn captured() -> Vec<(Dialect, Value)> {
    let parse = |(stream, bytes): (String, Vec<u8>)| {
        let values = lines(&bytes)
            .into_iter()
            .filter_map(|(_, _, l)| serde_json::from_slice(l).ok())
            .collect::<Vec<_>>();
        values.into_iter().map(move |v| (dialect_of(&stream), v))
    };
    // Pieces of a text are all alike.
    let is_piece = |v: &Value| v["type"] == "stream_event" || v["delta"] == true;
    streams().into_iter().flat_map(parse).filter(|(_, v)| !is_piece(v)).collect()
}

#[test]
fn no_captured_line_that_lacks_one_thing_is_fatal() {
    let mut shapes = HashSet::new();
    for (dialect, line) in captured() {
        let mut all = Vec::new();
        places(&line, "", &mut all);
        if !shapes.insert((line["type"].to_string(), all.clone())) {
            continue;
        }
        for place in all {
            for other in [
                Value::Null,
                Value::from(-1),
                Value::from("x"),
                serde_json::json!([{}]),
                serde_json::json!({"a": 1}),
            ] {
                let mut line = line.clone();
                *line.pointer_mut(&place).unwrap() = other;
                hold(dialect, line.to_string().as_bytes(), true);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_of_other_versions_are_never_fatal(
        index in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..6),
        cut in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        thread_local!(static CAPTURED: Vec<(Dialect, Value)> = captured());
        CAPTURED.with(|captured| {
            let (dialect, line) = index.get(captured);
            let changed = changed(line, &changes).to_string().into_bytes();
            hold(*dialect, &changed, true);
            // Every dialect must accept the line of another agent.
            hold(other.get(captured).0, &changed, true);
            let half = &changed[..cut.index(changed.len() + 1)];
            hold(*dialect, half, false);
            // Two writers in one line, and bytes that neither wrote.
            let mixed = [half, &junk, other.get(captured).1.to_string().as_bytes()].concat();
            let mixed: Vec<u8> = mixed.into_iter().filter(|b| *b != b'\n').collect();
            hold(*dialect, &mixed, true);
        });
    }
}
