//! An agent's stream becomes events, usage, a conversation that continues, and a verdict. The result is the same, and
//! recorded once, for every driver.
//!
//! The agent is a script in the place of claude that prints captured streams of it; `agents_real.rs` has the real
//! one.

use std::{fs, path::PathBuf};

use tree::{
    event::{ErrorClass, Event, EventKind},
    run_info::{RunInfo, RunStatus},
    transcript::events_of_line,
};

use crate::common::tasks::{Bench, DONE, Driver, LoopResult, UNTIL_GO, until};

/// Prints a captured stream of claude.
fn says(name: &str) -> String {
    format!("cat '{}/{name}.jsonl'", captured().display())
}

fn captured() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/agents/claude")
}

/// Runs a script in attempt `n` of a task (the first is 1).
fn attempt(n: u32, script: &str) -> String {
    format!("if [ $(ls \"$JRUN_RUNS_DIR\" | wc -l) = {n} ]; then {script}; fi; ")
}

/// Creates a bench with this script as `claude`.
fn claude(script: &str) -> Bench {
    let bench = Bench::new();
    let program =
        bench.sandbox.write("home/claude", format!("echo \"$@\" >> \"$JRUN_TASK_FOLDER\"/calls\n{script}\n"));
    bench.sandbox.configure(format!(
        "agents: {{claude: {{command: [sh, {}]}}}}\n\
             defaults: {{restart_delay: 10ms, restart_delay_max: 20ms, agent: claude}}\n",
        program.display()
    ));
    bench
}

const TASK: [&str; 8] = ["task", "--project", "p", "--task", "t", "--prompt", "do it", "--json"];

fn task(bench: &Bench) -> LoopResult {
    Driver::of(&mut bench.sandbox.command(TASK)).wait()
}

/// The events on disk, and those derived from the raw stream.
fn events(bench: &Bench, n: usize) -> (Vec<Event>, Vec<Event>) {
    let kept = fs::read_to_string(bench.run_file("t", n, "events.jsonl")).unwrap();
    let kept = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let raw = fs::read(bench.run_file("t", n, "agent-stdout.txt")).unwrap();
    let mut at = 0;
    let mut given = Vec::new();
    let dialect = agents::of_word("claude").expect("an agent").dialect();
    for line in raw.split_inclusive(|b| *b == b'\n') {
        let bytes = line.strip_suffix(b"\n").unwrap_or(line);
        given.extend(events_of_line(dialect, at, line.len() as u64, bytes));
        at += line.len() as u64;
    }
    (kept, given)
}

fn output(bench: &Bench, n: usize) -> String {
    fs::read_to_string(bench.run_file("t", n, "output.md")).unwrap()
}

fn cost(run: &RunInfo) -> Option<f64> {
    run.usage.as_ref()?.cost_usd.map(|cost| (cost * 1e6).round() / 1e6)
}

#[test]
fn a_driver_that_takes_over_keeps_every_event_once() {
    let stream = captured().join("bash-allowed.jsonl");
    let half = fs::read_to_string(&stream).unwrap().len() / 2;
    let stream = format!("'{}'", stream.display());
    let script = format!("head -c {half} {stream}; {UNTIL_GO}; tail -c +{} {stream}; {DONE}", half + 1);
    let bench = claude(&script);
    let first = Driver::of(&mut bench.sandbox.command(TASK));
    bench.until_running("t");
    until("the first events are kept while the agent works", || {
        fs::read_to_string(bench.run_file("t", 0, "events.jsonl")).is_ok_and(|e| !e.is_empty())
    });
    first.kill();
    bench.touch("go");
    assert_eq!(bench.run("watch p/t --timeout 20s").code, 0);
    let (kept, given) = events(&bench, 0);
    assert!(!kept.is_empty() && kept == given, "{kept:#?}\n{given:#?}");
    let run = bench.runs("t").remove(0);
    assert_eq!((run.status, run.model.as_deref()), (RunStatus::Completed, Some("claude-opus-5-5")));
    assert_eq!((cost(&run), run.agent_version.as_deref()), (Some(0.102_184), Some("2.1.330")));
    assert_eq!(output(&bench, 0), "finished\n");
}

#[test]
fn events_that_a_driver_died_in_the_middle_of_are_made_whole() {
    let bench = claude(&format!("{}; {UNTIL_GO}; {DONE}", says("bash-allowed")));
    let first = Driver::of(&mut bench.sandbox.command(TASK));
    bench.until_running("t");
    let file = || bench.run_file("t", 0, "events.jsonl");
    until("all events are kept", || fs::read_to_string(file()).is_ok_and(|e| e.contains("turn_end")));
    first.kill();
    let whole = fs::read_to_string(file()).unwrap();
    // The last raw line gave three events; half a line of the second one is on disk.
    let torn = whole.lines().count() - 2;
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    fs::write(file(), &whole[..ends[torn - 1] + 10]).unwrap();
    bench.touch("go");
    assert_eq!(bench.run("watch p/t --timeout 20s").code, 0);
    let kept = fs::read_to_string(file()).unwrap();
    let lines: Vec<&str> = kept.lines().filter(|l| serde_json::from_str::<Event>(l).is_ok()).collect();
    assert_eq!(lines, whole.lines().collect::<Vec<_>>(), "{kept}");
    assert_eq!(kept.lines().count(), lines.len() + 1, "the torn line was ended: {kept}");
}

/// An agent may print gigabytes that are no events. The file of events names the bytes and does not repeat them.
#[test]
fn text_among_the_events_is_named_and_not_repeated() {
    let text = "i=0; while [ $i -lt 20000 ]; do echo \"line $i of { a build }\"; echo; i=$((i+1)); done";
    let bench = claude(&format!("{text}; {}; {DONE}", says("hello")));
    assert_eq!(task(&bench).ended().1, "completed");
    let printed = fs::read_to_string(bench.run_file("t", 0, "agent-stdout.txt")).unwrap();
    let kept = fs::read_to_string(bench.run_file("t", 0, "events.jsonl")).unwrap();
    let kept: Vec<Event> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut lines = 0;
    for event in &kept {
        if let EventKind::Raw { text, lines: number, .. } = &event.kind {
            let range = usize::try_from(event.offset).unwrap()..usize::try_from(event.end()).unwrap();
            let words = printed[range].lines().filter(|line| line.starts_with("line ")).count();
            assert!(text.is_empty() && words > 0, "{event:?}");
            assert!(number.is_some_and(|number| number >= words as u64), "{event:?}");
            lines += words;
        }
    }
    assert_eq!(lines, 20_000);
    assert!(kept.len() < 1000, "{} events", kept.len());
    // A user who follows the run reads the text itself.
    let shown = bench.run("job --project p --task u --prompt x --follow");
    assert!(shown.stderr.contains("line 0 of { a build }\n\nline 1 of"), "{}", shown.stderr.len());
    assert!(shown.stderr.contains("line 19999 of { a build }\n"), "{}", shown.stderr.len());
}

#[test]
fn a_flipped_bit_in_an_event_changes_no_verdict() {
    let bench = claude(&format!("{}; {DONE}", says("bash-allowed")));
    assert_eq!(task(&bench).outcome.code, 0);
    let file = bench.run_file("t", 0, "events.jsonl");
    let (kept, given) = events(&bench, 0);
    assert!(!kept.is_empty() && kept == given);
    let whole = fs::read(&file).unwrap();
    let end = b"\"type\":\"turn_end\"";
    let at = whole.windows(end.len()).rposition(|w| w == end).unwrap();
    // In the type of the last event, and in the middle of the others.
    for at in [at + 9, whole.len() / 2] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&file, flipped).unwrap();
        let found: serde_json::Value = serde_json::from_str(&bench.run("fsck --json").stdout).unwrap();
        let rules: Vec<&str> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["rule"].as_str().unwrap())
            .filter(|rule| *rule != "open-mode")
            .collect();
        assert_eq!(rules, ["events-damaged"], "byte {at}: the stream still tells how the run ended");
    }
}

#[test]
fn exit_status_0_without_the_last_word_is_a_failure_whoever_looks() {
    let bench = claude(&format!("{}; {UNTIL_GO}; exit 0", says("slow-SIGTERM")));
    let first = Driver::of(&mut bench.sandbox.command(TASK));
    bench.until_running("t");
    first.kill();
    bench.touch("go");
    let exit = bench.run_file("t", 0, "exit.json");
    until("the agent has ended", || exit.exists());
    // No driver has committed the end, but every reader sees it.
    let list: serde_json::Value = serde_json::from_str(&bench.run("list p --json").succeeds()).unwrap();
    let shown = list.to_string();
    assert!(shown.contains("failed") || bench.runs("t")[0].status == RunStatus::Running, "{shown}");
    fs::write(bench.marker("t", "STOP"), "").unwrap();
    bench.run("drive p/t");
    let run = bench.runs("t").remove(0);
    assert_eq!((run.status, run.exit_code), (RunStatus::Failed, Some(0)));
    let why = run.error_summary.unwrap();
    assert!(why.contains("without its final result"), "{why}");
    assert!(output(&bench, 0).starts_with("(the run left no answer"), "{}", output(&bench, 0));
}

#[test]
fn a_restart_goes_on_with_the_conversation_and_pays_for_its_own_part() {
    let script = [attempt(1, &says("sid")), attempt(2, &format!("{}; {DONE}", says("resume")))].concat();
    let bench = claude(&script);
    assert_eq!(task(&bench).ended().1, "completed");
    let runs = bench.runs("t");
    let thread = "11111111-2222-4333-8444-555555555555";
    assert!(runs.len() == 2 && runs.iter().all(|r| r.thread_id.as_deref() == Some(thread)), "{runs:#?}");
    // claude reports the cost of the conversation so far: 0.05078, then 0.101664.
    assert_eq!((cost(&runs[0]), cost(&runs[1])), (Some(0.05078), Some(0.050_884)));
    let calls = fs::read_to_string(bench.marker("t", "calls")).unwrap();
    let calls: Vec<&str> = calls.lines().filter(|l| l.contains("stream-json")).collect();
    let resumed: Vec<bool> = calls.iter().map(|c| c.contains(&format!("--resume {thread}"))).collect();
    assert_eq!(resumed, [false, true], "{calls:?}");
}

#[test]
fn a_conversation_that_is_gone_is_not_asked_for_again() {
    let script = [
        attempt(1, &says("sid")),
        attempt(2, &format!("{}; exit 1", says("resume-unknown"))),
        attempt(3, &format!("{}; {DONE}", says("hello"))),
    ];
    let bench = claude(&script.concat());
    assert_eq!(task(&bench).ended().1, "completed");
    let runs = bench.runs("t");
    let said: Vec<_> = runs.iter().map(|r| (r.status, r.error_class)).collect();
    let gone = (RunStatus::Failed, Some(ErrorClass::UnknownSession));
    assert_eq!(said, [(RunStatus::Completed, None), gone, (RunStatus::Completed, None)], "{runs:#?}");
    assert_eq!((&runs[1].thread_id, runs[2].thread_id.is_some()), (&None, true));
    let calls = fs::read_to_string(bench.marker("t", "calls")).unwrap();
    let resumed: Vec<bool> =
        calls.lines().filter(|l| l.contains("stream-json")).map(|c| c.contains("--resume")).collect();
    assert_eq!(resumed, [false, true, false], "{calls}");
}

#[test]
fn an_agent_that_meets_its_limit_is_waited_for_and_that_does_not_count() {
    let script = [
        attempt(1, &format!("{}; exit 1", says("err429"))),
        attempt(2, &format!("{}; exit 1", says("err529"))),
        attempt(3, &format!("{}; {DONE}", says("hello"))),
    ];
    let bench = claude(&script.concat());
    let mut command = bench.sandbox.command(TASK);
    let ended = Driver::of(command.args(["--max-restarts", "0"])).wait();
    assert_eq!(ended.ended().1, "completed", "{ended:?}");
    let classes: Vec<_> = bench.runs("t").iter().map(|r| r.error_class).collect();
    assert_eq!(classes, [Some(ErrorClass::UsageLimit), Some(ErrorClass::Overload), None]);
    let why = bench.runs("t")[0].error_summary.clone().unwrap();
    assert!(why.contains("429"), "{why}");
}

#[test]
fn an_agent_that_fails_before_it_speaks_is_quoted_from_stderr_and_its_words_are_no_flags() {
    let session = r#"{"type":"system","subtype":"init","session_id":"--dangerous; rm -rf /","model":"m"}"#;
    let odd = r#"{"type":"assistant","message":42}"#;
    let script = [
        attempt(1, "echo 'Skipping defaults' >&2; echo 'Invalid auth method selected.' >&2; exit 41"),
        attempt(2, &format!("echo '{session}'; echo '{odd}'; exit 1")),
        attempt(3, &format!("{}; {DONE}", says("hello"))),
    ];
    let bench = claude(&script.concat());
    assert_eq!(task(&bench).ended().1, "completed");
    let runs = bench.runs("t");
    let why = runs[0].error_summary.clone().unwrap();
    assert_eq!(why, "exit code 41; the last line of its stderr: Invalid auth method selected.");
    assert_eq!(runs[1].thread_id, None);
    let events = fs::read_to_string(bench.run_file("t", 1, "events.jsonl")).unwrap();
    assert!(events.contains(r#""type":"raw","reason":"unknown""#), "{events}");
    let calls = fs::read_to_string(bench.marker("t", "calls")).unwrap();
    assert!(!calls.contains("--resume"), "{calls}");
}
