//! The real agents at a usage limit and at an overloaded service. Whichever way the agent reacts, giving up or
//! waiting, the run ends, its record states the cause, and the loop waits.

use std::{
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use chrono::TimeDelta;
use process::exit::{ExitRecord, StopBy};
use tree::{
    event::ErrorClass::{self, Overload, UsageLimit},
    run_info::{RunInfo, RunStatus},
    ticket::{Ticket, TicketFolder},
};

use crate::common::{
    agents::{Lab, RealAgent},
    processes::{until_true, until_within},
};

/// The start of an agent on a busy machine, and its attempts until it is refused for good.
const LONG: Duration = Duration::from_secs(150);

/// Starts a loop with an agent that is refused. Returns the ended first run, and the ticket at that time.
fn refused(lab: &Lab, prompt: &str) -> (Child, RunInfo, Ticket) {
    let flags = ["--config-key", "limit_patience=2s", "--config-key", "max_run_time=10m"];
    let mut task = lab.verb("task", "t", prompt, &flags);
    let task = task.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waiting = || {
        let files = lab.tree.tickets(TicketFolder::Live).unwrap_or_default();
        let ticket = files.into_iter().find_map(|f| f.ticket.ok()).filter(|t| t.attempt == 2)?;
        Some((lab.runs("t").into_iter().next()?, ticket))
    };
    let (run, ticket) = until_within(LONG, "the end of the first attempt", waiting);
    (task, run, ticket)
}

fn ends(lab: &Lab, mut task: Child) {
    fs::write(lab.task_file("t", "STOP"), "").unwrap();
    task.wait().unwrap();
    until_true("the end of all", || lab.processes().is_empty());
}

fn waits(real: RealAgent, prompt: &str, class: ErrorClass) {
    let Some(lab) = Lab::of(real, "") else { return };
    let (task, run, ticket) = refused(&lab, prompt);
    let told = format!("{run:?}\n{ticket:?}\n{}", lab.requests().len());
    assert_eq!((run.status, run.error_class), (RunStatus::Failed, Some(class)), "{told}");
    let pause = ticket.not_before.expect(&told) - run.end_time.expect(&told);
    assert!(pause > TimeDelta::seconds(30), "{told}");
    assert_eq!(ticket.restarts, 0, "it does not count: {told}");
    let reason = if class == ErrorClass::Overload { " is overloaded" } else { "the usage limit of " };
    assert!(ticket.reason.as_deref().is_some_and(|r| r.contains(reason)), "{told}");
    ends(&lab, task);
}

macro_rules! each {
    ($($name:ident($real:ident, $prompt:literal, $class:ident);)*) => {
        $(#[test] fn $name() { waits(RealAgent::$real, $prompt, $class); })*
    };
}

each! {
    heavy_claude_meets_a_usage_limit(Claude, "Go. [[error 429 3600]]", UsageLimit);
    heavy_claude_meets_an_overload(Claude, "Go. [[error 529]]", Overload);
    heavy_codex_meets_a_usage_limit(Codex, "Go. [[error 429 3600]]", UsageLimit);
    heavy_codex_meets_an_overload(Codex, "Go. [[error 503]]", Overload);
    heavy_gemini_meets_a_usage_limit(Gemini, "Go. [[error 429 200]]", UsageLimit);
    heavy_gemini_meets_an_overload(Gemini, "Go. [[error 503]]", Overload);
    heavy_opencode_meets_a_usage_limit(Opencode, "Go. [[error 429 3600]]", UsageLimit);
    heavy_opencode_meets_an_overload(Opencode, "Go. [[error 503 600]]", Overload);
}

/// With its default settings Codex would wait for an hour, five times.
#[test]
fn heavy_codex_that_would_wait_by_itself_is_ended() {
    let Some(lab) = Lab::of(RealAgent::Codex, "") else { return };
    lab.sandbox.write(
        "home/.codex/config.toml",
        "check_for_update_on_startup = false\n[analytics]\nenabled = false\n",
    );
    let (task, run, ticket) = refused(&lab, "Go. [[error 429 3600]]");
    assert_eq!((run.status, run.error_class), (RunStatus::Failed, Some(UsageLimit)), "{run:?}");
    let folder = lab.task_file("t", "runs").join(run.run_id.as_str());
    let exit: ExitRecord = serde_json::from_slice(&fs::read(folder.join("exit.json")).unwrap()).unwrap();
    assert_eq!(exit.stop.map(|s| s.by), Some(StopBy::UsageLimit));
    let why = run.error_summary.unwrap_or_default();
    assert!(why.contains("limit_patience") && why.contains("429 Too Many Requests"), "{why}");
    assert!(ticket.not_before.is_some(), "{ticket:?}");
    ends(&lab, task);
}

/// A single run has no loop that would restart it, so it may wait.
#[test]
fn heavy_a_job_may_wait_as_long_as_its_agent_likes() {
    let Some(lab) = Lab::of(RealAgent::Claude, "") else { return };
    let flags = ["--config-key", "limit_patience=0s"];
    let ended = crate::common::outcome(&mut lab.verb("job", "t", "Go. [[error 429 3]]", &flags));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(lab.requests().iter().filter(|r| r["step"][0] == "error").count(), 2, "it has tried again");
    let run = lab.runs("t").pop().unwrap();
    assert_eq!((run.error_class, run.exit_code), (Some(UsageLimit), Some(1)), "{run:?}");
}
