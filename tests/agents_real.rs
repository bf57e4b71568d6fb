//! The real agents, run by us from end to end against a scripted model: every way in which a run of theirs can go.

use std::{fs, process::Stdio, time::Duration};

use crate::common::{
    agents::{Lab, RealAgent},
    outcome,
    processes::{Marked, until, until_true, until_within},
};
use process::{claim::Claim, exit::ExitRecord};
use serde_json::Value;
use tree::run_info::{RunInfo, RunStatus};

/// A program that works for minutes, as an agent's tool. Some agents refuse a plain `sleep`.
const WORKS: &str = "touch begun; python3 -c 'import time; time.sleep(300)'";

/// Maximum time until an agent begins on a busy machine.
const START: Duration = Duration::from_secs(90);

fn last(lab: &Lab, task: &str) -> RunInfo {
    lab.runs(task).pop().expect("a run")
}

/// The events of a task's last run.
fn events(lab: &Lab, task: &str) -> Vec<Value> {
    lab.read(task, "events.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Everything that helps to explain a failed test.
fn told(lab: &Lab, task: &str) -> String {
    format!(
        "{:?}\n{}\n{}",
        last(lab, task),
        lab.read(task, "agent-stdout.txt"),
        lab.read(task, "agent-stderr.txt")
    )
}

fn completes(real: RealAgent) {
    let Some(lab) = Lab::of(real, "") else { return };
    let ended = lab.job("t", "Make a file. [[run echo made > made.txt]] [[say The file is made.]]");
    assert_eq!(ended.code, 0, "{ended:?}\n{}", told(&lab, "t"));
    assert_eq!(fs::read_to_string(lab.sandbox.work().join("made.txt")).unwrap(), "made\n");
    assert_eq!(lab.read("t", "output.md"), "The file is made.\n");

    let run = last(&lab, "t");
    assert_eq!((run.status, run.agent.as_str()), (RunStatus::Completed, lab.agent));
    assert!(run.thread_id.is_some(), "{run:?}");
    let usage = run.usage.clone().unwrap_or_else(|| panic!("{}", told(&lab, "t")));
    assert!(usage.input_tokens.unwrap() > 1000 && usage.output_tokens.unwrap() > 0, "{usage:?}");
    let events = events(&lab, "t");
    let calls = events.iter().filter(|e| e["type"] == "tool_call").count();
    let results = events.iter().filter(|e| e["type"] == "tool_result" && e["status"] == "ok").count();
    assert_eq!((calls, results), (1, 1), "{events:?}");

    // The requests have the agent's key, its model and our whole prompt, and the model knew every request.
    let requests = lab.requests();
    assert!(requests.iter().all(|r| r["unknown"].is_null()), "{requests:?}");
    let text = requests.iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("dummy") && text.contains("JRUN_TASK_FOLDER"), "{}", told(&lab, "t"));
    until_true("the end of all", || lab.processes().is_empty());
}

fn resumes(real: RealAgent) {
    let Some(lab) = Lab::of(real, "") else { return };
    assert_eq!(lab.job("t", "Begin. [[say The first word.]]").code, 0, "{}", told(&lab, "t"));
    let first = last(&lab, "t");
    let before = lab.requests().len();
    // `resume` continues a task that is done or was stopped.
    fs::write(lab.task_file("t", "DONE"), "").unwrap();
    let again = outcome(&mut lab.command(&["resume", "p/t", "--json"]));
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(lab.runs("t").len(), 2, "{again:?}");
    let second = last(&lab, "t");
    assert_eq!(
        (second.status, &second.thread_id),
        (RunStatus::Completed, &first.thread_id),
        "{}",
        told(&lab, "t")
    );
    // The model receives the earlier conversation.
    let request = lab.requests()[before..].iter().map(Value::to_string).collect::<String>();
    assert!(request.contains("The first word."), "{request}");
    // Each run counts what the model has served to it, and no total over the conversation.
    let requests = lab.requests();
    for (run, requests) in [(&first, &requests[..before]), (&second, &requests[before..])] {
        let used = run.usage.as_ref().unwrap().input_tokens.unwrap();
        let (least, most) = served(requests);
        assert!((least..=most).contains(&used), "not {least} to {most}: {run:?}");
    }
}

/// The input tokens that the model has counted for these requests: for those that offer tools, which are the
/// conversation's, and for all. An agent may leave the others, for a title and the like, out of its usage.
fn served(requests: &[Value]) -> (u64, u64) {
    let tokens = |of: &[&Value]| of.iter().filter_map(|r| r["served"].as_u64()).sum();
    let all: Vec<&Value> = requests.iter().collect();
    let conversation: Vec<&Value> =
        requests.iter().filter(|r| r["tools"].as_array().is_some_and(|tools| !tools.is_empty())).collect();
    (tokens(&conversation), tokens(&all))
}

fn fails_on_a_model_error(real: RealAgent) {
    let Some(lab) = Lab::of(real, "") else { return };
    let ended = lab.job("t", "Fail. [[error 400]]");
    assert_eq!(ended.code, 1, "{ended:?}");
    let run = last(&lab, "t");
    assert_eq!(run.status, RunStatus::Failed, "{}", told(&lab, "t"));
    assert!(run.error_class.is_some(), "{}", told(&lab, "t"));
}

fn is_denied_a_tool(real: RealAgent) {
    let Some(lab) = Lab::of(real, "    permissions: ask\n") else { return };
    let ended = lab.job("t", "Make a file. [[run echo made > made.txt]] [[say I could not.]]");
    assert!(!lab.sandbox.work().join("made.txt").exists(), "{}", told(&lab, "t"));
    // OpenCode ends a turn in which it was refused something; the others report it to the model and continue.
    if real != RealAgent::Opencode {
        assert_eq!(ended.code, 0, "{ended:?}\n{}", told(&lab, "t"));
        assert_eq!(lab.read("t", "output.md"), "I could not.\n");
    }
    // Codex reports nothing about a command that its sandbox has refused.
    if real != RealAgent::Codex {
        let events = events(&lab, "t");
        let refused = |e: &&Value| e["type"] == "tool_result" && e["status"] != "ok";
        assert_eq!(events.iter().filter(refused).count(), 1, "{events:?}");
    }
}

fn is_cut_off(real: RealAgent) {
    let Some(lab) = Lab::of(real, "") else { return };
    // OpenCode retries for ever; only the run's own limit ends it.
    let limit = if real == RealAgent::Opencode { "10s" } else { "60s" };
    let ended = outcome(&mut lab.verb("job", "t", "Speak. [[drop]]", &["--max-run-time", limit]));
    assert_eq!(ended.code, 1, "{ended:?}\n{}", told(&lab, "t"));
    assert_eq!(last(&lab, "t").status, RunStatus::Failed, "{}", told(&lab, "t"));
}

fn is_stopped_in_mid_command(real: RealAgent) {
    let Some(lab) = Lab::of(real, "") else { return };
    let prompt = format!("Work. [[run {WORKS}]] [[say It is done.]]");
    let mut job =
        lab.verb("job", "t", &prompt, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = lab.sandbox.work().join("begun");
    until_within(START, "the command", || begun.exists().then_some(()));
    let sleeps = |p: &Marked| p.command.starts_with("python3 -c import time");
    until_true("its process", || lab.processes().iter().any(sleeps));
    fs::write(lab.task_file("t", "STOP"), "").unwrap();
    until("the end of the job", || job.try_wait().unwrap());
    assert_eq!(last(&lab, "t").status, RunStatus::Stopped, "{}", told(&lab, "t"));
    let exit: ExitRecord = serde_json::from_str(&lab.read("t", "exit.json")).unwrap();
    assert!(exit.stop.is_some(), "{exit:?}");
    let _: Claim = serde_json::from_str(&lab.read("t", "claim.json")).unwrap();
    // Checked at once, because the record is written when no process of the run is left.
    let left = lab.processes();
    assert!(left.is_empty(), "{left:?}");
}

macro_rules! each {
    ($($name:ident($real:ident, $how:ident);)*) => {
        $(#[test] fn $name() { $how(RealAgent::$real); })*
    };
}

each! {
    heavy_claude_completes_a_run(Claude, completes);
    heavy_codex_completes_a_run(Codex, completes);
    heavy_gemini_completes_a_run(Gemini, completes);
    heavy_opencode_completes_a_run(Opencode, completes);
    heavy_claude_resumes_its_conversation(Claude, resumes);
    heavy_codex_resumes_its_conversation(Codex, resumes);
    heavy_gemini_resumes_its_conversation(Gemini, resumes);
    heavy_opencode_resumes_its_conversation(Opencode, resumes);
    heavy_claude_fails_on_a_model_error(Claude, fails_on_a_model_error);
    heavy_codex_fails_on_a_model_error(Codex, fails_on_a_model_error);
    heavy_gemini_fails_on_a_model_error(Gemini, fails_on_a_model_error);
    heavy_opencode_fails_on_a_model_error(Opencode, fails_on_a_model_error);
    heavy_claude_is_denied_a_tool(Claude, is_denied_a_tool);
    heavy_codex_is_denied_a_tool(Codex, is_denied_a_tool);
    heavy_gemini_is_denied_a_tool(Gemini, is_denied_a_tool);
    heavy_opencode_is_denied_a_tool(Opencode, is_denied_a_tool);
    heavy_claude_is_cut_off(Claude, is_cut_off);
    heavy_codex_is_cut_off(Codex, is_cut_off);
    heavy_gemini_is_cut_off(Gemini, is_cut_off);
    heavy_opencode_is_cut_off(Opencode, is_cut_off);
    heavy_claude_is_stopped_in_mid_command(Claude, is_stopped_in_mid_command);
    heavy_codex_is_stopped_in_mid_command(Codex, is_stopped_in_mid_command);
    heavy_gemini_is_stopped_in_mid_command(Gemini, is_stopped_in_mid_command);
    heavy_opencode_is_stopped_in_mid_command(Opencode, is_stopped_in_mid_command);
}

/// A loop: the first attempt does half of the work, the second continues the conversation and finishes.
#[test]
fn heavy_codex_works_in_a_loop_until_it_is_done() {
    let Some(lab) = Lab::of(RealAgent::Codex, "") else { return };
    let step = "if [ -e half ]; then touch \"$JRUN_TASK_FOLDER\"/DONE; else touch half; fi";
    let prompt = format!("Work in two steps. [[run {step}]] [[say A step is done.]]");
    let ended = outcome(&mut lab.verb("task", "t", &prompt, &["--max-restarts", "3"]));
    assert_eq!(ended.code, 0, "{ended:?}\n{}", told(&lab, "t"));
    let runs = lab.runs("t");
    let [first, second] = &runs[..] else { panic!("two attempts: {runs:?}") };
    assert_eq!((second.attempt, second.status), (2, RunStatus::Completed));
    assert!(first.thread_id.is_some() && first.thread_id == second.thread_id, "{runs:?}");
    assert!(lab.task_file("t", "DONE").exists());
    until_true("the end of all", || lab.processes().is_empty());
}
