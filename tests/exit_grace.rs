//! An agent that has reported its final result and does not exit: it is ended after `exit_grace`, and its result counts.
//! One that works in the background is left alone.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tree::run_info::{RunInfo, RunStatus};

use crate::common::{
    fake,
    tasks::{Bench, until},
};

const INIT: &str = r#"{"type":"system","subtype":"init","session_id":"s-1"}"#;
const NOTE: &str = "the agent did not exit after its final result, and was ended (exit_grace)";
/// Long enough for each agent here to be ended before, and shorter than the life of the agents.
const FOR_EVER: &str = "sleep:110000";

fn result(answer: &str) -> String {
    json!({"type": "result", "subtype": "success", "is_error": false, "result": answer}).to_string()
}

fn background(kind: &str, task: &str) -> String {
    json!({"type": "system", "subtype": kind, "task_id": task, "status": "completed"}).to_string()
}

/// The result of a job: exit code, record, and the request that ended it.
struct Ended {
    code: i32,
    info: RunInfo,
    stop: Value,
    output: String,
}

fn file(bench: &Bench, name: &str) -> PathBuf {
    bench.run_file("t", 0, name)
}

/// Runs a job of an agent with Claude's stream and a command of its own.
fn job(flags: &[&str], command: &[&str]) -> Ended {
    job_in(&Bench::new(), flags, command)
}

fn job_in(bench: &Bench, flags: &[&str], command: &[&str]) -> Ended {
    let mut args = vec!["job", "--project", "p", "--task", "t", "--prompt", "x", "--agent", "claude"];
    args.extend(["--config-key", "stop_grace=300ms"]);
    args.extend(flags.iter().flat_map(|flag| ["--config-key", flag]));
    args.push("--");
    args.extend(command);
    let outcome = crate::common::outcome(&mut bench.sandbox.command(args));
    let info = bench.runs("t").pop().unwrap_or_else(|| panic!("no run: {outcome:?}"));
    let exit = fs::read(file(bench, "exit.json")).unwrap();
    let exit: Value = serde_json::from_slice(&exit).unwrap();
    let output = fs::read_to_string(file(bench, "output.md")).unwrap();
    Ended { code: outcome.code, info, stop: exit["stop"]["by"].clone(), output }
}

/// The command of a scripted agent.
fn agent<'a>(helper: &'a str, steps: &[&'a str]) -> Vec<&'a str> {
    [&[helper][..], steps].concat()
}

#[test]
fn an_agent_that_stays_after_its_result_is_ended_and_the_result_counts() {
    let helper = fake::helper();
    let helper = helper.to_str().unwrap();
    let (init, done) = (format!("say:{INIT}"), format!("say:{}", result("all done")));
    let gave_up = json!({"type": "result", "subtype": "success", "is_error": true, "result": "no money"});
    let gave_up = format!("say:{gave_up}");
    for (steps, flags, status, code, summary) in [
        (&[init.as_str(), &done, FOR_EVER][..], &["exit_grace=200ms"][..], RunStatus::Completed, 0, None),
        (&[&init, &done, "ignore-term", FOR_EVER], &["exit_grace=200ms"], RunStatus::Completed, 0, None),
        // The time without output is shorter than the grace, and would call the run failed.
        (&[&init, &done, FOR_EVER], &["timeout=6s"], RunStatus::Completed, 0, None),
        // Nor does the end of the whole time.
        (&[&init, &done, FOR_EVER], &["max_run_time=4s"], RunStatus::Completed, 0, None),
        (
            &[&init, &gave_up, FOR_EVER],
            &["exit_grace=200ms"],
            RunStatus::Failed,
            1,
            Some("the agent gave up: no money"),
        ),
    ] {
        let ended = job(flags, &agent(helper, steps));
        let info = &ended.info;
        assert_eq!((info.status, ended.code), (status, code), "{steps:?}: {info:?}");
        assert_eq!(info.error_summary.as_deref(), summary, "{steps:?}");
        assert_eq!((info.notes.as_slice(), &ended.stop), (&[NOTE.to_owned()][..], &json!("last_word")));
        assert_eq!(ended.output.trim() == "all done", status == RunStatus::Completed, "{}", ended.output);
    }
}

#[test]
fn a_loop_goes_on_after_such_an_agent() {
    let bench = Bench::new();
    let script = format!(
        "echo '{INIT}'; echo '{}'; [ -e twice ] && touch \"$JRUN_TASK_FOLDER/DONE\"; touch twice; exec sleep 110",
        result("done")
    );
    let ended = bench.task(
        "t",
        "--agent claude --config-key exit_grace=200ms --config-key stop_grace=300ms",
        &script,
    );
    assert_eq!(ended.outcome.code, 0, "{ended:?}");
    let runs = bench.runs("t");
    let statuses: Vec<RunStatus> = runs.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Completed, RunStatus::Completed]);
    assert!(runs.iter().all(|run| run.notes == [NOTE]), "{runs:?}");
}

#[test]
fn an_agent_with_a_process_in_the_background_is_ended_only_after_that() {
    let script = format!(
        "echo '{INIT}'; echo '{}'; (sleep 1.5; touch survived) & exec sleep 110",
        result("started it")
    );
    let bench = Bench::new();
    let ended = job_in(&bench, &["exit_grace=100ms"], &["sh", "-c", &script]);
    // The process was not ended: it has done its work.
    assert!(bench.sandbox.work().join("survived").exists(), "{:?}", ended.info);
    assert_eq!((ended.info.status, &ended.stop), (RunStatus::Completed, &json!("last_word")));
}

#[test]
fn the_program_behind_a_wrapper_is_part_of_the_agent() {
    let helper = fake::helper();
    // As the launcher of a package does: it starts the program, and waits.
    let script = format!(
        "'{}' sleep:500 'say:{INIT}' 'say:{}' {FOR_EVER} & wait",
        helper.display(),
        result("all done")
    );
    let ended = job(&["exit_grace=200ms"], &["sh", "-c", &script]);
    assert_eq!((ended.info.status, &ended.stop), (RunStatus::Completed, &json!("last_word")));
}

#[test]
fn a_result_that_is_followed_by_another_turn_is_no_last_word() {
    let helper = fake::helper();
    let helper = helper.to_str().unwrap();
    let say = |line: &str| format!("say:{line}");
    let (init, interim, last) = (say(INIT), say(&result("started it")), say(&result("it is done")));
    let (begins, ends) =
        (say(&background("task_started", "b1")), say(&background("task_notification", "b1")));
    let tasks = |tasks: Value| {
        say(&json!({"type": "system", "subtype": "background_tasks_changed", "tasks": tasks}).to_string())
    };
    let (some, none) = (tasks(json!([{"task_id": "b2"}])), tasks(json!([])));
    // The agent is silent for many graces while its task works inside of its own process.
    let silent = "sleep:2000";
    for steps in [
        [init.as_str(), &begins, &interim, silent, &ends, &init, &last, "exit:0"],
        [&init, &some, &interim, silent, &none, &init, &last, "exit:0"],
    ] {
        let ended = job(&["exit_grace=100ms"], &agent(helper, &steps));
        assert_eq!(
            (ended.info.status, ended.info.exit_code),
            (RunStatus::Completed, Some(0)),
            "{:?}",
            ended.info
        );
        assert_eq!((ended.output.trim(), &ended.stop), ("it is done", &Value::Null));
        assert!(ended.info.notes.is_empty(), "{:?}", ended.info);
    }
}

#[test]
fn without_a_grace_nothing_but_the_timeout_ends_an_agent() {
    let helper = fake::helper();
    let (init, done) = (format!("say:{INIT}"), format!("say:{}", result("all done")));
    let ended =
        job(&["exit_grace=0", "timeout=2s"], &agent(helper.to_str().unwrap(), &[&init, &done, FOR_EVER]));
    assert_eq!((ended.info.status, &ended.stop), (RunStatus::Failed, &json!("idle_timeout")));
}

#[test]
fn a_later_driver_notices_the_result() {
    let bench = Bench::new();
    let script = format!(
        "echo '{INIT}'; until [ -e go ]; do sleep 0.05; done; echo '{}'; exec sleep 110",
        result("done")
    );
    let flags = "--agent claude --config-key exit_grace=200ms --config-key stop_grace=300ms --max-restarts 0";
    let driver = bench.start("t", flags, &script);
    until("its first event", || {
        fs::read_to_string(file(&bench, "events.jsonl")).is_ok_and(|t| t.contains("s-1"))
    });
    driver.kill();
    bench.touch("go");
    until("its result", || {
        fs::read_to_string(file(&bench, "agent-stdout.txt")).is_ok_and(|text| text.contains("result"))
    });
    let later = bench.run("drive p/t");
    let run = &bench.runs("t")[0];
    assert_eq!(
        (run.status, run.notes.as_slice()),
        (RunStatus::Completed, &[NOTE.to_owned()][..]),
        "{later:?}"
    );
}
