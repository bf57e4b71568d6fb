//! The agents that call a chat API, from `run-agent job` to a scripted service: streaming, refusals, and truncated
//! answers.

use std::{net::TcpListener, time::Instant};

use crate::common::{agents::Lab, outcome, processes::until_true};
use serde_json::Value;
use tree::run_info::{RunInfo, RunStatus};

/// The agent's output, one event per line.
fn printed(lab: &Lab, task: &str) -> Vec<Value> {
    let text = lab.read(task, "agent-stdout.txt");
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// Returns a header of a request to the model; names are compared without case, as servers do.
fn header<'a>(request: &'a Value, name: &str) -> &'a Value {
    let headers = request["headers"].as_object().unwrap();
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&Value::Null, |(_, v)| v)
}

/// The events of a type.
fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["type"] == kind).collect()
}

fn last(lab: &Lab, task: &str) -> RunInfo {
    lab.runs(task).pop().expect("a run")
}

/// Runs a job that fails. Returns the error that it reports, and the record.
#[track_caller]
fn fails(lab: &Lab, prompt: &str) -> (Value, RunInfo) {
    let ended = lab.job("t", prompt);
    assert_eq!(ended.code, 1, "{ended:?}");
    let events = printed(lab, "t");
    let errors = of_type(&events, "error");
    assert_eq!(errors.len(), 1, "{events:?}");
    assert_eq!(events.last().unwrap()["outcome"], "failed", "{events:?}");
    let run = last(lab, "t");
    assert_eq!((run.status, run.exit_code), (RunStatus::Failed, Some(1)));
    assert!(!lab.task_file("t", "DONE").exists());
    (errors[0].clone(), run)
}

#[test]
fn perplexity_streams_an_answer_with_its_sources() {
    let lab = Lab::of_api("perplexity", "");
    let ended = lab.job("t", "Why is the sky blue? [[say It scatters, as all know.]]");
    assert_eq!(ended.code, 0, "{ended:?}");
    let answer = "It scatters, as all know.\n\nSources:\n\n1. [One](https://one.example/)\n";
    assert_eq!(lab.read("t", "output.md"), answer);
    let events = printed(&lab, "t");
    assert!(of_type(&events, "message").len() > 2, "it comes in parts: {events:?}");
    assert_eq!(of_type(&events, "turn_end")[0]["outcome"], "completed");
    let run = last(&lab, "t");
    assert_eq!((run.status, run.model.as_deref()), (RunStatus::Completed, Some("sonar-pro")));
    assert!(run.usage.unwrap().input_tokens.unwrap() > 0);
    // The task is done, so a loop would not ask again.
    assert!(lab.task_file("t", "DONE").exists());

    let request = lab.requests().pop().unwrap();
    assert_eq!(request["post"], "/v1/chat/completions");
    assert_eq!(*header(&request, "authorization"), "Bearer dummy-perplexity");
    let asked = &request["body"]["messages"][1]["content"];
    assert!(asked.as_str().unwrap().starts_with("Why is the sky blue?"), "no preamble: {asked}");
}

#[test]
fn xai_answers_with_the_model_that_is_asked_for() {
    let lab = Lab::of_api("xai", "    model: grok-9\n");
    assert_eq!(lab.job("t", "Hello?").code, 0);
    assert_eq!(lab.read("t", "output.md"), "Hello from the fake model.\n");
    let request = lab.requests().pop().unwrap();
    assert_eq!(*header(&request, "authorization"), "Bearer dummy-xai");
    assert_eq!(request["body"]["model"], "grok-9");
    assert_eq!(request["body"]["stream_options"]["include_usage"], true);
}

#[test]
fn a_loop_of_such_an_agent_ends_with_its_answer() {
    let lab = Lab::of_api("xai", "");
    let ended = outcome(&mut lab.verb("task", "t", "Hello?", &[]));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(lab.runs("t").len(), 1);
}

#[test]
fn a_refusal_is_told_with_its_class() {
    for (prompt, class, status) in [
        ("[[error 401]]", "auth", 401),
        ("[[error 400]]", "request", 400),
        ("[[error 500]]", "overload", 500),
        ("[[error 429 7]]", "usage_limit", 429),
    ] {
        let lab = Lab::of_api("xai", "");
        let (error, run) = fails(&lab, prompt);
        assert_eq!((error["class"].as_str(), error["http_status"].as_u64()), (Some(class), Some(status)));
        assert!(error["message"].as_str().unwrap().contains("scripted error"), "{error}");
        let waits = run.retry_at.map(|at| (at - run.end_time.unwrap()).num_seconds());
        assert_eq!(waits, (status == 429).then_some(7), "{run:?}");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_none() {
    for prompt in ["[[drop]]", "[[stall]]", "[[hang]]"] {
        let lab = Lab::of_api("perplexity", "    args: [--patience, \"0.4\"]\n");
        let (error, _) = fails(&lab, prompt);
        assert_eq!(error["class"], "connection", "{prompt}: {error}");
    }
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lab = Lab::of_api("xai", "");
    let url = format!("http://{free}");
    let mut command = lab.command(&["chat-agent", "--api", "xai", "--base-url", &url]);
    let ended = outcome(&mut command);
    assert_eq!(ended.code, 1, "{ended:?}");
    let error: Value = serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(error["class"], "connection");
    assert!(error["message"].as_str().unwrap().starts_with(&format!("{url} cannot be reached: ")), "{error}");
}

#[test]
fn a_stop_ends_the_question() {
    let lab = Lab::of_api("xai", "");
    let mut job =
        lab.verb("job", "t", "[[slow 400]]", &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
    until_true("the first words", || {
        lab.runs("t")
            .pop()
            .is_some_and(|r| std::fs::read_to_string(&r.stdout_path).is_ok_and(|t| t.contains("word1")))
    });
    let began = Instant::now();
    std::fs::write(lab.task_file("t", "STOP"), "").unwrap();
    job.wait().unwrap();
    assert!(began.elapsed().as_secs() < 10);
    assert_eq!(last(&lab, "t").status, RunStatus::Stopped);
    until_true("the end of all", || lab.processes().is_empty());
}
